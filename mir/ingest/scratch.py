"""A run's temporary folder: stems on their way to the workers. A dead run's folder is removed by the next run."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
PREFIX = "mir-ingest-"

logger = logging.getLogger("mir.ingest")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a temporary folder for the block, after removing those that killed runs left behind.

    The folder exists only while the run holds a lock on the file beside it; the system drops a dead process's
    lock.
    """
    base = Path(tempfile.gettempdir())
    remove_stale(base)
    folder = base / f"{PREFIX}{uuid4().hex}"
    lock_path = folder.with_suffix(".lock")
    with lock_path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock_path.unlink(missing_ok=True)


def remove_stale(base: Path) -> int:
    """Remove the folders of runs that are no more; returns how many."""
    removed = 0
    for folder in base.glob(f"{PREFIX}*"):
        if not folder.is_dir():
            continue
        lock_path = folder.with_suffix(".lock")
        with suppress(OSError):  # another user's, or still running
            with lock_path.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                lock_path.unlink(missing_ok=True)
            removed += 1
            logger.info("removed %s, left behind by a run that was killed", folder)
    return removed


def write_signals(folder: Path, signals: Mapping[str, Samples]) -> None:
    """Write each signal as ``<name>.npy`` into `folder`, which is made.

    Raises
    ------
    OSError
        ``ENOSPC`` where the temporary folder has no room, with what to do.
    """
    folder.mkdir()
    try:
        for name, y in signals.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(y, dtype=np.float32), allow_pickle=False)
    except OSError as error:
        size_mb = sum(y.size for y in signals.values()) * 4 / 1e6
        # numpy reports a short write without the error number
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "requested and" in str(error):
            shutil.rmtree(folder, ignore_errors=True)
            where = folder.parent.parent
            raise OSError(
                errno.ENOSPC,
                f"no room for {size_mb:.0f} MB of stems in {where}; free some space or set TMPDIR",
                os.fspath(where),
            ) from error
        raise


def read_signals(folder: Path) -> dict[str, Samples]:
    """Map the signals of `folder` into memory: float32 ``(n_channels, n_samples)``; changes stay private."""
    return {
        path.stem: np.asarray(np.load(path, mmap_mode="c", allow_pickle=False)) for path in sorted(folder.glob("*.npy"))
    }
