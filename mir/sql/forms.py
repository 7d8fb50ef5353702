"""The forms of an answer: table, CSV, JSON Lines, Parquet; on stdout, or in a file that is whole or not there."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
import json
import math
import uuid
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mir.errors import BadRequest, QueryFailed
from separation.publishing import whole

if TYPE_CHECKING:
    import pyarrow as pa

    from mir.catalog.answers import Rows
    from mir.sql.source import Source


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_SUFFIXES = {".csv": Form.CSV, ".json": Form.JSON, ".jsonl": Form.JSON, ".ndjson": Form.JSON, ".parquet": Form.PARQUET}


def form_of(path: Path) -> Form:
    """Return the form that a file's name asks for; a table where it asks for none."""
    return _SUFFIXES.get(path.suffix.lower(), Form.TABLE)


def lines(form: Form, answer: Rows) -> Iterator[str]:
    """Yield an answer as lines of text, each with its end; a table is tab-separated.

    Raises
    ------
    BadRequest
        For Parquet, which is no text.
    """
    from mir.sql.table import tab_separated

    if form is Form.JSON:
        for row in answer.rows:
            record = dict(zip(answer.columns, map(plain, row), strict=True))
            yield json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"
    elif form is Form.CSV:
        for row in (answer.columns, *answer.rows):
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow([plain(value) for value in row])
            yield line.getvalue()
    elif form is Form.TABLE:
        for text in tab_separated(answer.columns, [[plain(value) for value in row] for row in answer.rows]):
            yield text + "\n"
    else:
        raise BadRequest("Parquet is no text: give -o FILE")


def write(source: Source, query: str, form: Form, path: Path, *, allow_files: bool = False) -> None:
    """Write the answer to a query into a file: all of it or nothing, in the place of what was there.

    Raises
    ------
    BadRequest
        Where there is no folder for the file.
    QueryFailed
        Where the query is wrong, or Parquet cannot hold what it answers.
    """
    if not path.parent.is_dir() or path.is_dir():
        raise BadRequest(f"cannot write {path}: give a file in a folder that is there")
    with whole(path) as temporary:
        if form is Form.PARQUET:
            temporary.write_bytes(parquet(source.arrow(query, allow_files=allow_files)))
        else:
            answer = source.fetch(query, allow_files=allow_files)
            with temporary.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines(form, answer))


def parquet(table: pa.Table) -> bytes:
    """Return an Arrow table as a Parquet file.

    Raises
    ------
    QueryFailed
        Where Parquet has no such type, or two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise QueryFailed(f"two columns are called {', '.join(twice)}; name them apart with AS")
    buffer = pa.BufferOutputStream()
    try:
        pq.write_table(table, buffer, compression="zstd")
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise QueryFailed(f"Parquet cannot hold this answer ({error}); cast the column, as x::VARCHAR") from error
    return bytes(buffer.getvalue())


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever DuckDB gives
    """Make a value one that JSON has: times as ISO 8601, durations in seconds, bytes as hexadecimal."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _finite(value: Any) -> Any:  # noqa: ANN401
    """Put None where JSON has no such number."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
