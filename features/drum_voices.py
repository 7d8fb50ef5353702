"""Which drum begins: kick, snare, hi-hat and cymbals, or toms, at each onset of a drum stem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.drum_voice_weights import HIDDEN, OUTPUT
from features.onsets import Floats, Onsets

DRUMS = ("kick", "snare", "hats", "toms")


@dataclass(frozen=True, slots=True)
class Voices:
    """Weights of the network that tells drums apart: one hidden layer, rectified, then a logistic unit a drum.

    Parameters
    ----------
    hidden
        Bias, then a weight for each number of `stroke_evidence`, shape ``(n_hidden, 1 + n_evidence)``.
    output
        Bias, then a weight for each hidden unit, shape ``(n_drums, 1 + n_hidden)``.
    """

    hidden: Floats
    output: Floats


VOICES = Voices(HIDDEN, OUTPUT)
"""What `benchmarks.drums.fit` learned: see `features.drum_voice_weights`."""


def stroke_evidence(onsets: Onsets) -> Floats:
    """Put together what tells drums apart at each onset.

    Parameters
    ----------
    onsets
        Of a drum stem.

    Returns
    -------
    Floats
        How far each band rises, how loud it is at the stroke, before it and after it, about 0 to 1, shape
        ``(n_onsets, 4 * n_bands)``.
    """
    return np.concatenate([onsets.rise, onsets.level, onsets.before, onsets.after], axis=1)


def drum_probabilities(onsets: Onsets, voices: Voices = VOICES) -> Floats:
    """Probability of each of `DRUMS` at each onset; they may sound together.

    Parameters
    ----------
    onsets
        Of a drum stem.
    voices
        Other weights than those that ship, for evaluation.

    Returns
    -------
    Floats
        0 to 1, shape ``(4, n_onsets)``.
    """
    hidden = np.maximum(voices.hidden[:, :1] + voices.hidden[:, 1:] @ stroke_evidence(onsets).T, 0)
    evidence = voices.output[:, :1] + voices.output[:, 1:] @ hidden
    return (1 / (1 + np.exp(-np.clip(evidence, -30, 30)))).astype(np.float32)
