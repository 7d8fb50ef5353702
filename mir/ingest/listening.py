"""Hearing a file as everything here is heard: one rate, mono or stereo, and of a very long file excerpts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.audio import load, probe
from separation.errors import AudioUnreadable

Samples = NDArray[np.float32]

ANALYSIS_SR_HZ = 44_100
"""Rate at which everything is separated and measured: the one that separation models work at."""

LONG_TRACK_S = 1200.0
"""Longer files (DJ mixes, whole concerts) are described from excerpts of this length together: memory is bounded."""

N_EXCERPTS = 5
_JOINT_FADE_S = 0.02

logger = logging.getLogger("mir.ingest")


@dataclass(frozen=True, slots=True)
class Sound:
    """A decoded file.

    Parameters
    ----------
    y, sr
        What is analysed: float32 ``(n_channels, n_samples)``, one or two channels, at `sr` Hz.
    duration_s
        Length of the whole file in seconds (of a truncated one, what could be decoded).
    sample_rate_hz, n_channels, codec
        As the file has them.
    excerpt
        Whether `y` is not the whole file.
    """

    y: Samples
    sr: int
    duration_s: float
    sample_rate_hz: int
    n_channels: int
    codec: str
    excerpt: bool


def listen(path: str | Path) -> Sound:
    """Decode a file for analysis.

    More than two channels become their mean, since decoders differ in the order of surround channels.

    Raises
    ------
    separation.errors.AudioMissing, separation.errors.AudioUnreadable
        Where there is no such file, or nothing in it can be decoded.
    """
    info = probe(path)
    excerpt = info.duration_s > LONG_TRACK_S
    if excerpt:
        y = excerpts(path, info.duration_s)
        minutes = LONG_TRACK_S / N_EXCERPTS / 60
        logger.warning(
            "%s lasts %.0f min: described from %d excerpts of %g min", path, info.duration_s / 60, N_EXCERPTS, minutes
        )
    else:
        # a file that does not say how long it is may be of any length
        limit_s = None if info.duration_s > 0 else LONG_TRACK_S
        y = _mono_or_stereo(load(path, sr=ANALYSIS_SR_HZ, duration_s=limit_s)[0])
    return Sound(
        y=y,
        sr=ANALYSIS_SR_HZ,
        duration_s=info.duration_s if excerpt else y.shape[1] / ANALYSIS_SR_HZ,
        sample_rate_hz=info.sample_rate_hz,
        n_channels=info.n_channels,
        codec=info.codec,
        excerpt=excerpt,
    )


def excerpts(path: str | Path, duration_s: float) -> Samples:
    """Decode excerpts spread evenly from start to end, faded at the joints.

    Returns
    -------
    float32, (n_channels, n_samples)
        `N_EXCERPTS` excerpts, `LONG_TRACK_S` together; fewer where the file ends before it says.
    """
    length_s = LONG_TRACK_S / N_EXCERPTS
    parts: list[Samples] = []
    for offset_s in np.linspace(0.0, duration_s - length_s, N_EXCERPTS):
        try:
            y, _ = load(path, sr=ANALYSIS_SR_HZ, offset_s=float(offset_s), duration_s=length_s)
        except AudioUnreadable:
            if not parts:
                raise
            break
        parts.append(_faded(_mono_or_stereo(y)))
    return np.concatenate(parts, axis=1)


def _faded(y: Samples) -> Samples:
    n = min(round(_JOINT_FADE_S * ANALYSIS_SR_HZ), y.shape[1] // 2)
    ramp = np.linspace(0.0, 1.0, n, dtype=np.float32)
    y = y.copy()
    y[:, :n] *= ramp
    y[:, y.shape[1] - n :] *= ramp[::-1]
    return y


def _mono_or_stereo(y: Samples) -> Samples:
    return y if y.shape[0] <= 2 else y.mean(axis=0, keepdims=True, dtype=np.float32)
