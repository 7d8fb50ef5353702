"""`mir evaluate`: how well a model separates tracks whose stems are known."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mir.cli.console import JsonOption, print_json, print_table, progress

if TYPE_CHECKING:
    from separation.evaluation import Evaluation, Track, TrackScore


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    data: Annotated[Path, typer.Argument(help="MUSDB18 or MUSDB18-HQ folder.", show_default=False)],
    model: Annotated[
        str | None, typer.Option("--model", help="Separation model [default: mir-4s].", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="DIR", help="Folder with the weights.", show_default=False)
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", help="Instead of a model: mixture, hpss, oracle or equaliser.", show_default=False),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Tracks to score: train, valid, test or all.")] = "valid",
    as_json: JsonOption = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE.json", help="Keep the report.", show_default=False)
    ] = None,
) -> None:
    """Score a separator with BSS Eval v4: median over one-second frames, then over tracks."""
    from mir.config import setting
    from mir.errors import BadRequest
    from separation.evaluation import baseline as make_baseline
    from separation.evaluation import evaluate, find_tracks

    if baseline is not None and (model is not None or weights is not None):
        raise BadRequest("give a --model or a --baseline, not both")
    if out is not None and out.is_dir():
        raise BadRequest(f"{out} is a folder: -o names the report's file")
    tracks = find_tracks(data, None if split == "all" else split)
    quiet = "MIR_QUIET" in os.environ
    if baseline is not None:
        name = baseline
        with progress("learn", quiet=quiet) as bar:
            learning = bar.add_task("", total=None, rate="")

            def learned(track: Track) -> None:
                bar.update(learning, advance=1, description=track.name)

            separator = make_baseline(baseline, data, on_track=learned)
    else:
        from separation.separator import Separator

        name = str(setting("model", model).value)
        separator = Separator(name, weights)
    with progress("evaluate", quiet=quiet) as bar:
        task = bar.add_task("", total=len(tracks), rate="")

        def scored(score: TrackScore) -> None:
            bar.update(task, advance=1, description=score.track)

        evaluation = evaluate(separator, tracks, model=name, on_track=scored)
    report = evaluation.as_dict() | {"data": str(data), "split": split}
    if out is not None:
        _write(out, report)
    if as_json:
        print_json(report)
    else:
        _print(evaluation)


def _print(evaluation: Evaluation) -> None:
    from separation.evaluation import METRICS

    columns = [f"{metric}_db" for metric in METRICS]
    medians = [evaluation.median(metric) for metric in METRICS]
    rows: list[list[object]] = [[stem, *(median[stem] for median in medians)] for stem in evaluation.stems]
    means = [sum(median.values()) / len(median) for median in medians]
    print_table(["stem", *columns], [*rows, ["mean", *means]])
    low, high = evaluation.mean_sdr_interval()
    mean = f"mean SDR {evaluation.mean_sdr:.2f} dB, 95 % between {low:.2f} and {high:.2f}"
    typer.echo(f"{evaluation.model}: {mean}, over {len(evaluation.tracks)} tracks")


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    text = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
