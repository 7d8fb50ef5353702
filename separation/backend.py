"""One place that wakes Keras up: quietly, with threads set on purpose."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def load_keras(n_threads: int | None = None) -> ModuleType:
    """Import Keras on its configured backend (`KERAS_BACKEND`, TensorFlow unless told otherwise).

    Parameters
    ----------
    n_threads
        Threads inside one operation; None means every core this process may use. Set once: later calls
        do not change it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _native_stderr_closed("keras" not in sys.modules):
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.get_logger().setLevel("ERROR")
            try:
                tf.config.threading.set_intra_op_parallelism_threads(n_threads or usable_cores())
                tf.config.threading.set_inter_op_parallelism_threads(1)
                tf.config.list_logical_devices()
            except RuntimeError:  # TensorFlow already runs with the threads it was given first
                pass
    return keras


def usable_cores() -> int:
    """Cores that this process may use; fewer than the machine has where an affinity is set."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
