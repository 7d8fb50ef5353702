"""The fit of what speaks for a metre: a tempo, and where bars begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.corpus import Take
from features.drum_voices import DRUMS, Voices, drum_probabilities
from features.grid import N_STEPS, STEPS_A_BEAT
from features.metre import Hearing, Metre, hearings, rotations, speed_evidence
from features.onsets import FRAME_RATE_HZ, Floats
from features.tempo import autocorrelation, estimate_tempo, rhythm_curves

Doubles = NDArray[np.float64]

METRE_RIDGE = 0.003
_TOLERANCE = 0.04
_STEADY = 0.8  # length of the mean of unit vectors: below it the beats were lost


def autocorrelations(take: Take, curves: Doubles, drums: Floats) -> tuple[Doubles, Doubles]:
    """Return what `features.tempo.estimate_tempo` asks for: autocorrelations, and onsets a second."""
    lags = np.stack([autocorrelation(row) for row in curves])
    duration_s = take.curves.n_frames / FRAME_RATE_HZ
    return lags, np.concatenate([[len(take.onsets)], drums.sum(axis=1)]) / duration_s


def fit_metre(takes: Sequence[Take], voices: Voices, tempo_weights: Sequence[Doubles]) -> Metre:
    """Fit a softmax over tempi and the steps at which the bar may begin.

    Parameters
    ----------
    takes
        Those teach of which a hearing is right; where bars are not known, any step of the right tempo is.
    voices
        What hears the strokes.
    tempo_weights
        What weighs the tempi of each take; to be trusted as it will be, it has not heard the take.

    Returns
    -------
    Metre
        Rounded to two places, as it is written down.
    """
    from scipy.optimize import minimize

    pairs = [_evidence(take, voices, weights) for take, weights in zip(takes, tempo_weights, strict=True)]
    pairs = [(evidence, right) for evidence, right in pairs if right.any()]
    evidence = np.concatenate([each for each, _ in pairs])
    right = np.concatenate([each for _, each in pairs])
    begins = np.concatenate([[0], np.cumsum([len(each) for _, each in pairs])[:-1]])
    take_of = np.repeat(np.arange(len(pairs)), [len(each) for _, each in pairs])
    n_played = (len(DRUMS) + 1) * N_STEPS
    ridge = np.where(np.arange(evidence.shape[1]) < n_played, METRE_RIDGE, 0.0)

    def cost(weights: Doubles) -> tuple[float, Doubles]:
        scores = evidence @ weights
        shares = np.exp(scores - np.maximum.reduceat(scores, begins)[take_of])
        shares /= np.add.reduceat(shares, begins)[take_of]
        found = np.maximum(np.add.reduceat(shares * right, begins), 1e-12)
        slope = (shares - shares * right / found[take_of]) @ evidence / len(pairs)
        return float(-np.log(found).mean() + ridge @ weights**2), slope + 2 * ridge * weights

    solution = minimize(cost, np.zeros(evidence.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    played, between, speed = np.split(np.round(np.asarray(solution.x), 2), [n_played, n_played + STEPS_A_BEAT - 1])
    return Metre(played.reshape(-1, N_STEPS), np.concatenate([[0.0], between]), speed)


def _evidence(take: Take, voices: Voices, tempo_weights: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
    """What speaks for each hearing and step, shape ``(n, n_weights)``, and which of them are right."""
    drums = drum_probabilities(take.onsets, voices)
    curves = rhythm_curves(take.curves, take.onsets, drums)
    tempo = estimate_tempo(*autocorrelations(take, curves, drums), tempo_weights)
    rows, right = [np.zeros((0, (len(DRUMS) + 1) * N_STEPS + 6))], [np.zeros(0, dtype=np.bool_)]
    for hearing in hearings(curves, take.onsets, take.fine_s, drums, tempo):
        # How far between the tracked beats the bar begins; 0, the usual place, has no weight of its own.
        between = np.arange(N_STEPS)[:, None] % STEPS_A_BEAT == np.arange(1, STEPS_A_BEAT)
        speed = np.broadcast_to(speed_evidence(hearing), (N_STEPS, 3))
        rows.append(np.concatenate([rotations(hearing.profile).reshape(N_STEPS, -1), between, speed], axis=1))
        right.append(_right_steps(take, hearing))
    return np.concatenate(rows), np.concatenate(right)


def _right_steps(take: Take, hearing: Hearing) -> NDArray[np.bool_]:
    """At which of the sixteen steps the bar begins; none where the tempo is wrong, all where nobody knows."""
    if abs(hearing.bpm / take.bpm - 1) > _TOLERANCE:
        return np.zeros(N_STEPS, dtype=np.bool_)
    if take.first_bar_s is None:
        return np.ones(N_STEPS, dtype=np.bool_)
    beats = hearing.beat_times
    turn = np.exp(2j * np.pi * ((beats - take.first_bar_s) * take.bpm / 60 - np.arange(beats.size)) / 4).mean()
    first = round(-float(np.angle(turn)) / (2 * math.pi) * N_STEPS) % N_STEPS
    return (np.arange(N_STEPS) == first) & (abs(turn) >= _STEADY)
