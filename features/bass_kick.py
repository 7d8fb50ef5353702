"""How the bass goes with the kick drum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from features.activity import is_silent
from features.base import Stems
from features.drum_voices import DRUMS, drum_probabilities
from features.onsets import FRAME_RATE_HZ, ONSET_SR, OnsetCurves, find_onsets, onset_curves, pick_peaks

Doubles = NDArray[np.float64]

FEWEST = 4
"""Kicks, and onsets of the bass near them, below which nothing is said."""
TOGETHER_S = 0.05
PASSAGE_S = 2.0
"""How far from a kick the drums are taken to play."""
MOST_COVERED = 0.5
"""Share of the time that is near a kick, beyond which anything would be with one."""

_PLAYED = 0.5
_LOW_BANDS = slice(0, 5)  # 32 to 330 Hz
_LEAST_RISE = 0.05
_WAIT_S = 0.06


def kicks_of(stems: Stems) -> Doubles:
    """Find when the kick is played.

    Parameters
    ----------
    stems
        With ``mixture``, and ``drums`` where there are any.

    Returns
    -------
    Doubles
        Seconds, shape ``(n_kicks,)``; empty where no drums sound.

    Raises
    ------
    TooShort
        Where drums sound for less than a second.
    """
    if "drums" not in stems or is_silent(stems, "drums"):
        return np.empty(0)
    onsets = find_onsets(onset_curves(stems.mono("drums", ONSET_SR)))
    return onsets.times_s[drum_probabilities(onsets)[DRUMS.index("kick")] > _PLAYED]


def bass_onsets(curves: OnsetCurves) -> tuple[Doubles, Doubles]:
    """Find where the bass itself begins: rises under 330 Hz, where a string's noises and other instruments are not.

    Notes as their pitch shows them are no measure here: in separated stems they begin too late or twice.

    Returns
    -------
    times_s, strength
        Seconds, and the mean rise of the low bands (0 to 1); shape ``(n_onsets,)`` each.
    """
    rise = curves.rise[_LOW_BANDS].mean(axis=0)
    frames = pick_peaks(rise, _LEAST_RISE, round(_WAIT_S * FRAME_RATE_HZ))
    return frames / FRAME_RATE_HZ, rise[frames].astype(np.float64)


def kick_lock(times_s: Doubles, strength: Doubles, kicks_s: Doubles, duration_s: float) -> float:
    """Measure how much of the bass begins with a kick, chance taken out.

    (p − c) / (1 − c): p is the share of the onsets, by strength, within 50 ms of a kick, c the share of time that is,
    which is what p would be if the kick meant nothing. Onsets and time further than two seconds from any kick are left
    out: there the drums pause.

    Parameters
    ----------
    times_s, strength
        Onsets of the bass, shape ``(n_onsets,)`` each.
    kicks_s
        Seconds, rising, shape ``(n_kicks,)``.
    duration_s
        Length of the track.

    Returns
    -------
    float
        −1 to 1: 1 where every onset comes with a kick, 0 as by chance, less where bass and kick take turns; NaN where
        there are fewer than four of either, or kicks so dense that anything would be with one.

    References
    ----------
    W. M. Kistler, W. Gerstner and J. L. van Hemmen, "Reduction of the Hodgkin-Huxley equations to a single-variable
    threshold model", Neural Computation 9, 1997 (the coincidence factor of two series of events).

    Examples
    --------
    >>> kicks = np.arange(0.0, 10.0, 0.5)
    >>> kick_lock(kicks, np.ones(20), kicks, 10.0)
    1.0
    """
    if kicks_s.size < FEWEST or not times_s.size:
        return math.nan
    away = np.abs(times_s[:, None] - kicks_s).min(axis=1)
    near = away <= PASSAGE_S
    chance = covered_s(kicks_s, TOGETHER_S, duration_s) / covered_s(kicks_s, PASSAGE_S, duration_s)
    if near.sum() < FEWEST or chance > MOST_COVERED:
        return math.nan
    share = float(strength[away <= TOGETHER_S].sum() / strength[near].sum())
    return (share - chance) / (1 - chance)


def covered_s(times_s: Doubles, reach_s: float, duration_s: float) -> float:
    """Seconds of a track that are no further than `reach_s` from any of `times_s` (rising)."""
    gaps = np.diff(times_s)
    ends = min(times_s[0], reach_s) + min(duration_s - times_s[-1], reach_s)
    return float(np.minimum(gaps, 2 * reach_s).sum() + max(ends, 0.0))
