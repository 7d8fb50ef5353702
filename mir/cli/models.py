"""`mir models`: which separation models are here, what they are, and whether their weights are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table

models_app = typer.Typer(help="Separation models on this machine.", no_args_is_help=True)
WeightsOption = Annotated[Path | None, typer.Option("--weights", help="Folder to look in first.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models whose weights are here."""
    from separation.models import available, find, spec

    rows = [(name, ", ".join(spec(name).stems), spec(name).sr, str(find(name).parent)) for name in available()]
    columns = ("model", "stems", "sample_rate_hz", "folder")
    if as_json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)


@models_app.command()
def info(name: str, weights: WeightsOption = None, as_json: JsonOption = False) -> None:
    """Show a model's architecture, size and licence."""
    from separation.models import find, source_id, spec

    path = find(name, weights)
    licence = path.with_name(f"LICENSE-{name}.md")
    table = {
        **spec(name, weights).to_dict(),
        "source_id": source_id(name, weights),
        "weights": str(path.with_suffix(".npz")),
        "weights_bytes": path.with_suffix(".npz").stat().st_size,
        "licence": str(licence) if licence.is_file() else None,
    }
    if as_json:
        print_json(table)
    else:
        print_table(("", name), list(table.items()))


@models_app.command()
def verify(name: str, weights: WeightsOption = None, as_json: JsonOption = False) -> None:
    """Check a model's weights against their checksum."""
    from separation.models import verify as check

    checksum = check(name, weights)
    if as_json:
        print_json({"model": name, "sha256": checksum, "ok": True})
    else:
        print_table(("model", "sha256", ""), [(name, checksum, "ok")])
