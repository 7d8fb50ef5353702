"""`mir train`: a separation model from a configuration and a data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table, progress


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    config: Annotated[
        str, typer.Option(help="TOML file, or the name of a configuration that comes with mir.")
    ] = "mir-4s",
    data: Annotated[Path | None, typer.Option(help="Data folder (default: $MIR_DATA).", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Run folder (default: runs/NAME).", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after this step; a later call goes on.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a separation model; stopped at any time, the same command goes on from the last checkpoint."""
    from mir.errors import BadRequest
    from separation.training.config import find_config, load_config
    from separation.training.loop import Progress, Run

    folder = data or (Path(os.environ["MIR_DATA"]) if os.environ.get("MIR_DATA") else None)
    if folder is None or not folder.is_dir():
        raise BadRequest(f"no data folder {folder or ''}: give --data FOLDER, or set MIR_DATA")
    settings = load_config(find_config(config))
    run = Run(settings, output or Path("runs") / settings.name, folder)
    with progress("training") as bar:
        task = bar.add_task(settings.name, total=settings.steps, rate="loading data")

        def show(state: Progress) -> None:
            latest = "".join(f" {stem} {sdr:.1f}" for stem, sdr in (state.sdr or {}).items())
            if latest:
                bar.console.print(f"step {state.step}: SDR in dB{latest}")
            bar.update(task, completed=state.step, rate=f"loss {state.loss:.3f}")

        best = run.train(show, until=steps)
    if as_json:
        print_json({"model": settings.name, "folder": run.folder, "step": run.step, "sdr": best})
    else:
        print_table(("stem", "SDR in dB (validation)"), list(best.items()))
