"""`mir sql`: ask the catalog in SQL, read-only and sealed off."""

from __future__ import annotations

import csv
import datetime
import decimal
import sys
import uuid
from enum import StrEnum
from typing import Annotated, Any

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql_command)


def sql_command(
    query: Annotated[
        str,
        typer.Argument(metavar="QUERY", help='As in "SELECT artist, tempo_bpm FROM library"; - reads stdin.'),
    ],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
    form: Annotated[Format, typer.Option("--format", help="How to print the answer.")] = Format.TABLE,
    allow_files: Annotated[
        bool,
        typer.Option("--allow-files", help="Let the query read and write files, as you may."),
    ] = False,
) -> None:
    """Ask the catalog in SQL. Read-only; no other file is touched.

    Start from the view library: one row a track, everything joined. SHOW TABLES lists the rest, and
    SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'library' says what the columns mean.
    """
    from mir.catalog import open_catalog
    from mir.config import catalog_path

    text = sys.stdin.read() if query == "-" else query
    answer = open_catalog(catalog_path(catalog)).fetch(text, allow_files=allow_files)
    if as_json or form is Format.JSON:
        for row in answer.rows:
            print_json(dict(zip(answer.columns, map(plain, row), strict=True)))
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([plain(value) for value in row] for row in answer.rows)
    elif answer.columns:
        print_table(answer.columns, [[plain(value) for value in row] for row in answer.rows])


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
