"""The interactive page: one file with everything in it, that asks nothing of any other machine."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any, Final

_START: Final = 'MirMap.show(document.getElementById("map"), JSON.parse(document.getElementById("data").textContent));'


def script() -> str:
    """Return ``map.js``."""
    return _part("map.js")


def style() -> str:
    """Return ``map.css``."""
    return _part("map.css")


def page(data: dict[str, Any]) -> str:
    """Return the page of a map.

    Its content security policy names the checksums of its own scripts and style: nothing else runs, and nothing is
    fetched.

    Parameters
    ----------
    data
        As `mir.maps.map_data` returns it.
    """
    # A "<" could end the element that holds the data; in JSON it may be written otherwise.
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {
        "title": html.escape(data["title"]),
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src {_checksum(script())} {_checksum(_START)}; style-src {_checksum(style())}",
        "style": style(),
        "script": script(),
        "start": _START,
        "data": packed,
    }
    # Split, not replaced one after the other: what a tag says is never taken for a place to fill.
    pieces = _part("map.html").split("{{")
    return pieces[0] + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces[1:]))


def _part(name: str) -> str:
    return (files("mir.maps") / name).read_text(encoding="utf-8")


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
