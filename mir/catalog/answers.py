"""What comes back of a query: plain rows, a pandas DataFrame or an Arrow table; and its errors in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mir.errors import QueryFailed

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

_HUGE_DIGITS = 38


@dataclass(frozen=True, slots=True)
class Rows:
    """A materialised answer: column names and rows of Python values."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def fetch(
    con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = (), at_most: int | None = None
) -> Rows:
    """Answer with plain Python values: all rows, or the first so many.

    Raises
    ------
    QueryFailed
        Where the query is empty.
    """
    cursor = _ask(con, query, parameters)
    columns = tuple(column[0] for column in cursor.description)
    return Rows(columns, cursor.fetchall() if at_most is None else cursor.fetchmany(at_most))


def frame(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
    """Answer with a pandas DataFrame.

    Raises
    ------
    QueryFailed
        Where the query is empty.
    """
    return _ask(con, query, parameters).df()


def arrow(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Answer with an Arrow table, in which whole sums are 64-bit integers where they fit.

    Raises
    ------
    QueryFailed
        Where the query answers nothing.
    """
    relation = con.sql(query, params=list(parameters))
    if relation is None:
        raise QueryFailed('the query answers nothing; try "SELECT * FROM library LIMIT 5"')
    return _narrowed(relation.to_arrow_table())


@contextmanager
def query_errors(*, allow_files: bool) -> Iterator[None]:
    """Make one clear line of whatever DuckDB says against a query.

    Raises
    ------
    QueryFailed
        In the place of DuckDB's own errors.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if "'pytz'" in str(error):
            raise QueryFailed(
                "a time with a time zone cannot be shown; take it as now()::TIMESTAMP, or now()::VARCHAR"
            ) from error
        said = " ".join(line.strip() for line in str(error).split("\n\nLINE ")[0].splitlines() if line.strip())
        closed = isinstance(error, duckdb.PermissionException) and not allow_files
        hint = " (`mir sql --allow-files` opens other files to a query)" if closed else ""
        raise QueryFailed(said + hint) from error


def _ask(con: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object]) -> duckdb.DuckDBPyConnection:
    answer: duckdb.DuckDBPyConnection | None = con.execute(query, list(parameters))
    if answer is None:
        raise QueryFailed('the query is empty; try "SELECT * FROM library LIMIT 5"')
    return answer


def _narrowed(table: pa.Table) -> pa.Table:
    """DuckDB sums integers in 128 bits, which Arrow and pandas know as decimals alone."""
    import pyarrow as pa

    for place, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type) and (column.type.precision, column.type.scale) == (_HUGE_DIGITS, 0):
            try:
                narrow = table.column(place).cast(pa.int64())
            except pa.ArrowInvalid:  # a number beyond 64 bits stays what it is
                continue
            table = table.set_column(place, column.name, narrow)
    return table
