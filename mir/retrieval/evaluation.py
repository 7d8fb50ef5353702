"""Same-artist retrieval in every space of a catalog, with transforms that never saw the query's artist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.errors import NothingToCompare
from mir.fitting import Recipe, fit_transform
from mir.retrieval.queries import Query, Recording, few_artists, make_queries, read_recordings
from mir.retrieval.ranking import Apply, Fit, rank_artists, rank_tracks
from mir.retrieval.scores import Scores, difference
from mir.similarity.artists import WAYS
from mir.spaces import read_descriptors, shipped_transform, shipped_within
from mir.transforms import MINIMUM_TRACKS, Transform

if TYPE_CHECKING:
    from mir.catalog import Catalog

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
How = Literal["plain", "fitted", "shipped"]

TRACKS: Final = "tracks"
"""Level at which single tracks are ranked; the others are ways of putting an artist's tracks together."""

MOST_ARTISTS: Final = 500
"""Artists that ask at most; each needs a transform of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one space, by one transform, at one level.

    Parameters
    ----------
    space, instrument
        Which space.
    transform
        ``plain``: standardised alone; ``fitted``: what `mir spaces fit` makes of the other artists; ``shipped``: the
        one that comes with mir, as it is.
    level
        ``tracks``, or a way of putting artists together.
    """

    space: str
    instrument: str
    transform: How
    level: str
    scores: Scores

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        named = {"space": self.space, "instrument": self.instrument, "transform": self.transform, "level": self.level}
        return {**named, **self.scores.to_plain()}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found in a catalog.

    Parameters
    ----------
    tracks, queries, artists
        How many are in the catalog, ask, and whom they belong to.
    same_album
        Whether tracks of one album were to find each other.
    rows
        By space, level and transform.
    """

    tracks: int
    queries: int
    artists: int
    same_album: bool
    rows: tuple[Row, ...]

    def best(self, space: str) -> Row | None:
        """Return the way of putting artists together that finds them best in a space."""
        rows = [row for row in self.rows if row.space == space and row.level != TRACKS]
        return max(rows, key=lambda row: row.scores.mean, default=None)

    def gains(self) -> list[dict[str, Any]]:
        """Compare each space's fitted (or shipped) transform with plain standardisation: paired, by artist."""
        found = []
        by_key = {(row.space, row.transform): row for row in self.rows if row.level == TRACKS}
        for (space, transform), row in by_key.items():
            plain = by_key.get((space, "plain"))
            if plain is not None and transform != "plain":
                found.append({"space": space, "transform": transform, **difference(row.scores, plain.scores)})
        return found

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        spaces = list(dict.fromkeys(row.space for row in self.rows))
        best = {space: row.level for space in spaces if (row := self.best(space)) is not None}
        return {
            "tracks": self.tracks,
            "queries": self.queries,
            "artists": self.artists,
            "same_album": self.same_album,
            "rows": [row.to_plain() for row in self.rows],
            "gain_over_plain": self.gains(),
            "best_artists_by": best,
        }


def evaluate(
    catalog: Catalog,
    spaces: Sequence[str] | None = None,
    *,
    recipe: Recipe | None = None,
    same_album: bool = False,
    most_artists: int = MOST_ARTISTS,
) -> Evaluation:
    """Let each track look for the others by its artist, in every space.

    Parameters
    ----------
    catalog
        What to evaluate on. It is read once and let go.
    spaces
        Which spaces; all that are described for some track where it is None.
    recipe
        How transforms are fitted; the default one of `mir spaces fit`.
    same_album
        Whether tracks of one album may find each other (they share room, desk and band).
    most_artists
        Where more artists could ask, this many do, always the same ones.

    Raises
    ------
    NothingToCompare
        Where no track could find another one.
    """
    recordings = read_recordings(catalog)
    queries = few_artists(make_queries(recordings, same_album=same_album), most_artists)
    if not queries:
        raise NothingToCompare(_nothing(recordings, same_album=same_album))
    rows: list[Row] = []
    for space in spaces or EXTRACTORS:
        descriptors = _descriptors(catalog, space, recordings)
        if np.isfinite(descriptors[:, 0]).any():
            rows += _evaluate_space(space, descriptors, recordings, queries, recipe or Recipe())
    if not rows:
        raise NothingToCompare(
            f"no track of {catalog.path.name} is described in {', '.join(spaces or EXTRACTORS)}; mir status says why"
        )
    return Evaluation(len(recordings), len(queries), len({query.artist for query in queries}), same_album, tuple(rows))


def _evaluate_space(
    space: str, descriptors: Matrix, recordings: Sequence[Recording], queries: Sequence[Query], recipe: Recipe
) -> list[Row]:
    fits = fits_of(space, descriptors, recordings, queries, recipe)
    instrument = EXTRACTORS[space].instrument
    rows = [Row(space, instrument, how, TRACKS, rank_tracks(descriptors, queries, fit)) for how, fit in fits.items()]
    chosen = next(iter(fits))
    for way in WAYS:
        scores = rank_artists(descriptors, recordings, queries, fits[chosen], way)
        rows.append(Row(space, instrument, chosen, way, scores))
    return rows


def fits_of(
    space: str, descriptors: Matrix, recordings: Sequence[Recording], queries: Sequence[Query], recipe: Recipe
) -> Mapping[How, Fit]:
    """Return the ways of fitting that a library is large enough for, the one that a user would have first.

    Where 20 tracks or more are left to each query: ``fitted``, where that is more than standardising, and ``plain``,
    then ``shipped``. Else ``shipped``, and ``plain`` on what there is.
    """
    version = EXTRACTORS[space].version
    there: Flags = np.asarray(np.isfinite(descriptors).all(axis=1))
    fewest = min(int((there & ~query.kin).sum()) for query in queries)
    names = [recording.artists[0] if recording.artists else "" for recording in recordings]

    def plain(seen: Flags) -> Apply:
        return fit_transform(
            descriptors[seen], space=space, version=version, forgetting=0, whitening=0, minimum=1
        ).apply

    def fitted(seen: Flags) -> Apply:
        artists = [name for name, flag in zip(names, seen, strict=True) if flag]
        known = shipped_within(space)
        return recipe.fit(descriptors[seen], artists, space=space, version=version, known=known).apply

    shipped = shipped_transform(space)
    found: dict[How, Fit] = {}
    if fewest >= MINIMUM_TRACKS:
        if recipe.learns(shipped_within(space)):
            found["fitted"] = fitted
        found["plain"] = plain
    if shipped is not None:
        found["shipped"] = lambda _seen: shipped.apply
    if fewest > 0:
        found["plain"] = plain
    return found or {"plain": lambda _seen: Transform.identity(space, version, descriptors.shape[1]).apply}


def _descriptors(catalog: Catalog, space: str, recordings: Sequence[Recording]) -> Matrix:
    """Read raw descriptors, shape ``(n, n_in)``; NaN where a track has none."""
    declared = EXTRACTORS[space]
    with catalog.read() as con:
        found = read_descriptors(con, space, Transform.identity(space, declared.version, declared.embedding_size))
    matrix = np.full((len(recordings), declared.embedding_size), np.nan)
    ids = np.array([recording.track_id for recording in recordings])
    here = np.isin(found.track_ids, ids)
    matrix[np.searchsorted(ids, found.track_ids[here])] = found.matrix[here]
    return matrix


def _nothing(recordings: Sequence[Recording], *, same_album: bool) -> str:
    if not same_album and make_queries(recordings, same_album=True):
        return (
            "no artist of this catalog has tracks on two albums, and tracks of one album share a studio; --same-album "
            "evaluates with them all the same"
        )
    return (
        f"no artist has two of the {len(recordings)} tracks: there is nothing to find again. Add music, or artists to "
        "the tags, and run mir ingest"
    )
