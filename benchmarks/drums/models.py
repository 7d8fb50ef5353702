"""The fits: which drum begins at an onset, which tempo a piece has, and where its bars begin."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.corpus import PATTERN_WEIGHT, SYNTHETIC, Corpus, Strokes, Take
from benchmarks.drums.metre import autocorrelations, fit_metre
from features.drum_rhythm import Learned
from features.drum_voices import Voices, drum_probabilities
from features.tempo import TEMPI_BPM, rhythm_curves, tempo_evidence

Doubles = NDArray[np.float64]

N_HIDDEN, VOICE_RIDGE, VOICE_BATCH, VOICE_PASSES = 32, 0.1, 256, 20
TEMPO_RIDGE = 0.002
_SAME_LOG = 0.03  # tempi within 3 % are the right one


def fit_all(corpus: Corpus, without: str | None = None, say: Callable[[str], None] | None = None) -> Learned:
    """Fit the stroke voices, then the tempo and metre weights on what these voices hear.

    Parameters
    ----------
    corpus
        From `hear_corpus`.
    without
        A drummer whom no fit may hear.
    say
        Told of the progress.
    """
    voices = fit_voices([each for each in corpus.strokes if each.player != without])
    if say:
        say("stroke voices are fitted")
    takes = [take for take in corpus.takes if take.player != without]
    evidence = np.stack([evidence_of(take, voices) for take in takes])
    weight = np.array([PATTERN_WEIGHT if take.player == SYNTHETIC else 1.0 for take in takes])
    bpm = np.array([take.bpm for take in takes])
    tempo = fit_tempo(evidence, bpm, weight)
    if say:
        say("tempo weights are fitted")
    # The metre learns how far tempi can be trusted from those of takes that their weights have not heard.
    half = np.arange(len(takes)) % 2
    unheard = [fit_tempo(evidence[half != part], bpm[half != part], weight[half != part]) for part in range(2)]
    return Learned(voices, tempo, fit_metre(takes, voices, [unheard[part] for part in half]))


def fit_voices(strokes: Sequence[Strokes]) -> Voices:
    """Fit the network that tells drums apart.

    Returns
    -------
    Voices
        Rounded to two places, as it is written down.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    evidence = np.concatenate([each.evidence for each in strokes])
    begins = np.concatenate([each.begins for each in strokes])
    weight = np.concatenate([np.full(len(each.evidence), each.weight) for each in strokes])
    with warnings.catch_warnings():
        # A fixed number of passes is what is wanted, not convergence.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network = MLPClassifier(
            (N_HIDDEN,), alpha=VOICE_RIDGE, batch_size=VOICE_BATCH, max_iter=VOICE_PASSES, random_state=0
        ).fit(evidence, begins, sample_weight=weight / weight.mean())
    layers = (
        np.concatenate([bias[:, None], weights.T], axis=1)
        for bias, weights in zip(network.intercepts_, network.coefs_, strict=True)
    )
    hidden, output = (np.round(layer, 2).astype(np.float32) for layer in layers)
    return Voices(hidden, output)


def evidence_of(take: Take, voices: Voices) -> Doubles:
    """What speaks for each tempo: shape ``(n_tempi, n_weights)``."""
    drums = drum_probabilities(take.onsets, voices)
    return tempo_evidence(*autocorrelations(take, rhythm_curves(take.curves, take.onsets, drums), drums))


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
