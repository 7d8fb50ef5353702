"""`mir tracks`: browse the library."""

from __future__ import annotations

from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, KOption, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tracks")(tracks_command)


def tracks_command(
    genre: Annotated[
        str | None, typer.Option("--genre", help="Of this genre, labelled or predicted.", show_default=False)
    ] = None,
    sort: Annotated[str, typer.Option("--sort", help="Any column of the view library, as tempo_bpm.")] = "artist",
    descending: Annotated[bool, typer.Option("--desc", help="Largest first.")] = False,
    k: KOption = 50,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Browse the tracks by genre, in the order of any measured number."""
    from mir.catalog import open_catalog
    from mir.catalog.browse import browse
    from mir.config import catalog_path

    found = browse(open_catalog(catalog_path(catalog)), genre=genre, sort=sort, descending=descending, k=k)
    if as_json:
        for row in found.rows:
            print_json(dict(zip(found.columns, row, strict=True)))
        return
    shown = [name for name in found.columns if name in ("artist", "title", "genre") or name == found.columns[-1]]
    if found.columns[-1] == "path":
        shown = ["artist", "title", "album", "year", "genre", "duration_s"]
    at = [found.columns.index(name) for name in shown]
    print_table(shown, [[row[index] for index in at] for row in found.rows])
