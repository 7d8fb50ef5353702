"""The catalog's tables and views, declared once; migrations change them, everything else relies on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns as ``(name, SQL type and constraints, comment)``, then constraints over several."""

    name: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]
    constraints: tuple[str, ...] = ()


_TRACK = ("track_id", "BIGINT NOT NULL", "the track (tracks.track_id)")
_SPACE = ("space", "VARCHAR NOT NULL", "name of the space (spaces.space)")
_INSTRUMENTS = (
    "instruments",
    "VARCHAR NOT NULL",
    "what it is by, weights summing to 1: drums, or vocals=0.7,drums=0.3",
)
_MADE_AT = ("created_at", "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))", "when it was made")
_MADE_OF = ("generation", "BIGINT NOT NULL", "generation of the catalog that it was made from")

TABLES: tuple[Table, ...] = (
    Table(
        "schema_version",
        "Which schema this catalog has, and when it came to have it; the highest version counts.",
        (
            ("version", "INTEGER PRIMARY KEY", "schema version"),
            (
                "applied_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when this version was made or migrated to",
            ),
            ("mir_version", "VARCHAR NOT NULL", "the mir that did it"),
        ),
    ),
    Table(
        "catalog_info",
        "One row: which catalog this is, and how often it was written to.",
        (
            ("catalog_id", "VARCHAR NOT NULL", "random, made with the catalog; derived files name it"),
            ("generation", "BIGINT NOT NULL", "goes up by one with every committed write"),
            (
                "created_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when the catalog was made",
            ),
        ),
    ),
    Table(
        "spaces",
        "What each space is here: the extractor that its tables were built for, and what its vectors are.",
        (
            ("space", "VARCHAR PRIMARY KEY", "name of the space, also the name of its wide table"),
            ("instrument", "VARCHAR NOT NULL", "what --by calls it"),
            (
                "version",
                "INTEGER NOT NULL",
                "extractor version that the wide table, descriptors and vectors belong to",
            ),
            ("fingerprint", "VARCHAR NOT NULL", "checksum of the extractor's declaration"),
            ("descriptor_size", "INTEGER NOT NULL", "numbers in a raw descriptor"),
            ("vector_size", "INTEGER NOT NULL", "numbers in a vector, after the transform"),
            ("transform_id", "VARCHAR", "transform that the current vectors went through"),
        ),
    ),
    Table(
        "tracks",
        "One row a recording. A track is its audio: the same audio in two files is one track.",
        (
            (
                "track_id",
                "BIGINT PRIMARY KEY",
                "made from audio_hash, so the same in every catalog; below 2^53",
            ),
            ("audio_hash", "VARCHAR NOT NULL UNIQUE", "SHA-256 over the encoded audio packets (hex)"),
            ("path", "VARCHAR NOT NULL", "the file that was read last (absolute)"),
            ("title", "VARCHAR NOT NULL", "from the tags, else from the file name"),
            ("artist", "VARCHAR NOT NULL", "as shown: all artists, or 'Unknown artist' (which is no artist)"),
            ("album", "VARCHAR", "album title"),
            ("album_artist", "VARCHAR", "whose album it is"),
            ("year", "INTEGER", "year of release"),
            ("genre", "VARCHAR", "first genre of the tags"),
            ("compilation", "BOOLEAN NOT NULL", "the tags call the album a compilation"),
            ("duration_s", "DOUBLE NOT NULL", "length in seconds"),
            ("sample_rate_hz", "INTEGER NOT NULL", "sample rate of the file in Hz"),
            ("n_channels", "INTEGER NOT NULL", "channels of the file"),
            ("codec", "VARCHAR NOT NULL", "audio codec of the file"),
            (
                "ingested_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when the track was first committed",
            ),
        ),
    ),
    Table(
        "files",
        "One row a file that was looked at; copies of the same audio share a track.",
        (
            ("path", "VARCHAR PRIMARY KEY", "absolute path"),
            ("size", "BIGINT NOT NULL", "bytes"),
            ("mtime_ns", "BIGINT NOT NULL", "modification time, nanoseconds since 1970"),
            ("track_id", "BIGINT", "its track; NULL where it could never be read"),
            ("state", "VARCHAR NOT NULL CHECK (state IN ('ok', 'failed'))", "ok, or failed"),
            ("reason", "VARCHAR", "why it failed"),
            (
                "seen_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when it was last read",
            ),
        ),
    ),
    Table(
        "artists",
        "One row an artist; names that differ in case or spacing alone are one artist.",
        (
            (
                "artist_id",
                "BIGINT PRIMARY KEY",
                "made from the name (and MusicBrainz id where names clash); below 2^53",
            ),
            ("artist", "VARCHAR NOT NULL", "the name as first seen"),
            ("name_key", "VARCHAR NOT NULL", "the name without case and superfluous space"),
            ("musicbrainz_id", "VARCHAR", "MusicBrainz artist id, from the tags"),
        ),
    ),
    Table(
        "track_artists",
        "Who plays on which track; a track of an unknown artist has no row.",
        (
            _TRACK,
            ("artist_id", "BIGINT NOT NULL", "the artist (artists.artist_id)"),
            ("role", "VARCHAR NOT NULL", "'artist': named as one of the track's artists"),
            ("position", "INTEGER NOT NULL", "place in the list of artists, from 0"),
        ),
        ("PRIMARY KEY (track_id, artist_id, role)",),
    ),
    Table(
        "track_genres",
        "Genres of tracks: from tags, from a person, or predicted by the promoted run.",
        (
            _TRACK,
            ("genre", "VARCHAR NOT NULL", "genre as written"),
            ("source", "VARCHAR NOT NULL CHECK (source IN ('tag', 'person', 'predicted'))", "who says so"),
            ("run_id", "VARCHAR", "the run that predicted it (genre_runs.run_id)"),
            ("probability", "DOUBLE", "0..1, for predictions"),
        ),
        ("PRIMARY KEY (track_id, genre, source)",),
    ),
    Table(
        "stems",
        "One row a separated stem of a track.",
        (
            _TRACK,
            ("stem", "VARCHAR NOT NULL", "vocals, drums, bass, other"),
            ("source_id", "VARCHAR NOT NULL", "what made it: model, checksum of its weights, precision"),
            ("loudness_lufs", "DOUBLE", "integrated loudness (EBU R 128); NULL for silence"),
            ("active_ratio", "DOUBLE", "0..1, share of the track in which it sounds"),
            ("path", "VARCHAR", "where the stem is kept, if it is"),
        ),
        ("PRIMARY KEY (track_id, stem)",),
    ),
    Table(
        "extractions",
        "The memory of what was done: what is not here in the extractor's present version is missing.",
        (
            _TRACK,
            _SPACE,
            ("extractor_version", "INTEGER NOT NULL", "version of the extractor that ran"),
            ("source_id", "VARCHAR NOT NULL", "what made the stems that it heard"),
            (
                "state",
                "VARCHAR NOT NULL CHECK (state IN ('ok', 'silent', 'failed'))",
                "ok; silent (no feature row); failed",
            ),
            ("reason", "VARCHAR", "why it is silent or failed"),
            ("done_at", "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))", "when"),
        ),
        ("PRIMARY KEY (track_id, space)",),
    ),
    Table(
        "descriptors",
        "What the extractors measured, before any transform; a refit starts here and hears nothing again.",
        (
            _TRACK,
            _SPACE,
            ("version", "INTEGER NOT NULL", "extractor version"),
            ("raw", "FLOAT[] NOT NULL", "the raw descriptor"),
        ),
        ("PRIMARY KEY (track_id, space)",),
    ),
    Table(
        "space_vectors",
        "The vectors as stored; read them through the view embeddings, which leaves out what is out of date.",
        (
            _TRACK,
            _SPACE,
            ("version", "INTEGER NOT NULL", "extractor version"),
            ("transform_id", "VARCHAR", "the transform that the descriptor went through"),
            ("vector", "FLOAT[] NOT NULL", "the vector, of length one"),
        ),
        ("PRIMARY KEY (track_id, space)",),
    ),
    Table(
        "transforms",
        "Transforms that were fitted on this catalog (`mir spaces fit`).",
        (
            ("transform_id", "VARCHAR PRIMARY KEY", "name and checksum"),
            _SPACE,
            (
                "created_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when it was fitted",
            ),
            ("current", "BOOLEAN NOT NULL", "the one in use; without one the shipped transform is"),
            ("parameters", "JSON NOT NULL", "everything needed to apply it"),
        ),
    ),
    Table(
        "genre_runs",
        "Genre classifiers that were trained on this catalog.",
        (
            ("run_id", "VARCHAR PRIMARY KEY", "name of the run"),
            (
                "created_at",
                "TIMESTAMP NOT NULL DEFAULT make_timestamp(epoch_us(now()))",
                "when it was trained",
            ),
            ("labels", "JSON NOT NULL", "the genres it knows"),
            ("spaces", "JSON NOT NULL", "the spaces it reads, with their versions"),
            ("parameters", "JSON NOT NULL", "how it was trained"),
            ("metrics", "JSON NOT NULL", "what its evaluation measured"),
            ("artifact", "VARCHAR", "file of the trained classifier"),
            ("sha256", "VARCHAR", "checksum of that file"),
            ("promoted", "BOOLEAN NOT NULL DEFAULT false", "its predictions are the catalog's"),
        ),
    ),
    Table(
        "genre_predictions",
        "What each run makes of each track.",
        (
            _TRACK,
            ("run_id", "VARCHAR NOT NULL", "the run (genre_runs.run_id)"),
            ("genre", "VARCHAR NOT NULL", "the genre"),
            ("probability", "DOUBLE NOT NULL", "0..1, as the classifier gives it"),
        ),
        ("PRIMARY KEY (run_id, track_id, genre)",),
    ),
    Table(
        "clusterings",
        "How the library was last put into clusters, by each choice of instruments (`mir cluster`).",
        (
            _INSTRUMENTS,
            _MADE_AT,
            _MADE_OF,
            ("tracks", "INTEGER NOT NULL", "tracks that have these instruments"),
            ("next_id", "INTEGER NOT NULL", "id of the next new cluster: an id is never given twice"),
            ("parameters", "JSON NOT NULL", "how it was done"),
        ),
        ("PRIMARY KEY (instruments)",),
    ),
    Table(
        "clusters",
        "One row a cluster; a cluster that is found again when the library has grown keeps its id.",
        (
            _INSTRUMENTS,
            ("cluster_id", "INTEGER NOT NULL", "number of the cluster within its clustering"),
            ("name", "VARCHAR NOT NULL", "what sets it apart, in words; no two clusters of a clustering share one"),
            ("size", "INTEGER NOT NULL", "tracks in it when it was made"),
            (
                "distinguishes",
                "JSON NOT NULL",
                "columns in which it differs most from the rest: words, effect (Cliff's delta, -1 to 1), medians",
            ),
        ),
        ("PRIMARY KEY (instruments, cluster_id)",),
    ),
    Table(
        "track_clusters",
        "Which cluster each track is in; cluster_id is NULL for a track that belongs to none.",
        (
            _TRACK,
            _INSTRUMENTS,
            ("cluster_id", "INTEGER", "its cluster (clusters.cluster_id); NULL: noise"),
            ("probability", "DOUBLE NOT NULL", "0..1, how firmly it belongs there; 0 for noise"),
            ("nearest_cluster_id", "INTEGER", "its cluster, for noise that of the nearest track that has one"),
            ("is_medoid", "BOOLEAN NOT NULL", "the most typical track of its cluster"),
        ),
        ("PRIMARY KEY (track_id, instruments)",),
    ),
    Table(
        "maps",
        "Maps of the library, one by each choice of instruments (`mir map`).",
        (
            _INSTRUMENTS,
            _MADE_AT,
            _MADE_OF,
            ("parameters", "JSON NOT NULL", "how it was drawn: method, its parameters and versions"),
            ("fingerprint", "VARCHAR NOT NULL", "checksum of vectors and parameters; as long as it fits, points hold"),
        ),
        ("PRIMARY KEY (instruments)",),
    ),
    Table(
        "map_points",
        "Where each track lies on a map; only nearness means something, not the axes.",
        (
            _TRACK,
            _INSTRUMENTS,
            ("x", "DOUBLE NOT NULL", "to the right"),
            ("y", "DOUBLE NOT NULL", "upwards"),
        ),
        ("PRIMARY KEY (track_id, instruments)",),
    ),
)
"""Every table but the wide ones, whose columns the extractors declare (see `mir.catalog.wide`)."""

TRACK_TABLES: tuple[str, ...] = tuple(
    table.name for table in TABLES if table.name != "tracks" and any(name == "track_id" for name, _, _ in table.columns)
)
"""Tables with rows that belong to a track and go when it goes; the wide tables come on top."""

EMBEDDINGS_VIEW = """
CREATE OR REPLACE VIEW embeddings AS
SELECT rows.track_id, rows.space, rows.version, rows.transform_id, rows.vector
FROM space_vectors AS rows JOIN spaces AS current
  ON current.space = rows.space AND current.version = rows.version
 AND current.transform_id IS NOT DISTINCT FROM rows.transform_id
"""


def literal(text: str) -> str:
    """Quote a text of our own for places where SQL takes no parameter (comments)."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a name from our own declarations."""
    return '"' + name.replace('"', '""') + '"'


def create_table(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create one declared table with its comments."""
    parts = [f"{identifier(name)} {kind}" for name, kind, _ in table.columns] + list(table.constraints)
    con.execute(f"CREATE TABLE {identifier(table.name)} ({', '.join(parts)})")
    comment_on(con, table)


def comment_on(con: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Set the comments of a declared table anew."""
    name = identifier(table.name)
    con.execute(f"COMMENT ON TABLE {name} IS {literal(table.comment)}")
    for column, _, comment in table.columns:
        con.execute(f"COMMENT ON COLUMN {name}.{identifier(column)} IS {literal(comment)}")


def create_all(con: duckdb.DuckDBPyConnection, catalog_id: str, mir_version: str) -> None:
    """Create the present schema in an empty database: tables, views, one row each of version and identity."""
    from mir.catalog.wide import build_spaces

    for table in TABLES:
        create_table(con, table)
    con.execute("INSERT INTO schema_version (version, mir_version) VALUES (?, ?)", [SCHEMA_VERSION, mir_version])
    con.execute("INSERT INTO catalog_info (catalog_id, generation) VALUES (?, 0)", [catalog_id])
    con.execute(EMBEDDINGS_VIEW)
    con.execute("COMMENT ON VIEW embeddings IS 'The current vectors: one row a track and space that sounds.'")
    build_spaces(con)
