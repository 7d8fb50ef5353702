"""Which drum begins: kick, snare or hi-hat and cymbals, at each onset of a drum stem."""

from __future__ import annotations

import numpy as np

from features.onsets import Floats, Onsets

DRUMS = ("kick", "snare", "hats")

_BIAS = np.array([-4.45, -2.00, -0.96], dtype=np.float32)
# One row a drum: first how far the 18 bands of features.onsets rise at the onset, then how loud they are after it.
# Logistic regression (C = 0.01) on onsets of the Groove MIDI Dataset (Gillick et al., ICML 2019, CC BY 4.0) rendered
# with seven General MIDI kits, and of synthetic kits, each also through a random equaliser; the command that fits them
# is `python -m benchmarks.drums.fit`.
# fmt: off
_RISE = np.array([
    [
        2.12, 2.02, 1.21, 0.09, 1.27, 0.02, 0.04, 1.24, 0.03,
        -0.16, 0.24, -1.13, 0.51, -0.41, -0.57, -1.48, -0.56, 0.96,
    ],
    [
        -0.53, -0.84, 0.52, 0.47, -1.74, -0.45, 2.13, -1.02, -1.12,
        0.86, -0.15, 2.00, -0.17, 0.77, 0.89, 0.13, -1.95, -0.94,
    ],
    [
        -0.09, 1.41, 1.08, 1.21, 0.84, 0.08, -0.07, 1.79, -0.38,
        -0.49, -0.57, -1.25, 0.09, -0.53, 0.08, -0.07, 0.11, 2.35,
    ],
], dtype=np.float32)
_LEVEL = np.array([
    [
        3.17, 3.92, 1.29, -0.17, -0.79, -1.90, -1.20, -0.21, -0.50,
        -0.10, -0.79, -0.45, 0.84, 0.14, -0.24, -0.64, -0.49, 1.03,
    ],
    [
        -0.18, -4.26, 0.86, 2.66, 1.66, 1.13, 0.76, 0.98, -1.68,
        1.05, -0.92, 1.41, -0.34, -0.20, 0.12, 0.27, -1.17, -0.05,
    ],
    [
        0.48, 0.07, -1.62, -1.35, -1.18, -2.39, -0.17, 0.04, -0.64,
        -0.17, -0.57, -1.58, 0.31, 0.02, 1.23, 0.34, 0.17, 5.34,
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
