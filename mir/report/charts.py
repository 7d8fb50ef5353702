"""Small charts as inline SVG: they take the page's colours, in light and dark, and scale without loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mir.report.page import Html, html, number

_TAILS: Final = (0.5, 99.5)
"""Percentiles between which a histogram is drawn; what lies beyond counts in the outermost bars."""

Numbers = NDArray[np.float64]


def histogram(values: ArrayLike, marker: float | None = None, *, colour: str = "mix", n_bins: int = 24) -> Html:
    """Return a small histogram, the place of one value marked.

    Parameters
    ----------
    values
        Of everybody; NaN are left out.
    marker
        The value to mark; what is beyond the ends is marked at the end.
    colour
        An instrument's.
    """
    width, height = 180, 34
    known = _known(values)
    if not len(known):
        return Html("–")
    low, high = _ends(known, marker)
    counts, _ = np.histogram(np.clip(known, low, high), n_bins, (low, high))
    step = width / n_bins
    bars = "".join(
        _rect(place * step, height - tall, step - 1, tall, "var(--bar)")
        for place, tall in enumerate(np.where(counts > 0, np.maximum(counts / counts.max() * (height - 4), 1.5), 0))
        if tall
    )
    label, mark = f"{len(known)} values from {number(float(known.min()))} to {number(float(known.max()))}", ""
    if marker is not None and np.isfinite(marker):
        x = (min(max(marker, low), high) - low) / (high - low) * width
        x = min(max(x, 1.5), width - 1.5)
        mark = _rect(x - 1.25, 0, 2.5, height, f"var(--{colour})")
        label = f"{number(marker)} among {label}"
    return _svg(width, height, bars + mark, label)


def bins(values: ArrayLike, edges: Sequence[float], unit: str, *, colour: str = "mix") -> Html:
    """Return a large histogram with an axis below; what is beyond the edges counts in the outermost bars."""
    width, height, below = 520, 120, 18
    known = np.clip(_known(values), edges[0], edges[-1])
    counts, _ = np.histogram(known, np.asarray(edges))
    step = width / len(counts)
    bars = "".join(
        _rect(
            place * step,
            height - tall,
            step - 1,
            tall,
            f"var(--{colour})",
            f"{number(edges[place])} to {number(edges[place + 1])} {unit}: {count}",
        )
        for place, (count, tall) in enumerate(
            zip(counts.tolist(), (counts / max(counts.max(), 1) * (height - 6)).tolist(), strict=True)
        )
    )
    every = max(1, len(counts) // 8)
    ticks = "".join(
        _text(
            place * step,
            height + 14,
            number(edges[place]),
            "middle" if 0 < place < len(counts) else "start" if place == 0 else "end",
        )
        for place in range(0, len(edges), every)
    )
    return _svg(
        width, height + below, bars + _base(width, height) + ticks, f"Histogram of {len(known)} values in {unit}"
    )


def bars(rows: Sequence[tuple[str, float, str]], *, colour: str = "mix") -> Html:
    """Return horizontal bars: name, length, and what is written at the end."""
    left, room, row_height = 150, 260, 20
    top = max((size for _, size, _ in rows), default=0.0) or 1.0
    drawn = []
    for place, (name, size, said) in enumerate(rows):
        y = place * row_height
        shown = name if len(name) <= 22 else f"{name[:21]}…"
        long = size / top * room
        drawn.append(_text(left - 8, y + 14, shown, "end", title=name))
        drawn.append(_rect(left, y + 4, max(long, 1.0), row_height - 7, f"var(--{colour})"))
        drawn.append(_text(left + long + 6, y + 14, said, "start"))
    return _svg(left + room + 110, row_height * len(rows), "".join(drawn), "; ".join(f"{n}: {s}" for n, _, s in rows))


def columns(labels: Sequence[str], counts: Sequence[int], *, colour: str = "mix") -> Html:
    """Return counts as columns, names below."""
    width, height, below = 520, 110, 18
    step = min(width / max(len(labels), 1), 64)
    top = max(counts, default=0) or 1
    drawn = ""
    for place, (label, count) in enumerate(zip(labels, counts, strict=True)):
        tall = count / top * (height - 18)
        drawn += _rect(place * step + 2, height - tall, step - 4, tall, f"var(--{colour})", f"{label}: {count}")
        drawn += _text((place + 0.5) * step, height - tall - 4, str(count), "middle") if count else ""
        drawn += _text((place + 0.5) * step, height + 14, label, "middle")
    told = "; ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    return _svg(width, height + below, drawn + _base(width, height), told)


def trend(
    labels: Sequence[str],
    middles: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    unit: str,
    *,
    colour: str = "mix",
) -> Html:
    """Return medians over time as a line, with a band from the lower to the upper quartile."""
    width, height, left, below, pad = 520, 150, 46, 18, 24
    bottom, top = min(lows), max(highs)
    span = top - bottom or 1.0
    xs = [left + pad + (width - left - 2 * pad) * (place / max(len(labels) - 1, 1)) for place in range(len(labels))]

    def y(value: float) -> float:
        return 8 + (top - value) / span * (height - 16)

    outline = [(x, y(value)) for x, value in zip(xs, highs, strict=True)]
    outline += [(x, y(value)) for x, value in reversed(list(zip(xs, lows, strict=True)))]
    line = [(x, y(value)) for x, value in zip(xs, middles, strict=True)]
    drawn = f"<polygon points='{_points(outline)}' fill='var(--{colour})' opacity='.2'/>"
    drawn += f"<polyline points='{_points(line)}' fill='none' stroke='var(--{colour})' stroke-width='2'/>"
    drawn += "".join(
        _dot(x, at, f"var(--{colour})", f"{label}: {number(value)} {unit}")
        for (x, at), label, value in zip(line, labels, middles, strict=True)
    )
    drawn += _text(left - 6, y(top) + 4, number(top), "end") + _text(left - 6, y(bottom) + 4, number(bottom), "end")
    every = max(1, -(-len(labels) // 6))
    drawn += "".join(_text(x, height + 14, label, "middle") for x, label in list(zip(xs, labels, strict=True))[::every])
    told = "; ".join(f"{label}: {number(value)} {unit}" for label, value in zip(labels, middles, strict=True))
    return _svg(width, height + below, drawn, told)


def sound(
    picture: str,
    ticks: Sequence[tuple[float, str]],
    outline: tuple[NDArray[np.float32], NDArray[np.float32]],
    duration_s: float,
    name: str,
    *,
    colour: str,
) -> Html:
    """Return a waveform above its spectrogram, on one axis of time.

    Parameters
    ----------
    picture
        ``data:`` address of the spectrogram.
    ticks
        Frequencies: height from 0 (below) to 1, and name.
    outline
        Lowest and highest samples, full scale ±1.
    """
    left, width, wave, image, below = 52, 1000, 64, 120, 20
    low, high = outline
    loudest = max(float(np.abs(low).max(initial=0)), float(np.abs(high).max(initial=0)), 1e-9)
    scale = 0.5 * wave / max(loudest, 0.25)  # a whisper is not blown up to a shout
    xs = left + np.linspace(0, width, len(low))
    shape = [*zip(xs.tolist(), (wave / 2 - high * scale).tolist(), strict=True)]
    shape += [*zip(xs[::-1].tolist(), (wave / 2 - low[::-1] * scale).tolist(), strict=True)]
    drawn = f"<polygon points='{_points(shape)}' fill='var(--{colour})'/>"
    box = f"x='{left}' y='{wave + 4}' width='{width}' height='{image}'"
    drawn += f"<image href='{html(picture)}' {box} preserveAspectRatio='none'/>"
    drawn += "".join(_text(left - 6, wave + 8 + image * (1 - at), label, "end") for at, label in ticks)
    for seconds in time_ticks(duration_s):
        x = left + seconds / duration_s * width
        drawn += _text(
            x, wave + image + 18, f"{int(seconds // 60)}:{seconds % 60:02.0f}", "start" if seconds == 0 else "middle"
        )
    return _svg(left + width + 16, wave + 4 + image + below, drawn, f"Waveform and spectrogram of {name}")


def time_ticks(duration_s: float) -> list[float]:
    """Return round times, at most ten."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)
    step = next((each for each in steps if duration_s / each <= 10), 1800)
    return [float(each) for each in np.arange(0, duration_s, step)]


def _known(values: ArrayLike) -> Numbers:
    numbers = np.asarray(values, np.float64)
    return numbers[np.isfinite(numbers)]


def _ends(known: Numbers, marker: float | None) -> tuple[float, float]:
    low, high = (float(end) for end in np.percentile(known, _TAILS))
    if marker is not None and np.isfinite(marker) and len(known) < 2:
        low, high = min(low, marker), max(high, marker)
    if high - low <= 1e-9 * max(abs(high), 1.0):
        low, high = low - 0.5, high + 0.5
    return low, high


def _svg(width: float, height: float, drawn: str, label: str) -> Html:
    return Html(
        f"<svg viewBox='0 0 {width:g} {height:g}' width='{width:g}' role='img' aria-label='{html(label)}'>{drawn}</svg>"
    )


def _rect(x: float, y: float, width: float, height: float, fill: str, title: str = "") -> str:
    told = f"<title>{html(title)}</title>" if title else ""
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{fill}'>{told}</rect>"


def _dot(x: float, y: float, fill: str, title: str) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{fill}'><title>{html(title)}</title></circle>"


def _text(x: float, y: float, text: str, anchor: str, *, title: str = "") -> str:
    told = f"<title>{html(title)}</title>" if title else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{html(text)}{told}</text>"


def _base(width: float, y: float) -> str:
    return f"<line x1='0' x2='{width:g}' y1='{y:g}' y2='{y:g}' stroke='var(--soft)' stroke-width='1'/>"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
