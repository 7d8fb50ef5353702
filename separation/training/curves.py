"""Curves of a run as one picture: what it learned, and what that was worth on songs it did not hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS = ("#D55E00", "#0072B2", "#7F5AA8", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#6B6B6B")
"""Okabe & Ito, "Color Universal Design", 2008: told apart without seeing red and green apart."""
SMOOTHED = 50
"""Steps over which the training loss is averaged, or a tenth of the run where that is less."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw losses and SDR by stem over steps into a PNG file.

    Parameters
    ----------
    rows
        Rows of ``metrics.jsonl``: ``step``, ``loss``, and after a validation ``validation_loss`` and ``sdr`` in dB.
    path
        File to write, of any name.
    title
        Headline.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    losses, scores = figure.subplots(1, 2)
    steps = np.array([row["step"] for row in rows], float)
    smooth = _smoothed(np.array([row["loss"] for row in rows], float))
    losses.plot(steps[-smooth.size :], smooth, color="#6B6B6B", linewidth=1.0, label="training, smoothed")
    judged = [row for row in rows if "sdr" in row]
    at = [row["step"] for row in judged]
    losses.plot(at, [_number(row["validation_loss"]) for row in judged], "o-", color="#D55E00", label="validation")
    losses.set(xlabel="step", ylabel="loss", title=title)
    losses.legend(frameon=False)
    stems = list(judged[0]["sdr"]) if judged else []
    for index, stem in enumerate(stems):
        values = [_number(row["sdr"].get(stem)) for row in judged]
        scores.plot(at, values, "o-", color=COLOURS[index % len(COLOURS)], markersize=3, label=stem)
    scores.set(xlabel="step", ylabel="SDR in dB (validation)")
    if stems:
        scores.legend(frameon=False)
    for axes in (losses, scores):
        axes.grid(visible=True, color="#E4E4E4", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png")


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Running mean; shorter than `values` by the length it runs over, less one."""
    n = max(1, min(SMOOTHED, values.size // 10))
    return np.convolve(values, np.full(n, 1.0 / n), mode="valid") if values.size else values


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
