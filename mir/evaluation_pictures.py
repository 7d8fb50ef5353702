"""Pictures of a separator's evaluation: how good each stem is, track by track, and what baselines reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mir import plots
from separation.scores import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = {
    "sdr": "SDR: whatever is wrong",
    "sir": "SIR: other stems that are heard",
    "isr": "ISR: the stem's own level, colour, place",
    "sar": "SAR: artefacts",
}
"""What each metric counts as an error, in the order of the panels."""

_MARKERS = {"v": 5.5, "X": 6.0, "D": 4.8, "*": 8.5, "P": 6.0, "s": 5.0}
"""Shapes of baselines, with sizes at which they weigh alike."""
_HALF_BOX = 0.28
_BEYOND_DB = 20.0
"""How far from the points a baseline's mark may lie: the mixture, say, has no artefacts, and 120 dB of SAR."""


def boxplot(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw a panel a metric: a box and a point a track for each stem of the first, medians of the others as marks.

    Boxes reach from quartile to quartile, their whiskers to the last track within 1.5 times that. Tracks without a
    finite score are left out, and so are marks further than 20 dB from every point.
    """
    lead, *others = evaluations
    with plots.style():
        fig = plots.figure(max(7.0, 1.15 * len(lead.stems) + 4.6), 7.0)
        panels = fig.subplots(2, 2).ravel()
        for axes, (metric, title) in zip(panels, TITLES.items(), strict=True):
            _panel(axes, lead, others, metric)
            axes.set_title(title, fontsize=9.5)
        for axes in panels[::2]:
            axes.set_ylabel("dB")
        fig.suptitle(lead.statement, x=0.01, ha="left", fontsize=12, fontweight="bold", color="#222222")
        fig.set_layout_engine("constrained", h_pad=0.1, hspace=0.04)
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            fig.legend(handles, labels, loc="outside lower center", ncols=len(handles), title="baselines, median")
    return fig


def write(evaluations: Sequence[Evaluation], folder: Path) -> list[Path]:
    """Save the pictures as PNG, where there is anything to draw; return their paths."""
    if not any(np.isfinite(evaluations[0].table(metric)).any() for metric in TITLES):
        return []
    return [plots.save(boxplot(evaluations), folder / "boxplot.png")]


def _panel(axes: Axes, lead: Evaluation, others: Sequence[Evaluation], metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    columns = [column[np.isfinite(column)] for column in lead.table(metric).T]
    positions = np.arange(len(columns))
    colours = [_colour(stem, position) for position, stem in enumerate(lead.stems)]
    for position, values, colour in zip(positions, columns, colours, strict=True):
        line = {"color": colour, "linewidth": 1.1}
        axes.boxplot(
            [values],
            positions=[position],
            widths=2 * _HALF_BOX,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": f"{colour}26", "edgecolor": colour, "linewidth": 1.1},
            medianprops={"color": colour, "linewidth": 2.6, "solid_capstyle": "butt"},
            whiskerprops=line,
            capprops=line,
        )
        size = 4.5 if values.size <= 40 else 2.8
        axes.plot(position + _swarm(values), values, "o", color=colour, alpha=0.7, markersize=size, markeredgewidth=0)
    everything = np.concatenate(columns)
    for other, (marker, size) in zip(others, _MARKERS.items(), strict=False):
        median = other.median(metric)
        y = np.array([median.get(stem, np.nan) for stem in lead.stems])
        y[np.abs(y - y.clip(everything.min(), everything.max())) > _BEYOND_DB] = np.nan
        x = positions - _HALF_BOX - 0.12
        axes.plot(
            x, y, marker, label=other.model,
            color="#555555", markersize=size, markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip
    axes.axhline(0.0, color="#9A9A9A", linewidth=0.9, zorder=0.5)
    medians = [f"{np.median(values):.1f} dB".replace("-", "−") if values.size else "silent" for values in columns]
    axes.set_xticks(positions, [f"{stem}\n{median}" for stem, median in zip(lead.stems, medians, strict=True)])
    for label, colour in zip(axes.get_xticklabels(), colours, strict=True):
        label.set(color=colour, fontweight="bold")
    axes.tick_params(axis="x", length=0, labelsize=8.5)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.65, len(columns) - 0.45)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))


def _swarm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets that keep points of nearly the same height beside each other, inside the box."""
    offsets = np.zeros(len(values))
    rows = np.round(18 * (values - values.min(initial=0.0)) / max(float(np.ptp(values)) if values.size else 0.0, 1e-9))
    for row in np.unique(rows):
        same = np.flatnonzero(rows == row)
        step = min(0.12, 2 * _HALF_BOX / len(same))
        offsets[same] = step * (np.arange(len(same)) - (len(same) - 1) / 2)
    return offsets


def _colour(stem: str, position: int) -> str:
    spare = [colour for colour in plots.COLOURS if colour not in plots.INSTRUMENT_COLOURS.values()]
    return plots.INSTRUMENT_COLOURS.get(stem) or spare[position % len(spare)]
