"""Strokes on the bar's sixteen steps: where the bar begins, how the beat is divided, what is played against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.onsets import Floats

Doubles = NDArray[np.float64]

N_STEPS = 16
BEATS_A_BAR = 4

# Metrical weight of each step: the lower, the weaker.
_WEIGHTS = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])


@dataclass(frozen=True, slots=True)
class Grid:
    """Onsets laid on a bar of sixteen steps.

    Parameters
    ----------
    steps
        For each bar, step and drum the largest probability of a stroke there, shape ``(n_drums, n_bars, 16)``.
    step
        Step counted from the first bar's first one, shape ``(n_onsets,)``; negative before it.
    deviation_ms
        How late each onset is against its step, swing taken out, shape ``(n_onsets,)``.
    swing_ratio
        Length of the first half of a beat over that of the second: 1 straight, 2 triplets; NaN without off-beats.
    sixteenth_swing_ratio
        The same within half a beat.
    """

    steps: Floats
    step: NDArray[np.intp]
    deviation_ms: Doubles
    swing_ratio: float
    sixteenth_swing_ratio: float

    @property
    def pattern(self) -> Floats:
        """How often each drum is played on each step, over the bars in which anything is, shape ``(n_drums, 16)``."""
        played = self.steps.max(axis=(0, 2), initial=0) > 0.5
        if not played.any():
            return np.zeros((self.steps.shape[0], N_STEPS), dtype=np.float32)
        return self.steps[:, played].mean(axis=1)


def lay_on_grid(times_s: Doubles, fine_times_s: Doubles, drums: Floats, weights: Floats, beat_times: Doubles) -> Grid:
    """Lay onsets on sixteenths of a bar of four beats.

    Parameters
    ----------
    times_s
        Onset times in seconds, shape ``(n_onsets,)``.
    fine_times_s
        Times of the same onsets in the upper bands, where they are sharpest; NaN where nothing rises there.
    drums
        Probability of kick, snare and hats at each onset, shape ``(3, n_onsets)``.
    weights
        Strength of each onset, shape ``(n_onsets,)``.
    beat_times
        At least two beats in seconds, ascending.

    Returns
    -------
    Grid
        The bar begins where kick and snare say so (`first_downbeat`).
    """
    position = beat_position(times_s, beat_times)
    fine = beat_position(np.where(np.isfinite(fine_times_s), fine_times_s, times_s), beat_times)
    swing = _division(fine, weights, 1.0, (0.46, 0.71))
    half = swing / (1 + swing) if math.isfinite(swing) else 0.5
    straight = _straighten(position, half)
    sixteenth = _division(_straighten(fine, half) * 2, weights, 1.0, (0.46, 0.71))
    first = first_downbeat(straight, drums)
    steps_in = (straight - first) * (N_STEPS / BEATS_A_BAR)
    step = np.round(steps_in).astype(np.intp)
    period_ms = 1000 * float(np.median(np.diff(beat_times)))
    deviation = (steps_in - step) * period_ms / (N_STEPS / BEATS_A_BAR)
    # Bars are counted from the one that holds the first onset.
    shift = int(np.floor(step.min() / N_STEPS)) * N_STEPS
    n_bars = int((step.max() - shift) // N_STEPS) + 1
    cells = np.zeros((len(drums), n_bars * N_STEPS), dtype=np.float32)
    for row, probability in zip(cells, drums, strict=True):
        np.maximum.at(row, step - shift, probability)
    return Grid(cells.reshape(len(drums), n_bars, N_STEPS), step, deviation, swing, sixteenth)


def beat_position(times_s: Doubles, beat_times: Doubles) -> Doubles:
    """Time in beats since the first beat; beyond both ends the nearest beats' period goes on."""
    index = np.arange(beat_times.size)
    position = np.interp(times_s, beat_times, index)
    first, last = beat_times[1] - beat_times[0], beat_times[-1] - beat_times[-2]
    position = np.where(times_s < beat_times[0], (times_s - beat_times[0]) / max(first, 1e-3), position)
    return np.where(times_s > beat_times[-1], index[-1] + (times_s - beat_times[-1]) / max(last, 1e-3), position)


def first_downbeat(position: Doubles, drums: Floats) -> int:
    """Which of the first four beats begins a bar: kick there, snare one later, crash and kick rather than kick alone.

    Parameters
    ----------
    position
        Onset times in beats.
    drums
        Probability of kick, snare and hats at each onset, shape ``(3, n_onsets)``.

    Returns
    -------
    int
        0 to 3.
    """
    beat = np.round(position).astype(np.intp)
    on_beat = np.abs(position - beat) < 0.12
    kick, snare = (
        np.bincount(beat[on_beat] % BEATS_A_BAR, weights=drum[on_beat], minlength=BEATS_A_BAR) for drum in drums[:2]
    )
    # Kicks between the beats gather before the bar's end more than before its middle, so they break the tie of 1 and 3.
    quarter = np.floor(position).astype(np.intp) % BEATS_A_BAR
    loose = np.bincount(quarter[~on_beat], weights=drums[0][~on_beat], minlength=BEATS_A_BAR)
    score = [
        kick[b] - kick[b - 1] - kick[b - 3] + 0.8 * kick[b - 2]
        + snare[b - 1] + snare[b - 3] - snare[b] - snare[b - 2]
        + 0.15 * (loose[(b + 2) % 4] - loose[b])
        for b in range(BEATS_A_BAR)
    ]  # fmt: skip
    return int(np.argmax(score))


def syncopation(strokes: NDArray[np.bool_]) -> float:
    """Syncopation of Longuet-Higgins and Lee, mean a bar.

    Parameters
    ----------
    strokes
        Where a stroke falls, shape ``(n_bars, 16)``.

    Returns
    -------
    float
        Sum, over strokes that are held into a stronger step, of the difference of the two steps' weights, over the
        number of bars; NaN without a stroke.

    References
    ----------
    Longuet-Higgins & Lee: "The rhythmic interpretation of monophonic music", Music Perception 1984.
    Fitch & Rosenfeld: "Perception and production of syncopated rhythms", Music Perception 2007.
    """
    at = np.flatnonzero(strokes.ravel())
    if at.size == 0:
        return math.nan
    rests = np.diff(at, append=at[0] + strokes.size)
    step = at % N_STEPS
    held = _STRONGEST[step, np.minimum(rests - 1, N_STEPS - 1)]
    points = float(np.maximum(held - _WEIGHTS[step], 0).sum())
    return points / strokes.shape[0]


def _strongest_steps() -> NDArray[np.int64]:
    """Largest weight among the `n` steps after each step, shape ``(16, 16)``; no steps weigh least of all."""
    out = np.full((N_STEPS, N_STEPS), -99)
    for n in range(1, N_STEPS):
        out[:, n] = np.maximum(out[:, n - 1], np.roll(_WEIGHTS, -n))
    return out


_STRONGEST = _strongest_steps()


def _division(position: Doubles, weights: Floats, span: float, window: tuple[float, float]) -> float:
    """Ratio in which onsets divide a span, from the commonest place inside `window`; NaN where few fall there."""
    phase = position % span / span
    inside = (phase > window[0]) & (phase < window[1])
    start = (phase < 0.1) | (phase > 0.9)
    if weights[inside].sum() < 0.05 * weights.sum() or inside.sum() < 4 or start.sum() < 2:
        return math.nan
    places = np.linspace(*window, 101)
    density = np.exp(-0.5 * ((phase[inside] - places[:, None]) / 0.015) ** 2) @ weights[inside]
    peak = places[int(density.argmax())]
    near = inside & (np.abs(phase - peak) < 0.04)
    reference = float(np.average((phase[start] + 0.5) % 1.0 - 0.5, weights=weights[start]))
    place = float(np.average(phase[near], weights=weights[near])) - reference
    return float(np.clip(place / (1 - place), 0.8, 2.5))


def _straighten(position: Doubles, half: float) -> Doubles:
    """Move the off-beat at `half` to the middle of the beat."""
    beat = np.floor(position)
    phase = position - beat
    return beat + np.where(phase < half, 0.5 * phase / half, 0.5 + 0.5 * (phase - half) / (1 - half))
