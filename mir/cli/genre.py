"""`mir genre`: train, score, compare and use genre classifiers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, progress
from mir.cli.genre_explain import explain

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.genre.evaluation import OnStep

ByOption = Annotated[
    str | None,
    typer.Option("--by", help="Instruments, separated by commas: vocals,drums,bass,other,mix (default: all)."),
]
LabelMapOption = Annotated[
    Path | None, typer.Option("--label-map", help="JSON or TOML table from tag to genre (null drops a tag).")
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same answer.")]
FoldsOption = Annotated[int, typer.Option("--folds", min=2, help="Folds, grouped by artist.")]
RunOption = Annotated[str | None, typer.Option("--run", help="Run to use (default: the promoted one).")]

genre_app = typer.Typer(no_args_is_help=True, help="Tell genres from stems: train, score, compare, use.")
genre_app.command()(explain)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(genre_app, name="genre")


@genre_app.command()
def train(
    by: ByOption = None,
    label_map: LabelMapOption = None,
    folds: FoldsOption = 5,
    seed: SeedOption = 0,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train on every labelled track and store the run; the first one is promoted."""
    from mir.cli.genre_report import run_table
    from mir.genre.dataset import parse_instruments
    from mir.genre.labels import LabelMap, read_label_map
    from mir.genre.runs import train as train_

    rules = read_label_map(label_map) if label_map else LabelMap()
    with _steps("scoring") as on_step:
        run = train_(_open(catalog), parse_instruments(by), label_map=rules, folds=folds, seed=seed, on_step=on_step)
    _say(run.metrics["statements"])
    if as_json:
        print_json(run.to_json())
        return
    print_table(*run_table([run]))


@genre_app.command()
def evaluate(
    by: ByOption = None,
    folds: FoldsOption = 5,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Times all folds are drawn anew.")] = 1,
    seed: SeedOption = 0,
    label_map: LabelMapOption = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for report and pictures.")] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score genre on artists held out: the mixture, each instrument, and all."""
    from mir.cli.genre_report import print_report
    from mir.genre.dataset import load, parse_instruments
    from mir.genre.evaluation import evaluate as evaluate_
    from mir.genre.labels import LabelMap, read_label_map

    instruments = parse_instruments(by)
    dataset = load(_open(catalog), read_label_map(label_map) if label_map else LabelMap())
    with _steps("scoring") as on_step:
        report = evaluate_(dataset, instruments, folds=folds, repeats=repeats, seed=seed, on_step=on_step)
    if output is not None:
        from mir.genre.pictures import write

        _say([f"wrote {path}" for path in write(report, output)])
    if as_json:
        print_json(report.to_json())
        return
    _say(report.statements)
    print_report(report)


@genre_app.command()
def predict(
    queries: Annotated[list[str], typer.Argument(metavar="FILE|ARTIST|TRACK…", help="What to tell the genre of.")],
    run: RunOption = None,
    model: Annotated[str | None, typer.Option("--model", help="Separation model for files not ingested.")] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the genre of files, of an artist's tracks, or of single tracks."""
    from mir.config import setting
    from mir.genre.prediction import predict as predict_

    opened, separator = _open(catalog), str(setting("model", model).value)
    found = [each for query in queries for each in predict_(opened, query, run_id=run, separator=separator)]
    if as_json:
        for prediction in found:
            print_json(prediction.to_json())
        return
    print_table(
        ("artist", "title", "genre", "probability", "next", "tagged"),
        [
            (
                each.artist,
                each.title,
                each.genre,
                each.probability,
                ", ".join(f"{name} {share:.2f}" for name, share in list(each.probabilities.items())[1:3]),
                ", ".join(each.known),
            )
            for each in found
        ],
    )


@genre_app.command("apply")
def apply_(run: RunOption = None, catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Label the tracks that no tag and no person labelled; other labels are never touched."""
    from mir.genre.prediction import apply

    done = apply(_open(catalog), run_id=run)
    if as_json:
        print_json(
            {
                "run_id": done.run_id,
                "labelled": done.labelled,
                "kept": done.kept,
                "without_features": done.without_features,
            }
        )
        return
    print_table(
        ("run", "labelled now", "labelled already", "not analysed"),
        [(done.run_id, done.labelled, done.kept, done.without_features)],
    )


@genre_app.command()
def runs(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Show this run whole (id or beginning).")] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the runs of this catalog, latest first, with the promoted one; or show one whole."""
    from mir.cli.genre_report import compared_table, print_run
    from mir.genre.comparison import compare
    from mir.genre.runs import find_run
    from mir.genre.runs import runs as runs_

    opened = _open(catalog)
    if run is not None:
        found = find_run(opened, run)
        if as_json:
            print_json(found.to_json(whole=True))
            return
        print_run(found)
        return
    compared = compare(runs_(opened))
    if as_json:
        for each in compared:
            print_json(each.to_json())
        return
    print_table(*compared_table(compared))


@genre_app.command()
def repeat(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, or its beginning.")],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a run out again from its row and compare; nothing is stored. Exit code 1: not the same."""
    from mir.genre.repeating import repeat as repeat_

    with _steps("repeating") as on_step:
        found = repeat_(_open(catalog), run, on_step=on_step)
    _say(found.changed)
    if found.changed:
        _say(["nothing was trained; a new run on what is there now: mir genre train"])
    if as_json:
        print_json(found.to_json())
    else:
        columns = ("run", "same", "tracks", "predictions", "largest difference", "of a metric")
        equal = {True: "equal", False: "differ", None: None}[found.predictions_equal]
        print_table(
            columns,
            [
                (
                    found.run_id,
                    "yes" if found.same else "no",
                    found.tracks,
                    equal,
                    found.largest_probability_difference,
                    found.largest_metric_difference,
                )
            ],
        )
    if not found.same:
        raise typer.Exit(1)


@genre_app.command()
def promote(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, or its beginning.")],
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a run the one that `predict` and `apply` use."""
    from mir.cli.genre_report import run_table
    from mir.genre.runs import promote as promote_

    promoted = promote_(_open(catalog), run)
    if as_json:
        print_json(promoted.to_json())
        return
    print_table(*run_table([promoted]))


def _open(catalog: Path | None) -> Catalog:
    from mir.catalog import open_catalog
    from mir.config import catalog_path

    return open_catalog(catalog_path(catalog))


@contextmanager
def _steps(description: str) -> Iterator[OnStep]:
    """Show folds as they are done."""
    import os
    import time

    with progress(description, quiet=bool(os.environ.get("MIR_QUIET"))) as bar:
        task = bar.add_task("", total=None, rate="")
        start = time.monotonic()

        def step(done: int, total: int, what: str) -> None:
            rate = f"{done / max(time.monotonic() - start, 1e-9):.1f} folds/s"
            bar.update(task, completed=done, total=total, description=what, rate=rate)

        yield step


def _say(sentences: list[str] | tuple[str, ...]) -> None:
    for sentence in sentences:
        sys.stderr.write(f"note: {sentence}\n")
