"""Spaces of a catalog: which transform is in use, how to fit one's own, and the vectors that it makes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, INSTRUMENTS, extractor
from mir.errors import BadRequest
from mir.fitting import Recipe
from mir.transforms import MINIMUM_TRACKS, TooFewTracks, Transform
from mir.within import Within

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """A row of `mir spaces list`.

    Parameters
    ----------
    space, instrument, version
        As the extractor declares them.
    columns
        Named numbers of a track.
    descriptor_size, vector_size
        Length before and after the transform.
    tracks
        Tracks that have a vector.
    transform_id
        Transform in use.
    origin
        ``fitted`` on this catalog, ``shipped`` with mir, or ``identity`` (none yet).
    method
        How the transform was made.
    """

    space: str
    instrument: str
    version: int
    columns: int
    descriptor_size: int
    vector_size: int
    tracks: int
    transform_id: str
    origin: str
    method: str


@dataclass(frozen=True, slots=True)
class SpaceVectors:
    """Vectors of one space, all made by one transform.

    Parameters
    ----------
    track_ids
        Shape ``(n,)``, rising.
    matrix
        Shape ``(n, vector_size)``, float32, unit rows.
    """

    track_ids: NDArray[np.int64]
    matrix: NDArray[np.float32]


def space_of(instrument: str) -> str:
    """Return the space that answers for an instrument.

    Raises
    ------
    BadRequest
        Where there is no such instrument; the message lists those there are.
    """
    try:
        return INSTRUMENTS[instrument]
    except KeyError:
        raise BadRequest(f"no instrument {instrument!r}; there are {', '.join(INSTRUMENTS)}") from None


def current_transform(catalog: Catalog | None, space: str) -> Transform:
    """Return the transform in use: the catalog's own, else the shipped one, else the identity.

    A transform made for another extractor version, or another descriptor size, is passed over. The identity
    keeps a catalog fillable before anything was fitted; `fit` then embeds everything from the descriptors.

    Raises
    ------
    SpaceUnknown
        Where there is no such space.
    """
    if catalog is None:
        return _default_transform(space)
    with catalog.read() as con:
        return transform_in(con, space)


def transform_in(con: duckdb.DuckDBPyConnection, space: str) -> Transform:
    """Do as `current_transform`, on a connection that is open."""
    row = con.execute(
        "SELECT parameters::VARCHAR FROM transforms WHERE space = ? AND current ORDER BY created_at DESC LIMIT 1",
        [space],
    ).fetchone()
    if row is not None:
        own = Transform.from_json(row[0])
        if _fits(own, space):
            return own
        logger.info("%s was fitted for an earlier extractor; fit again: mir spaces fit", own.transform_id)
    return _default_transform(space)


def shipped_transform(space: str) -> Transform | None:
    """Return the transform that comes with mir, None where there is none for this extractor version."""
    path = files("mir") / "data" / "spaces" / f"{extractor(space).space}.json"
    if not path.is_file():
        return None
    shipped = Transform.from_json(path.read_text(encoding="utf-8"))
    return shipped if _fits(shipped, space) else None


def shipped_within(space: str) -> Within | None:
    """Return what varies within a track, as it comes with mir; None where it was not measured for this extractor."""
    declared = extractor(space)
    path = files("mir") / "data" / "spaces" / f"{declared.space}.within.json"
    if not path.is_file():
        return None
    within = Within.from_json(path.read_text(encoding="utf-8"))
    made_for = (within.space, within.version, len(within.covariance))
    return within if made_for == (space, declared.version, declared.embedding_size) else None


def read_vectors(
    con: duckdb.DuckDBPyConnection, space: str, transform: Transform, *, only: NDArray[np.int64] | None = None
) -> SpaceVectors:
    """Read a space's vectors; those that another transform made are made again from their descriptors.

    Returns
    -------
    SpaceVectors
        Every track with a descriptor of the present extractor version (those in `only` where it is given), by
        rising track id.
    """
    sql = (
        "SELECT track_id, vector FROM space_vectors WHERE space = ? AND version = ? AND transform_id = ?"
        " AND len(vector) = ?"
    )
    parameters: list[object] = [space, transform.version, transform.transform_id, transform.n_out]
    if only is not None:
        sql += " AND track_id IN (SELECT unnest(?::BIGINT[]))"
        parameters.append(only.tolist())
    stored = _read(con, sql, parameters, transform.n_out)
    others = read_descriptors(con, space, transform, only=only, unembedded=True)
    if not len(others.track_ids):
        return stored
    logger.info("%d vectors of %s are of another transform: made again", len(others.track_ids), space)
    ids = np.concatenate([stored.track_ids, others.track_ids])
    matrix = np.concatenate([stored.matrix, transform.apply(others.matrix)])
    order = np.argsort(ids)
    return SpaceVectors(ids[order], matrix[order])


def read_descriptors(
    con: duckdb.DuckDBPyConnection,
    space: str,
    transform: Transform,
    *,
    only: NDArray[np.int64] | None = None,
    unembedded: bool = False,
) -> SpaceVectors:
    """Read raw descriptors of the transform's extractor version, by rising track id: ``(n, n_in)``.

    `only` names the tracks that are wanted; `unembedded` leaves out those that have a vector of this
    transform.
    """
    sql = "SELECT d.track_id, d.raw FROM descriptors AS d WHERE d.space = ? AND d.version = ? AND len(d.raw) = ?"
    parameters: list[object] = [space, transform.version, transform.n_in]
    if only is not None:
        sql += " AND d.track_id IN (SELECT unnest(?::BIGINT[]))"
        parameters.append(only.tolist())
    if unembedded:
        sql += (
            " AND NOT EXISTS (FROM space_vectors AS v WHERE v.track_id = d.track_id AND v.space = d.space"
            " AND v.version = d.version AND v.transform_id = ? AND len(v.vector) = ?)"
        )
        parameters += [transform.transform_id, transform.n_out]
    return _read(con, sql, parameters, transform.n_in)


def list_spaces(catalog: Catalog) -> list[SpaceInfo]:
    """Describe every space that this mir knows, with what the catalog holds of it."""
    found = []
    with catalog.read() as con:
        for space, declared in EXTRACTORS.items():
            transform = transform_in(con, space)
            row = con.execute(
                "SELECT count(*) FROM descriptors WHERE space = ? AND version = ?", [space, declared.version]
            ).fetchone()
            own = con.execute(
                "SELECT count(*) FROM transforms WHERE transform_id = ? AND current", [transform.transform_id]
            ).fetchone()
            origin = "fitted" if own and own[0] else "identity" if transform.method == "identity" else "shipped"
            found.append(
                SpaceInfo(
                    space=space,
                    instrument=declared.instrument,
                    version=declared.version,
                    columns=len(declared.columns),
                    descriptor_size=declared.embedding_size,
                    vector_size=transform.n_out,
                    tracks=row[0] if row else 0,
                    transform_id=transform.transform_id,
                    origin=origin,
                    method=transform.method,
                )
            )
    return found


def fit(catalog: Catalog, space: str, recipe: Recipe | None = None) -> Transform:
    """Fit a transform on the catalog's own tracks, put it in use, and embed everything again.

    Nothing is heard again: vectors come from the descriptors, in one transaction. An index of the space, made
    with the transform before, is refused from then on until it is built again.

    Parameters
    ----------
    catalog, space
        What to fit on.
    recipe
        How; the default one where it is None.

    Raises
    ------
    TooFewTracks
        Where fewer than 20 tracks are described, or too few artists for what the recipe asks.
    """
    declared = extractor(space)
    described = _described(catalog, space)
    if len(described.track_ids) < MINIMUM_TRACKS:
        raise TooFewTracks(
            f"{space} is described for {len(described.track_ids)} tracks; a transform of one's own needs "
            f"{MINIMUM_TRACKS} or more. Add music: mir ingest FOLDER"
        )
    transform = (recipe or Recipe()).fit(
        described.matrix.astype(np.float64),
        _first_artists(catalog, described.track_ids),
        space=space,
        version=declared.version,
        known=shipped_within(space),
    )
    _adopt(catalog, transform, described, fitted=True)
    return transform


def refresh(catalog: Catalog) -> list[str]:
    """Embed again the spaces whose stored vectors are not all of the transform in use; return the names.

    Similarity never needs it: it makes such vectors again when it reads them. It brings SQL's ``embeddings``
    up after a new mir came with a new transform.
    """
    changed = []
    for space in EXTRACTORS:
        with catalog.read() as con:
            transform = transform_in(con, space)
            behind = read_descriptors(con, space, transform, unembedded=True)
            known = con.execute("SELECT transform_id FROM spaces WHERE space = ?", [space]).fetchone()
        there = len(behind.track_ids) or (known is not None and known[0] not in (None, transform.transform_id))
        if there:
            _adopt(catalog, transform, _described(catalog, space), fitted=False)
            changed.append(space)
    return changed


def _first_artists(catalog: Catalog, track_ids: NDArray[np.int64]) -> list[str]:
    """Return the first artist of each track; empty where nobody is known."""
    from mir.retrieval.queries import read_recordings

    named = {recording.track_id: recording.artists for recording in read_recordings(catalog)}
    return [next(iter(named.get(track_id, ())), "") for track_id in track_ids.tolist()]


def _described(catalog: Catalog, space: str) -> SpaceVectors:
    declared = extractor(space)
    with catalog.read() as con:
        any_transform = Transform.identity(space, declared.version, declared.embedding_size)
        return read_descriptors(con, space, any_transform)


def _adopt(catalog: Catalog, transform: Transform, described: SpaceVectors, *, fitted: bool) -> None:
    """Embed a space by this transform, and remember a fitted one as the catalog's own, in one transaction."""
    from mir.catalog.queries import replace_vectors

    replace_vectors(
        catalog,
        transform.space,
        transform.transform_id,
        described.track_ids,
        transform.apply(described.matrix),
        parameters=transform.to_plain() if fitted else None,
    )


def _default_transform(space: str) -> Transform:
    shipped = shipped_transform(space)
    if shipped is not None:
        return shipped
    declared = extractor(space)
    return Transform.identity(space, declared.version, declared.embedding_size)


def _fits(transform: Transform, space: str) -> bool:
    declared = extractor(space)
    made_for = (transform.space, transform.version, transform.n_in)
    return made_for == (space, declared.version, declared.embedding_size)


def _read(con: duckdb.DuckDBPyConnection, sql: str, parameters: list[object], size: int) -> SpaceVectors:
    """Run a query for ids and lists of `size` numbers; both come back as arrays, by rising id."""
    rows = con.execute(sql, parameters).fetchnumpy()
    ids, numbers = (np.asarray(column) for column in rows.values())
    if not len(ids):
        return SpaceVectors(np.empty(0, np.int64), np.empty((0, size), np.float32))
    order = np.argsort(ids)
    return SpaceVectors(ids[order].astype(np.int64), np.stack(list(numbers[order])).astype(np.float32, copy=False))
