"""The steps from schema to schema, each as it was released: they never change, whatever becomes of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_TO_2 = """
CREATE TABLE clusterings (
  instruments VARCHAR NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now())),
  generation BIGINT NOT NULL,
  tracks INTEGER NOT NULL,
  next_id INTEGER NOT NULL,
  parameters JSON NOT NULL,
  PRIMARY KEY (instruments));
CREATE TABLE clusters (
  instruments VARCHAR NOT NULL,
  cluster_id INTEGER NOT NULL,
  "name" VARCHAR NOT NULL,
  size INTEGER NOT NULL,
  distinguishes JSON NOT NULL,
  PRIMARY KEY (instruments, cluster_id));
CREATE TABLE track_clusters (
  track_id BIGINT NOT NULL,
  instruments VARCHAR NOT NULL,
  cluster_id INTEGER,
  probability DOUBLE NOT NULL,
  nearest_cluster_id INTEGER,
  is_medoid BOOLEAN NOT NULL,
  PRIMARY KEY (track_id, instruments));
CREATE TABLE maps (
  instruments VARCHAR NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now())),
  generation BIGINT NOT NULL,
  parameters JSON NOT NULL,
  fingerprint VARCHAR NOT NULL,
  PRIMARY KEY (instruments));
CREATE TABLE map_points (
  track_id BIGINT NOT NULL,
  instruments VARCHAR NOT NULL,
  x DOUBLE NOT NULL,
  y DOUBLE NOT NULL,
  PRIMARY KEY (track_id, instruments));
"""

_INSTRUMENTS = "what it is by, weights summing to 1: drums, or vocals=0.7,drums=0.3"
_TRACK = "the track (tracks.track_id)"
_TO_2_COMMENTS = {
    "clusterings": {
        "": "How the library was last put into clusters, by each choice of instruments (`mir cluster`).",
        "instruments": _INSTRUMENTS,
        "created_at": "when it was made",
        "generation": "generation of the catalog that it was made from",
        "tracks": "tracks that have these instruments",
        "next_id": "id of the next new cluster: an id is never given twice",
        "parameters": "how it was done",
    },
    "clusters": {
        "": "One row a cluster; a cluster that is found again when the library has grown keeps its id.",
        "instruments": _INSTRUMENTS,
        "cluster_id": "number of the cluster within its clustering",
        "name": "what sets it apart, in words; no two clusters of a clustering share one",
        "size": "tracks in it when it was made",
        "distinguishes": (
            "columns in which it differs most from the rest: words, effect (Cliff's delta, -1 to 1), medians"
        ),
    },
    "track_clusters": {
        "": "Which cluster each track is in; cluster_id is NULL for a track that belongs to none.",
        "track_id": _TRACK,
        "instruments": _INSTRUMENTS,
        "cluster_id": "its cluster (clusters.cluster_id); NULL: noise",
        "probability": "0..1, how firmly it belongs there; 0 for noise",
        "nearest_cluster_id": "its cluster, for noise that of the nearest track that has one",
        "is_medoid": "the most typical track of its cluster",
    },
    "maps": {
        "": "Maps of the library, one by each choice of instruments (`mir map`).",
        "instruments": _INSTRUMENTS,
        "created_at": "when it was made",
        "generation": "generation of the catalog that it was made from",
        "parameters": "how it was drawn: method, its parameters and versions",
        "fingerprint": "checksum of vectors and parameters; as long as it fits, points hold",
    },
    "map_points": {
        "": "Where each track lies on a map; only nearness means something, not the axes.",
        "track_id": _TRACK,
        "instruments": _INSTRUMENTS,
        "x": "to the right",
        "y": "upwards",
    },
}


def clusters_and_maps(con: duckdb.DuckDBPyConnection) -> None:
    """Lead from schema 1 to 2: room for clusters and maps; nothing that was there is touched."""
    con.execute(_TO_2)
    for table, comments in _TO_2_COMMENTS.items():
        for column, comment in comments.items():
            target = f'COLUMN {table}."{column}"' if column else f"TABLE {table}"
            con.execute(f"COMMENT ON {target} IS '{comment.replace(chr(39), chr(39) * 2)}'")
