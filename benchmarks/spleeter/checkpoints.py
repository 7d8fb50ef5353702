"""Checkpoints as Spleeter's own code writes them, with seeded random weights and random norm statistics.

Runs where Spleeter 2.4.2 is installed (Python 3.10, TensorFlow 2.12); the rest of the repository never imports this.
"""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np

Configuration = dict[str, Any]
"""What one of Spleeter's JSON files holds."""

CONVOLUTIONS = 7
"""A stem's, the transposed ones not counted."""
INPUT_GAIN = 82.0
"""Of the first, over the frame length, with which magnitudes grow; what comes out is then about 1."""
LOGIT_GAIN = 3.0
"""Of the last: masks spread over nearly all of 0 to 1. Every other layer has gain 1."""


def write_checkpoint(
    configuration: Configuration,
    folder: Path,
    seed: int,
    *,
    adam: bool = False,
    graph: bool = True,
    skipped: Container[str] = frozenset(),
) -> None:
    """Write a checkpoint laid out like a released model.

    `checkpoint`, `model.data-00000-of-00001`, `model.index` and `model.meta`, from the graph that Spleeter builds:
    gamma ~ U(0.5, 1.5), beta ~ N(0, 0.2), moving mean ~ N(0, 0.3), moving variance ~ U(0.3, 2), bias ~ N(0, 0.1),
    kernels ~ N(0, gain² / fan-in).

    Parameters
    ----------
    configuration
        Spleeter's configuration; its sizes and stems decide the variables.
    folder
        Where to write; made if needed.
    seed
        Of all the variables.
    adam
        Write a training graph's checkpoint: with Adam's two moments of every variable and its two powers.
    graph
        Write `model.meta`, which nothing reads to separate and which is larger than a small model.
    skipped
        Names of norm layers that change nothing, gamma and variance 1, beta and mean 0: for a control.
    """
    import tensorflow as tf
    from spleeter.model import EstimatorSpecBuilder, InputProviderFactory

    with tf.Graph().as_default():
        tf.compat.v1.train.create_global_step()
        if adam:
            stems = [f"{stem}_spectrogram" for stem in configuration["instrument_list"]]
            shape = (1, configuration["T"], configuration["F"], configuration["n_channels"])
            spectra = {
                name: tf.compat.v1.placeholder(tf.float32, shape)
                for name in [f"{configuration['mix_name']}_spectrogram", *stems]
            }
            EstimatorSpecBuilder(spectra, configuration).build_train_model({stem: spectra[stem] for stem in stems})
        else:
            features = InputProviderFactory.get(configuration).get_input_dict_placeholders()
            EstimatorSpecBuilder(features, configuration).build_predict_model()
        variables = tf.compat.v1.global_variables()
        rng = np.random.default_rng(seed)
        values = {variable.op.name: _draw(variable, configuration["frame_length"], rng) for variable in variables}
        for name, value in values.items():
            layer, _, kind = name.rpartition("/")
            if layer in skipped:
                value[:] = float(kind in ("gamma", "moving_variance"))
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            for variable in variables:
                variable.load(values[variable.op.name], session)
            saver = tf.compat.v1.train.Saver(save_relative_paths=True)
            saver.save(session, os.fspath(Path(folder) / "model"), write_meta_graph=graph)


def _draw(variable: Any, frame_length: int, rng: np.random.Generator) -> np.ndarray:  # noqa: ANN401 - of TensorFlow
    """Random value of one variable, by the last part of its name."""
    shape = tuple(variable.shape.as_list())
    layer, _, kind = variable.op.name.rpartition("/")
    if kind == "kernel":
        # of a transposed convolution of stride 2, every fourth tap meets a sample
        taps = np.prod(shape[:2]) * (shape[3] / 4 if "transpose" in layer else shape[2])
        gain = 1.0
        if "transpose" not in layer:
            at = int(layer.partition("_")[2] or 0) % CONVOLUTIONS
            gain = {0: INPUT_GAIN / frame_length, CONVOLUTIONS - 1: LOGIT_GAIN}.get(at, gain)
        return rng.normal(0.0, gain / np.sqrt(taps), shape)
    if kind in ("gamma", "moving_variance"):
        return rng.uniform(*((0.5, 1.5) if kind == "gamma" else (0.3, 2.0)), shape)
    spread = {"beta": 0.2, "moving_mean": 0.3, "bias": 0.1}.get(kind)
    if spread is not None:
        return rng.normal(0.0, spread, shape)
    return rng.uniform(0.0, 1.0, shape) if variable.dtype.is_floating else np.zeros(shape, int) + 1000
