"""Strokes on the bar's sixteen steps: how the beat is divided, and what is played against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.onsets import Floats, Onsets

Doubles = NDArray[np.float64]

N_STEPS = 16
STEPS_A_BEAT = 4
_ON_GRID = 3  # kick, snare, hats; toms fill, they are no pattern

# Metrical weight of each step: the lower, the weaker.
_WEIGHTS = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])


@dataclass(frozen=True, slots=True)
class Grid:
    """Onsets laid on a bar of sixteen steps.

    Parameters
    ----------
    steps
        For each bar, step and each of kick, snare and hats the largest probability of a stroke there, shape
        ``(3, n_bars, 16)``.
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
        """How often each drum is played on each step, over the bars in which anything is, shape ``(3, 16)``."""
        played = self.steps.max(axis=(0, 2), initial=0) > 0.5
        if not played.any():
            return np.zeros((self.steps.shape[0], N_STEPS), dtype=np.float32)
        return self.steps[:, played].mean(axis=1)


def lay_on_grid(onsets: Onsets, fine_times_s: Doubles, drums: Floats, beat_times: Doubles, first: int) -> Grid:
    """Lay onsets on sixteenths of a bar of four beats.

    Parameters
    ----------
    onsets
        What to lay.
    fine_times_s
        Times of the same onsets in the upper bands, where they are sharpest; NaN where nothing rises there.
    drums
        Probability of kick, snare, hats and toms at each onset, shape ``(4, n_onsets)``.
    beat_times
        At least two beats in seconds, ascending.
    first
        Which of the first four beats begins a bar.
    """
    placed = place(onsets, fine_times_s, beat_times)
    steps_in = (placed.position - first) * STEPS_A_BEAT
    step = np.round(steps_in).astype(np.intp)
    period_ms = 1000 * float(np.median(np.diff(beat_times)))
    deviation = (steps_in - step) * period_ms / STEPS_A_BEAT
    # Bars are counted from the one that holds the first onset.
    shift = int(np.floor(step.min() / N_STEPS)) * N_STEPS
    n_bars = int((step.max() - shift) // N_STEPS) + 1
    cells = np.zeros((_ON_GRID, n_bars * N_STEPS), dtype=np.float32)
    for row, probability in zip(cells, drums, strict=False):
        np.maximum.at(row, step - shift, probability)
    steps = cells.reshape(_ON_GRID, n_bars, N_STEPS)
    return Grid(steps, step, deviation, placed.swing_ratio, placed.sixteenth_swing_ratio)


@dataclass(frozen=True, slots=True)
class Placed:
    """Onsets against beats.

    Parameters
    ----------
    position
        In beats since the first one, swing taken out, shape ``(n_onsets,)``.
    swing_ratio, sixteenth_swing_ratio
        As `Grid` has them.
    """

    position: Doubles
    swing_ratio: float
    sixteenth_swing_ratio: float

    @property
    def nearest_step(self) -> NDArray[np.intp]:
        """The nearest sixteenth, counted from the first beat, shape ``(n_onsets,)``."""
        return np.round(self.position * STEPS_A_BEAT).astype(np.intp)


def place(onsets: Onsets, fine_times_s: Doubles, beat_times: Doubles) -> Placed:
    """Measure where onsets fall between beats, and how these are divided; parameters as `lay_on_grid`."""
    times_s, weights = onsets.times_s, onsets.strength
    fine = beat_position(np.where(np.isfinite(fine_times_s), fine_times_s, times_s), beat_times)
    swing = _division(fine, weights, 1.0, (0.46, 0.71))
    half = swing / (1 + swing) if math.isfinite(swing) else 0.5
    sixteenth = _division(_straighten(fine, half) * 2, weights, 1.0, (0.46, 0.71))
    return Placed(_straighten(beat_position(times_s, beat_times), half), swing, sixteenth)


def beat_position(times_s: Doubles, beat_times: Doubles) -> Doubles:
    """Time in beats since the first beat; beyond both ends the nearest beats' period goes on."""
    index = np.arange(beat_times.size)
    position = np.interp(times_s, beat_times, index)
    first, last = beat_times[1] - beat_times[0], beat_times[-1] - beat_times[-2]
    position = np.where(times_s < beat_times[0], (times_s - beat_times[0]) / max(first, 1e-3), position)
    return np.where(times_s > beat_times[-1], index[-1] + (times_s - beat_times[-1]) / max(last, 1e-3), position)


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
