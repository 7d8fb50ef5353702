"""Pictures inside a page, which then needs no file beside it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png_uri(content: bytes) -> str:
    """Return a PNG as a ``data:`` address."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def data_uri(fig: Figure) -> str:
    """Return a figure as a ``data:`` address of a PNG."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
    return png_uri(buffer.getvalue())
