"""The map as a picture: points by colour, and names that never lie on each other."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mir import plots
from mir.maps.columns import CLUSTER, NONE, Amounts, Categories, label_point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from mir.maps.data import Chart

_MOST_LABELS = 40
_VECTOR_POINTS = 20_000
"""More points than this are pixels even in a drawing of lines, which would take minutes to open otherwise."""


def draw(chart: Chart) -> Figure:
    """Draw a map; labels are the clusters, or the artists with most tracks where there are none."""
    xy = chart.points.xy
    n = len(xy)
    with plots.style():
        fig = plots.figure(10.0, 7.0)
        axes = fig.subplots()
        axes.set_aspect("equal", adjustable="datalim")
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        size = float(np.clip(9000 / max(n, 1), 0.6, 40.0))
        column = chart.columns[chart.colour]
        if isinstance(column, Categories):
            _draw_categories(axes, xy, column, size)
        else:
            _draw_amounts(fig, axes, xy, column, size)
        axes.set_title(f"{chart.title}, coloured by {chart.colour.replace('_', ' ')}")
        axes.set_xlabel(chart.note, loc="left", color="#666666")
        axes.margins(0.06)
        fig.canvas.draw()  # the layout is settled now, and names can be measured
        _label(fig, axes, chart)
    return fig


def _dots(axes: Axes, xy: NDArray[np.float64], size: float, **colours: Any) -> Any:  # noqa: ANN401 - matplotlib's
    edge = {"edgecolors": "white", "linewidths": 0.4} if size > 12 else {"linewidths": 0}
    return axes.scatter(xy[:, 0], xy[:, 1], s=size, rasterized=len(xy) > _VECTOR_POINTS, **edge, **colours)


def _draw_categories(axes: Axes, xy: NDArray[np.float64], column: Categories, size: float) -> None:
    palette, others = plots.CATEGORIES["light"], plots.OTHERS["light"]
    coloured = np.array([*column.colours, NONE])[column.codes]
    grey = coloured == NONE
    if grey.any():
        missing = int((column.codes == NONE).sum())
        label = column.missing if missing == grey.sum() else f"others, {column.missing}" if missing else "others"
        _dots(axes, xy[grey], size, color=others, label=f"{label} ({int(grey.sum()):,})", zorder=1)
    shades = [palette[max(each, 0)] for each in (*column.colours, NONE)]
    # In one layer, so that no category lies on top of another because of its name.
    _dots(axes, xy[~grey], size, color=[shades[code] for code in column.codes[~grey]], zorder=2)
    named = [place for place, colour in enumerate(column.colours) if colour != NONE]
    if column.name == CLUSTER and len(named) > len(palette):
        return  # names stand on the map, and colours come back: a legend would say nothing
    for place in named:
        count = int((column.codes == place).sum())
        _dots(axes, xy[:0], size, color=shades[place], label=f"{textwrap.fill(column.names[place], 30)} ({count:,})")
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title=column.name.replace("_", " "))
    for handle in legend.legend_handles:
        handle.set_sizes([30.0])  # type: ignore[union-attr]
    legend.set_alignment("left")


def _draw_amounts(fig: Figure, axes: Axes, xy: NDArray[np.float64], column: Amounts, size: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    there = np.isfinite(column.values)
    if not there.all():
        count = int((~there).sum())
        _dots(axes, xy[~there], size, color=plots.OTHERS["light"], label=f"no value ({count:,})", zorder=1)
        axes.legend(loc="lower right")
    shades = LinearSegmentedColormap.from_list("amounts", plots.AMOUNTS["light"])
    drawn = _dots(
        axes, xy[there], size, c=column.values[there], cmap=shades, vmin=column.low, vmax=column.high, zorder=2
    )
    below, above = bool((column.values < column.low).any()), bool((column.values > column.high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}.get((below, above), "both")
    fig.colorbar(drawn, ax=axes, label=column.name, shrink=0.6, extend=extend)


def _label(fig: Figure, axes: Axes, chart: Chart) -> None:
    """Write names, the most important first, each where no other one is and it covers fewest tracks."""
    import matplotlib.patheffects as effects

    halo: list[effects.AbstractPathEffect] = [effects.withStroke(linewidth=2.5, foreground="white")]
    frame, dots = axes.get_window_extent(), axes.transData.transform(chart.points.xy)
    renderer = fig.canvas.get_renderer()  # type: ignore[attr-defined]
    taken: list[Bbox] = []
    for name, point in _names(chart)[: 4 * _MOST_LABELS]:
        if len(taken) == _MOST_LABELS:
            break
        text = axes.text(
            float(point[0]),
            float(point[1]),
            name,
            ha="center",
            va="center",
            fontsize=7.5,
            color="#111111",
            parse_math=False,
        )
        text.set_path_effects(halo)
        box = text.get_window_extent(renderer).expanded(1.06, 1.15)
        moves = [(0.0, 0.0), *((0.0, side * 0.75 * box.height) for side in (1, -1))]
        moves += [(side * 0.6 * box.width, 0.0) for side in (1, -1)]
        places = [(dx, dy, box.translated(dx, dy)) for dx, dy in moves]
        free = [
            (_covered(place, dots), order, dx, dy, place)
            for order, (dx, dy, place) in enumerate(places)
            if _within(place, frame) and not any(place.overlaps(other) for other in taken)
        ]
        if not free:
            text.remove()
            continue
        _, _, dx, dy, place = min(free, key=lambda one: one[:2])
        x, y = axes.transData.inverted().transform(axes.transData.transform(point) + np.array([dx, dy]))
        text.set_position((float(x), float(y)))
        taken.append(place)


def _within(box: Bbox, frame: Bbox) -> bool:
    return bool(frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1)


def _covered(box: Bbox, dots: NDArray[np.float64]) -> int:
    return int(((dots > box.min) & (dots < box.max)).all(axis=1).sum())


def _names(chart: Chart) -> list[tuple[str, NDArray[np.float64]]]:
    """Return what may be written where, most important first."""
    xy = chart.points.xy
    column = chart.columns.get(CLUSTER)
    if isinstance(column, Categories):
        placed = [
            (name.replace(", ", "\n"), label_point(xy, column.codes == place))
            for place, name in enumerate(column.names)
        ]
        return [(name, point) for name, point in placed if np.isfinite(point).all()]
    places: dict[str, list[int]] = {}
    for place, artist in enumerate(chart.artists):
        places.setdefault(artist, []).append(place)
    most = sorted(places, key=lambda artist: (-len(places[artist]), artist))
    return [
        (_short(artist), label_point(xy[places[artist]], np.ones(len(places[artist]), np.bool_))) for artist in most
    ]


def _short(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:31]}…"
