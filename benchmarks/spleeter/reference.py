"""Real Spleeter, asked over pipes: writes random checkpoints, separates, and tells how long that took.

Run by an interpreter that has it: `python3.10 -m venv VENV; VENV/bin/pip install spleeter==2.4.2`.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.spleeter.checkpoints import Configuration, write_checkpoint
from benchmarks.spleeter.worker import serve


def configuration(descriptor: str, **changes: object) -> Configuration:
    """One of Spleeter's configurations, `spleeter:4stems` or the path of a JSON file, with some keys changed."""
    from spleeter.utils.configuration import load_configuration

    return {**load_configuration(descriptor), **changes}


@lru_cache(maxsize=2)
def separator(descriptor: str, weights: str, *, mwf: bool = False, mask_extension: str | None = None) -> Any:  # noqa: ANN401
    """Spleeter's public `Separator` of a configuration, which takes its checkpoint from a folder."""
    from spleeter.separator import Separator

    changes = {"model_dir": str(Path(weights).resolve())}
    if mask_extension is not None:
        changes["mask_extension"] = mask_extension
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "configuration.json"
        path.write_text(json.dumps(configuration(descriptor, **changes)), encoding="utf-8")
        return Separator(os.fspath(path), MWF=mwf, multiprocess=False)


@lru_cache(maxsize=1)
def session(descriptor: str, weights: str) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Spleeter's graph in one session that stays open, where its `Separator` builds and restores both at every call.

    Nothing in Spleeter offers this; it shows how much of its time is arithmetic.
    """
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory

    settings = configuration(descriptor)
    with tf.Graph().as_default():
        features = InputProviderFactory.get(settings).get_input_dict_placeholders()
        outputs = EstimatorSpecBuilder(features, settings).outputs
        stems = {stem: outputs[stem] for stem in settings["instrument_list"]}
        opened = tf.compat.v1.Session()
        tf.compat.v1.train.Saver().restore(opened, tf.train.latest_checkpoint(weights))
    return lambda y: opened.run(stems, {features["waveform"]: y})


def _checkpoint(descriptor: str, folder: str, seed: int, skipped: Sequence[str] = ()) -> dict[str, Any]:
    write_checkpoint(configuration(descriptor), Path(folder), seed, skipped=skipped)
    return {}


def _separate(waveform: str, out: str | None = None, *, opened: bool = False, **which: Any) -> dict[str, Any]:  # noqa: ANN401
    """Separate an `.npy` (n_channels, n_samples) into an `.npz` laid out alike; the seconds are Spleeter's alone."""
    y = np.ascontiguousarray(np.load(waveform).T)
    separate = session(**which) if opened else separator(**which).separate
    started, processor = time.perf_counter(), time.process_time()
    stems = separate(y)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    if out is not None:
        np.savez(out, **{stem: samples.T for stem, samples in stems.items()})
    return {"seconds": seconds, "processor_s": processor}


if __name__ == "__main__":
    serve({"configuration": configuration, "checkpoint": _checkpoint, "separate": _separate})
