"""The seam to separation: who separates, known by name before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class SeparatorLike(Protocol):
    """What ingest asks of a separator."""

    def separate(self, y: Samples, sr: int) -> Mapping[str, Samples]:
        """Return the stems of `y` (float32 ``(n_channels, n_samples)``), each of its shape and rate."""


@dataclass(frozen=True, slots=True)
class SeparatorSource:
    """A separator that is not loaded yet.

    Parameters
    ----------
    source_id
        Model, weights and precision: stems of another source are out of date.
    load
        Makes the separator; called once, and only where there is something to separate.
    """

    source_id: str
    load: Callable[[], SeparatorLike]


def model_source(model: str) -> SeparatorSource:
    """Return the source that a model's name stands for.

    Raises
    ------
    separation.errors.ModelUnknown, separation.errors.WeightsMissing
        As `separation.models.source_id`.
    """
    from separation.models import source_id

    def load() -> SeparatorLike:
        from separation.separator import Separator

        return Separator(model)

    return SeparatorSource(source_id=source_id(model), load=load)
