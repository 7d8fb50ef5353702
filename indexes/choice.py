"""Which kind of index so many vectors want, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from indexes.exact import ExactIndex
from indexes.hnsw import HnswIndex
from indexes.ivf import IvfPqIndex

EXACT_UP_TO: Final = 200_000
"""So many vectors are compared one by one in a few milliseconds."""

MEMORY_SHARE: Final = 0.25
"""Part of the machine's memory that one index may take."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of index, as manifests call it, and a sentence that says why."""

    kind: str
    why: str


def choose(n: int, dimension: int, memory_bytes: int | None) -> Choice:
    """Choose the kind for `n` vectors.

    Parameters
    ----------
    n, dimension
        How many vectors there are, and how long they are.
    memory_bytes
        Memory of the machine; taken to be enough where None.

    Examples
    --------
    >>> choose(1_000_000, 64, 16 << 30)
    Choice(kind='hnsw', why='1,000,000 vectors are more than 200,000, and 0.4 GB of memory is there for them')
    """
    if n <= EXACT_UP_TO:
        return Choice(ExactIndex.kind, f"{n:,} vectors: up to {EXACT_UP_TO:,} every one is compared")
    many = f"{n:,} vectors are more than {EXACT_UP_TO:,}"
    needed = n * HnswIndex.bytes_per_vector(dimension)
    if memory_bytes is None or needed <= MEMORY_SHARE * memory_bytes:
        return Choice(HnswIndex.kind, f"{many}, and {needed / 1e9:.1f} GB of memory is there for them")
    return Choice(
        IvfPqIndex.kind,
        f"{many}, and {needed / 1e9:.1f} GB is more than {MEMORY_SHARE:.0%} of {memory_bytes / 1e9:.1f} GB of memory",
    )
