"""`mir train`: a separation model from a configuration and a data folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table, progress

if TYPE_CHECKING:
    from separation.training.checkpoint import Scores
    from separation.training.config import TrainConfig
    from separation.training.loop import Progress, Run

FOLDS = 5
"""Parts that `--fold` divides artists into where the configuration does not say."""


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
    fold: Annotated[
        int | None,
        typer.Option(
            min=0, help="Leave out this part of the artists (of 5, or the configuration's `folds`) and validate on it."
        ),
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="Start from this model or run folder, as far as it fits.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a separation model; stopped at any time, the same command goes on from the last checkpoint."""
    from mir.errors import BadRequest
    from separation.training.config import find_config, load_config
    from separation.training.loop import Run

    folder = data or (Path(os.environ["MIR_DATA"]) if os.environ.get("MIR_DATA") else None)
    if folder is None or not folder.is_dir():
        raise BadRequest(f"no data folder {folder or ''}: give --data FOLDER, or set MIR_DATA")
    settings = _changed(load_config(find_config(config)), fold, init)
    name = settings.name if fold is None else f"{settings.name}-fold{fold}"
    run = Run(settings, output or Path("runs") / name, folder)
    sys.stderr.write(f"run folder: {run.folder}\n")
    with _interruptible() as interrupted:
        _watched(run, steps, interrupted)
    if interrupted.is_set():
        sys.stderr.write(f"stopped after step {run.step} of {settings.steps}; the same command goes on from there\n")
        raise typer.Exit(130)
    _answer(run, as_json=as_json)


def _changed(settings: TrainConfig, fold: int | None, init: str | None) -> TrainConfig:
    if fold is not None:
        settings = replace(settings, folds=settings.folds or FOLDS, fold=fold)
    return settings if init is None else replace(settings, init=init)


@contextmanager
def _interruptible() -> Iterator[Event]:
    """Let Ctrl-C be heard at the end of a step; a second one ends the process as ever."""
    interrupted = Event()

    def hear(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _watched(run: Run, until: int | None, interrupted: Event) -> None:
    """Train with a progress bar."""
    told: set[str] = set()
    with progress("training") as bar:
        task = bar.add_task(run.config.name, total=None, rate="reading data")

        def heard(path: Path) -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            bar.update(task, rate=f"reading {path.name}")

        def show(state: Progress) -> None:
            for note in state.notes:
                if note not in told:
                    told.add(note)
                    bar.console.print(note, soft_wrap=True)
            if state.scores:
                by_stem = " ".join(f"{stem} {sdr:.2f}" for stem, sdr in state.scores.sdr.items())
                bar.console.print(
                    f"step {state.step}: SDR in dB {by_stem}, validation loss {state.scores.loss:.4f}", soft_wrap=True
                )
            rate = f"loss {state.loss:.3f}, {state.seconds:.2f} s a step"
            bar.update(task, total=until or state.steps, completed=state.step, rate=rate)

        run.train(show, until=until, on_file=heard, should_stop=interrupted.is_set)


def _answer(run: Run, *, as_json: bool) -> None:
    best, last = run.state.best, run.state.last
    kept = last if run.config.keep == "last" else best
    if as_json:
        scores = {"sdr": kept.sdr if kept else {}, "kept_step": kept.step if kept else None}
        print_json({
            "model": run.config.name, "folder": run.folder, "step": run.step, "steps": run.config.steps, **scores,
            "best": _plain(best), "last": _plain(last), "notes": run.state.notes, "seconds": run.state.seconds,
        })  # fmt: skip
        return
    if best and last:
        columns = ("stem", f"best (step {best.step})", f"last (step {last.step})")
        rows = [(stem, best.sdr[stem], last.sdr[stem]) for stem in best.sdr]
        print_table(columns, [*rows, ("mean", best.mean_sdr, last.mean_sdr)], title="SDR in dB (validation)")


def _plain(scores: Scores | None) -> dict[str, object] | None:
    if scores is None:
        return None
    return {"step": scores.step, "sdr": scores.sdr, "mean_sdr": scores.mean_sdr, "validation_loss": scores.loss}
