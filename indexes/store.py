"""Index files on disk: published whole or not at all, checked before they answer."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.base import METRIC, Index
from indexes.errors import IndexDamaged, IndexIncompatible, IndexMissing, VectorsInvalid
from indexes.manifest import REBUILD, Manifest, Origin, sha256_of

CURRENT = "CURRENT"
INDEX_FILE = "index.faiss"
MARKS_FILE = "marks.npy"
MANIFEST_FILE = "manifest.json"

_READ_ATTEMPTS = 5
_DRAFT_LIFE_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A published index with its manifest, and the marks of its vectors, shape ``(len(index),)``."""

    index: Index
    manifest: Manifest
    marks: NDArray[np.uint64]


class IndexStore:
    """Folder of published indexes: ``<root>/<space>/<generation>/``; ``<root>/<space>/CURRENT`` names one.

    A generation is written under a temporary name, flushed and renamed; renaming `CURRENT`
    publishes it. Whoever reads sees the old one or the new one, never a part.

    Parameters
    ----------
    root
        The folder; it is made with the first index.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def spaces(self) -> list[str]:
        """Return the spaces that have a published index."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{CURRENT}"))

    def publish(
        self,
        index: Index,
        origin: Origin,
        catalog_generation: int,
        marks: NDArray[np.uint64] | None = None,
        *,
        why: str = "",
    ) -> Manifest:
        """Write an index and put it in the place of the one before.

        Parameters
        ----------
        index, origin, catalog_generation
            The index, and what its manifest says of it.
        marks
            Shape ``(len(index),)``, in the order of ``index.ids``: a number for each vector that changes
            when what it was made from does. Zeros where there are none.
        why
            Why the index is of its kind.

        Raises
        ------
        VectorsInvalid
            Where there is not one mark for each vector.

        Returns
        -------
        Manifest
            As it was written beside the index.
        """
        beside = np.zeros(len(index), np.uint64) if marks is None else np.asarray(marks, dtype=np.uint64)
        if beside.shape != (len(index),):
            raise VectorsInvalid(f"{len(index)} vectors need as many marks, not shape {beside.shape}")
        folder = self.root / origin.space
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        draft = folder / f".draft-{uuid.uuid4().hex}"
        draft.mkdir()
        try:
            index.write(draft / INDEX_FILE)
            np.save(draft / MARKS_FILE, beside, allow_pickle=False)
            manifest = Manifest(
                origin=origin,
                catalog_generation=catalog_generation,
                kind=index.kind,
                metric=METRIC,
                count=len(index),
                dimension=index.dimension,
                sha256=sha256_of(draft / INDEX_FILE),
                marks_sha256=sha256_of(draft / MARKS_FILE),
                parameters=index.parameters,
                why=why,
            )
            manifest.write(draft / MANIFEST_FILE)
            for path in (draft / INDEX_FILE, draft / MARKS_FILE, draft / MANIFEST_FILE, draft):
                _flush(path)
            generation = _take_place(draft, folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _point(folder, generation)
        for old in _generations(folder):
            if old < generation:
                shutil.rmtree(folder / _name(old), ignore_errors=True)
        return manifest

    def manifest(self, space: str) -> Manifest:
        """Read the manifest of the published index, without opening the index.

        Raises
        ------
        IndexMissing, IndexDamaged
        """
        return Manifest.read(self._current(space) / MANIFEST_FILE)

    def open(self, space: str, expected: Origin | None = None) -> Opened:
        """Open the published index of a space after checking it.

        Parameters
        ----------
        space
            Name of the space.
        expected
            The origin that the caller's own vectors have; not compared where it is None.

        Raises
        ------
        IndexMissing
            Where none was published.
        IndexDamaged
            Where files are missing, or are not what their manifest says.
        IndexIncompatible
            Where the index comes from another catalog, extractor version or transform, or a later mir.
        """
        for attempt in range(_READ_ATTEMPTS):
            folder = self._current(space)
            try:
                return self._open(folder, expected)
            except FileNotFoundError as error:
                # A newer one may have been published, and this one removed, since CURRENT was read.
                moved_on = attempt + 1 < _READ_ATTEMPTS and self._current(space) != folder
                if not moved_on:
                    raise IndexDamaged(f"{error.filename or folder} is gone; {REBUILD}") from error
        raise IndexDamaged(f"the index of {space} in {self.root} keeps changing; {REBUILD}")

    def remove(self, space: str) -> None:
        """Remove a space's index; nothing happens where there is none."""
        shutil.rmtree(self.root / space, ignore_errors=True)

    def _current(self, space: str) -> Path:
        pointer = self.root / space / CURRENT
        try:
            name = pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise IndexMissing(f"no index of {space} in {self.root}; build one: mir index build") from None
        except ValueError as error:
            raise IndexDamaged(f"{pointer} is not readable; {REBUILD}") from error
        if not (name.isdigit() and name == _name(int(name))):
            raise IndexDamaged(f"{pointer} names {name!r}, which is no generation; {REBUILD}")
        return pointer.parent / name

    def _open(self, folder: Path, expected: Origin | None) -> Opened:
        from indexes import KINDS

        manifest = Manifest.read(folder / MANIFEST_FILE)
        if expected is not None:
            _compare(manifest.origin, expected)
        if manifest.metric != METRIC or manifest.kind not in KINDS:
            raise IndexIncompatible(f"{manifest.kind} with {manifest.metric} is unknown here; {REBUILD}")
        path = folder / INDEX_FILE
        for name, sha256 in ((INDEX_FILE, manifest.sha256), (MARKS_FILE, manifest.marks_sha256)):
            if sha256_of(folder / name) != sha256:
                raise IndexDamaged(f"{folder / name} is not the file its manifest names; {REBUILD}")
        index = KINDS[manifest.kind].read(path)
        if (len(index), index.dimension) != (manifest.count, manifest.dimension):
            raise IndexDamaged(
                f"{path} holds {len(index)} vectors of {index.dimension}, its manifest says {manifest.count} "
                f"of {manifest.dimension}; {REBUILD}"
            )
        return Opened(index, manifest, np.load(folder / MARKS_FILE, allow_pickle=False))


def _compare(found: Origin, expected: Origin) -> None:
    for name in ("catalog_id", "space", "version", "transform_id"):
        theirs, ours = getattr(found, name), getattr(expected, name)
        if theirs != ours:
            raise IndexIncompatible(
                f"the index of {expected.space} has {name} {theirs!r}, the catalog has {ours!r}; {REBUILD}"
            )


def _name(generation: int) -> str:
    return f"{generation:06d}"


def _generations(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def _sweep(folder: Path) -> None:
    """Remove what builders that were killed left behind; a builder at work is younger than that."""
    for path in folder.glob(".draft-*"):
        if time.time() - path.stat().st_mtime > _DRAFT_LIFE_S:
            shutil.rmtree(path, ignore_errors=True)


def _take_place(draft: Path, folder: Path) -> int:
    """Rename the draft to the next free generation; another builder may take one at the same moment."""
    while True:
        generation = max(_generations(folder), default=0) + 1
        try:
            draft.rename(folder / _name(generation))
        except OSError:
            if not (folder / _name(generation)).exists():
                raise
        else:
            return generation


def _point(folder: Path, generation: int) -> None:
    draft = folder / f".current-{uuid.uuid4().hex}"
    draft.write_text(_name(generation) + "\n", encoding="ascii")
    _flush(draft)
    draft.replace(folder / CURRENT)
    _flush(folder)


def _flush(path: Path) -> None:
    """Have the system write a file, or a folder's entries, to disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no handle on a folder to flush
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
