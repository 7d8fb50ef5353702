"""`mir models`: which separation models there are, what they are, whether they are whole, and getting others.

A model is named, or given by a path: a training run's folder, or the description in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mir.cli.cards import print_card
from mir.cli.console import JsonOption, print_json, print_table, transfer

HERE, PULLABLE_NOW, DAMAGED = "here", "can be pulled", "damaged"

models_app = typer.Typer(help="Separation models on this machine, and getting others.", no_args_is_help=True)
ModelArgument = Annotated[str, typer.Argument(help="Model, or a run folder.", show_default=False)]
WeightsOption = Annotated[Path | None, typer.Option("--weights", help="Folder to look in first.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(weights: WeightsOption = None, as_json: JsonOption = False) -> None:
    """List the models that are here, each verified, and those that can be pulled."""
    from separation.models import available, spec
    from separation.pull import PULLABLE

    columns = ("model", "stems", "sample_rate_hz", "state", "folder")
    rows = []
    for name in sorted({*available(weights), *PULLABLE}):
        state, folder = _state(name, weights)
        model = spec(name, weights)
        rows.append((name, ", ".join(model.stems), model.sr, state, folder))
    if as_json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)


@models_app.command()
def info(name: ModelArgument, weights: WeightsOption = None, as_json: JsonOption = False) -> None:
    """Show a model's architecture, size and licence, its card, and how its training run went."""
    from separation.errors import WeightsMissing
    from separation.models import find, label, source_id, spec
    from separation.pull import PULLABLE
    from separation.spleeter.checkpoint import files, find_checkpoint

    table = spec(name, weights).to_dict()
    more: dict[str, dict[str, Any]] = {}
    try:
        path = find(name, weights)
    except WeightsMissing:
        if name not in PULLABLE or weights is not None:
            raise
        table["state"] = _state(name)[0]
    else:
        parts = files(find_checkpoint(path)) if path.is_dir() else (path.with_suffix(".npz"),)
        licence = path.with_name(f"LICENSE-{path.stem}.md")
        more = _told(path)
        table |= {
            "state": HERE,
            "source_id": source_id(name, weights),
            "weights": str(path if path.is_dir() else parts[0]),
            "weights_bytes": sum(part.stat().st_size for part in parts),
            "licence": str(licence) if licence.is_file() else None,
        }
    if as_json:
        print_json(table | more)
        return
    print_card(label(name, weights), table)
    for title, each in more.items():
        typer.echo()
        print_card(title, each)


@models_app.command()
def roles(
    name: Annotated[str, typer.Argument(help="A run folder, or a model of your own.", show_default=False)],
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STEM=ROLE...", help="As voice=vocals; a role is vocals, drums, bass or other.", show_default=False
        ),
    ] = None,
    weights: WeightsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a model's stems are, or say it of stems with names of your own; the catalog hears them so."""
    from mir.errors import BadRequest
    from separation.models import give_roles, label, spec

    pairs = [pair.partition("=") for pair in given or ()]
    if any(not stem or not role for stem, _, role in pairs):
        raise BadRequest(f"roles are given as STEM=ROLE, as voice=vocals: got {' '.join(given or ())}")
    if pairs:
        give_roles(name, {stem.strip(): role.strip() for stem, _, role in pairs}, weights)
    found = spec(name, weights)
    table = {stem: found.roles.get(stem, stem) for stem in found.stems}
    if as_json:
        print_json({"model": label(name, weights), "roles": table})
    else:
        print_table(("stem", "heard as"), list(table.items()))


@models_app.command()
def verify(name: ModelArgument, weights: WeightsOption = None, as_json: JsonOption = False) -> None:
    """Check a model's weights against their checksum."""
    from separation.models import label
    from separation.models import verify as check

    checksum = check(name, weights)
    if as_json:
        print_json({"model": label(name, weights), "sha256": checksum, "ok": True})
    else:
        print_table(("model", "sha256", ""), [(label(name, weights), checksum, "ok")])


@models_app.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="As `mir models list` has it, or a name for one of your own.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL|FILE", help="Its .tar.gz, elsewhere or here.", show_default=False),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Checksum of another archive than Deezer's.", show_default=False),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="A mirror of Deezer's archives (default: $MIR_MODELS_URL, then GitHub).",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download a model, verify it, and put it where `mir separate` finds it. The only command that uses the network."""
    from rich.markup import escape

    from mir.errors import BadRequest
    from separation.pull import pull

    if source is not None and base_url is not None:
        raise BadRequest("--from names the archive and --base-url the folder it is in: give one of them")
    with transfer("pull", quiet="MIR_QUIET" in os.environ) as bar:
        task = bar.add_task(escape(name), total=None)

        def show(n_bytes: int, n_total: int | None) -> None:
            bar.update(task, completed=n_bytes, total=n_total)

        pulled = pull(name, source, sha256=sha256, base_url=base_url, force=force, progress=show)
    row = {
        "model": name,
        "state": "was here" if pulled.source is None else "pulled",
        "folder": pulled.folder,
        "archive_sha256": pulled.archive_sha256,
        "source": pulled.source,
    }
    if as_json:
        print_json(row)
    else:
        print_table(tuple(row), [tuple(row.values())])


def _told(path: Path) -> dict[str, dict[str, Any]]:
    """Card of the model that lies here, and what its training run says of itself; of Spleeter's neither."""
    from separation.cards import read_card, read_run

    if path.is_dir():
        return {}
    return {title: table for title, table in (("card", read_card(path)), ("run", read_run(path.parent))) if table}


def _state(name: str, weights: Path | None = None) -> tuple[str, Path | None]:
    """State of a model, and the folder that it is in."""
    from separation.errors import WeightsDamaged, WeightsMissing
    from separation.models import find, verify
    from separation.pull import folder_of

    folder = folder_of(name)
    try:
        found = find(name, weights)
        folder = found if found.is_dir() else found.parent
        verify(name, weights)
    except WeightsMissing:
        return (DAMAGED, folder) if folder.exists() else (PULLABLE_NOW, None)
    except WeightsDamaged:
        return DAMAGED, folder
    return HERE, folder
