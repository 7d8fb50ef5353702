"""One look for every picture: colours, fonts, and saving that never leaves half a file."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mir.errors import BadRequest
from separation.publishing import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5AA8", "#6B6B6B")
"""Colour cycle (Okabe & Ito, "Color Universal Design", 2008, darkened where text needs it): readable without
seeing red and green apart, and in grey print."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "light": (*COLOURS[:7], "#882255", "#8A8A1F", "#117733"),
    "dark": (
        "#4DA3E0", "#F28C4B", "#33C79A", "#E39BC4", "#F2BE4B", "#8FD0F5", "#B59AE0", "#DE6F97", "#C9C95C", "#6FBF7F",
    ),
}  # fmt: skip
"""Ten colours for points on a light and on a dark ground, the same hues in the same order."""

OTHERS: dict[str, str] = {"light": "#B4B4B4", "dark": "#626262"}
"""Points that are of no category, or of one too small for a colour."""

AMOUNTS: dict[str, tuple[str, ...]] = {
    "light": ("#440154", "#472D7B", "#3B528B", "#2C728E", "#21918C", "#28AE80", "#5EC962", "#ADDC30"),
    "dark": ("#4A5FA5", "#36809F", "#2C9C98", "#2FB583", "#5EC962", "#95D840", "#CBE02D", "#FDE725"),
}
"""From little to much, for points: viridis (S. van der Walt and N. Smith, 2015) without the end that the ground
swallows; evenly bright steps, read without seeing red and green apart."""

INSTRUMENT_COLOURS: dict[str, str] = {
    "vocals": "#D55E00",
    "drums": "#0072B2",
    "bass": "#7F5AA8",
    "other": "#009E73",
    "mix": "#6B6B6B",
}
"""The same colour for the same instrument in every picture."""

SEQUENTIAL = "Blues"
"""Colour map for amounts."""

DIVERGING = "RdBu_r"
"""Colour map for amounts with a meaningful middle."""

FORMATS: tuple[str, ...] = (".png", ".svg", ".pdf")
"""Suffixes that `save` can write."""

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.labelcolor": "#222222",
    "axes.labelsize": 9.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.dpi": 110.0,
    "figure.facecolor": "white",
    "figure.figsize": (7.0, 4.2),
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same picture on every machine
    "font.size": 9.0,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "savefig.dpi": 150.0,
    "svg.hashsalt": "mir",  # equal pictures are equal files
    "xtick.color": "#444444",
    "xtick.labelsize": 8.0,
    "ytick.color": "#444444",
    "ytick.labelsize": 8.0,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside this block; whatever was set before is back afterwards.

    Without a chosen backend (``MPLBACKEND``, or a notebook that has loaded ``pyplot``) pictures are drawn by
    Agg, so that no display is needed.

    Examples
    --------
    >>> from mir import plots
    >>> with plots.style():
    ...     axes = plots.figure(4.0, 3.0).subplots()
    ...     lines = axes.plot([0, 1], [1, 0])
    >>> lines[0].get_color()
    '#0072B2'
    """
    import matplotlib
    from cycler import cycler

    if "matplotlib.pyplot" not in sys.modules and "MPLBACKEND" not in os.environ:
        matplotlib.use("Agg")
    with matplotlib.rc_context({**_RC, "axes.prop_cycle": cycler(color=COLOURS)}):
        yield


def use() -> None:
    """Draw in the house style from here on, for notebooks: `style` ends with its block, a cell's style must not."""
    import matplotlib
    from cycler import cycler

    matplotlib.rcParams.update({**_RC, "axes.prop_cycle": cycler(color=COLOURS)})


def label(name: str, most: int = 28) -> str:
    """Return anybody's words as a label: at most so many letters, no formula, and seen in every legend."""
    short = name if len(name) <= most else f"{name[: most - 1]}…"
    # matplotlib reads formulas between dollar signs, and keeps what starts with a low line out of legends.
    return (f" {short}" if short.startswith("_") else short).replace("$", r"\$")


def groups(
    axes: Axes, x: Sequence[float], y: Sequence[float], names: Sequence[str | None], most: int = 7, size: float = 36.0
) -> None:
    """Draw points coloured by group, with a legend outside that counts them.

    Parameters
    ----------
    axes
        Where to draw.
    x, y, names
        Of each point, length ``n``; points whose `x` or `y` is NaN are left out, those of no group (None) are grey.
    most
        Groups that get a colour, the largest first; all others are grey.
    size
        Of a point, in square points.
    """
    known = [
        (name if isinstance(name, str) else None, float(a), float(b))
        for name, a, b in zip(names, x, y, strict=True)
        if a == a and b == b  # NaN is unequal to itself
    ]
    counts = Counter(name for name, _, _ in known if name is not None)
    shown = sorted(counts, key=lambda name: (-counts[name], name))[: min(most, len(COLOURS))]
    rest = [(a, b) for name, a, b in known if name not in shown]
    if rest:
        others = f"others ({len(rest):,})"
        axes.scatter([a for a, _ in rest], [b for _, b in rest], s=0.6 * size, color=OTHERS["light"], label=others)
    for name, colour in zip(shown, COLOURS, strict=False):
        own = [(a, b) for group, a, b in known if group == name]
        axes.scatter(
            [a for a, _ in own], [b for _, b in own], s=size, color=colour, edgecolors="white", linewidths=0.5,
            label=f"{label(name)} ({len(own):,})",
        )  # fmt: skip
    if known:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def figure(width_in: float = 7.0, height_in: float = 4.2) -> Figure:
    """Return an empty figure (inches) drawn by Agg, which no window and no ``pyplot`` holds on to.

    Call it, and draw, inside `style`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(fig)
    return fig


def save(fig: Figure, path: str | Path) -> Path:
    """Write a figure, all of it or nothing: the file at `path` is always whole.

    Parameters
    ----------
    fig
        Any matplotlib figure.
    path
        Where to; the suffix (``.png``, ``.svg``, ``.pdf``) says how. Missing folders are made.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    BadRequest
        Where the suffix is none of `FORMATS`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BadRequest(f"cannot write a picture as {path.name!r}; the suffixes are {', '.join(FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # No dates and versions inside: the same numbers give the same bytes.
    metadata: dict[str, Any] = {"Software": None} if suffix == ".png" else {"Date": None}
    if suffix == ".pdf":
        metadata = {"CreationDate": None}
    with whole(path) as unfinished, style():
        fig.savefig(unfinished, format=suffix[1:], metadata=metadata)
    return path
