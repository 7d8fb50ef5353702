"""What varies within one voice, drummer, band: the spread that a space has to forget to know them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mir.errors import BadRequest
from mir.transforms import CLIP, robust_spread

Matrix = NDArray[np.float64]

FORMAT: Final = 1
_DIGITS: Final = 5


@dataclass(frozen=True, eq=False)
class Within:
    """How descriptors of the same thing differ from each other.

    Parameters
    ----------
    space, version
        Whose descriptors: space and extractor version.
    covariance
        Shape ``(n_in, n_in)``, in the descriptor's own units, so that it holds whatever they are standardised by.
    n_groups, n_rows
        Tracks (or artists), and windows (or tracks), that it was measured on.
    source
        What was measured, for people.
    """

    space: str
    version: int
    covariance: Matrix
    n_groups: int
    n_rows: int
    source: str

    @classmethod
    def measure(cls, groups: Sequence[Matrix], *, space: str, version: int, source: str) -> Self:
        """Pool the spread of groups around their own means.

        Parameters
        ----------
        groups
            Of each track (or artist) the descriptors of its windows (or tracks): shapes ``(n_i, n_in)``; those with
            one row say nothing and are passed over.

        Raises
        ------
        BadRequest
            Where no group has two rows.
        """
        usable = [np.asarray(group, dtype=np.float64) for group in groups if len(group) > 1]
        if not usable:
            raise BadRequest("no track has two windows (no artist two tracks): nothing varies within one")
        centred = np.concatenate([group - group.mean(axis=0) for group in usable])
        freedom = len(centred) - len(usable)
        # One odd window does not decide: bounded as descriptors are, in units of each coordinate's usual spread.
        spread = np.maximum(robust_spread(centred), np.finfo(np.float64).tiny)
        bounded = np.clip(centred / spread, -CLIP, CLIP) * spread
        return cls(space, version, bounded.T @ bounded / freedom, len(usable), len(centred), source)

    def plus(self, other: Within) -> Within:
        """Add another cause of variation that acts at the same time: covariances of independent causes add up."""
        return Within(
            self.space,
            self.version,
            self.covariance + other.covariance,
            self.n_groups,
            self.n_rows,
            f"{self.source}, and {other.source}",
        )

    def pooled(self, other: Within) -> Within:
        """Put two measurements of one space together, each counted by its rows less its groups."""
        a, b = self.n_rows - self.n_groups, other.n_rows - other.n_groups
        return Within(
            self.space,
            self.version,
            (a * self.covariance + b * other.covariance) / (a + b),
            self.n_groups + other.n_groups,
            self.n_rows + other.n_rows,
            f"{self.source}; {other.source}",
        )

    def to_json(self) -> str:
        """Write as one JSON document; the lower triangle alone, to five digits."""
        lower = self.covariance[np.tril_indices(len(self.covariance))]
        plain = {
            "format": FORMAT,
            "space": self.space,
            "version": self.version,
            "size": len(self.covariance),
            "lower": [float(f"{value:.{_DIGITS}g}") for value in lower],
            "n_groups": self.n_groups,
            "n_rows": self.n_rows,
            "source": self.source,
        }
        return json.dumps(plain, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        BadRequest
            Where it is none, or its sizes do not fit together.
        """
        try:
            plain: dict[str, Any] = json.loads(text)
            if plain["format"] != FORMAT:
                raise BadRequest(f"a spread within tracks of format {plain['format']!r}; this mir reads {FORMAT}")
            size = int(plain["size"])
            covariance = np.zeros((size, size))
            lower = np.array(plain["lower"], dtype=np.float64)
            if lower.shape != (size * (size + 1) // 2,) or not np.isfinite(lower).all():
                raise BadRequest("this is no spread within tracks: its sizes do not fit together")
            covariance[np.tril_indices(size)] = lower
            covariance += np.tril(covariance, -1).T
            return cls(
                str(plain["space"]),
                int(plain["version"]),
                covariance,
                int(plain["n_groups"]),
                int(plain["n_rows"]),
                str(plain["source"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, BadRequest):
                raise
            raise BadRequest(f"this is no spread within tracks: {error}") from error
