"""Frequency bins in and out of the network: single bins where music is dense, groups of bins above."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from separation.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class Bands:
    """Which bins the network sees on their own and which in groups.

    Parameters
    ----------
    n_single
        Lowest bins, one band each.
    n_grouped
        Number of groups above them.
    group
        Bins in a group.
    """

    n_single: int = 384
    n_grouped: int = 288
    group: int = 4

    def __post_init__(self) -> None:
        if min(self.n_single, self.n_grouped, self.group) < 0 or self.group < 1:
            raise ConfigInvalid(f"bands need counts of 0 or more and groups of 1 or more, got {asdict(self)}")

    @property
    def n_bands(self) -> int:
        """Bands in all."""
        return self.n_single + self.n_grouped

    @property
    def n_bins(self) -> int:
        """Bins covered; what lies above gets an extended mask."""
        return self.n_single + self.n_grouped * self.group

    def sum(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add up a quantity within bands: ``(..., n_bins or more)`` → ``(..., n_bands)``."""
        single = power[..., : self.n_single]
        grouped = power[..., self.n_single : self.n_bins]
        total = grouped[..., :: self.group].copy()
        for member in range(1, self.group):  # slices: many times faster than a sum over so short an axis
            total += grouped[..., member :: self.group]
        return np.concatenate([single, total], axis=-1)

    def expand(self, mask: NDArray[np.float32], n_bins: int, top: int = 96) -> NDArray[np.float32]:
        """Stretch band masks to bins: ``(..., n_bands)`` → ``(..., n_bins)``.

        Above the highest band the mask is the frame's mean over the `top` highest bands: cymbals and breath
        go on there much as they were just below.
        """
        out = np.empty((*mask.shape[:-1], n_bins), dtype=np.float32)
        out[..., : self.n_single] = mask[..., : self.n_single]
        out[..., self.n_single : self.n_bins] = np.repeat(mask[..., self.n_single :], self.group, axis=-1)
        out[..., self.n_bins :] = mask[..., -top:].mean(axis=-1, keepdims=True)
        return out
