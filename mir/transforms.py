"""From what an extractor measured to a unit vector: standardise, turn, shorten to length one.

A transform is data: stored as JSON, and named after its numbers, so that two catalogs with the same
`transform_id` hold comparable vectors. Past the clipping all of it is linear: explanations are exact.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mir.errors import BadRequest, MirError

Matrix = NDArray[np.float64]

FORMAT: Final = 1
MINIMUM_TRACKS: Final = 20
"""Fewer tracks than this say nothing of what is usual."""

CLIP: Final = 4.0
"""Bound of a standardised coordinate."""

_NORMAL_IQR: Final = 1.349
_NORMAL_SPREAD: Final = 3.92
"""Between the 25th and 75th, and the 2.5th and 97.5th percentile of a normal variable of deviation 1."""
_ZERO: Final = 1e-12


class TooFewTracks(MirError, ValueError):
    """Not enough described tracks to fit a transform on; the message says how many are needed."""


@dataclass(frozen=True, eq=False)
class Transform:
    """``u = P (clip((x − median) / scale, ±clip) − center)``, then ``u / |u|``.

    Parameters
    ----------
    space, version
        Whose descriptors it takes: space and extractor version.
    median, scale
        Shape ``(n_in,)``, in the descriptor's own units.
    clip
        Bound of a standardised coordinate, so that one odd measurement does not decide; None for no bound.
    center
        Shape ``(n_in,)``: mean of the clipped coordinates.
    projection
        P, shape ``(n_out, n_in)``; None for the unit matrix.
    method
        How it was fitted, for people.
    n_tracks
        How many tracks it was fitted on.
    """

    space: str
    version: int
    median: Matrix
    scale: Matrix
    center: Matrix
    clip: float | None = CLIP
    projection: Matrix | None = None
    method: str = "identity"
    n_tracks: int = 0

    @classmethod
    def identity(cls, space: str, version: int, size: int) -> Self:
        """Make the transform that only shortens rows to length one.

        It stands in until one is fitted, so that a catalog can be filled at any time; raw descriptors mix
        units, hence its neighbours are poor.
        """
        zeros = np.zeros(size)
        return cls(space, version, median=zeros, scale=np.ones(size), center=zeros, clip=None)

    @property
    def n_in(self) -> int:
        """Length of the descriptors that it takes."""
        return len(self.median)

    @property
    def n_out(self) -> int:
        """Length of the vectors that it makes."""
        return self.n_in if self.projection is None else len(self.projection)

    @property
    def transform_id(self) -> str:
        """Name made from the numbers: ``vocal_timbre-v1-0f3a9c1e``."""
        text = json.dumps(self._numbers(), sort_keys=True, allow_nan=False)
        return f"{self.space}-v{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def standardise(self, descriptors: ArrayLike) -> Matrix:
        """Standardise, clip and centre; shape ``(n, n_in)`` to ``(n, n_in)``.

        Raises
        ------
        BadRequest
            Where the descriptors have another length.
        """
        raw = np.asarray(descriptors, dtype=np.float64)
        if raw.ndim != 2 or raw.shape[1] != self.n_in:
            raise BadRequest(f"{self.transform_id} takes shape (n, {self.n_in}), not {raw.shape}")
        z = (raw - self.median) / self.scale
        if self.clip is not None:
            np.clip(z, -self.clip, self.clip, out=z)
        z -= self.center
        return z

    def project(self, z: Matrix) -> Matrix:
        """Apply P to rows; shape ``(n, n_in)`` to ``(n, n_out)``."""
        return z if self.projection is None else z @ self.projection.T

    def apply(self, descriptors: ArrayLike) -> NDArray[np.float32]:
        """Turn descriptors into unit vectors.

        Parameters
        ----------
        descriptors
            Shape ``(n, n_in)``, as the extractor measured them.

        Returns
        -------
        Shape ``(n, n_out)``, float32, each row of length 1; a row exactly at the centre stays zero, which is
        similar to nothing.
        """
        u = self.project(self.standardise(descriptors))
        norms = np.linalg.norm(u, axis=1, keepdims=True)
        return np.where(norms > _ZERO, u / np.maximum(norms, _ZERO), 0.0).astype(np.float32)

    def to_plain(self) -> dict[str, Any]:
        """Return everything as what JSON can hold."""
        return {**self._numbers(), "format": FORMAT, "method": self.method, "n_tracks": self.n_tracks}

    def to_json(self) -> str:
        """Write as one JSON document; `from_json` gives the same transform, to the last bit."""
        return json.dumps(self.to_plain(), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        BadRequest
            Where it is no transform, or one whose sizes do not fit together.
        """
        try:
            plain: dict[str, Any] = json.loads(text)
            if plain["format"] != FORMAT:
                raise BadRequest(f"a transform of format {plain['format']!r}; this mir reads {FORMAT}")
            made = cls(
                space=str(plain["space"]),
                version=int(plain["version"]),
                median=np.array(plain["median"], dtype=np.float64),
                scale=np.array(plain["scale"], dtype=np.float64),
                center=np.array(plain["center"], dtype=np.float64),
                clip=None if plain["clip"] is None else float(plain["clip"]),
                projection=None if plain["projection"] is None else np.array(plain["projection"], float),
                method=str(plain["method"]),
                n_tracks=int(plain["n_tracks"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise BadRequest(f"this is no transform: {error}") from error
        size = made.median.shape
        fits = len(size) == 1 and made.scale.shape == size and made.center.shape == size
        if made.projection is not None:
            fits = fits and made.projection.ndim == 2 and made.projection.shape[1] == size[0]
        if not fits or not (made.scale > 0).all():
            raise BadRequest("this is no transform: its sizes do not fit together, or a scale is not positive")
        return made

    def _numbers(self) -> dict[str, Any]:
        return {
            "space": self.space,
            "version": self.version,
            "median": self.median.tolist(),
            "scale": self.scale.tolist(),
            "center": self.center.tolist(),
            "clip": self.clip,
            "projection": None if self.projection is None else self.projection.tolist(),
        }


def robust_spread(rows: Matrix) -> Matrix:
    """Deviation of each column that one odd row does not decide; shape ``(n, d)`` to ``(d,)``.

    From the interquartile range, or where most rows agree, from the tails; where they all but agree, the standard
    deviation. Zero for a column that never moves.
    """
    lowest, low, high, highest = np.percentile(rows, [2.5, 25, 75, 97.5], axis=0)
    scale = np.maximum((high - low) / _NORMAL_IQR, 0.5 * (highest - lowest) / _NORMAL_SPREAD)
    return np.where(scale > 0, scale, rows.std(axis=0))
