"""`mir export`: the catalog as files that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Write the catalog as files that other programs read.")
    group.command("parquet")(parquet_command)
    app.add_typer(group, name="export")


def parquet_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made here.")],
    tables: Annotated[
        list[str] | None,
        typer.Option("--tables", metavar="TABLE,…", help="Only these; may be repeated.", show_default=False),
    ] = None,
    library_by: Annotated[
        str, typer.Option("--library-by", help="Folders of library: one a genre, one a year, or none.")
    ] = "genre",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the export that is there.")] = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every table as Parquet, one folder a table, with a manifest of checksums.

    pandas, Polars, Spark and DuckDB read the folders as they are (library/by_genre=house/…). `mir sql --from DIR` and
    mir.open_export(DIR) ask them as the catalog is asked.
    """
    from mir.catalog import open_catalog
    from mir.cli.console import progress
    from mir.config import catalog_path
    from mir.errors import BadRequest
    from mir.export import PARTITIONS, export_parquet

    wanted = [name.strip() for each in tables or () for name in each.split(",") if name.strip()]
    by = next((each for each in PARTITIONS if each == library_by), None)
    if by is None:
        raise BadRequest(f"--library-by {library_by!r}; there are {', '.join(PARTITIONS)}")
    with progress("exporting") as bar:
        task = bar.add_task("", total=len(wanted) or None, rate="")
        manifest = export_parquet(
            open_catalog(catalog_path(catalog)),
            folder,
            tables=wanted,
            library_by=by,
            overwrite=overwrite,
            done=lambda name: bar.update(task, advance=1, description=name),
        )
    if as_json:
        print_json(
            {
                "folder": folder,
                "catalog_id": manifest.catalog_id,
                "generation": manifest.generation,
                "tables": {
                    name: {"rows": table.rows, "files": len(table.files), "bytes": sum(f.size for f in table.files)}
                    for name, table in manifest.tables.items()
                },
            }
        )
        return
    rows = [
        (name, table.rows, len(table.files), sum(each.size for each in table.files))
        for name, table in manifest.tables.items()
    ]
    print_table(("table", "rows", "files", "bytes"), rows)
