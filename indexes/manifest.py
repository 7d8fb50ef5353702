"""The note that lies beside every index: whose vectors these are, and how to tell that the file is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

from indexes.errors import IndexDamaged

FORMAT: Final = 2
"""Version of the manifest itself."""

_ADDED_IN_2: Final = {"parameters": {}, "why": ""}
"""What manifests of format 1 lack; they are read as if they had it."""

REBUILD: Final = "build it again: mir index build"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an index's vectors come from; an index whose origin differs cannot answer for the catalog.

    Parameters
    ----------
    catalog_id
        The catalog's own name, made when the catalog was.
    space
        Name of the space.
    version
        Version of the extractor.
    transform_id
        Name of the transform between descriptors and vectors.
    """

    catalog_id: str
    space: str
    version: int
    transform_id: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is checked before an index answers.

    Parameters
    ----------
    origin
        Whose vectors these are.
    catalog_generation
        State of the catalog when it was read; a later state makes the index stale, not wrong.
    kind
        Class of the index (``exact``, ``hnsw``, ``ivf-pq``).
    metric
        ``inner_product``.
    count, dimension
        Vectors and their length.
    sha256, marks_sha256
        Checksums of the index file and of the marks beside it, 64 hexadecimal digits.
    parameters
        What the index was built with and what was measured of it, by name; empty for an exact one.
    why
        Why it is of this kind, in a sentence.
    """

    origin: Origin
    catalog_generation: int
    kind: str
    metric: str
    count: int
    dimension: int
    sha256: str
    marks_sha256: str
    parameters: dict[str, float]
    why: str

    def write(self, path: Path) -> None:
        """Write as JSON."""
        plain = {"format": FORMAT, **asdict(self)}
        path.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises
        ------
        IndexDamaged
            Where it is no manifest of ours.
        """
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise IndexDamaged(f"{path} is no JSON; {REBUILD}") from error
        if not isinstance(plain, dict) or (form := plain.pop("format", None)) not in (1, FORMAT):
            raise IndexDamaged(f"{path} is no manifest of format 1 or {FORMAT}; {REBUILD}")
        if form == 1:
            plain |= _ADDED_IN_2
        try:
            manifest = cls(**{**plain, "origin": Origin(**plain["origin"])})
        except (KeyError, TypeError) as error:
            raise IndexDamaged(f"{path} lacks a field or has one too many ({error}); {REBUILD}") from error
        for each in fields(manifest):
            value = getattr(manifest, each.name)
            if each.type in ("int", "str") and type(value).__name__ != each.type:
                raise IndexDamaged(f"{path}: {each.name} is {value!r}, which is no {each.type}; {REBUILD}")
        if not isinstance(manifest.parameters, dict):
            raise IndexDamaged(f"{path}: parameters are {manifest.parameters!r}, which are no names; {REBUILD}")
        return manifest


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
