"""Files appear whole or not at all: they are written under hidden names that tell whose they are."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

UNFINISHED = ".unfinished"
_NAME = re.compile(r"\.(\d+)-\w+\.unfinished(\.\w+)?")
"""A suffix more has what an engine of its own keeps beside a file at work, as a catalog's log."""


def unfinished_name(target: Path) -> Path:
    """Return a hidden name beside `target` that no other writer has."""
    return target.with_name(f".{os.getpid()}-{os.urandom(4).hex()}{UNFINISHED}")


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give the name to write under; what is there when the block ends takes the place of `target`, or nothing does.

    It is on the disk before it takes the name: a machine that loses its power keeps the old file or the new one. The
    name has no suffix to tell a format from, so that who writes there names the format.
    """
    temporary = unfinished_name(target)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a file in UTF-8, all of it or nothing."""
    with whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Make a hidden folder in `beside` for what is thrown away when the block ends."""
    beside.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=f".{os.getpid()}-", suffix=UNFINISHED, dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what processes that are no more (killed, or lost with the power) have left unfinished in a folder."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is None or _lives(int(match.group(1))):
            continue
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no process number at all
        return True
    return True
