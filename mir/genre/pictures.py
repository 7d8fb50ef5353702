"""Pictures of an evaluation: who is taken for whom, what each instrument tells, what a probability is worth."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mir import plots
from mir.genre.report import Report
from separation.publishing import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion(report: Report) -> Figure:
    """Draw the confusion matrix: truth in rows, shade by share of the row, tracks as numbers."""
    counts = np.asarray(report.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    side = max(3.2, 0.55 * len(report.labels) + 2.2)
    with plots.style():
        fig = plots.figure(side + 0.6, side)
        axes = fig.subplots()
        axes.grid(visible=False)
        image = axes.imshow(shares, cmap=plots.SEQUENTIAL, vmin=0.0, vmax=1.0)
        for row, column in np.ndindex(*counts.shape):
            if counts[row, column] >= 0.05:
                axes.text(
                    column,
                    row,
                    f"{counts[row, column]:.3g}",
                    ha="center",
                    va="center",
                    color="white" if shares[row, column] > 0.6 else "#222222",
                )
        axes.set_xticks(range(len(report.labels)), report.labels, rotation=45, ha="right")
        axes.set_yticks(range(len(report.labels)), report.labels)
        axes.set(xlabel="predicted", ylabel="labelled")
        low, high = report.score.accuracy_interval
        axes.set_title(f"Genre by {_instruments(report)}\n{report.score.accuracy:.0%} right ({low:.0%} to {high:.0%})")
        fig.colorbar(image, ax=axes, label="share of the row", shrink=0.7)
    return fig


def ablation(report: Report) -> Figure:
    """Draw macro-F1 with its interval for the mixture, each instrument and all, over the baselines."""
    scores = [(name, score) for name, score in report.ablation.items() if score is not None]
    of = _instruments(report).removesuffix(" instruments")
    scores += [(f"{of}, {form}", score) for form, score in report.forms.items()]
    with plots.style():
        fig = plots.figure(6.0, 0.42 * len(scores) + 1.6)
        axes = fig.subplots()
        for position, (name, score) in enumerate(scores):
            low, high = score.macro_f1_interval
            colour = plots.INSTRUMENT_COLOURS.get(name, "#222222")
            axes.plot(
                [low, high],
                [position, position],
                color=colour,
                alpha=0.45,
                linewidth=5,
                solid_capstyle="butt",
            )
            axes.plot(score.macro_f1, position, "o", color=colour, markersize=8)
            axes.annotate(
                f"{score.macro_f1:.2f}",
                (score.macro_f1, position),
                (0, 8),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        for (name, values), dash in zip(report.baselines.items(), (":", "--"), strict=True):
            axes.axvline(values["macro_f1"], color="#6B6B6B", linestyle=dash, linewidth=1.2, label=name)
        axes.set_yticks(range(len(scores)), [name for name, _ in scores])
        axes.set_ylim(len(scores) - 0.4, -0.7)
        axes.set_xlim(0.0, 1.02)
        axes.set_xlabel("macro-F1, artists held out (band: 95 %)")
        axes.set_title("What each instrument tells of genre")
        fig.legend(loc="outside lower right", ncols=2, title="baselines, macro-F1")
    return fig


def reliability(report: Report) -> Figure:
    """Draw how often a guess is right over the probability that it claims, with how many guesses claim it."""
    bins = report.calibration.bins
    with plots.style():
        fig = plots.figure(4.6, 4.8)
        axes = fig.subplots()
        axes.plot([0, 1], [0, 1], color="#6B6B6B", linestyle="--", linewidth=1.2, label="as claimed")
        claimed, right = [each.confidence for each in bins], [each.accuracy for each in bins]
        axes.vlines(claimed, claimed, right, color=plots.COLOURS[1], alpha=0.5, linewidth=3)
        axes.plot(claimed, right, "o-", color=plots.COLOURS[0], markersize=7, label="as it was")
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="share that was right")
        axes.set_xlabel(f"probability of the guess ({len(bins)} bins of about {bins[0].n:.0f} tracks)")
        axes.set_aspect("equal")
        error = report.calibration.expected_calibration_error
        axes.set_title(f"Is a probability what it claims?\nexpected calibration error {error:.2f}")
        axes.legend(loc="upper left")
    return fig


def genres(report: Report) -> Figure:
    """Draw precision, recall and F1 of each genre, the best told one on top."""
    rows = sorted(report.per_label, key=lambda row: (-row.f1, row.label))
    with plots.style():
        fig = plots.figure(6.0, 0.34 * len(rows) + 1.6)
        axes = fig.subplots()
        for position, row in enumerate(rows):
            axes.plot([row.precision, row.recall], [position, position], color="#B8B8B8", linewidth=2, zorder=1)
        for name, marker, colour in (("precision", "<", 0), ("recall", ">", 1), ("f1", "o", 2)):
            values = [getattr(row, name) for row in rows]
            label = "F1" if name == "f1" else name
            axes.plot(values, range(len(rows)), marker, color=plots.COLOURS[colour], markersize=6, label=label)
        names = [f"{row.label} ({row.tracks} by {row.artists})" for row in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("artists held out")
        axes.set_title("Which genres are told (tracks by artists)")
        fig.legend(loc="outside lower right", ncols=3)
    return fig


def write(report: Report, folder: Path) -> list[Path]:
    """Save a report: pictures as PNG, the table of genres as CSV, everything as JSON; return the paths."""
    drawn = {"confusion": confusion, "reliability": reliability, "genres": genres}
    if report.ablation:
        drawn["ablation"] = ablation
    paths = [plots.save(draw(report), folder / f"genre-{name}.png") for name, draw in drawn.items()]
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(asdict(report.per_label[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in report.per_label)
    texts = {
        "genre-genres.csv": table.getvalue(),
        "genre-report.json": json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n",
    }
    for name, text in texts.items():
        write_text(folder / name, text)
        paths.append(folder / name)
    return paths


def _instruments(report: Report) -> str:
    from features import INSTRUMENTS

    return "all instruments" if set(report.by) == set(INSTRUMENTS) else " + ".join(report.by)
