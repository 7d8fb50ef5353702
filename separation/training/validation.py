"""What a network is worth on songs that it did not learn from, quickly: one stretch a song, from powers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from separation.training.checkpoint import Scores
from separation.training.loss import error_power, frames_a_block
from separation.training.mixing import Example, make_example

if TYPE_CHECKING:
    import keras

    from separation.training.networks import Family
    from separation.training.sources import Song

SILENT = 1e-3
"""Energy of a block, relative to the mean power of a bin, under which a stem's SDR there means nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One stretch of a validation song: what the network hears, and what its masks are scored on."""

    example: Example
    powers: NDArray[np.float32]
    """Target of `separation.training.loss.error_power`, in the bands (or bins) of the network."""


def prepare(songs: Sequence[Song], family: Family) -> list[Judged]:
    """Cut one fixed stretch out of the middle of each song, unchanged."""
    config, stft = replace(family.config, bands=family.bands), family.stft
    n = stft.span(config.frames)
    out = []
    for song in songs:
        start = max(0, (song.n_samples - n) // 2)
        stems = np.zeros((len(config.stems), 2, n), np.float32)
        for index, stem in enumerate(config.stems):
            if stem in song.stems:
                part = song.stems[stem][:, start : start + n]
                stems[index, :, : part.shape[-1]] = part
        out.append(Judged(family.example(stems), make_example(stems, config, stft).target))
    return out


def judge(model: keras.Model, family: Family, songs: Sequence[Judged], step: int) -> Scores:
    """Score a network: mean loss, and the median over songs of each stem's median SDR over blocks of 0.74 s."""
    from keras import ops

    losses, scores = [], []
    for song in songs:
        predicted = np.asarray(model.predict_on_batch(song.example.features[None]), np.float32)
        loss = family.loss(ops.convert_to_tensor(song.example.target[None]), ops.convert_to_tensor(predicted))
        losses.append(float(ops.convert_to_numpy(loss)))
        scores.append(_sdr(song.powers, family.masks(predicted), len(family.config.stems)))
    table = np.array(scores)
    sdr = [_median(column) for column in table.T]
    by_stem = dict(zip(family.config.stems, sdr, strict=True))
    return Scores(step, by_stem, float(np.mean(losses)), tuple(map(tuple, scores)))


def _sdr(powers: NDArray[np.float32], masks: NDArray[np.float32], n_stems: int) -> list[float]:
    """Median SDR of each stem over blocks in which it sounds, in dB; NaN where it never does."""
    from keras import ops

    wrong_power = error_power(ops.convert_to_tensor(powers[None]), ops.convert_to_tensor(masks), n_stems)
    error = np.asarray(ops.convert_to_numpy(wrong_power), np.float64)[0]
    own = powers[..., 2 + 2 * n_stems :].astype(np.float64)
    blocks = (-1, frames_a_block(powers.shape[0]) * powers.shape[1] * 2, n_stems)
    wrong, energy = error.reshape(blocks).sum(axis=1), own.reshape(blocks).sum(axis=1)
    sdr = 10.0 * np.log10((energy + 1e-9) / (wrong + 1e-9))
    sdr[energy < SILENT] = np.nan
    return [_median(column) for column in sdr.T]


def _median(values: NDArray[np.float64]) -> float:
    """Median of what there is; NaN where there is nothing."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
