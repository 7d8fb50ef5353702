"""Browsing the view ``library``: filter by genre, sort by any of its columns."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from mir.catalog.artists import plain_key
from mir.catalog.schema import identifier
from mir.catalog.store import Rows
from mir.errors import BadRequest, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog

SHOWN = (
    "track_id",
    "artist",
    "title",
    "album",
    "year",
    "genre",
    "genre_source",
    "genres",
    "duration_s",
    "path",
)
"""Columns that are always given; the one that is sorted by comes on top."""


def browse(
    catalog: Catalog,
    *,
    genre: str | None = None,
    sort: str = "artist",
    descending: bool = False,
    k: int | None = None,
) -> Rows:
    """Return tracks, by genre (labelled or predicted, whatever the case) and in the order of a column.

    Tracks without a value in that column come last.

    Raises
    ------
    BadRequest
        Where `library` has no column `sort`; the message lists near names.
    NotInCatalog
        Where no track has the genre; the message lists those there are.
    """
    with catalog.read() as con:
        column = _column(con, sort)
        condition, parameters = "", []
        if genre is not None:
            condition, parameters = " WHERE list_has_any(genres, ?::VARCHAR[])", [_spellings(con, genre)]
        columns = (*SHOWN, *(() if column in SHOWN else (column,)))
        selected = ", ".join(map(identifier, columns))
        direction = "DESC" if descending else "ASC"
        rows = con.execute(
            f"SELECT {selected} FROM library{condition}"  # noqa: S608 - the view's own columns
            f" ORDER BY {identifier(column)} {direction} NULLS LAST, artist, title, track_id LIMIT ?",
            [*parameters, k],
        ).fetchall()
    return Rows(columns, rows)


def _column(con: duckdb.DuckDBPyConnection, name: str) -> str:
    known = [
        column
        for (column,) in con.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = current_database()"
            " AND table_name = 'library' ORDER BY column_index"
        ).fetchall()
    ]
    for column in known:
        if column.casefold() == name.casefold():
            return str(column)
    near = get_close_matches(name.casefold(), known, n=5, cutoff=0.5) or known
    raise BadRequest(f"library has no column {name!r} to sort by; near: {', '.join(near[:12])}")


def _spellings(con: duckdb.DuckDBPyConnection, genre: str) -> list[str]:
    """Return how the catalog writes a genre."""
    known = [each for (each,) in con.execute("SELECT DISTINCT genre FROM track_genres ORDER BY 1").fetchall()]
    found = [each for each in known if plain_key(each) == plain_key(genre)]
    if not found:
        near = get_close_matches(genre, known, n=5) or known[:12]
        there = f"near: {', '.join(near)}" if near else "no track has a genre yet"
        raise NotInCatalog(f"no track of genre {genre!r}; {there}")
    return found
