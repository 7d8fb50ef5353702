"""Clusterings in the catalog: the last one by each choice of instruments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mir.clusters.blend import By, blend_weights, name_of
from mir.clusters.records import Cluster, Clustering, Distinction
from mir.errors import NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Before:
    """The clustering that was there: track → cluster id (None: noise), and the first id that was never given."""

    clusters: dict[int, int | None]
    next_id: int


def read_before(con: duckdb.DuckDBPyConnection, instruments: str) -> Before:
    """Return the stored clustering by these instruments, an empty one where there is none."""
    row = con.execute("SELECT next_id FROM clusterings WHERE instruments = ?", [instruments]).fetchone()
    members = con.execute("SELECT track_id, cluster_id FROM track_clusters WHERE instruments = ?", [instruments])
    return Before(dict(members.fetchall()), 1 if row is None else row[0])


def replace_clustering(
    con: duckdb.DuckDBPyConnection,
    instruments: str,
    clusters: Sequence[tuple[int, str, int, Sequence[Distinction]]],
    members: Sequence[NDArray[Any]],
    made: tuple[int, int, dict[str, Any]],
) -> None:
    """Put a clustering in the place of the one before.

    Parameters
    ----------
    con
        Open for writing.
    instruments
        As the catalog writes it.
    clusters
        Id, name, size and distinctions of each.
    members
        Track ids, cluster ids (0: noise), probabilities, nearest cluster ids (0: none) and whether each is a
        medoid: shape ``(n,)`` each. Tracks that went meanwhile are left out.
    made
        Generation that it was made from, next id, parameters.
    """
    for table in ("clusterings", "clusters", "track_clusters"):
        con.execute(f"DELETE FROM {table} WHERE instruments = ?", [instruments])  # noqa: S608 - our own names
    generation, next_id, parameters = made
    con.execute(
        "INSERT INTO clusterings (instruments, generation, tracks, next_id, parameters) VALUES (?, ?, ?, ?, ?)",
        [instruments, generation, len(members[0]), next_id, json.dumps(parameters)],
    )
    for cluster_id, name, size, told in clusters:
        con.execute(
            "INSERT INTO clusters VALUES (?, ?, ?, ?, ?)",
            [instruments, cluster_id, name, size, json.dumps([asdict(one) for one in told])],
        )
    con.execute(
        "INSERT INTO track_clusters (track_id, instruments, cluster_id, probability, nearest_cluster_id, is_medoid)"
        " SELECT track_id, ?, nullif(c, 0), p, nullif(n, 0), m FROM (SELECT unnest(?::BIGINT[]) AS track_id,"
        " unnest(?::INTEGER[]) AS c, unnest(?::DOUBLE[]) AS p, unnest(?::INTEGER[]) AS n, unnest(?::BOOLEAN[]) AS m)"
        " WHERE track_id IN (SELECT track_id FROM tracks)",
        [instruments, *(each.tolist() for each in members)],
    )


def read_clustering(catalog: Catalog, by: By) -> Clustering:
    """Return the clustering by these instruments as it was last made.

    Raises
    ------
    BadRequest
        Where `by` names no instruments, or weighs one negatively.
    NotInCatalog
        Where none was made; the message has the command that makes it.
    """
    weights = blend_weights(by)
    instruments = name_of(weights)
    with catalog.read() as con:
        made = con.execute(
            "SELECT tracks, generation, parameters::VARCHAR FROM clusterings WHERE instruments = ?", [instruments]
        ).fetchone()
        if made is None:
            raise NotInCatalog(f"no clusters by {instruments} yet; make them: mir cluster --by {instruments}")
        noise = con.execute(
            "SELECT count(*) FROM track_clusters WHERE instruments = ? AND cluster_id IS NULL", [instruments]
        ).fetchall()[0][0]
        genres = _genres(con, instruments)
        rows = con.execute(
            "SELECT c.cluster_id, c.name, c.size, m.track_id, t.artist, t.title, c.distinguishes::VARCHAR"
            " FROM clusters AS c LEFT JOIN track_clusters AS m ON m.instruments = c.instruments"
            " AND m.cluster_id = c.cluster_id AND m.is_medoid LEFT JOIN tracks AS t ON t.track_id = m.track_id"
            " WHERE c.instruments = ? ORDER BY c.size DESC, c.cluster_id",
            [instruments],
        ).fetchall()
    clusters = []
    for cluster_id, name, size, medoid, artist, title, told in rows:
        genre, share = genres.get(cluster_id, (None, None))
        distinctions = tuple(Distinction(**one) for one in json.loads(told))
        clusters.append(Cluster(cluster_id, name, size, medoid, artist, title, genre, share, distinctions))
    return Clustering(instruments, weights, made[0], noise, made[1], tuple(clusters), json.loads(made[2]))


def _genres(con: duckdb.DuckDBPyConnection, instruments: str) -> dict[int, tuple[str, float]]:
    """Return the commonest genre of each cluster, and the share of its tracks that have it."""
    rows = con.execute(
        "SELECT cluster_id, genre, n, sum(n) OVER (PARTITION BY cluster_id) FROM ("
        " SELECT cluster_id, genre, count(*) AS n FROM track_clusters JOIN library USING (track_id)"
        " WHERE instruments = ? AND cluster_id IS NOT NULL GROUP BY cluster_id, genre)"
        " ORDER BY genre IS NULL DESC, n, genre DESC",  # the last of a cluster is what is kept of it
        [instruments],
    ).fetchall()
    return {cluster_id: (genre, n / total) for cluster_id, genre, n, total in rows if genre is not None}


def noise_free(ids: Sequence[int], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn labels into cluster ids; 0 for noise."""
    return np.array([*ids, 0], np.int64)[labels]
