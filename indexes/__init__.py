"""Vectors in, neighbours out: inner product on unit vectors, found again by the caller's own ids.

Importing this package loads numpy alone; FAISS comes with the first index that is made or opened.
"""

from __future__ import annotations

from indexes.base import METRIC, Index, Neighbours
from indexes.choice import Choice, choose
from indexes.exact import ExactIndex
from indexes.hnsw import HnswIndex
from indexes.ivf import IvfPqIndex
from indexes.manifest import Manifest, Origin
from indexes.store import IndexStore

KINDS: dict[str, type[Index]] = {kind.kind: kind for kind in (ExactIndex, HnswIndex, IvfPqIndex)}
"""Every index class by the name that manifests call it."""

__all__ = [
    "KINDS",
    "METRIC",
    "Choice",
    "ExactIndex",
    "HnswIndex",
    "Index",
    "IndexStore",
    "IvfPqIndex",
    "Manifest",
    "Neighbours",
    "Origin",
    "choose",
]
