"""What speaks for a tempo: the weights of features.tempo, learned.

A softmax over tempi 1 % apart, fitted by `python -m benchmarks.drums.fit` on 402 beats of 8 s or more of the Groove
MIDI Dataset (Gillick et al., ICML 2019, CC BY 4.0) rendered with a General MIDI kit, and on 220 synthetic patterns of
22 styles from 60 to 200 beats a minute. With each drummer left out of this fit and of that of features.drum_voices in
turn, his beats' tempo is right within 4 % in 83 % (74 to 89 %, bootstrap by drummer), and in 95 % but for a factor of
two or three: `python -m benchmarks.drum_tempo`.
"""

from __future__ import annotations

import numpy as np

MULTIPLES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 3 / 2, 2, 3, 4)
"""Lags, in beats, at which autocorrelations are read."""

# fmt: off
WEIGHTS = np.array([
    3.67, 0.51, 5.01, -0.22, 0.28, 9.08, -3.76, 0.64, 4.88, 2.52,  # everything, at MULTIPLES
    5.22, 3.18, 0.52, -1.12, -2.95, -0.06, 0.15, 0.41, -0.90, 4.75,  # kick, at MULTIPLES
    -3.06, -1.69, -7.98, -0.39, 4.39, -2.87, 2.48, 1.27, -2.78, 0.43,  # snare, at MULTIPLES
    -1.93, -0.15, 4.90, 1.30, 1.58, 1.71, 0.79, 2.47, -1.16, 3.11,  # hats, at MULTIPLES
    0.48, -2.64, 0.63,  # octaves over 120 beats a minute: itself, squared, cubed
    -0.31, 0.02,  # log2 of onsets a beat, everything: itself, squared
    -0.28, -0.60,  # log2 of onsets a beat, kick: itself, squared
    -0.23, -0.57,  # log2 of onsets a beat, snare: itself, squared
    -0.35, -0.55,  # log2 of onsets a beat, hats: itself, squared
])
# fmt: on
