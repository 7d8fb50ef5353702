"""The catalog: one DuckDB file that holds all that is known of a library.

DuckDB gives one writer process or several readers, never both; so no connection outlives one commit or
one query.
"""

from __future__ import annotations

from mir.catalog.store import Catalog, Identity, create_catalog, open_catalog

__all__ = ["Catalog", "Identity", "create_catalog", "open_catalog"]
