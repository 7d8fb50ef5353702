"""Which drum begins: kick, snare or hi-hat and cymbals, at each onset of a drum stem."""

from __future__ import annotations

import numpy as np

from features.onsets import Floats, Onsets

DRUMS = ("kick", "snare", "hats")

_BIAS = np.array([-4.46, -1.90, -0.59], dtype=np.float32)
# One row a drum: first how far the 18 bands of features.onsets rise at the onset, then how loud they are after it.
# Logistic regression (C = 0.01) on onsets of the Groove MIDI Dataset (Gillick et al., ICML 2019, CC BY 4.0) rendered
# with eight General MIDI kits, and of synthetic kits, each also through a random equaliser.
# fmt: off
_RISE = np.array([
    [
        2.22, 2.09, 1.10, 0.26, 0.64, -0.18, -0.12, 0.81, 0.27,
        0.18, 0.32, -0.97, 0.60, -0.19, -0.37, -1.57, -0.53, 0.80,
    ],
    [
        -0.47, -1.18, 0.12, 0.96, -0.94, 0.40, 1.08, -0.57, -0.98,
        0.32, -0.05, 1.73, -0.26, 0.49, 0.61, 0.66, -1.95, -1.10,
    ],
    [
        0.17, 1.53, 0.92, 1.30, 0.67, 0.07, 0.56, 0.99, -0.48,
        -0.55, -0.36, -1.05, 0.42, -0.82, 0.44, -0.22, -0.15, 2.78,
    ],
], dtype=np.float32)
_LEVEL = np.array([
    [
        3.09, 3.88, 1.58, -0.19, -1.40, -2.04, -0.79, 0.36, -0.37,
        0.08, -0.48, -0.13, 0.57, -0.05, -0.23, -0.98, -0.69, 0.95,
    ],
    [
        -0.43, -4.76, 0.96, 1.62, 0.82, 2.19, 1.23, 0.94, -1.66,
        1.44, -0.53, 1.49, -0.33, -0.33, -0.07, 0.82, -1.33, -0.32,
    ],
    [
        0.80, -0.12, -1.17, -0.61, -2.05, -2.12, -0.14, -0.59, -0.49,
        -0.03, 0.01, -0.38, 0.51, -0.58, 1.10, -0.21, -0.04, 3.99,
    ],
], dtype=np.float32)
# fmt: on


def drum_probabilities(onsets: Onsets) -> Floats:
    """Probability of each of `DRUMS` at each onset; they may sound together.

    Parameters
    ----------
    onsets
        Of a drum stem.

    Returns
    -------
    Floats
        0 to 1, shape ``(3, n_onsets)``.
    """
    evidence = _BIAS[:, None] + _RISE @ onsets.rise.T + _LEVEL @ onsets.level.T
    return (1 / (1 + np.exp(-evidence))).astype(np.float32)
