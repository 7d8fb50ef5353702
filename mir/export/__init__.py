"""The catalog as Parquet files: written with a manifest, and asked in SQL wherever they lie."""

from __future__ import annotations

from mir.export.manifest import Manifest
from mir.export.reading import Export, open_export
from mir.export.writing import PARTITIONS, Partition, export_parquet

__all__ = ["PARTITIONS", "Export", "Manifest", "Partition", "export_parquet", "open_export"]
