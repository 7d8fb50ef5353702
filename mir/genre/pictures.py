"""Pictures of an evaluation: who is taken for whom, and what each instrument tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mir import plots
from mir.genre.evaluation import Report

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


def write(report: Report, folder: Path) -> list[Path]:
    """Save the pictures of a report as PNG; return their paths."""
    paths = [plots.save(confusion(report), folder / "genre-confusion.png")]
    if report.ablation:
        paths.append(plots.save(ablation(report), folder / "genre-ablation.png"))
    return paths


def _instruments(report: Report) -> str:
    from features import INSTRUMENTS

    return "all instruments" if set(report.by) == set(INSTRUMENTS) else " + ".join(report.by)
