"""How things are written on the page: numbers, lengths of time, and small drawings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mir.web.details import BINS, Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE: Final = Path(__file__).parent
LABELS: Final[Mapping[str, str]] = {
    "vocals": "Vocals",
    "drums": "Drums",
    "bass": "Bass",
    "other": "Harmony",
    "mix": "Whole mix",
}
"""What instruments are called on the page."""

_WIDTH: Final = 120
_HEIGHT: Final = 26


def environment() -> Environment:
    """Return the templates; everything that they are given is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"length_of": len, "length": length, "hours": hours, "number": number, "shown": shown}
    made.filters |= {"size": size, "label": label, "nth": nth}
    return made


def length(seconds: float) -> str:
    """Write a track's length.

    Examples
    --------
    >>> length(61.4), length(3725)
    ('1:01', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    whole, part = divmod(minutes, 60)
    return f"{whole}:{part:02d}:{rest:02d}" if whole else f"{part}:{rest:02d}"


def hours(seconds: float) -> str:
    """Write how much music there is.

    Examples
    --------
    >>> hours(1284), hours(36_000)
    ('21 minutes', '10 hours')
    """
    if seconds < 3600:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:,.0f} hours" if seconds >= 36_000 else f"{seconds / 3600:.1f} hours"


def number(value: float | None, digits: int = 4) -> str:
    """Write a number to so many digits, with a real minus sign; a dash for none.

    Examples
    --------
    >>> number(-0.123456, 3), number(1234567), number(None)
    ('−0.123', '1,235,000', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{min(max(decimals, 0), 6)}f}".replace("-", "−")


def shown(value: object) -> str:
    """Write whatever a column holds."""
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)


def size(n_bytes: float) -> str:
    """Write a size.

    Examples
    --------
    >>> size(2_400_000), size(10**10)
    ('2.4 MB', '10.0 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def label(instrument: str) -> str:
    """Write an instrument as people call it; a stem of another model by its own name."""
    return LABELS.get(instrument, instrument.replace("_", " ").capitalize())


def nth(percentile: float) -> str:
    """Write a place in a distribution.

    Examples
    --------
    >>> nth(71.8), nth(11.2), nth(99.9), nth(1.4)
    ('72nd', '11th', '100th', '1st')
    """
    whole = round(percentile)
    ending = "th" if whole % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(whole % 10, "th")
    return f"{whole}{ending}"


def histogram(spread: Distribution) -> str:
    """Return the outline of a distribution as the path of a drawing of 120 × 26."""
    most = max(spread.counts)
    step = _WIDTH / BINS
    parts = [f"M0 {_HEIGHT}"]
    for place, count in enumerate(spread.counts):
        top = _HEIGHT - (_HEIGHT - 2) * count / most
        parts.append(f"V{top:.1f}H{(place + 1) * step:.0f}")
    return "".join([*parts, f"V{_HEIGHT}Z"])


def mark(spread: Distribution, value: float) -> float:
    """Return where in that drawing a value is: the left edge of its bar."""
    return spread.bin(value) * _WIDTH / BINS
