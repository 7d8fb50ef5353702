"""What speaks for a tempo: the weights of features.tempo, learned.

A softmax over tempi 1 % apart, fitted by `python -m benchmarks.drums.fit` on the 403 beats of
`benchmarks.drums.groove.beats` (Groove MIDI Dataset, Gillick et al., ICML 2019, CC BY 4.0) rendered with a General MIDI
kit, and on 220 synthetic patterns of 22 styles from 60 to 200 beats a minute. `features.metre` has the last word
between related tempi. How well drummers are told that no fit has heard: `python -m benchmarks.drum_style`.
"""

from __future__ import annotations

import numpy as np

MULTIPLES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 3 / 2, 2, 3, 4)
"""Lags, in beats, at which autocorrelations are read."""

# fmt: off
WEIGHTS = np.array([
    1.20, 0.22, 5.07, 1.98, 0.81, 8.71, -2.34, 2.31, 3.15, 3.84,  # everything, at MULTIPLES
    1.08, 0.37, -0.70, -0.08, -0.61, 0.39, 0.05, 0.74, -0.87, 4.63,  # kick, at MULTIPLES
    1.30, -0.14, -4.66, -0.51, 4.24, -2.65, 2.79, 2.23, -2.66, 0.81,  # snare, at MULTIPLES
    -1.29, 0.33, 3.36, 0.34, 0.21, 1.63, 0.35, 0.54, 1.20, 2.60,  # hats, at MULTIPLES
    1.04, 0.85, -0.46, -2.61, 0.01, -1.10, -1.66, 0.32, 0.32, -2.36,  # toms, at MULTIPLES
    0.29, -2.46, 0.78,  # octaves over 120 beats a minute: itself, squared, cubed
    -0.23, -0.26,  # log2 of onsets a beat, everything: itself, squared
    -0.05, 0.01,  # log2 of onsets a beat, kick: itself, squared
    -0.02, -0.31,  # log2 of onsets a beat, snare: itself, squared
    -0.18, -0.37,  # log2 of onsets a beat, hats: itself, squared
    -0.09, -0.09,  # log2 of onsets a beat, toms: itself, squared
])
# fmt: on
