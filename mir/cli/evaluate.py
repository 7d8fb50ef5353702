"""`mir evaluate`: how well a model separates tracks whose stems are known."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import JsonOption, PrecisionOption, print_json, print_table, progress, stderr

if TYPE_CHECKING:
    from rich.progress import Progress

    from mir.evaluation_runs import Entrant, OnTrack
    from separation.evaluation import Evaluation, Failure, Separates, Track, TrackScore


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    data: Annotated[
        Path, typer.Argument(help="MUSDB18, MUSDB18-HQ, or a folder a track with a file a stem.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Separation model, or a run folder (default: mir-4s).", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="DIR", help="Folder with the weights.", show_default=False)
    ] = None,
    precision: PrecisionOption = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            help="Beside a --model, or instead of one: mixture, hpss, equaliser or oracle; may be repeated.",
            show_default=False,
        ),
    ] = None,
    baselines: Annotated[bool, typer.Option("--baselines", help="Every baseline that the data allow.")] = False,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Tracks to score: train, valid, test or all (default: valid; all of data without splits).",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only the first tracks, by name.", show_default=False)
    ] = None,
    dither: Annotated[
        bool,
        typer.Option("--dither", help="Faint noise in all stems: SIR and SAR of lossy stems come to mean something."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that score (default: cores).", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FOLDER|FILE.json",
            help="Keep everything, and go on where an earlier run ended; or keep the report.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Score a separator with BSS Eval v4: median over one-second frames, then over tracks."""
    from mir.config import setting
    from mir.errors import BadRequest
    from mir.evaluation_runs import RunFolder, report, run, write_json
    from separation.evaluation import find_tracks
    from separation.models import spec

    report_only = out is not None and out.suffix == ".json"
    if report_only and out is not None and out.is_dir():
        raise BadRequest(f"{out} is a folder: a name that ends in .json is a report's")
    alone = bool(baseline) and not (baselines or model or weights or precision)
    chosen = str(setting("model", model).value)
    stems = None if alone else spec(chosen, weights).stems
    split = split or ("all" if {track.split for track in find_tracks(data, stems=stems)} == {"all"} else "valid")
    tracks = find_tracks(data, None if split == "all" else split, stems=stems)[:limit]
    n_workers = int(setting("workers", workers).value)
    names = _baseline_names(data, baseline, every=baselines)
    with progress("evaluate", quiet="MIR_QUIET" in os.environ) as bar:
        lead = None if alone else _model(chosen, weights, str(setting("precision", precision).value))
        entrants = [
            *([lead] if lead else []),
            *(_baseline(name, data, lead.stems if lead else None, bar) for name in names),
        ]
        folder = (
            RunFolder(out, entrants[0], data=data, split=split, dither=dither)
            if out is not None and not report_only
            else None
        )
        try:
            evaluations = run(
                entrants, tracks, workers=n_workers, folder=folder, on_track=_shown_in(bar), dither=dither
            )
        except KeyboardInterrupt:
            bar.stop()
            kept = "what is scored is kept, and the same command goes on from there" if folder else "nothing is kept"
            stderr().print(f"interrupted; {kept}")
            raise typer.Exit(130) from None
    told = report(evaluations, entrants[0], data=data, split=split, dither=dither)
    if folder is not None:
        folder.finish(evaluations, told)
    elif out is not None:
        write_json(out, told)
    if as_json:
        print_json(told)
    else:
        _print(evaluations)
    failures = dict.fromkeys(failure for evaluation in evaluations for failure in evaluation.failed)
    for failure in failures:
        stderr().print(f"failed: {failure.track}: {failure.error}", markup=False, soft_wrap=True)
    if failures:
        raise typer.Exit(1)


def _model(name: str, weights: Path | None, precision: str) -> Entrant:
    from mir.evaluation_runs import Entrant
    from separation.models import label
    from separation.separator import Separator

    separator = Separator(name, weights, precision=precision)
    return Entrant(label(name, weights), separator.source_id, lambda: separator, tuple(separator.stems))


def _baseline_names(data: Path, given: Sequence[str] | None, *, every: bool) -> list[str]:
    """Names of the wanted baselines; of every one, the equaliser only where it has something to learn from."""
    from separation.errors import AudioMissing
    from separation.evaluation import BASELINES, find_tracks

    names = [*(given or ()), *(name for name in BASELINES if every)]
    if every and "equaliser" not in (given or ()):
        try:
            find_tracks(data, "train")
        except AudioMissing as error:
            names.remove("equaliser")
            stderr().print(f"note: without the equaliser: {error}", markup=False, soft_wrap=True)
    return list(dict.fromkeys(names))


def _baseline(name: str, data: Path, stems: tuple[str, ...] | None, bar: Progress) -> Entrant:
    """Return a baseline that is scored on these stems; what it learns is shown."""
    from mir.evaluation_runs import Entrant
    from separation.evaluation import baseline

    def make() -> Separates:
        task = bar.add_task("learning", total=None, rate="")

        def learned(track: Track) -> None:
            bar.update(task, advance=1, description=f"{name} learns from {track.name}")

        separator = baseline(name, data, on_track=learned)
        bar.remove_task(task)
        return separator

    return Entrant(name, f"baseline:{name}", make, stems)


def _shown_in(bar: Progress) -> OnTrack:
    task = bar.add_task("", total=None, rate="")
    started, audio_s = time.monotonic(), 0.0

    def show(done: int, total: int, model: str, result: TrackScore | Failure) -> None:
        nonlocal audio_s
        audio_s += getattr(result, "duration_s", 0.0)
        rate = f"{audio_s / max(time.monotonic() - started, 1e-9):.1f}× real time"
        bar.update(task, completed=done, total=total, description=f"{model}: {result.track}", rate=rate)

    return show


def _print(evaluations: Sequence[Evaluation]) -> None:
    """Print every metric of the first, and the SDR of all where there are several."""
    from separation.evaluation import METRICS

    lead = evaluations[0]
    medians = [lead.median(metric) for metric in METRICS]
    rows: list[list[object]] = [[stem, *(median[stem] for median in medians)] for stem in lead.stems]
    means = [sum(median.values()) / max(len(median), 1) for median in medians]
    print_table(["stem", *(f"{metric}_db" for metric in METRICS)], [*rows, ["mean", *means]])
    typer.echo(lead.statement)
    if len(evaluations) > 1:
        typer.echo()
        rows = []
        for each in evaluations:
            median, (low, high) = each.median("sdr"), each.mean_sdr_interval()
            rows.append([each.model, *(median.get(stem) for stem in lead.stems), each.mean_sdr, low, high])
        print_table(["sdr_db", *lead.stems, "mean", "low_95", "high_95"], rows)
