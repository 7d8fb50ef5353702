"""What people ask with: ``vocals=0.7,drums=0.3`` to weights by instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mir.errors import BadRequest


def parse_by(text: str) -> dict[str, float]:
    """Read weights as written on a command line; an instrument without a number has weight 1.

    Raises
    ------
    BadRequest
        Where an instrument is unknown or named twice, a weight is no number, or none is positive.

    Examples
    --------
    >>> parse_by("vocals=0.7,drums=-0.3")
    {'vocals': 0.7, 'drums': -0.3}
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not name:
            raise BadRequest(f"an instrument is missing in {text!r}; {_allowed()}")
        if name in weights:
            raise BadRequest(f"{text!r} names {name} twice")
        try:
            weights[name] = float(number) if equals else 1.0
        except ValueError:
            raise BadRequest(f"{name}={number}: the weight is a number, as in vocals=0.7,drums=0.3") from None
    return check_by(weights)


def check_by(weights: Mapping[str, float]) -> dict[str, float]:
    """Check weights by instrument, and leave out those of 0.

    Raises
    ------
    BadRequest
        As `parse_by`.
    """
    from features import INSTRUMENTS

    for name, weight in weights.items():
        if name not in INSTRUMENTS:
            raise BadRequest(f"no instrument {name!r}; {_allowed()}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
            raise BadRequest(f"{name}={weight}: the weight is a finite number, as in vocals=0.7,drums=0.3")
    kept = {name: float(weight) for name, weight in weights.items() if weight != 0}
    if not any(weight > 0 for weight in kept.values()):
        raise BadRequest("no weight is positive: something must be alike, for example vocals=1,drums=-0.5")
    return kept


def _allowed() -> str:
    from features import INSTRUMENTS

    return f"there are {', '.join(INSTRUMENTS)}"
