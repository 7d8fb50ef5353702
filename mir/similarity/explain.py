"""Why two sound alike: the score taken apart into named features, exactly.

Between the standardised descriptor z of a track and its unit vector u = P z / |P z| all is linear, so that
a cosine is a sum over descriptor coordinates, cos = Σⱼ ½ (aⱼ (PᵀP b)ⱼ + bⱼ (PᵀP a)ⱼ) with a = z / |P z|. Sets of
tracks are weighted sums of such cosines (`mir.similarity.artists.pair_weights`), several seeds their mean. The
mean of random pairs is taken apart in the same way and subtracted coordinate by coordinate: what is left says
where these two are more alike than usual, and sums to the score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features import extractor
from mir.errors import CatalogDamaged
from mir.similarity.artists import ArtistsBy, pair_weights
from mir.similarity.hits import Contribution
from mir.similarity.links import Ids, Matrix
from mir.similarity.ranking import Seed, Voice
from mir.spaces import read_descriptors

if TYPE_CHECKING:
    import duckdb

    from mir.transforms import Transform

_TOLERANCE = 1e-3
"""Stored vectors are float32 and descriptors of the same track agree with them far better than this."""


_UNIT_SUFFIX = r"_(hz|khz|bpm|db|db_per_octave|lufs|s|ms|cents|semitones|ratio)$"


@dataclass(frozen=True, slots=True)
class Parts:
    """The tracks that make up a hit, and how long each is in seconds: shape ``(n,)`` each."""

    track_ids: Ids
    durations_s: Matrix


def explain_voice(
    con: duckdb.DuckDBPyConnection,
    voice: Voice,
    transform: Transform,
    hits: Sequence[Parts],
    cosines: Matrix,
    how: ArtistsBy = "centroid",
) -> list[list[Contribution]]:
    """Take apart what one instrument adds to the score of each hit.

    Parameters
    ----------
    con, voice, transform
        Where descriptors are read, and what was asked of them.
    hits
        What the seeds were compared with.
    cosines
        Shape ``(len(hits),)``, as they were scored; NaN where a hit lacks the instrument: nothing is added
        then.
    how
        How artists were compared.

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
    shown = [seed.track_ids for seed in voice.seeds] + [parts.track_ids for parts in present]
    described = read_descriptors(con, voice.space, transform, only=np.unique(np.concatenate([ids[pairs], *shown])))
    rows = _Rows(transform, described.track_ids, described.matrix)
    usual = _scaled(_usual(rows, ids, voice), voice.chance.mean)
    values = _Values(con, voice.space, np.unique(np.concatenate(shown)))
    query_values = values.mean([values.of_seed(seed) for seed in voice.seeds])
    gain = voice.weight / voice.chance.deviation
    found: list[list[Contribution]] = []
    for parts, cosine in zip(present, cosines, strict=True):
        if np.isnan(cosine):
            found.append([])
            continue
        alike = _scaled(_shares(rows, voice, parts, how), float(cosine))
        found.append(_named(voice, gain * (alike - usual), query_values, values.of(parts.track_ids, parts.durations_s)))
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

    def of_seed(self, seed: Seed) -> Matrix:
        """Rows of what is asked with."""
        return self.at(seed.track_ids) if seed.descriptor is None else self._shortened(seed.descriptor[None])


class _Values:
    """Named numbers of tracks, for showing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, space: str, track_ids: Ids) -> None:
        self.names = tuple(column.name for column in extractor(space).columns)
        columns = ", ".join(f'"{name}"' for name in ("track_id", *self.names))
        sql = f'SELECT {columns} FROM "{space}" WHERE track_id IN (SELECT unnest(?::BIGINT[]))'  # noqa: S608 - declared names
        fetched = con.execute(sql, [track_ids.tolist()]).fetchall()
        self.rows = {row[0]: np.array(row[1:], dtype=np.float64) for row in fetched}

    def of(self, track_ids: Ids, durations_s: Matrix) -> dict[str, float]:
        """Return the mean of each column over tracks, weighted by duration; NaN where none has it."""
        empty = np.full(len(self.names), np.nan)
        rows = [self.rows.get(track_id, empty) for track_id in track_ids.tolist()]
        means = _mean(np.array(rows).reshape(-1, len(self.names)), durations_s)
        return dict(zip(self.names, means.tolist(), strict=True))

    def of_seed(self, seed: Seed) -> dict[str, float]:
        """Return the same for what is asked with."""
        return self.of(seed.track_ids, seed.durations_s) if seed.values is None else dict(seed.values)

    def mean(self, each: Sequence[dict[str, float]]) -> dict[str, float]:
        """Return the mean over seeds, of those that have a value."""
        rows = np.array([[one.get(name, np.nan) for name in self.names] for one in each], np.float64)
        return dict(zip(self.names, _mean(rows, np.ones(len(each))).tolist(), strict=True))


def _mean(table: Matrix, weights: Matrix) -> Matrix:
    """Weighted mean of each column over the rows that have it; NaN where none has."""
    there = np.where(np.isnan(table), 0.0, weights[:, None])
    total = there.sum(axis=0)
    means = (np.nan_to_num(table) * there).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, means, np.nan)


def _present(parts: Parts, ids: Ids) -> Parts:
    here = np.isin(parts.track_ids, ids)
    return Parts(parts.track_ids[here], parts.durations_s[here])


def _shares(rows: _Rows, voice: Voice, parts: Parts, how: ArtistsBy) -> Matrix:
    """Take the cosine of a hit to the seeds apart by coordinate, as the mean over the seeds; shape ``(n_in,)``."""
    vectors, theirs = voice.shelf.rows(parts.track_ids), rows.at(parts.track_ids)
    total = np.zeros(rows.transform.n_in)
    for seed in voice.seeds:
        weights = pair_weights(seed.rows, seed.durations_s, vectors, parts.durations_s, how)
        ours = rows.of_seed(seed)
        total += 0.5 * (ours * _back(rows.transform, weights @ theirs)).sum(axis=0)
        total += 0.5 * (theirs * _back(rows.transform, weights.T @ ours)).sum(axis=0)
    return total / len(voice.seeds)


def _back(transform: Transform, x: Matrix) -> Matrix:
    """Apply PᵀP to rows."""
    return x if transform.projection is None else transform.project(x) @ transform.projection


def _usual(rows: _Rows, ids: Ids, voice: Voice) -> Matrix:
    """Mean of the coordinates' shares over the random pairs, shape ``(n_in,)``."""
    total = np.zeros(rows.transform.n_in)
    n = len(voice.chance.first)
    for start in range(0, n, 2048):
        chosen = slice(start, start + 2048)
        a, b = rows.at(ids[voice.chance.first[chosen]]), rows.at(ids[voice.chance.second[chosen]])
        total += 0.5 * (a * _back(rows.transform, b) + b * _back(rows.transform, a)).sum(axis=0)
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

    A coordinate belongs to the column whose name it has or begins with, a logarithm and a unit aside; one without
    a running number also to the only column that has all of its words. Others are gathered under their name
    without running numbers.

    Examples
    --------
    >>> [feature_of(name, ["f0_median_hz", "bar_repetition"]) for name in ("log2_f0_median", "repetition")]
    ['f0_median_hz', 'bar_repetition']
    >>> feature_of("mfcc_07_mean", ["f0_median_hz"]), feature_of("interval_-3", [])
    ('mfcc_mean', 'interval')
    """
    plain = re.sub(r"^log(2|10)?_", "", name)
    for column in sorted(columns, key=len, reverse=True):
        bare = re.sub(_UNIT_SUFFIX, "", column)
        if plain in (column, bare) or plain.startswith((f"{column}_", f"{bare}_")):
            return column
    if not re.search(r"_[+-]?\d", plain):
        having = [column for column in columns if _words(plain) <= _words(column)]
        if len(having) == 1:
            return having[0]
    return re.sub(r"_?[+-]?\d+(?=_|$)", "", name).strip("_") or name


def _words(name: str) -> set[str]:
    """Words of a name, in the singular."""
    return {word.removesuffix("s") for word in name.split("_")}


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
