"""What speaks for a hearing, and for a step of it to begin the bar: the weights of `features.metre`, learned.

A softmax over tempi and sixteen steps each, fitted by `python -m benchmarks.drums.fit` on the same beats and patterns
as `features.tempo_weights`.
"""

from __future__ import annotations

import numpy as np

# fmt: off
PLAYED = np.array([
    # kick, at each step of the bar
    [2.15, -0.82, -1.05, 0.75, 0.35, -0.44, 0.25, 0.64, 0.00, -0.07, -0.17, -0.28, 0.08, -0.34, -0.43, -0.47],
    # snare, at each step of the bar
    [-1.96, -0.62, -0.76, 0.56, 1.18, -0.12, -0.55, 0.47, -0.33, 0.78, -0.68, 0.29, 0.47, -0.08, 0.28, -0.23],
    # hats, at each step of the bar
    [1.04, -0.49, 1.05, 0.26, 1.02, 0.47, 1.12, -0.25, -0.25, 0.28, 0.16, -0.30, -0.18, -0.45, -1.12, -0.09],
    # toms, at each step of the bar
    [-0.15, -0.71, -0.98, -0.71, -0.14, 0.00, -0.21, -0.33, -0.12, 0.14, -0.09, -0.31, 0.92, 0.48, 0.77, 0.34],
    # loudness, at each step of the bar
    [1.17, -1.57, -0.46, 0.06, -0.14, -0.53, -0.22, -0.12, -0.07, 0.25, -0.29, 0.27, 0.93, -0.04, 0.65, 0.24],
])
BETWEEN = np.array([0.00, -0.67, -1.15, -1.68])
SPEED = np.array([0.52, -0.26, -2.53])  # log probability; octaves over 120 beats a minute: themselves, squared
# fmt: on
