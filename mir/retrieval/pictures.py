"""The evaluation as a picture: how well each space finds an artist again, with intervals, and chance beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mir import plots
from mir.retrieval.evaluation import TRACKS, Evaluation, Row
from mir.retrieval.scores import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = {"fitted": "o", "shipped": "s", "plain": "D", "centroid": "o", "medoid": "v", "chamfer": "^"}
"""Shape of each transform and way of putting artists together; the first one that there is is filled."""


def draw(found: Evaluation) -> Figure:
    """Draw mean average precision: by track on the left, by artist on the right, one line a space.

    Points carry 95 % intervals by artist; grey strokes are what a random order is expected to have.
    """
    instruments = list(dict.fromkeys(row.instrument for row in found.rows))
    with plots.style():
        fig = plots.figure(9.0, 1.9 + 0.62 * len(instruments))
        left, right = fig.subplots(1, 2, sharey=True)
        _panel(left, [row for row in found.rows if row.level == TRACKS], instruments, "transform")
        _panel(right, [row for row in found.rows if row.level != TRACKS], instruments, "level")
        left.set_title("Tracks by the same artist")
        right.set_title("The artist, from one track")
        for axes in (left, right):
            axes.set_xlabel("mean average precision")
        left.set_yticks(range(len(instruments)), instruments)
        left.set_ylim(len(instruments) - 0.5, -0.5)
        for label, name in zip(left.get_yticklabels(), instruments, strict=True):
            label.set(color=plots.INSTRUMENT_COLOURS[name], fontweight="bold", fontsize=10)
        fig.suptitle(
            f"{found.queries} queries by {found.artists} artists among {found.tracks} tracks",
            x=0.01, ha="left", fontsize=10, color="#444444",
        )  # fmt: skip
    return fig


def _panel(axes: Axes, rows: list[Row], instruments: list[str], kind: str) -> None:
    there = {getattr(row, kind) for row in rows}
    kinds = [name for name in _MARKERS if name in there]
    for row in rows:
        place = kinds.index(getattr(row, kind))
        y = instruments.index(row.instrument) + 0.2 * (place - (len(kinds) - 1) / 2)
        colour = plots.INSTRUMENT_COLOURS[row.instrument]
        low, high = interval(row.scores.average_precision, row.scores.groups)
        axes.plot([low, high], [y, y], color=colour, linewidth=1.6, alpha=0.55, solid_capstyle="butt")
        filled = colour if place == 0 else "white"
        axes.plot(row.scores.mean, y, _MARKERS[kinds[place]], color=colour, markerfacecolor=filled, markersize=6)
    for place, instrument in enumerate(instruments):
        chance = [row.scores.chance.mean() for row in rows if row.instrument == instrument]
        if chance:
            axes.plot([np.mean(chance)] * 2, [place - 0.38, place + 0.38], color="#9A9A9A", linewidth=2.2)
    for place, name in enumerate(kinds):
        filled = "#555555" if place == 0 else "white"
        axes.plot([], [], _MARKERS[name], color="#555555", markerfacecolor=filled, label=name)
    axes.plot([], [], color="#9A9A9A", linewidth=2.2, label="chance")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(kinds) + 1)
    axes.set_xlim(0.0, 1.0)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
