"""Audio in memory, and what is none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from separation.errors import AudioInvalid

Samples = NDArray[np.float32]
"""Audio in memory: float32 `(n_channels, n_samples)`, ±1 is full scale; its sample rate travels beside it."""

HIGHEST_HZ = 10_000_000
"""Highest sample rate; above every converter, DSD included."""
MOST_CHANNELS = 1024
"""Most channels that a file may have (libsndfile's own limit)."""
BLOCK_VALUES = 1 << 17
"""Values, over all channels, in a block of about the size that files are read in: 1.5 s of stereo at 44.1 kHz."""


def check_samples(y: Samples) -> Samples:
    """Return `y` as float32 where it is audio of the one layout.

    Raises
    ------
    AudioInvalid
        Not a two-dimensional array of real numbers, or without channels or samples.
    """
    array = np.asarray(y)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise AudioInvalid(
            f"audio is float32 (n_channels, n_samples), at least 1 × 1: got {array.dtype} {array.shape}"
            + ("; one channel is y[None, :]" if array.ndim == 1 else "")
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        return array.astype(np.float32, copy=False)


def check_rate(sr: int) -> None:
    """Check a sample rate in Hz.

    Raises
    ------
    AudioInvalid
        It is below 1 Hz or above `HIGHEST_HZ`.
    """
    if not 1 <= sr <= HIGHEST_HZ:
        raise AudioInvalid(f"a sample rate is a number of Hz above 0: got {sr}")
