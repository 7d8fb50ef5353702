"""mir: take a music library apart and make the parts searchable.

`import mir` costs nothing; what a call needs is loaded when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mir.catalog import Catalog
    from mir.export import Export

__version__ = "0.1.0"
__all__ = ["__version__", "open_catalog", "open_export"]


def open_catalog(path: str | Path) -> Catalog:
    """Open an existing catalog; no connection is held between calls.

    Raises
    ------
    CatalogMissing
        Where there is no catalog at `path`.
    """
    from mir.catalog import open_catalog as open_

    return open_(path)


def open_export(address: str | Path) -> Export:
    """Open an export of `mir export parquet`: a folder, or an address that fsspec knows (``s3://bucket/export``).

    Raises
    ------
    CatalogMissing, ArtifactRefused, ExtraMissing
        Where there is none, its files are not those of its manifest, or the address needs a package.
    """
    from mir.export import open_export as open_

    return open_(address)
