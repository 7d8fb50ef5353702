"""Browsing the view ``library``: filtered as similarity is, and by any of its numbers; in the order of any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mir.catalog.schema import identifier
from mir.catalog.store import Rows
from mir.errors import BadRequest, NotInCatalog

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog
    from mir.similarity import Filters, Range

SHOWN = (
    "track_id",
    "artist",
    "title",
    "album",
    "year",
    "genre",
    "genre_source",
    "genres",
    "predicted_genre",
    "predicted_probability",
    "duration_s",
    "path",
)
"""Columns that are given where none are asked for; the one that is sorted by comes on top."""

_NUMBERS = ("BIGINT", "DOUBLE", "FLOAT", "INTEGER", "HUGEINT")


def browse(
    catalog: Catalog,
    *,
    filters: Filters | None = None,
    where: Mapping[str, Range] | None = None,
    sort: str = "artist",
    descending: bool = False,
    columns: Sequence[str] = (),
    k: int | None = None,
) -> Rows:
    """Return the tracks that pass, in the order of a column; those without a value in it come last.

    Parameters
    ----------
    catalog
        Where to look.
    filters
        By genre (labelled or predicted), year, tempo and artist: those of `mir.similarity`.
    where
        Lowest and highest by column of numbers, both included, None for an open side:
        ``{"syncopation": (10, None)}``. Tracks without a value do not pass.
    sort, descending
        Any column of ``library``, whatever the case.
    columns
        What to give of each track; `SHOWN` and `sort` where empty.
    k
        At most so many; None for all.

    Raises
    ------
    BadRequest
        Where `library` has no such column (the message lists near names), or a range is none or of no numbers.
    NotInCatalog
        Where nothing passes; the message says what there is.
    """
    from mir.similarity.filters import Filters, allowed_tracks, left_out

    filters = filters or Filters()
    with catalog.read() as con:
        kinds = _columns(con)
        order = _column(kinds, sort, "to sort by")
        wanted = [_column(kinds, name, "to show") for name in columns]
        wanted = wanted or [*SHOWN, *(() if order in SHOWN else (order,))]
        conditions, parameters = _within(kinds, where or {})
        allowed, strangers = allowed_tracks(con, filters), left_out(con, filters)
        if allowed is not None:
            conditions.append("track_id IN (SELECT unnest(?::BIGINT[]))")
            parameters.append(allowed.tolist())
        if len(strangers):
            conditions.append(
                "track_id NOT IN (SELECT track_id FROM track_artists WHERE artist_id IN (SELECT unnest(?::BIGINT[])))"
            )
            parameters.append(strangers.tolist())
        rows = con.execute(
            f"SELECT {', '.join(map(identifier, wanted))} FROM library"  # noqa: S608 - the view's own columns
            + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
            + f" ORDER BY {identifier(order)} {'DESC' if descending else 'ASC'} NULLS LAST, artist, title, track_id"
            " LIMIT ?",
            [*parameters, k],
        ).fetchall()
        if not rows and conditions:
            raise NotInCatalog(_nothing(con, where or {}, kinds))
    return Rows(tuple(wanted), rows)


def _columns(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the columns of `library` and their SQL types."""
    return dict(
        con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
            " AND table_name = 'library' ORDER BY column_index"
        ).fetchall()
    )


def _column(kinds: Mapping[str, str], name: str, what_for: str) -> str:
    for column in kinds:
        if column.casefold() == name.strip().casefold():
            return column
    near = get_close_matches(name.casefold(), kinds, n=5, cutoff=0.5) or list(kinds)
    raise BadRequest(f"library has no column {name!r} {what_for}; near: {', '.join(near[:12])}")


def _within(kinds: Mapping[str, str], where: Mapping[str, Range]) -> tuple[list[str], list[object]]:
    """Return the conditions of ranges, and their parameters."""
    from mir.similarity.filters import check_range

    conditions: list[str] = []
    parameters: list[object] = []
    for name, limits in where.items():
        column = _column(kinds, name, "to choose by")
        if kinds[column] not in _NUMBERS:
            numbers = [each for each, kind in kinds.items() if kind in _NUMBERS and each != "track_id"]
            raise BadRequest(f"{column} is no number; a range needs one, as {', '.join(numbers[:8])}")
        low, high = check_range(limits, column, "(120, 140)")
        conditions.append(f"{identifier(column)} IS NOT NULL")
        for limit, sign in ((low, ">="), (high, "<=")):
            if limit is not None:
                conditions.append(f"{identifier(column)} {sign} ?")
                parameters.append(limit)
    return conditions, parameters


def _nothing(con: duckdb.DuckDBPyConnection, where: Mapping[str, Range], kinds: Mapping[str, str]) -> str:
    """Say what there is, where nothing passes."""
    from mir.similarity.filters import shown

    told = []
    for name, limits in where.items():
        column = _column(kinds, name, "to choose by")
        column_sql = identifier(column)
        sql = f"SELECT min({column_sql}), max({column_sql}), count({column_sql}) FROM library"  # noqa: S608 - as above
        low, high, known = con.execute(sql).fetchall()[0]
        there = f"goes from {low:.4g} to {high:.4g} in {known} tracks" if known else "no track has it"
        told.append(f"{column} {shown(limits)}: {there}")
    return "no track passes all filters together; " + ("; ".join(told) or "widen one")
