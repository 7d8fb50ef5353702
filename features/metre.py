"""Which tempo, and where the bar begins: where the drums play in a bar what they mostly play in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.grid import N_STEPS, STEPS_A_BEAT, place
from features.metre_weights import BETWEEN, PLAYED, SPEED
from features.onsets import Floats, Onsets
from features.tempo import TEMPI_BPM, Doubles, Tempo, find_beats, tempo_of_beats

RELATED = (1, 2, 1 / 2, 3 / 2, 2 / 3, 4 / 3, 3 / 4)
"""Tempi that are confused, over the likeliest one."""
_NEAR = 0.03
_OUT_OF_THE_QUESTION = 0.001
_LOUD_PERCENTILE, _LOUD_RANGE_DB = 95, 30


@dataclass(frozen=True, slots=True)
class Metre:
    """What speaks for a bar.

    Parameters
    ----------
    played
        Weight of each row of `bar_profile` at each step of the bar, shape ``(n_drums + 1, 16)``.
    between
        What is added where the bar begins 0, 1, 2 or 3 sixteenths after a tracked beat, shape ``(4,)``.
    speed
        Weights of `speed_evidence`, shape ``(3,)``.
    """

    played: Doubles
    between: Doubles
    speed: Doubles


METRE = Metre(PLAYED, BETWEEN, SPEED)
"""What `benchmarks.drums.fit` learned: see `features.metre_weights`."""


def bar_profile(step: NDArray[np.intp], drums: Floats, power_db: Floats) -> Doubles:
    """How often each drum, and how loudly all of them, play on each of sixteen steps.

    Parameters
    ----------
    step
        Step of each onset, counted from anywhere, shape ``(n_onsets,)``.
    drums
        Probability of each drum at each onset, shape ``(n_drums, n_onsets)``.
    power_db
        Power of each onset in dB, shape ``(n_onsets,)``.

    Returns
    -------
    Doubles
        Means over the bars in which anything is played, 0 to 1, shape ``(n_drums + 1, 16)``; the last row is loudness:
        1 at the loudest strokes, 0 at 30 dB under them.
    """
    loud = np.clip((power_db - np.percentile(power_db, _LOUD_PERCENTILE)) / _LOUD_RANGE_DB + 1, 0, 1)
    start = int(step.min()) // N_STEPS * N_STEPS
    n_bars = (int(step.max()) - start) // N_STEPS + 1
    cells = np.zeros((len(drums) + 1, n_bars * N_STEPS))
    for row, values in zip(cells, (*drums, loud), strict=True):
        np.maximum.at(row, step - start, values)
    bars = cells.reshape(len(cells), n_bars, N_STEPS)
    profile: Doubles = bars[:, bars.max(axis=(0, 2)) > 0].mean(axis=1)
    return profile


def rotations(profile: Doubles) -> Doubles:
    """Return the profile as it is where the bar begins on each of the steps, shape ``(16, n_rows, 16)``."""
    return np.stack([np.roll(profile, -first, axis=1) for first in range(N_STEPS)])


@dataclass(frozen=True, slots=True)
class Hearing:
    """One way to hear the drums: a tempo and its beats.

    Parameters
    ----------
    bpm
        Tempo of the beats.
    share
        Probability that `features.tempo` gives to tempi within 3 %.
    beat_times
        Seconds, ascending.
    profile
        From `bar_profile`, on these beats.
    """

    bpm: float
    share: float
    beat_times: Doubles
    profile: Doubles


@dataclass(frozen=True, slots=True)
class Bars:
    """Beats, and where among them the bars begin.

    Parameters
    ----------
    bpm
        Tempo.
    beat_times
        Seconds, ascending; every bar begins on one of them.
    first
        Which of the first four beats begins a bar.
    """

    bpm: float
    beat_times: Doubles
    first: int


def hearings(curves: Doubles, onsets: Onsets, fine_times_s: Doubles, drums: Floats, tempo: Tempo) -> list[Hearing]:
    """Beats at the likeliest tempo and at those related to it that are not out of the question.

    Parameters
    ----------
    curves
        From `features.tempo.rhythm_curves`.
    onsets, fine_times_s
        As `features.grid.place`.
    drums
        Probability of each drum at each onset, shape ``(n_drums, n_onsets)``.
    tempo
        What speaks for each tempo.

    Returns
    -------
    list of Hearing
        The likeliest tempo first; empty where no two beats were found.
    """
    found = []
    for factor in RELATED:
        near = np.flatnonzero(np.abs(TEMPI_BPM / (tempo.bpm * factor) - 1) < _NEAR)
        if near.size == 0:
            continue
        candidate = TEMPI_BPM[near[tempo.probabilities[near].argmax()]]
        share = float(tempo.probabilities[np.abs(TEMPI_BPM / candidate - 1) < _NEAR].sum())
        if share < _OUT_OF_THE_QUESTION:
            continue
        beats = find_beats(curves, onsets.times_s, float(candidate))
        if beats.size > 1:
            profile = bar_profile(place(onsets, fine_times_s, beats).nearest_step, drums, onsets.power_db)
            found.append(Hearing(tempo_of_beats(beats, float(candidate)), share, beats, profile))
    return found


def speed_evidence(hearing: Hearing) -> Doubles:
    """What speaks for a tempo beside the pattern: log probability, octaves over 120 beats a minute and their square."""
    octaves = math.log2(hearing.bpm / 120)
    return np.array([math.log(hearing.share), octaves, octaves**2])


def choose_bars(heard: Sequence[Hearing], metre: Metre = METRE) -> Bars:
    """Choose the hearing, and the step on which its bars begin, for which most speaks.

    Parameters
    ----------
    heard
        From `hearings`, at least one.
    metre
        Other weights than those that ship, for evaluation.

    Returns
    -------
    Bars
        Where bars begin between the tracked beats, all beats are moved there.
    """
    between = np.tile(metre.between, N_STEPS // STEPS_A_BEAT)
    evidence = np.array(
        [
            (rotations(each.profile) * metre.played).sum(axis=(1, 2)) + between + speed_evidence(each) @ metre.speed
            for each in heard
        ]
    )
    which, step = divmod(int(evidence.argmax()), N_STEPS)
    chosen, beats = heard[which], heard[which].beat_times
    if late := step % STEPS_A_BEAT:
        periods = np.diff(beats)
        beats = beats + late / STEPS_A_BEAT * np.append(periods, periods[-1])
    return Bars(chosen.bpm, beats, step // STEPS_A_BEAT)
