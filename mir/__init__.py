"""mir: take a music library apart and make the parts searchable.

`import mir` costs nothing; what a call needs is loaded when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mir.catalog import Catalog

__version__ = "0.1.0"
__all__ = ["__version__", "open_catalog"]


def open_catalog(path: str | Path) -> Catalog:
    """Open an existing catalog; no connection is held between calls.

    Raises
    ------
    CatalogMissing
        Where there is no catalog at `path`.
    """
    from mir.catalog import open_catalog as open_

    return open_(path)
