"""One place that wakes Keras up: quietly, with threads set on purpose, in the precision that was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation.errors import PrecisionUnsupported
from separation.loading import quick_start

PRECISIONS = ("float32", "bfloat16")
"""Arithmetic of the networks; everything else is float32 always."""
_BFLOAT16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
Compiled = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def load_keras(n_calls: int = 1) -> ModuleType:
    """Import Keras on its configured backend (`KERAS_BACKEND`, TensorFlow unless told otherwise).

    Parameters
    ----------
    n_calls
        Calls of a network at the same time, by as many threads of ours; they share the cores. Set once: later calls do
        not change it.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _native_stderr_closed("keras" not in sys.modules), quick_start():
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            load_tensorflow(n_calls)
        import keras
    return keras


def load_tensorflow(n_calls: int = 1) -> ModuleType:
    """Import TensorFlow; `n_calls` as in `load_keras`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    first = "tensorflow" not in sys.modules
    with _native_stderr_closed(first):
        import tensorflow as tf

        if first:
            tf.get_logger().setLevel("ERROR")
            try:
                tf.config.threading.set_intra_op_parallelism_threads(max(1, usable_cores() // n_calls))
                tf.config.threading.set_inter_op_parallelism_threads(n_calls)
                tf.config.list_logical_devices()
            except RuntimeError:  # TensorFlow already runs with the threads it was given first
                pass
    return tf


def usable_cores() -> int:
    """Cores that this process may use; fewer than the machine has where an affinity is set."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compiled(function: Callable[[Any], Any], shape: tuple[int, ...]) -> Compiled:
    """Make one compiled function of one fixed input shape; numpy in and out, on any backend.

    Parameters
    ----------
    function
        A tensor of `shape` in, a tensor out.
    shape
        Of its input, batch included.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        graph = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
        graph.get_concrete_function()  # traced now: two threads may call it first
        return lambda x: np.asarray(memoryview(graph(tf.constant(x))))  # without a copy
    if backend == "jax":
        import jax

        fast = jax.jit(function)
        return lambda x: np.asarray(fast(x))
    import torch

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(x))))

    return run


def jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a backend compile a function of tensors that nothing learns through; shapes must not change."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, reduce_retracing=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    import torch

    return torch.no_grad()(function)


@contextmanager
def with_precision(precision: str) -> Iterator[None]:
    """Let networks built in this block compute in `precision`.

    Raises
    ------
    PrecisionUnsupported
        Where this machine would have to imitate it: slower, and no more exact.
    """
    check_precision(precision)
    keras = load_keras()
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy(precision)  # weights too: to cast them at every call takes its time
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def check_precision(precision: str) -> None:
    """Raise `PrecisionUnsupported` where this machine cannot compute in `precision`."""
    check_precision_known(precision)
    if precision == "bfloat16" and not (_BFLOAT16_FLAGS & processor_flags()) and not _has_gpu():
        raise PrecisionUnsupported(
            f"this processor has no bfloat16 arithmetic (one of {', '.join(sorted(_BFLOAT16_FLAGS))}): use float32"
        )


def check_precision_known(precision: str) -> None:
    """Raise `PrecisionUnsupported` where there is no such precision, on any machine."""
    if precision not in PRECISIONS:
        raise PrecisionUnsupported(f"no precision {precision!r}; there are {', '.join(PRECISIONS)}")


def processor_flags() -> frozenset[str]:
    """What the processor says it can do, as Linux lists it; empty where nobody says."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    lines = (line.partition(":")[2] for line in text.splitlines() if line.startswith(("flags", "Features")))
    return frozenset(next(lines, "").split())


def _has_gpu() -> bool:
    load_keras()
    from keras import distribution

    return bool(distribution.list_devices("gpu"))


@contextmanager
def _native_stderr_closed(wanted: bool) -> Iterator[None]:
    """Swallow what TensorFlow's C++ side writes on file descriptor 2 while it starts, before its log level counts."""
    if not wanted or os.environ.get("MIR_DEBUG"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
