"""`mir map`: the library on a plane, as a page to explore or a picture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mir.cli.cluster import steps
from mir.cli.console import CatalogOption, JsonOption, print_json, stderr


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("map")(map_command)


def map_command(
    by: Annotated[
        str, typer.Option("--by", help="Instruments, weighted if you like: drums, or vocals=0.7,drums=0.3.")
    ] = "vocals",
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=".html: a page to explore; .png, .svg, .pdf: a picture. Repeat for both.",
            show_default="map.html",
        ),
    ] = None,
    color: Annotated[
        str | None,
        typer.Option(
            "--color",
            "--colour",
            help="genre, cluster, or any column of the view library, as tempo_bpm.",
            show_default="what tells most",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="umap|pca", help="How tracks are placed.", show_default="umap"),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Place the tracks again though nothing changed.")] = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a map of the library: tracks that sound alike by an instrument lie near each other.

    Places are kept in the catalog: another colour costs nothing. The page needs no network and no server.
    """
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.maps import draw_map

    opened = open_catalog(catalog_path(catalog))
    targets = output or [Path("map.html")]
    with steps() as on_step:
        drawn = draw_map(opened, by, targets, colour=color, method=method, anew=anew, on_step=on_step)
    if as_json:
        print_json(asdict(drawn))
        return
    how = "as it lay in the catalog" if drawn.reused else f"placed by {drawn.method.upper()}"
    stderr().print(f"{drawn.tracks:,} tracks, {how}, coloured by {drawn.colour}", markup=False, soft_wrap=True)
    for path in drawn.files:
        typer.echo(str(path))
