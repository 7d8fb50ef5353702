"""How `mir genre` shows evaluations and runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mir.cli.console import print_table

if TYPE_CHECKING:
    from mir.genre.comparison import Compared
    from mir.genre.report import Report
    from mir.genre.runs import Run

Table = tuple[tuple[str, ...], list[tuple[object, ...]]]


def run_table(found: Sequence[Run]) -> Table:
    """Return columns and rows, one a run."""
    columns = ("run", "promoted", "by", "tracks", "genres", "model", "accuracy", "95 %", "macro-F1", "95 %")
    rows: list[tuple[object, ...]] = []
    for run in found:
        metrics = run.metrics
        rows.append(
            (
                run.run_id,
                "yes" if run.promoted else "",
                "+".join(run.parameters["by"]),
                run.parameters["tracks"],
                len(run.labels),
                str(run.candidate),
                metrics.get("accuracy"),
                _range(metrics.get("accuracy_interval")),
                metrics.get("macro_f1"),
                _range(metrics.get("macro_f1_interval")),
            )
        )
    return columns, rows


def compared_table(compared: Sequence[Compared]) -> Table:
    """Return the table of runs with how much better each is than the promoted one, on the same tracks."""
    columns, rows = run_table([each.run for each in compared])
    shown: list[tuple[object, ...]] = []
    for row, each in zip(rows, compared, strict=True):
        if each.difference is None:
            shown.append((*row, each.reason, None))
            continue
        better = f"{each.difference['macro_f1']:+.3f}"
        shown.append((*row, better, _range(each.difference["macro_f1_interval"], "+.2f")))
    return (*columns, "macro-F1 − promoted", "95 %, paired"), shown


def print_run(run: Run) -> None:
    """Print everything a row of ``genre_runs`` tells that a person wants to read."""
    parameters, metrics = run.parameters, run.metrics
    chosen = sorted(parameters["inner_macro_f1"].items(), key=lambda item: -item[1])
    calibration = metrics.get("calibration") or {}
    weights = parameters.get("instrument_weights") or {}
    facts: list[tuple[str, object]] = [
        ("run", run.run_id),
        ("trained", f"{run.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("promoted", "yes" if run.promoted else "no"),
        ("instruments", ", ".join(parameters["by"])),
        ("spaces", ", ".join(f"{space} {version}" for space, version in run.spaces.items())),
        ("tracks", parameters["tracks"]),
        ("artists", parameters.get("artists")),
        ("genres", ", ".join(run.labels)),
        ("label map", ", ".join(f"{tag} → {genre or 'nothing'}" for tag, genre in parameters["label_map"].items())),
        ("model", str(run.candidate)),
        ("say of each instrument", ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())),
        ("folds, seed", f"{parameters['folds']}, {parameters['seed']}"),
        ("protocol", metrics.get("protocol")),
        ("accuracy", metrics.get("accuracy")),
        ("95 %", _range(metrics.get("accuracy_interval"))),
        ("macro-F1", metrics.get("macro_f1")),
        ("95 %", _range(metrics.get("macro_f1_interval"))),
        ("expected calibration error", calibration.get("expected_calibration_error")),
        ("Brier score", calibration.get("brier")),
        ("snapshot", parameters["snapshot"]),
        ("scikit-learn", parameters["scikit_learn"]),
        ("artifact", run.artifact),
        ("SHA-256", run.sha256),
    ]
    print_table(("what", "value"), [(name, value) for name, value in facts if value not in (None, "")])
    for said in metrics["statements"]:
        sys.stdout.write(f"note: {said}\n")
    sys.stdout.write("\n")
    print_table(("candidate", "macro-F1, inner folds"), chosen)
    if metrics.get("per_label"):
        sys.stdout.write("\n")
        print_table(*_label_table(metrics["per_label"]))


def print_report(report: Report) -> None:
    """Print an evaluation."""
    from features import INSTRUMENTS

    sys.stdout.write(f"{report.protocol}\n\n")
    rows: list[tuple[object, ...]] = []
    # The instruments asked for come first, unless a row of the ablation is just them.
    asked = "+".join(report.by)
    there = asked in report.ablation or ("all" in report.ablation and len(report.by) == len(INSTRUMENTS))
    of = "all" if len(report.by) == len(INSTRUMENTS) else asked
    scores = {
        **({} if there else {asked: report.score}),
        **report.ablation,
        **{f"{of}, {form}": score for form, score in report.forms.items()},
    }
    for name, score in scores.items():
        if score is None:
            rows.append((name, None, None, None, None))
            continue
        rows.append(
            (
                name,
                score.accuracy,
                _range(score.accuracy_interval),
                score.macro_f1,
                _range(score.macro_f1_interval),
            )
        )
    rows += [(name, b["accuracy"], None, b["macro_f1"], None) for name, b in report.baselines.items()]
    print_table(("by", "accuracy", "95 %", "macro-F1", "95 %"), rows)
    sys.stdout.write("\n")
    for name, better in (
        ("all − mix", report.all_minus_mix),
        ("stacked − concatenated", report.stacked_minus_concatenated),
    ):
        if better is not None:
            interval = _range(better["macro_f1_interval"], "+.3f")
            sys.stdout.write(f"{name}: {better['macro_f1']:+.3f} macro-F1, 95 % {interval} (paired)\n")
    error = report.calibration.expected_calibration_error
    sys.stdout.write(f"expected calibration error {error:.3f}, Brier score {report.calibration.brier:.3f}\n\n")
    print_table(*_label_table([asdict(row) for row in report.per_label]))


def _label_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return (
        ("genre", "tracks", "artists", "precision", "recall", "F1"),
        [(r["label"], r["tracks"], r["artists"], r["precision"], r["recall"], r["f1"]) for r in rows],
    )


def _range(interval: Sequence[float] | None, form: str = ".2f") -> str | None:
    return None if interval is None else f"{interval[0]:{form}} to {interval[1]:{form}}"
