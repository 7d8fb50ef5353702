"""What every command prints with: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

CatalogOption = Annotated[
    Path | None,
    typer.Option(
        "--catalog", help="Catalog file (default: $MIR_CATALOG, then mir.toml, then ./mir.duckdb).", show_default=False
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="float32, or bfloat16 where the processor has it.",
        show_default="float32",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
KOption = Annotated[int, typer.Option("-k", min=1, help="How many answers.")]


def stderr() -> Console:
    """Console for everything that is not data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Print one JSON document on one line; NaN and infinities become null."""
    sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print rows as a table: ruled on a terminal, tab-separated in a pipe. Numbers are shown to four digits."""
    if not sys.stdout.isatty():
        sys.stdout.write("\t".join(columns) + "\n")
        for row in rows:
            sys.stdout.write("\t".join(_cell(value) for value in row) + "\n")
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    materialised = [list(row) for row in rows]
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in materialised)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in materialised:
        table.add_row(*(escape(_cell(value)) for value in row))
    Console(highlight=False).print(table)


def progress(description: str, *, quiet: bool = False) -> Progress:
    """Progress bar on stderr with count, rate and time left; silent where stderr is no terminal."""
    from rich.progress import MofNCompleteColumn, TextColumn

    return _progress(description, (MofNCompleteColumn(), TextColumn("{task.fields[rate]}")), quiet=quiet)


def transfer(description: str, *, quiet: bool = False) -> Progress:
    """Progress bar like `progress`, counting bytes."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    return _progress(description, (DownloadColumn(), TransferSpeedColumn()), quiet=quiet)


def _progress(description: str, columns: Sequence[ProgressColumn], *, quiet: bool) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn(f"{description} {{task.description}}"),
        BarColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=stderr(),
        disable=quiet or not sys.stderr.isatty(),
        transient=True,
    )


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    elif hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
