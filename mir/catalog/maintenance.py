"""Backups and compaction. Both hold a reader's lock, so that no other process writes meanwhile."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mir.catalog import engine, lock
from mir.errors import BadRequest
from separation.publishing import sweep, unfinished_name

if TYPE_CHECKING:
    from mir.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class Compaction:
    """Size of the file before and after, in bytes."""

    before_bytes: int
    after_bytes: int


def settle(catalog: Catalog) -> None:
    """Write what a killed process left in the log into the file itself."""
    if _log(catalog.path).exists():
        with lock.connection(catalog.path, "write", catalog.wait_s) as con:
            con.execute("CHECKPOINT")


def backup(catalog: Catalog, target: Path | None = None) -> Path:
    """Copy the catalog to `target` (default: beside it, with a number) and return where the copy lies.

    A file that is there is kept: the copy takes the next free name.

    Raises
    ------
    BadRequest
        Where the folder of `target` is not there.
    """
    wanted = target if target is not None else catalog.path.with_name(f"{catalog.path.name}.backup-1")
    if not wanted.parent.is_dir():
        raise BadRequest(f"no folder {wanted.parent} for the backup; create it first")
    settle(catalog)
    sweep(wanted.parent)
    temporary = unfinished_name(wanted)
    try:
        with lock.connection(catalog.path, "read", catalog.wait_s):
            shutil.copyfile(catalog.path, temporary)  # the end of this copy gives up the lock, and only then
        return _place(temporary, wanted)
    finally:
        temporary.unlink(missing_ok=True)


def compact(catalog: Catalog) -> Compaction:
    """Write the catalog anew, without the room that deleted rows left, and without what stood there.

    A reader in another process goes on with the old file; a writer waits, and then finds the new one.
    """
    settle(catalog)
    path = catalog.path
    sweep(path.parent)
    temporary = unfinished_name(path)
    try:
        with lock.connection(path, "read", catalog.wait_s) as con:
            before = path.stat().st_size
            name = con.execute("SELECT current_database()").fetchone()
            con.execute(f"ATTACH {engine.quoted(temporary)} AS compacted")
            con.execute(f'COPY FROM DATABASE "{name[0] if name else ""}" TO compacted')
            con.execute("DETACH compacted")
            temporary.replace(path)  # while the lock is held: a writer must not come between
        return Compaction(before, path.stat().st_size)
    finally:
        for leftover in (temporary, _log(temporary)):
            leftover.unlink(missing_ok=True)


def _place(temporary: Path, wanted: Path) -> Path:
    stem, _, number = wanted.name.rpartition("-")
    start = int(number) if stem and number.isdigit() else 0
    candidate = wanted
    while True:
        with suppress(FileExistsError):
            os.link(temporary, candidate)
            return candidate
        start += 1
        candidate = wanted.with_name(f"{stem}-{start}" if stem and number.isdigit() else f"{wanted.name}-{start}")


def _log(path: Path) -> Path:
    return path.with_name(path.name + ".wal")
