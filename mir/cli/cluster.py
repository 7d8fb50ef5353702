"""`mir cluster`: groups of tracks that sound alike, with names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr

if TYPE_CHECKING:
    from mir.clusters import Cluster


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cluster")(cluster_command)


def cluster_command(
    by: Annotated[
        str, typer.Option("--by", help="Instruments, weighted if you like: drums, or vocals=0.7,drums=0.3.")
    ] = "drums",
    min_size: Annotated[
        int | None,
        typer.Option("--min-size", min=2, help="Fewest tracks in a cluster (default: √n / 2).", show_default=False),
    ] = None,
    stored: Annotated[bool, typer.Option("--stored", help="Show what was found last, and find nothing anew.")] = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the library into clusters by an instrument, named by what sets them apart.

    Clusters keep their ids when the library grows. A track that belongs nowhere is in none.
    """
    from mir import open_catalog
    from mir.clusters import cluster, read_clustering
    from mir.config import catalog_path

    opened = open_catalog(catalog_path(catalog))
    if stored:
        found = read_clustering(opened, by)
    else:
        with steps() as on_step:
            found = cluster(opened, by, min_size, on_step=on_step)
    if as_json:
        print_json(found.to_plain())
        return
    for statement in found.statements():
        stderr().print(statement, markup=False, soft_wrap=True)
    if found.clusters:
        print_table(["id", "name", "tracks", "most typical", "genre"], [_row(one) for one in found.clusters])


def _row(one: Cluster) -> list[object]:
    typical = "-" if one.title is None else f"{one.artist} - {one.title}"
    genre = None if one.genre is None or one.genre_share is None else f"{one.genre} ({one.genre_share:.0%})"
    return [one.cluster_id, one.name, one.size, typical, genre]


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done; the work of a single step cannot be counted."""
    if "MIR_QUIET" in os.environ or not sys.stderr.isatty():
        yield lambda _step: None
        return
    with stderr().status("starting") as status:
        yield status.update
