"""`mir forget`: take an artist or a file out of the catalog, with everything known of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget")(forget_command)


def forget_command(
    what: Annotated[str, typer.Argument(metavar="ARTIST|PATH", help="An artist, a file, or a folder.")],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget an artist, a file or a folder: features, vectors, predictions, kept stems. The music stays."""
    from mir.catalog import open_catalog
    from mir.catalog.removal import forget
    from mir.config import catalog_path

    forgotten = forget(open_catalog(catalog_path(catalog)), what)
    if as_json:
        print_json(asdict(forgotten))
        return
    print_table(["forgotten", "kind", "tracks"], [[forgotten.what, forgotten.kind, forgotten.tracks]])
    stderr().print(
        "`mir ingest` would take files that are still there in again. Backups, indexes and genre models"
        " of before still know them: delete the backups, then `mir index build` and `mir genre train`",
        soft_wrap=True,
    )
