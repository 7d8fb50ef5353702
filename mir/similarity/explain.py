"""Why two sound alike: the score taken apart into named features, exactly.

Between the standardised descriptor z of a track and its unit vector u = P z / |P z| all is linear, so that
a cosine is a sum over descriptor coordinates, cos = Σⱼ ½ (aⱼ (PᵀP b)ⱼ + bⱼ (PᵀP a)ⱼ) with a = z / |P z|; an
artist's a is the weighted sum over tracks. The mean of random pairs is taken apart in the same way and
subtracted coordinate by coordinate: what is left says where these two are more alike than usual, and sums
to the score.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features import extractor
from mir.errors import CatalogDamaged
from mir.similarity.hits import Contribution
from mir.similarity.ranking import Ids, Matrix, Voice
from mir.spaces import read_descriptors

if TYPE_CHECKING:
    import duckdb

    from mir.transforms import Transform

_TOLERANCE = 1e-3
"""Stored vectors are float32 and descriptors of the same track agree with them far better than this."""


_UNIT_SUFFIX = r"_(hz|khz|bpm|db|db_per_octave|lufs|s|ms|cents|semitones|ratio)$"


@dataclass(frozen=True, slots=True)
class Parts:
    """The tracks that make up an artist (or the one that makes up a track), and how much each weighs.

    Parameters
    ----------
    track_ids, weights
        Shape ``(n,)`` each.
    descriptor, values
        Instead of tracks: what was measured of a file outside the catalog.
    """

    track_ids: Ids
    weights: Matrix
    descriptor: NDArray[np.float32] | None = None
    values: Mapping[str, float] | None = None


def explain_voice(
    con: duckdb.DuckDBPyConnection,
    voice: Voice,
    transform: Transform,
    query: Parts,
    hits: Sequence[Parts],
    cosines: Matrix,
) -> list[list[Contribution]]:
    """Take apart what one instrument adds to the score of each hit.

    Parameters
    ----------
    con, voice, transform
        Where descriptors are read, and what was asked of them.
    query, hits
        Either side of the comparisons.
    cosines
        Shape ``(len(hits),)``, as they were scored; NaN where a hit lacks the instrument: nothing is added
        then.

    Returns
    -------
    list of list of Contribution
        For each hit; the contributions sum to w·z.

    Raises
    ------
    CatalogDamaged
        Where descriptors and vectors do not belong together.
    """
    ids = voice.shelf.ids
    present = [_present(parts, ids) for parts in hits]
    pairs = np.unique(np.concatenate([voice.chance.first, voice.chance.second]))
    needed = np.unique(np.concatenate([ids[pairs], query.track_ids, *[parts.track_ids for parts in present]]))
    described = read_descriptors(con, voice.space, transform, only=needed)
    rows = _Rows(transform, described.track_ids, described.matrix)
    usual = _scaled(_usual(rows, ids, voice), voice.chance.mean)
    values = _Values(con, voice.space, np.unique(np.concatenate([query.track_ids, *[p.track_ids for p in present]])))
    a = rows.of(_present(query, ids))
    gain = voice.weight / voice.chance.deviation
    found: list[list[Contribution]] = []
    for parts, cosine in zip(present, cosines, strict=True):
        if np.isnan(cosine):
            found.append([])
            continue
        alike = _scaled(_product(transform, a, rows.of(parts)), float(cosine))
        found.append(_named(voice, gain * (alike - usual), values.of(query), values.of(parts)))
    return found


class _Rows:
    """Descriptors on their way to unit vectors: a = z / |P z|, shape ``(n, n_in)``."""

    def __init__(self, transform: Transform, track_ids: Ids, descriptors: NDArray[np.float32]) -> None:
        self.transform = transform
        self.track_ids = track_ids
        self.matrix = self._shortened(descriptors)

    def _shortened(self, descriptors: NDArray[np.float32]) -> Matrix:
        z = self.transform.standardise(descriptors)
        norms = np.linalg.norm(self.transform.project(z), axis=1, keepdims=True)
        return np.where(norms > 0, z / np.where(norms > 0, norms, 1.0), 0.0)

    def at(self, track_ids: Ids) -> Matrix:
        """Rows of tracks."""
        return self.matrix[np.searchsorted(self.track_ids, track_ids)]

    def of(self, parts: Parts) -> Matrix:
        """Return the weighted sum of tracks, scaled so that P maps it to length one; shape ``(n_in,)``."""
        if parts.descriptor is not None:
            return self._shortened(parts.descriptor[None])[0]
        mean: Matrix = parts.weights @ self.at(parts.track_ids)
        length = float(np.linalg.norm(self.transform.project(mean[None])))
        return mean / length if length > 0 else mean


class _Values:
    """Named numbers of tracks, for showing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, space: str, track_ids: Ids) -> None:
        self.names = tuple(column.name for column in extractor(space).columns)
        columns = ", ".join(f'"{name}"' for name in ("track_id", *self.names))
        sql = f'SELECT {columns} FROM "{space}" WHERE track_id IN (SELECT unnest(?::BIGINT[]))'  # noqa: S608 - declared names
        fetched = con.execute(sql, [track_ids.tolist()]).fetchall()
        self.rows = {row[0]: np.array(row[1:], dtype=np.float64) for row in fetched}

    def of(self, parts: Parts) -> dict[str, float]:
        """Return the mean of each column over tracks, weighted by duration; NaN where none has it."""
        if parts.values is not None:
            return dict(parts.values)
        empty = np.full(len(self.names), np.nan)
        table = np.array([self.rows.get(int(track_id), empty) for track_id in parts.track_ids]).reshape(
            -1, len(self.names)
        )
        weights = np.where(np.isnan(table), 0.0, parts.weights[:, None])
        total = weights.sum(axis=0)
        means = (np.nan_to_num(table) * weights).sum(axis=0) / np.where(total > 0, total, 1.0)
        return dict(zip(self.names, np.where(total > 0, means, np.nan).tolist(), strict=True))


def _present(parts: Parts, ids: Ids) -> Parts:
    here = np.isin(parts.track_ids, ids)
    return Parts(parts.track_ids[here], parts.weights[here], parts.descriptor, parts.values)


def _product(transform: Transform, a: Matrix, b: Matrix) -> Matrix:
    """Take the inner product of P a and P b apart by coordinate, symmetrically; shape ``(…, n_in)``."""

    def back(x: Matrix) -> Matrix:
        return x if transform.projection is None else transform.project(x) @ transform.projection

    return 0.5 * (a * back(b) + b * back(a))


def _usual(rows: _Rows, ids: Ids, voice: Voice) -> Matrix:
    """Mean of the coordinates' shares over the random pairs, shape ``(n_in,)``."""
    total = np.zeros(rows.transform.n_in)
    n = len(voice.chance.first)
    for start in range(0, n, 2048):
        chosen = slice(start, start + 2048)
        a, b = rows.at(ids[voice.chance.first[chosen]]), rows.at(ids[voice.chance.second[chosen]])
        total += _product(rows.transform, a, b).sum(axis=0)
    return total / max(n, 1)


def _scaled(shares: Matrix, total: float) -> Matrix:
    """Let shares sum to `total` exactly, which was computed from vectors rounded to float32."""
    off = total - float(shares.sum())
    if abs(off) > _TOLERANCE:
        raise CatalogDamaged(
            f"vectors and descriptors of this catalog do not belong together (cosine {total:.4f}, explained "
            f"{total - off:.4f}); make the vectors again: mir spaces fit"
        )
    sizes = np.abs(shares)
    return shares + off * sizes / sizes.sum() if sizes.sum() > 0 else shares


def _named(
    voice: Voice, contributions: Matrix, query_values: dict[str, float], hit_values: dict[str, float]
) -> list[Contribution]:
    """Gather coordinates under the columns that they belong to, largest contribution first."""
    declared = extractor(voice.space)
    columns = {column.name: column for column in declared.columns}
    sums: dict[str, float] = {}
    for name, contribution in zip(declared.descriptor_names, contributions.tolist(), strict=True):
        feature = feature_of(name, tuple(columns))
        sums[feature] = sums.get(feature, 0.0) + contribution
    found = []
    for feature, contribution in sums.items():
        column = columns.get(feature)
        if column is None:
            found.append(Contribution(voice.instrument, feature, contribution))
        else:
            found.append(
                Contribution(
                    voice.instrument,
                    feature,
                    contribution,
                    unit=column.unit,
                    query_value=_known(query_values.get(feature)),
                    hit_value=_known(hit_values.get(feature)),
                    description=column.description,
                )
            )
    return found


def feature_of(name: str, columns: Sequence[str]) -> str:
    """Return the column that a descriptor coordinate belongs to, or else its family's name.

    A coordinate belongs to the column whose name it has or begins with, a logarithm and a unit aside; others are
    gathered under their name without running numbers.

    Examples
    --------
    >>> [feature_of(name, ["f0_median_hz"]) for name in ("log2_f0_median", "mfcc_07_mean")]
    ['f0_median_hz', 'mfcc_mean']
    """
    plain = re.sub(r"^log(2|10)?_", "", name)
    for column in sorted(columns, key=len, reverse=True):
        bare = re.sub(_UNIT_SUFFIX, "", column)
        if plain in (column, bare) or plain.startswith((f"{column}_", f"{bare}_")):
            return column
    return re.sub(r"_?\d+(?=_|$)", "", name).strip("_") or name


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
