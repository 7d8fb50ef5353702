"""`mir spaces`: what instruments are described by, and the transforms behind similarity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr

spaces_app = typer.Typer(no_args_is_help=True, help="Spaces, and the transforms behind similarity.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(spaces_app, name="spaces")


@spaces_app.command("list")
def list_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """List the spaces: version, size, tracks, and the transform in use."""
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.spaces import list_spaces

    spaces = list_spaces(open_catalog(catalog_path(catalog)))
    if as_json:
        for space in spaces:
            print_json(asdict(space))
        return
    print_table(
        ["instrument", "space", "version", "columns", "numbers", "vector", "tracks", "transform", "origin"],
        [
            [
                space.instrument,
                space.space,
                space.version,
                space.columns,
                space.descriptor_size,
                space.vector_size,
                space.tracks,
                space.transform_id,
                space.origin,
            ]
            for space in spaces
        ],
    )


@spaces_app.command("fit")
def fit_command(
    by: Annotated[str, typer.Option("--by", help="Instruments to fit: vocals, or vocals,drums.")],
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the transform as JSON too.", show_default=False),
    ] = None,
    whitening: Annotated[
        float | None,
        typer.Option("--whitening", help="0: keep correlations; 1: all directions count the same."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Keep this many directions.", show_default=False)
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the transform of a space on the catalog's own tracks, and embed all of them again."""
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.errors import BadRequest
    from mir.indexing import verify
    from mir.spaces import fit, space_of
    from mir.transforms import DEFAULT_WHITENING

    spaces = [space_of(instrument.strip()) for instrument in by.split(",")]
    if export is not None and len(spaces) > 1:
        raise BadRequest("--export writes one transform: give one instrument")
    opened = open_catalog(catalog_path(catalog))
    for space in spaces:
        transform = fit(opened, space, whitening=DEFAULT_WHITENING if whitening is None else whitening, size=size)
        if export is not None:
            export.write_text(transform.to_json() + "\n", encoding="utf-8")
        told = {
            "space": space,
            "transform_id": transform.transform_id,
            "tracks": transform.n_tracks,
            "method": transform.method,
            "vector_size": transform.n_out,
        }
        if as_json:
            print_json(told)
        else:
            print_table(list(told), [list(told.values())])
        if verify(opened, space).state == "incompatible":
            stderr().print(f"the index of {space} has the old vectors; build it again: mir index build")
