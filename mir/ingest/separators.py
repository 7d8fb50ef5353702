"""The seam to separation: who separates, known by name before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.analysis import MIXTURE

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
    stems
        Names of its stems; None: every stem that an extractor reads.
    roles
        What stems with names of a user's own are: ``{"voice": "vocals"}``; see `separation.roles`.
    """

    source_id: str
    load: Callable[[], SeparatorLike]
    stems: tuple[str, ...] | None = None
    roles: Mapping[str, str] = field(default_factory=dict)

    def lacking(self, space: str) -> tuple[str, ...]:
        """Stems that a space reads and this separator does not give; without them the space cannot be measured."""
        from separation.roles import roles_given

        if self.stems is None:
            return ()
        heard = {MIXTURE, *roles_given(self.stems, self.roles)}
        return tuple(stem for stem in EXTRACTORS[space].stems if stem not in heard)

    @property
    def spaces(self) -> tuple[str, ...]:
        """Spaces that can be measured on its stems."""
        return tuple(space for space in EXTRACTORS if not self.lacking(space))

    @property
    def not_given(self) -> dict[str, str]:
        """Spaces that cannot be measured, with the reasons."""
        lacking = {space: self.lacking(space) for space in EXTRACTORS}
        return {
            space: f"reads {' and '.join(stems)}; the model gives {', '.join(self.stems or ())}"
            for space, stems in lacking.items()
            if stems
        }


def model_source(model: str, precision: str | None = None) -> SeparatorSource:
    """Return the source that a model's name or path stands for.

    Parameters
    ----------
    model
        Separation model, by name or path.
    precision
        Arithmetic of its network; None: the setting ``precision`` (see `mir.config`).

    Raises
    ------
    separation.errors.ModelUnknown, separation.errors.WeightsMissing, separation.errors.PrecisionUnsupported
        As `separation.models.source_id`.
    """
    from mir.config import setting
    from separation.models import source_id, spec

    found = spec(model)
    chosen = str(setting("precision", precision).value)

    def load() -> SeparatorLike:
        from separation.separator import Separator

        return Separator(model, precision=chosen)

    return SeparatorSource(
        source_id=source_id(model, precision=chosen), load=load, stems=found.stems, roles=found.roles
    )
