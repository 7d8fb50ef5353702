"""Bass sounds and lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mir.demo.room import add

Signal = NDArray[np.float32]

LINES: dict[str, tuple[tuple[tuple[float, float, int], ...], ...]] = {
    "House": (
        ((0.5, 0.9, 0), (1.5, 0.9, 0), (2.5, 0.9, 0), (3.5, 0.9, 7)),
        ((0.5, 0.9, 0), (1.5, 0.9, 0), (2.5, 0.7, 0), (3.25, 0.7, 10)),
    ),
    "Drum & Bass": (
        ((0.0, 2.2, 0), (2.5, 0.7, 0), (3.25, 0.7, 3)),
        ((0.0, 1.4, 0), (1.5, 0.9, 0), (2.5, 1.4, -2)),
    ),
    "Rock": (
        tuple((0.5 * i, 0.46, 0) for i in range(8)),
        (*((0.5 * i, 0.46, 0) for i in range(6)), (3.0, 0.46, 7), (3.5, 0.46, 5)),
    ),
    "Hip Hop": (
        ((0.0, 1.7, 0), (1.75, 0.7, 0), (2.5, 1.4, 7)),
        ((0.0, 1.4, 0), (1.5, 0.9, 12), (2.5, 1.4, -2)),
    ),
}
"""Bars of each style: (beat, length in beats, semitones above the root)."""


def play(
    sound: str,
    style: str,
    roots: Sequence[int],
    beat_s: float,
    n_bars: int,
    n_samples: int,
    sr: int,
    rng: np.random.Generator,
) -> Signal:
    """Play a line under the chords.

    Parameters
    ----------
    sound, style
        A name of `SOUNDS` and one of `LINES`.
    roots
        Pitch class of the root of each bar; repeated as needed.
    beat_s, n_bars, n_samples, sr
        Length of a beat in seconds, bars, samples of the answer, sample rate in Hz.
    rng
        Choice of bars and humanisation.

    Returns
    -------
    Mono samples, shape ``(n_samples,)``.
    """
    out = np.zeros(n_samples, np.float32)
    known: dict[tuple[int, float], Signal] = {}
    bars = LINES[style]
    choice = [int(i) for i in rng.integers(len(bars), size=4)]
    for bar in range(n_bars):
        root = 28 + (roots[bar % len(roots)] - 4) % 12
        for beat, length, interval in bars[choice[bar % 4]]:
            key = (root + interval, length)
            if key not in known:
                known[key] = SOUNDS[sound](440.0 * 2.0 ** ((root + interval - 69) / 12.0), length * beat_s, sr)
            when = (bar * 4 + beat) * beat_s + float(rng.normal(0.0, 0.003))
            add(out, known[key] * np.float32(1.0 + rng.normal(0.0, 0.07)), round(when * sr))
    return out


def _synth(f0_hz: float, duration_s: float, sr: int) -> Signal:
    """Square-like wave whose overtones close after the attack."""
    t, envelope = _note(duration_s, 0.01, 0.05, sr)
    n_partials = int(min(1800.0 / f0_hz, 24))
    closing = np.exp(-t / 0.11)
    y = sum(
        np.sin(2.0 * np.pi * n * f0_hz * t) / n * np.where(n <= 2, 1.0, closing) for n in range(1, n_partials + 1, 1)
    )
    return np.asarray(y * envelope, np.float32)


def _reese(f0_hz: float, duration_s: float, sr: int) -> Signal:
    """Detuned saws that beat against each other over a clean sub."""
    t, envelope = _note(duration_s, 0.01, 0.06, sr)
    phase = f0_hz * t
    saws = sum(((phase * ratio) % 1.0) * 2.0 - 1.0 for ratio in (0.992, 1.0, 1.009))
    pole = np.exp(-2.0 * np.pi * 480.0 / sr)
    from scipy.signal import lfilter

    dark = lfilter([(1.0 - pole) ** 2], [1.0, -2.0 * pole, pole**2], saws)
    return np.asarray((0.8 * np.sin(2.0 * np.pi * phase) + 0.7 * dark) * envelope, np.float32)


def _picked(f0_hz: float, duration_s: float, sr: int) -> Signal:
    """Pluck a string near the bridge: every overtone with its own decay, slightly stretched."""
    t, envelope = _note(duration_s, 0.002, 0.04, sr)
    y = np.zeros(t.size)
    for n in range(1, 19):
        frequency = n * f0_hz * np.sqrt(1.0 + 8e-5 * n * n)
        y += np.sin(np.pi * n * 0.17) / n**0.85 * np.exp(-t * (0.9 + 0.45 * n)) * np.sin(2.0 * np.pi * frequency * t)
    return np.asarray(y * envelope, np.float32)


def _fm(f0_hz: float, duration_s: float, sr: int) -> Signal:
    """Round FM bass: a deep sine with a short bite."""
    t, envelope = _note(duration_s, 0.015, 0.08, sr)
    index = 0.9 * np.exp(-t / 0.12) + 0.35
    return np.asarray(
        np.sin(2.0 * np.pi * f0_hz * t + index * np.sin(2.0 * np.pi * 2.0 * f0_hz * t)) * envelope, np.float32
    )


def _note(
    duration_s: float, attack_s: float, release_s: float, sr: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    t = np.arange(int((duration_s + release_s) * sr)) / sr
    envelope = np.minimum(t / attack_s, 1.0) * np.clip((duration_s + release_s - t) / release_s, 0.0, 1.0)
    return t, envelope * np.exp(-0.6 * t)


SOUNDS = {"synth": _synth, "reese": _reese, "picked": _picked, "fm": _fm}
