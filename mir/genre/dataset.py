"""From the catalog to a table to learn from: one row a track, features by space, one label, one artist.

A track may have several genres. Its first one (a person's before a tag's) is its label; a further one counts where
some other track has it for its label. Learned from, such a track is one row a genre, which share its weight; scored,
any of its genres is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, INSTRUMENTS
from mir.errors import BadRequest, CatalogTooOld
from mir.genre.folds import Labels, Rows
from mir.genre.labels import LabelMap
from mir.genre.model import Learning, Matrix

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.catalog.records import SpaceResult


def parse_instruments(by: str | None) -> tuple[str, ...]:
    """Read ``--by``: instruments separated by commas, None or ``all`` for all of them.

    Returns
    -------
    tuple of str
        Names out of `features.INSTRUMENTS`, in its order.

    Raises
    ------
    BadRequest
        Where a name is no instrument, or carries a weight.
    """
    wanted = [part.strip() for part in (by or "all").split(",") if part.strip()]
    if wanted == ["all"]:
        return tuple(INSTRUMENTS)
    by_space = {space: name for name, space in INSTRUMENTS.items()}
    names = {by_space.get(name, name) for name in wanted}
    unknown = sorted(names - set(INSTRUMENTS))
    if unknown or not names:
        raise BadRequest(
            f"--by {by!r} asks for {', '.join(unknown) or 'nothing'}; there are {', '.join(INSTRUMENTS)} "
            "and all (no weights: the classifier finds its own)"
        )
    return tuple(name for name in INSTRUMENTS if name in names)


def feature_names(space: str) -> tuple[str, ...]:
    """Return the names of a space's features: its columns, its raw descriptor, and whether it sounds at all.

    ``drum_rhythm.tempo_bpm`` is a column, ``drum_rhythm:3:onset`` number 3 of the descriptor,
    ``drum_rhythm.sounds`` 1 or 0.
    """
    extractor = EXTRACTORS[space]
    return (
        *(f"{space}.{column.name}" for column in extractor.columns),
        *(f"{space}:{index}:{name}" for index, name in enumerate(extractor.descriptor_names)),
        f"{space}.sounds",
    )


@dataclass(frozen=True, slots=True)
class Dataset:
    """Tracks to learn from, or to score on.

    Parameters
    ----------
    track_ids
        Shape ``(n,)``, ascending.
    matrix
        Features, shape ``(n, d)``; NaN where a stem is silent or a number could not be measured. Nothing is
        imputed or scaled here: that is learned, so it belongs to the pipeline.
    features
        Name of each column of `matrix`.
    labels, groups
        Genre and artist of each row, shape ``(n,)``; an unknown artist is a group of its own.
    others
        Further genres of each row.
    versions
        Extractor version by space.
    n_unknown_artists
        Rows whose artist is unknown.
    notes
        What a report has to say about these data.
    """

    track_ids: NDArray[np.int64]
    matrix: Matrix
    features: tuple[str, ...]
    labels: Labels
    groups: Labels
    others: tuple[tuple[str, ...], ...]
    versions: dict[str, int]
    n_unknown_artists: int
    notes: tuple[str, ...]

    def rows(self, mask: NDArray[np.bool_]) -> Dataset:
        """Return the rows where `mask`, shape ``(n,)``, is true."""
        return replace(
            self,
            track_ids=self.track_ids[mask],
            matrix=self.matrix[mask],
            labels=self.labels[mask],
            groups=self.groups[mask],
            others=tuple(other for other, kept in zip(self.others, mask, strict=True) if kept),
            n_unknown_artists=sum(str(group).startswith(_UNKNOWN) for group in self.groups[mask]),
        )

    def select(self, spaces: Iterable[str]) -> Dataset:
        """Return the same rows with the features of some spaces only."""
        wanted = [space for space in self.versions if space in set(spaces)]
        names = {name for space in wanted for name in feature_names(space)}
        columns = [index for index, name in enumerate(self.features) if name in names]
        return replace(
            self,
            matrix=np.ascontiguousarray(self.matrix[:, columns]),
            features=tuple(self.features[index] for index in columns),
            versions={space: self.versions[space] for space in wanted},
        )

    def plays(self, space: str) -> bool:
        """Tell whether any row has features of this space."""
        name = f"{space}.sounds"
        return name in self.features and bool((self.matrix[:, self.features.index(name)] > 0).any())

    @property
    def further(self) -> tuple[tuple[str, ...], ...]:
        """Further genres of each row that count: those that some other row has for its label."""
        names = set(self.labels.tolist())
        return tuple(tuple(other for other in others if other in names) for others in self.others)

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """First and last-plus-one column of each space, in the order of `versions`."""
        edges = np.cumsum([0, *(len(feature_names(space)) for space in self.versions)]).tolist()
        return tuple(pairwise(edges))

    def learning(self, rows: Rows | None = None) -> Learning:
        """Return what is learned from these rows (numbers; None: all): one row a genre of a track.

        The genres of a track share its weight; where every track has one, there are no weights.
        """
        chosen = np.arange(len(self.labels)) if rows is None else rows
        further = self.further
        if not any(further[row] for row in chosen.tolist()):
            if rows is None:
                return Learning(self.matrix, self.labels, self.groups, self.blocks)
            return Learning(self.matrix[chosen], self.labels[chosen], self.groups[chosen], self.blocks)
        genres = [(row, label) for row in chosen.tolist() for label in (str(self.labels[row]), *further[row])]
        spread = np.array([row for row, _ in genres], dtype=np.int64)
        return Learning(
            self.matrix[spread],
            np.array([label for _, label in genres], dtype=self.labels.dtype),
            self.groups[spread],
            self.blocks,
            np.array([1.0 / (1 + len(further[row])) for row in spread.tolist()]),
        )

    def snapshot(self) -> str:
        """Return a SHA-256 (hex) over everything learned from: tracks, labels, artists, features."""
        digest = hashlib.sha256(self.truth().encode())
        digest.update("\x1f".join(self.features).encode() + b"\x1e")
        digest.update(np.ascontiguousarray(self.matrix).tobytes())
        return digest.hexdigest()

    def truth(self) -> str:
        """Return a SHA-256 (hex) over what a score compares with: tracks, labels, artists."""
        digest = hashlib.sha256(np.ascontiguousarray(self.track_ids).tobytes())
        for part in (self.labels.tolist(), self.groups.tolist(), ["\x1d".join(others) for others in self.others]):
            digest.update("\x1f".join(part).encode() + b"\x1e")
        return digest.hexdigest()


_UNKNOWN = "\x00unknown:"


def load(catalog: Catalog, label_map: LabelMap | None = None) -> Dataset:
    """Read the labelled tracks of a catalog with the features of every space.

    A person's labels go before tags; of several, the first one recognised is learned.

    Parameters
    ----------
    catalog
        The catalog.
    label_map
        A user's own rules.

    Raises
    ------
    CatalogTooOld
        Where the catalog holds another version of a space than this program measures.
    """
    label_map = label_map or LabelMap()
    genres, artists = _genres_and_artists(catalog)
    chosen = {track: _choose(label_map, by_source) for track, by_source in genres.items()}
    tracks = sorted(track for track, (label, _) in chosen.items() if label is not None)
    track_ids = np.array(tracks, dtype=np.int64)
    matrix, features = feature_matrix(catalog, tuple(EXTRACTORS), track_ids)
    labels = np.array([chosen[track][0] or "" for track in tracks], dtype=np.str_)
    groups = np.array([artists.get(track, f"{_UNKNOWN}{track}") for track in tracks], dtype=np.str_)
    sounding: NDArray[np.bool_] = np.any(matrix[:, [n.endswith(".sounds") for n in features]] > 0, axis=1)
    notes = []
    unheard = int((~sounding).sum())
    unknown = sum(str(group).startswith(_UNKNOWN) for group in groups[sounding])
    if unheard:
        notes.append(f"{unheard} labelled track(s) left out: no features yet; mir status says why")
    if unknown:
        notes.append(
            f"{unknown} track(s) by unknown artists: each counts as an artist of its own, so scores may "
            "flatter (the same artist may be on both sides)"
        )
    dataset = Dataset(
        track_ids=track_ids,
        matrix=matrix,
        features=features,
        labels=labels,
        groups=groups,
        others=tuple(chosen[track][1] for track in tracks),
        versions={space: extractor.version for space, extractor in EXTRACTORS.items()},
        n_unknown_artists=unknown,
        notes=tuple(notes),
    )
    return dataset.rows(sounding)


def feature_matrix(
    catalog: Catalog, spaces: Sequence[str], track_ids: NDArray[np.int64]
) -> tuple[Matrix, tuple[str, ...]]:
    """Read stored features.

    Parameters
    ----------
    catalog
        The catalog.
    spaces
        Which spaces, in this order.
    track_ids
        Which tracks, shape ``(n,)``.

    Returns
    -------
    matrix, names
        Shape ``(n, d)``, NaN where a space has no row for a track; the names of its columns.

    Raises
    ------
    CatalogTooOld
        Where the catalog holds another version of a space than this program measures.
    """
    from mir.catalog.queries import descriptors
    from mir.catalog.schema import identifier

    row_of = {track: row for row, track in enumerate(track_ids.tolist())}
    blocks: list[Matrix] = []
    for space in spaces:
        extractor = EXTRACTORS[space]
        columns = [column.name for column in extractor.columns]
        stored = descriptors(catalog, space)
        if stored.version != extractor.version:
            raise CatalogTooOld(
                f"the catalog's {space} is version {stored.version}, this mir measures version "
                f"{extractor.version}; `mir ingest` brings the catalog up"
            )
        block = np.full((len(track_ids), len(feature_names(space))), np.nan)
        block[:, -1] = 0.0
        if columns:
            selected = ", ".join(identifier(name) for name in ("track_id", *columns))
            with catalog.read() as con:
                # Names come from the extractor's declaration.
                found = con.execute(f"SELECT {selected} FROM {identifier(space)}").fetchnumpy()  # noqa: S608
            ids = np.asarray(found["track_id"], dtype=np.int64)
            rows = np.array([row_of.get(track, -1) for track in ids.tolist()], dtype=np.int64)
            for index, name in enumerate(columns):
                values = np.ma.filled(np.ma.asarray(found[name]).astype(np.float64), np.nan)
                block[rows[rows >= 0], index] = values[rows >= 0]
        rows = np.array([row_of.get(track, -1) for track in stored.track_ids.tolist()], dtype=np.int64)
        kept = rows >= 0
        block[rows[kept], len(columns) : -1] = stored.matrix[kept]
        block[rows[kept], -1] = 1.0
        blocks.append(block)
    matrix = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(track_ids), 0))
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix, tuple(name for space in spaces for name in feature_names(space))


def feature_row(results: Sequence[SpaceResult], spaces: Sequence[str]) -> Matrix:
    """Return one track's features without the catalog, shape ``(1, d)``, in the order of `feature_matrix`."""
    by_space = {result.space: result for result in results if result.state == "ok"}
    values: list[float] = []
    for space in spaces:
        extractor, result = EXTRACTORS[space], by_space.get(space)
        if result is None or result.values is None or result.descriptor is None:
            values += [float("nan")] * (len(feature_names(space)) - 1) + [0.0]
            continue
        values += [float(result.values[column.name]) for column in extractor.columns]
        values += [float(number) for number in result.descriptor] + [1.0]
    row = np.array([values], dtype=np.float64)
    row[~np.isfinite(row)] = np.nan
    return row


def _choose(label_map: LabelMap, by_source: dict[str, list[str]]) -> tuple[str | None, tuple[str, ...]]:
    """Return a track's label and its other genres: what a person says stands, recognised or not."""
    said, others = label_map.choose(by_source.get("person", ()))
    tagged, more = label_map.choose(by_source.get("tag", ()))
    if said is None:
        return tagged, more
    rest = dict.fromkeys((*others, *([tagged] if tagged else []), *more))
    return said, tuple(genre for genre in rest if genre != said)


def _genres_and_artists(catalog: Catalog) -> tuple[dict[int, dict[str, list[str]]], dict[int, str]]:
    """Genres by track and source (the file's first tag in front), main artist by track."""
    with catalog.read() as con:
        rows: list[Any] = con.execute(
            "SELECT g.track_id, g.source, g.genre FROM track_genres AS g JOIN tracks AS t USING (track_id)"
            " WHERE g.source IN ('tag', 'person')"
            " ORDER BY g.track_id, g.genre IS DISTINCT FROM t.genre, g.genre"
        ).fetchall()
        artists = dict(
            con.execute("SELECT track_id, arg_min(artist_id, position) FROM track_artists GROUP BY track_id").fetchall()
        )
    genres: dict[int, dict[str, list[str]]] = {}
    for track_id, source, genre in rows:
        genres.setdefault(track_id, {}).setdefault(source, []).append(genre)
    return genres, {track: f"artist:{artist}" for track, artist in artists.items()}
