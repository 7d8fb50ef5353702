"""The two fits: which drum begins at an onset, and which tempo a piece has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.corpus import PATTERN_WEIGHT, SYNTHETIC, Corpus, Strokes, Take
from features.onsets import FRAME_RATE_HZ, Floats
from features.tempo import TEMPI_BPM, autocorrelation, rhythm_curves, tempo_evidence

Doubles = NDArray[np.float64]

VOICE_C = 0.01
TEMPO_RIDGE = 0.002
_SAME_LOG = 0.03  # tempi within 3 % are the right one


@dataclass(frozen=True, slots=True)
class Fit:
    """Weights as the features use them.

    Parameters
    ----------
    voices
        Bias, then one weight for each band's rise, then for each band's level: shape ``(n_drums, 1 + 2 * n_bands)``.
    tempo
        As `features.tempo_weights.WEIGHTS`.
    """

    voices: Doubles
    tempo: Doubles


def fit_both(corpus: Corpus, without: str | None = None, say: Callable[[str], None] | None = None) -> Fit:
    """Fit the stroke voices, then the tempo weights on what these voices hear.

    Parameters
    ----------
    corpus
        From `hear_corpus`.
    without
        A drummer whom neither fit may hear.
    say
        Told of the progress.
    """
    voices = fit_voices([each for each in corpus.strokes if each.player != without])
    if say:
        say("stroke voices are fitted")
    takes = [take for take in corpus.takes if take.player != without]
    evidence = np.stack([evidence_of(take, voices) for take in takes])
    weight = np.array([PATTERN_WEIGHT if take.player == SYNTHETIC else 1.0 for take in takes])
    return Fit(voices, fit_tempo(evidence, np.array([take.bpm for take in takes]), weight))


def fit_voices(strokes: Sequence[Strokes]) -> Doubles:
    """Fit a logistic regression a drum.

    Returns
    -------
    Doubles
        Rounded to two places, as it is written down: see `Fit.voices`.
    """
    from sklearn.linear_model import LogisticRegression

    evidence = np.concatenate([each.evidence for each in strokes])
    begins = np.concatenate([each.begins for each in strokes])
    weight = np.concatenate([np.full(len(each.evidence), each.weight) for each in strokes])
    rows = []
    for drum in range(begins.shape[1]):
        model = LogisticRegression(C=VOICE_C, max_iter=500).fit(evidence, begins[:, drum], sample_weight=weight)
        rows.append(np.concatenate([model.intercept_, model.coef_[0]]))
    return np.round(np.array(rows), 2)


def hear_drums(take: Take, voices: Doubles) -> Floats:
    """As `features.drum_voices.drum_probabilities`, with the given weights: shape ``(n_drums, n_onsets)``."""
    evidence = np.concatenate([take.onsets.rise, take.onsets.level], axis=1)
    logits = voices[:, :1] + voices[:, 1:] @ evidence.T
    drums: Floats = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return drums


def evidence_of(take: Take, voices: Doubles) -> Doubles:
    """What speaks for each tempo: shape ``(n_tempi, n_weights)``."""
    drums = hear_drums(take, voices)
    lags = np.stack([autocorrelation(row) for row in rhythm_curves(take.curves, take.onsets, drums)])
    duration_s = take.curves.n_frames / FRAME_RATE_HZ
    return tempo_evidence(lags, np.concatenate([[len(take.onsets)], drums.sum(axis=1)]) / duration_s)


def fit_tempo(evidence: Doubles, bpm: Doubles, weight: Doubles, ridge: float = TEMPO_RIDGE) -> Doubles:
    """Fit a softmax over tempi whose right ones, within 3 %, together shall be probable.

    Parameters
    ----------
    evidence
        Shape ``(n_takes, n_tempi, n_weights)``.
    bpm
        True tempi, shape ``(n_takes,)``; those beyond `TEMPI_BPM` teach nothing.
    weight
        How much each take counts, shape ``(n_takes,)``.
    ridge
        Cost of a squared weight, of evidence scaled to unit deviation.

    Returns
    -------
    Doubles
        For evidence as it is, rounded to two places, shape ``(n_weights,)``.
    """
    from scipy.optimize import minimize

    right = np.abs(np.log(TEMPI_BPM / bpm[:, None])) < _SAME_LOG
    taught = right.any(axis=1)
    right = right[taught]
    spread = np.asarray(evidence).std(axis=(0, 1))
    scaled = evidence[taught] / spread
    share = weight[taught] / weight[taught].sum()

    def cost(weights: Doubles) -> tuple[float, Doubles]:
        scores = scaled @ weights
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        found = (shares * right).sum(axis=1)
        excess = (shares - shares * right / found[:, None]) * share[:, None]
        slope = np.tensordot(excess, scaled, axes=([0, 1], [0, 1]))
        return float(-share @ np.log(found) + ridge * weights @ weights), slope + 2 * ridge * weights

    start = np.zeros(scaled.shape[2])
    solution = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights: Doubles = np.round(np.asarray(solution.x) / spread, 2)
    return weights


def best_tempo(evidence: Doubles, weights: Doubles) -> float:
    """Return the tempo for which most speaks, beats a minute."""
    return float(TEMPI_BPM[int((evidence @ weights).argmax())])
