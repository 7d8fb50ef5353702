"""FAISS's own files, read with our errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from indexes.errors import IndexDamaged
from indexes.manifest import REBUILD


def read_faiss(path: Path, flags: int = 0) -> Any:  # noqa: ANN401 - FAISS's classes have no types
    """Read an index of any of FAISS's classes.

    Raises
    ------
    IndexDamaged
        Where FAISS makes nothing of the file.
    FileNotFoundError
        Where there is no file.
    """
    import faiss

    try:
        return faiss.read_index(str(path), flags)
    except RuntimeError as error:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
        raise IndexDamaged(f"{path} is no FAISS index; {REBUILD}") from error
