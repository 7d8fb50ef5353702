"""`mir status`: what is in the catalog, what is missing, what failed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr

if TYPE_CHECKING:
    from mir.status import Status

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status_command)


def status_command(
    catalog: CatalogOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model or run folder that `mir ingest` is given.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is in the catalog, what is missing or out of date, what failed and why."""
    from mir.catalog import open_catalog
    from mir.config import catalog_path
    from mir.status import status

    found = status(open_catalog(catalog_path(catalog)), model)
    if as_json:
        print_json(asdict(found))
        return
    _print(found)


def _print(found: Status) -> None:
    hours = f"{found.duration_s / 3600:.1f} h" if found.duration_s >= 3600 else f"{found.duration_s / 60:.1f} min"
    print_table(
        ["catalog", "files", "tracks", "artists", "music", "size"],
        [
            [
                found.catalog,
                found.files,
                found.tracks,
                found.artists,
                hours,
                f"{found.size_bytes / 1e6:.1f} MB",
            ]
        ],
    )
    print_table(
        ["space", "instrument", "version", "ok", "silent", "failed", "missing", "out of date"],
        [[s.space, s.instrument, s.version, s.ok, s.silent, s.failed, s.missing, s.out_of_date] for s in found.spaces],
    )
    if found.sources:
        print_table(["stems made by", "tracks"], found.sources.items())
    if found.failures:
        print_table(["failed", "space", "reason"], [[f.path, f.space, f.reason] for f in found.failures])
    if found.gone:
        print_table(["gone"], [[path] for path in found.gone[:_SHOWN]])
    _advise(found)


def _advise(found: Status) -> None:
    console = stderr()
    for space in found.spaces:
        if space.not_given:
            console.print(f"not measured: {space.space} {space.not_given}", markup=False, soft_wrap=True)
    if any((space.missing or space.out_of_date) and not space.not_given for space in found.spaces):
        console.print("`mir ingest` over the same folders computes what is missing or out of date")
    if found.failures:
        console.print("`mir ingest --retry-failed` tries again what failed")
    if found.gone:
        console.print(f"{len(found.gone)} files are gone; `mir ingest --prune` forgets them")
