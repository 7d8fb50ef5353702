"""A model's card on the terminal: plain data as few tables as hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from mir.cli.console import print_table

Rows = list[tuple[str, object]]


def print_card(title: str, table: Mapping[str, Any]) -> None:
    """Print a table of plain data: single values together, and each table of several rows on its own.

    Parameters
    ----------
    title
        Heading of the single values.
    table
        As JSON has it. ``{"sdr_db": {"vocals": {"median": 5.1, …}, …}}`` and lists of such rows become tables.
    """
    single: Rows = []
    several: list[tuple[str, list[str], list[list[object]]]] = []
    for key, value in table.items():
        rows = _rows(value)
        if rows is None:
            single.extend(_flat(key, value))
        else:
            several.append((key, *_columns(key, rows)))
    if single:
        print_table(("", title), single)
    for key, columns, cells in several:
        typer.echo()
        print_table(columns, cells, title=key.replace("_", " "))


def _rows(value: object) -> dict[str, Mapping[str, Any]] | list[Mapping[str, Any]] | None:
    """Rows of a value that is a table of several; None of any other."""
    if isinstance(value, Mapping) and value and all(isinstance(row, Mapping) for row in value.values()):
        return dict(value)
    if isinstance(value, Sequence) and value and all(isinstance(row, Mapping) for row in value):
        return list(value)
    return None


def _columns(
    key: str, rows: dict[str, Mapping[str, Any]] | list[Mapping[str, Any]]
) -> tuple[list[str], list[list[object]]]:
    """Names of the columns of several rows, and the cells; named rows are named in the first column."""
    named: list[tuple[str | None, Mapping[str, Any]]]
    named = list(rows.items()) if isinstance(rows, dict) else [(None, row) for row in rows]
    columns = list(dict.fromkeys(column for _, row in named for column in row))
    lead = [key] if isinstance(rows, dict) else []
    cells = [[*([name] if lead else []), *(_text(row.get(column)) for column in columns)] for name, row in named]
    return [*lead, *columns], cells


def _flat(key: str, value: object) -> Rows:
    """Rows of one value: those of a table as `key.name`, a list of sentences one below the other."""
    if isinstance(value, Mapping):
        return [row for name, item in value.items() for row in _flat(f"{key}.{name}", item)]
    if isinstance(value, list | tuple) and any(isinstance(item, str) and " " in item for item in value):
        return [(key if number == 0 else "", item) for number, item in enumerate(value)]
    text = _text(value)
    return [(key, f"{text:.4g}" if isinstance(text, float) else None if text is None else str(text))]


def _text(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
