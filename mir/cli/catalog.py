"""`mir catalog`: migrate, back up, compact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr

catalog_app = typer.Typer(no_args_is_help=True, help="Migrate the catalog, back it up, write it anew.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(catalog_app, name="catalog")


@catalog_app.command("migrate")
def migrate_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Bring a catalog of an earlier mir to the present schema; a backup is made first."""
    from mir.catalog import Catalog
    from mir.catalog.migrations import upgrade
    from mir.config import catalog_path

    done = upgrade(Catalog(catalog_path(catalog)))
    if as_json:
        print_json({"schema": done.schema, "backup": done.backup, "rebuilt": done.rebuilt})
        return
    print_table(
        ["schema", "backup", "spaces rebuilt"],
        [[done.schema, done.backup, ", ".join(done.rebuilt) or "none"]],
    )
    if done.backup is None and not done.rebuilt:
        stderr().print("nothing to do: the catalog is up to date")


@catalog_app.command("backup")
def backup_command(
    target: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to (default: beside it).", show_default=False)
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the catalog as it is, whole and readable; nothing is overwritten."""
    from mir.catalog import open_catalog
    from mir.catalog.maintenance import backup
    from mir.config import catalog_path

    made = backup(open_catalog(catalog_path(catalog)), target)
    if as_json:
        print_json({"backup": made})
        return
    print_table(["backup"], [[made]])


@catalog_app.command("compact")
def compact_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Write the catalog anew, without the room that deleted rows left."""
    from mir.catalog import open_catalog
    from mir.catalog.maintenance import compact
    from mir.config import catalog_path

    sizes = compact(open_catalog(catalog_path(catalog)))
    if as_json:
        print_json({"before_bytes": sizes.before_bytes, "after_bytes": sizes.after_bytes})
        return
    print_table(["before_bytes", "after_bytes"], [[sizes.before_bytes, sizes.after_bytes]])
