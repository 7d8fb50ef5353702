"""`mir tracks`: browse the library."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, KOption, print_table, stderr
from mir.cli.filtering import PANEL, filtering
from mir.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mir.catalog.store import Rows
    from mir.similarity import Filters, Range


class Format(StrEnum):
    """How the tracks are printed: the forms of `mir sql`, those that are text."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tracks")(tracks_command)


@filtering
def tracks_command(
    *,
    filters: Filters,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="COLUMN=LOW..HIGH",
            help="Any number of the view library, as syncopation=10..; repeat for several at once.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None,
    sort: Annotated[str, typer.Option("--sort", help="Any column of the view library, as tempo_bpm.")] = "artist",
    descending: Annotated[bool, typer.Option("--desc", help="Largest first.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", metavar="A,B,C", help="Show just these columns of the view library.", show_default=False
        ),
    ] = None,
    k: KOption = 50,
    catalog: CatalogOption = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the tracks.")] = Format.TABLE,
    as_json: JsonOption = False,
) -> None:
    """Browse the tracks by genre, year, tempo, artist or any measured number, in the order of any column."""
    from mir.catalog import open_catalog
    from mir.catalog.browse import browse
    from mir.config import catalog_path
    from mir.sql.forms import Form, lines

    found = browse(
        open_catalog(catalog_path(catalog)),
        filters=filters,
        where=_ranges(where or ()),
        sort=sort,
        descending=descending,
        columns=() if columns is None else [name for name in columns.split(",") if name.strip()],
        k=k + 1,
    )
    if len(found.rows) > k:
        stderr().print(f"the first {k} tracks; more pass: -k", markup=False)
        del found.rows[k:]
    if as_json or form is not Format.TABLE:
        sys.stdout.writelines(lines(Form.JSON if as_json else Form(form.value), found))
        return
    shown = list(found.columns) if columns is not None else _shown(found, by_genre=bool(filters.genre))
    at = [found.columns.index(name) for name in shown]
    print_table(shown, [[row[index] for index in at] for row in found.rows])


def _ranges(where: Sequence[str]) -> dict[str, Range]:
    """Read ``syncopation=10..20``."""
    from mir.similarity import parse_range

    ranges = {}
    for text in where:
        name, equals, limits = text.partition("=")
        if not equals or not name.strip():
            raise BadRequest(f"--where is a column and a range, as syncopation=10..20; not {text!r}")
        if name.strip() in ranges:
            raise BadRequest(f"--where names {name.strip()} twice; one range a column, as syncopation=10..20")
        ranges[name.strip()] = parse_range(limits, name.strip())
    return ranges


def _shown(found: Rows, *, by_genre: bool) -> list[str]:
    """Return what a table has room for; asked by genre, who says so and how surely."""
    sure = ["genre_source", "predicted_genre", "predicted_probability"] if by_genre else []
    if found.columns[-1] == "path":
        return ["artist", "title", "album", "year", "genre", *sure, "duration_s"]
    return ["artist", "title", "genre", *sure, found.columns[-1]]
