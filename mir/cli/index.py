"""`mir index`: neighbours of large catalogs, faster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table

index_app = typer.Typer(no_args_is_help=True, help="Indexes for large catalogs; a small one needs none.")

ByOption = Annotated[
    str | None,
    typer.Option("--by", help="Instruments, as in vocals,drums (default: all).", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(index_app, name="index")


KindOption = Annotated[
    str,
    typer.Option("--kind", help="exact, hnsw, ivf-pq, or auto: exact up to 200,000 vectors, then by memory."),
]
AnewOption = Annotated[bool, typer.Option("--anew", help="Start from nothing instead of adding to what there is.")]


@index_app.command("build")
def build_command(
    by: ByOption = None,
    kind: KindOption = "auto",
    anew: AnewOption = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the indexes, or bring them up to date; whoever searches meanwhile uses the ones before."""
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.indexing import build

    opened = open_catalog(catalog_path(catalog))
    manifests = [build(opened, space, kind, anew=anew) for space in _spaces(by)]
    if as_json:
        for manifest in manifests:
            print_json(asdict(manifest))
        return
    print_table(
        ["space", "vectors", "dimension", "kind", "why", "measured"],
        [[m.origin.space, m.count, m.dimension, m.kind, m.why, _measured(m.parameters)] for m in manifests],
    )


@index_app.command("verify")
def verify_command(by: ByOption = None, catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Check the indexes, checksums and all; exit code 1 where one is damaged or incompatible."""
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.indexing import verify

    opened = open_catalog(catalog_path(catalog))
    verdicts = [verify(opened, space) for space in _spaces(by)]
    if as_json:
        for verdict in verdicts:
            print_json(asdict(verdict))
    else:
        print_table(
            ["space", "state", "vectors", "what to do"],
            [[v.space, v.state, v.count, v.message] for v in verdicts],
        )
    if any(verdict.state in ("damaged", "incompatible") for verdict in verdicts):
        raise typer.Exit(1)


def _measured(parameters: dict[str, float]) -> str:
    return ", ".join(f"{name} {number:g}" for name, number in parameters.items())


def _spaces(by: str | None) -> list[str]:
    from features import EXTRACTORS
    from mir.spaces import space_of

    return list(EXTRACTORS) if by is None else [space_of(instrument.strip()) for instrument in by.split(",")]
