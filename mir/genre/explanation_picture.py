"""A picture of an explanation: bars by stem, and by the features that moved the log-odds most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mir import plots
from mir.genre.explanation import Explanation, Feature, Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAR_IN = 0.27
_TEXT = "#444444"
_GENRE_LETTERS = 20


def draw(one: Explanation, k: int = 10) -> Figure:
    """Draw what each stem and the `k` largest features add to a genre's log-odds; bars to the right speak for it."""
    features = one.features[:k]
    heights = (len(one.stems) + 0.6, len(features) + 0.6)
    with plots.style():
        fig = plots.figure(10.0, _BAR_IN * sum(heights) + 1.7)
        (upper, empty), (lower, table) = fig.subplots(2, 2, height_ratios=heights, width_ratios=(1.6, 1.0))
        for axes in (empty, table):
            axes.set_axis_off()
        _bars(upper, [stem.instrument for stem in one.stems], one.stems)
        _bars(lower, [_label(feature) for feature in features], features)
        _beside(table, one, features)
        fig.suptitle(one.headline(), x=0.01, ha="left", fontsize=11, fontweight="bold")
        versus = "all other genres" if one.against is None else one.against
        lower.set_xlabel(f"log-odds for {one.label} against {versus}\n0: the mean of {one.background} other tracks")
    return fig


def _bars(axes: Axes, names: Sequence[str], shares: Sequence[Share]) -> None:
    places = range(len(names))
    values = [share.contribution for share in shares]
    axes.barh(
        places,
        values,
        height=0.72,
        xerr=[1.96 * share.error for share in shares],
        error_kw={"ecolor": _TEXT, "elinewidth": 0.9},
        color=[plots.INSTRUMENT_COLOURS[share.instrument] for share in shares],
    )
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.axvline(0.0, color=_TEXT, linewidth=0.9)


def _label(feature: Feature) -> str:
    if feature.unit is None:
        several = f" ({feature.numbers} numbers)" if feature.numbers > 1 else ""
        return f"{feature.name}{several}"
    return f"{feature.name} = {_number(feature.value)}"


def _beside(axes: Axes, one: Explanation, features: Sequence[Feature]) -> None:
    """Write, right of the bars, where the value stands and what is usual."""
    axes.set(xlim=(0.0, 1.0), ylim=(len(features) - 0.4, -0.6))
    columns = (("percentile", 0.0), (_short(one.label), 0.27), (_short(one.rival), 0.65))
    for title, x in columns:
        axes.text(x, -0.9, title, fontsize=8, fontweight="bold", color=_TEXT)
    for place, feature in enumerate(features):
        percentile = "" if feature.percentile is None else f"{feature.percentile:.0f} %"
        texts = (percentile, _range(feature.label_range), _range(feature.rival_range))
        for text, (_, x) in zip(texts, columns, strict=True):
            axes.text(x, place, text, fontsize=8, va="center", color=_TEXT)


def _range(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else " … ".join(f"{end:.2g}" if abs(end) < 1 else f"{end:.3g}" for end in ends)


def _short(genre: str) -> str:
    return genre if len(genre) <= _GENRE_LETTERS else f"{genre[: _GENRE_LETTERS - 1]}…"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"
