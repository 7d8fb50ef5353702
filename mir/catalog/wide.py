"""One wide table a space, as its extractor declares it, and the views that join them.

A declaration that changed is followed when the catalog is next opened for ingest: a new extractor version
drops the old rows (``extractions`` still has them, as out of date, so they are computed again).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mir.catalog.schema import TABLES, Table, comment_on, create_table, identifier, literal
from mir.errors import CatalogTooNew

if TYPE_CHECKING:
    import duckdb

    from features.base import Extractor

STEMS = ("vocals", "drums", "bass", "other")

_LIBRARY_BASE: tuple[tuple[str, str, str], ...] = (
    ("track_id", "t.track_id", "the track"),
    ("artist", "t.artist", "all artists as shown"),
    ("title", "t.title", "title"),
    ("album", "t.album", "album title"),
    ("year", "t.year", "year of release"),
    (
        "genre",
        "CASE WHEN g.rank = 1 THEN coalesce(t.genre, g.best) ELSE g.best END",
        "a person's label, else the tag, else the prediction of the promoted run",
    ),
    (
        "genre_source",
        "CASE g.rank WHEN 0 THEN 'person' WHEN 1 THEN 'tag' WHEN 2 THEN 'predicted' END",
        "person, tag or predicted",
    ),
    ("genres", "g.genres", "all genres, from every source"),
    ("predicted_genre", "g.predicted_genre", "what the promoted run predicts"),
    ("predicted_probability", "g.predicted_probability", "0..1, how sure it is"),
    ("artists", "a.artists", "names of the artists, one by one; NULL for an unknown artist"),
    ("duration_s", "t.duration_s", "length in seconds"),
    ("path", "t.path", "the file that was read last"),
    ("files", "f.files", "how many files hold this audio"),
    ("audio_hash", "t.audio_hash", "SHA-256 over the encoded audio packets"),
)

_STEM_COLUMNS = tuple(
    (f"{stem}_{name}", comment.format(stem), f"max({name}) FILTER (stem = {literal(stem)})")
    for stem in STEMS
    for name, comment in (
        ("loudness_lufs", "loudness of {} (EBU R 128); NULL for silence"),
        ("active_ratio", "0..1, share of the track in which {} sounds"),
    )
)

_LIBRARY_FROM = """
FROM tracks AS t
LEFT JOIN (
  SELECT ta.track_id, list(ar.artist ORDER BY ta.position) AS artists
  FROM track_artists AS ta JOIN artists AS ar USING (artist_id) WHERE ta.role = 'artist' GROUP BY ta.track_id
) AS a USING (track_id)
LEFT JOIN (
  SELECT track_id, list(DISTINCT genre ORDER BY genre) AS genres,
    arg_min(genre, (CASE source WHEN 'person' THEN 0 WHEN 'tag' THEN 1 ELSE 2 END, genre)) AS best,
    min(CASE source WHEN 'person' THEN 0 WHEN 'tag' THEN 1 ELSE 2 END) AS rank,
    any_value(genre) FILTER (source = 'predicted') AS predicted_genre,
    max(probability) FILTER (source = 'predicted') AS predicted_probability
  FROM track_genres GROUP BY track_id
) AS g USING (track_id)
LEFT JOIN (
  SELECT track_id, count(*) AS files FROM files WHERE track_id IS NOT NULL GROUP BY track_id
) AS f USING (track_id)
LEFT JOIN (
  SELECT track_id, {stems} FROM stems GROUP BY track_id
) AS s USING (track_id)
""".replace("{stems}", ", ".join(f"{sql} AS {name}" for name, _, sql in _STEM_COLUMNS))


def declarations() -> Mapping[str, Extractor]:
    """Return the extractors by space, as this program declares them."""
    from features import EXTRACTORS

    return EXTRACTORS


def fingerprint(extractor: Extractor) -> str:
    """Return a checksum of all that an extractor declares."""
    declared = {
        "instrument": extractor.instrument,
        "version": extractor.version,
        "columns": [[c.name, c.unit, c.low, c.high, c.description, c.source] for c in extractor.columns],
        "descriptor": list(extractor.descriptor_names),
    }
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def wide_table(extractor: Extractor) -> Table:
    """Return the wide table that an extractor declares.

    Raises
    ------
    ValueError
        Where its name is taken by a table of the catalog's own, or a column by ``track_id``.
    """
    if extractor.space in {table.name for table in TABLES} | {"library", "embeddings"}:
        raise ValueError(f"a space cannot be called {extractor.space!r}: the catalog has a table of that name")
    columns = tuple(
        (
            column.name,
            "DOUBLE",
            f"{column.description} [{column.unit}; {column.low:g} to {column.high:g}] {column.source}",
        )
        for column in extractor.columns
    )
    stems = ", ".join(extractor.stems)
    comment = f"{extractor.space}, from {stems}; one row a track in which it sounds; NULL: not measurable."
    return Table(extractor.space, comment, (("track_id", "BIGINT PRIMARY KEY", "the track"), *columns))


def changed_spaces(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the spaces whose declaration is not the one that this catalog was built for."""
    stored = dict(con.execute("SELECT space, fingerprint FROM spaces").fetchall())
    return [space for space, each in declarations().items() if stored.get(space) != fingerprint(each)]


def build_spaces(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Make the wide tables and views those that this program declares; return the spaces that changed.

    Raises
    ------
    CatalogTooNew
        Where the catalog has a later version of an extractor.
    """
    changed = changed_spaces(con)
    for space in changed:
        extractor = declarations()[space]
        row = con.execute("SELECT version FROM spaces WHERE space = ?", [space]).fetchone()
        if row is None:
            create_table(con, wide_table(extractor))
        elif row[0] > extractor.version:
            raise CatalogTooNew(
                f"the catalog has version {row[0]} of {space}, this mir has {extractor.version}; upgrade mir"
            )
        elif row[0] == extractor.version and _shape(con, space) == _declared_shape(extractor):
            comment_on(con, wide_table(extractor))
        else:
            _rebuild(con, extractor, same_version=row[0] == extractor.version)
        _remember(con, extractor)
    if changed:
        build_library(con)
    return changed


def _shape(con: duckdb.DuckDBPyConnection, space: str) -> tuple[object, ...]:
    names = con.execute(
        "SELECT column_name FROM duckdb_columns()"
        " WHERE database_name = current_database() AND table_name = ? ORDER BY column_index",
        [space],
    ).fetchall()
    size = con.execute("SELECT descriptor_size FROM spaces WHERE space = ?", [space]).fetchone()
    return (*[name for (name,) in names], size[0] if size else None)


def _declared_shape(extractor: Extractor) -> tuple[object, ...]:
    return ("track_id", *[column.name for column in extractor.columns], extractor.embedding_size)


def _rebuild(con: duckdb.DuckDBPyConnection, extractor: Extractor, *, same_version: bool) -> None:
    """Start a space anew; where its version does not tell, `extractions` must forget what was done too."""
    space = extractor.space
    con.execute(f"DROP TABLE {identifier(space)}")
    create_table(con, wide_table(extractor))
    tables = ["descriptors", "space_vectors"] + (["extractions"] if same_version else [])
    for table in tables:
        con.execute(f"DELETE FROM {identifier(table)} WHERE space = ?", [space])  # noqa: S608 - our own names
    con.execute("UPDATE transforms SET current = false WHERE space = ?", [space])


def _remember(con: duckdb.DuckDBPyConnection, extractor: Extractor) -> None:
    """Write the space's row; a space whose vectors are gone takes whatever transform comes first."""
    space = extractor.space
    kept = con.execute(
        "SELECT vector_size, transform_id FROM spaces WHERE space = ?"
        " AND EXISTS (FROM space_vectors AS v WHERE v.space = ?)",
        [space, space],
    ).fetchone()
    vector_size, transform_id = kept if kept is not None else (extractor.embedding_size, None)
    con.execute(
        "INSERT OR REPLACE INTO spaces"
        " (space, instrument, version, fingerprint, descriptor_size, vector_size, transform_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            space,
            extractor.instrument,
            extractor.version,
            fingerprint(extractor),
            extractor.embedding_size,
            vector_size,
            transform_id,
        ],
    )
    build_vector_view(con, space, vector_size)


def build_vector_view(con: duckdb.DuckDBPyConnection, space: str, size: int) -> None:
    """Make the ``FLOAT[n]`` view of a space, for DuckDB's array functions."""
    view = identifier(f"embeddings_{space}")
    n = max(1, int(size))
    con.execute(
        f"CREATE OR REPLACE VIEW {view} AS SELECT track_id, vector::FLOAT[{n}] AS vector FROM embeddings"  # noqa: S608 - declared names
        f" WHERE space = {literal(space)} AND len(vector) = {n}"
    )
    con.execute(
        f"COMMENT ON VIEW {view} IS "
        + literal(f"Current {space} vectors, {n} numbers each, for array_cosine_similarity.")
    )


def build_library(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view ``library``: one row a track, everything joined, silent spaces as NULL."""
    spaces = [declared for (declared,) in con.execute("SELECT space FROM spaces ORDER BY space").fetchall()]
    known = [*[s for s in declarations() if s in spaces], *[s for s in spaces if s not in declarations()]]
    columns = list(_LIBRARY_BASE)
    columns += [(name, f"s.{name}", comment) for name, comment, _ in _STEM_COLUMNS]
    columns += _space_columns(con, known, taken={name for name, _, _ in columns})
    selected = ",\n  ".join(f"{expression} AS {identifier(name)}" for name, expression, _ in columns)
    joins = "\n".join(f"LEFT JOIN {identifier(space)} USING (track_id)" for space in known)
    con.execute(f"CREATE OR REPLACE VIEW library AS\nSELECT\n  {selected}\n{_LIBRARY_FROM}{joins}")
    con.execute("COMMENT ON VIEW library IS 'One row a track, everything joined; NULL where an instrument is silent.'")
    for name, _, comment in columns:
        con.execute(f"COMMENT ON COLUMN library.{identifier(name)} IS {literal(comment)}")


def _space_columns(
    con: duckdb.DuckDBPyConnection, spaces: Iterable[str], taken: set[str]
) -> list[tuple[str, str, str]]:
    """Columns of the wide tables; a name that several spaces use gets the space's name before it."""
    rows = con.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns()"
        " WHERE database_name = current_database() AND table_name IN (SELECT space FROM spaces)"
        " AND column_name <> 'track_id' ORDER BY column_index"
    ).fetchall()
    uses = Counter(column.casefold() for _, column, _ in rows)
    uses.update(name.casefold() for name in taken)
    found = []
    for space in spaces:
        for table, column, comment in rows:
            if table == space:
                name = column if uses[column.casefold()] == 1 else f"{space}_{column}"
                found.append((name, f"{identifier(space)}.{identifier(column)}", comment or ""))
    return found
