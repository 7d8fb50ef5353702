"""Stems on demand: made once, kept on disk for a while, the least used thrown away first."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from mir.web.jobs import Job, Jobs
from mir.web.library import Track
from mir.web.work import SKETCH
from separation.publishing import UNFINISHED, sweep

logger = logging.getLogger(__name__)

GB: Final = 10**9


@dataclass(frozen=True, slots=True)
class Stems:
    """The stems of a track, as they lie in the cache.

    Parameters
    ----------
    folder
        Holds ``vocals.wav`` and ``vocals.png`` and so on.
    sketch
        As `mir.web.sketch.draw` made it.
    """

    folder: Path
    sketch: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """What the stems are called."""
        return tuple(self.sketch["stems"])

    def file(self, stem: str, suffix: str) -> Path | None:
        """Return a file of a stem; None where there is no such stem, whatever is asked for."""
        return self.folder / f"{stem}{suffix}" if stem in self.names else None


class StemCache:
    """Folders of stems, one a track and model.

    Parameters
    ----------
    folder
        Where they are; made when first needed.
    most_bytes
        What they may take together; the newest always stays.
    jobs
        Who makes them.
    model, source_id
        What separates; stems of another source are made anew.
    """

    def __init__(self, folder: Path, most_bytes: int, jobs: Jobs, model: str, source_id: str | None) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self.model = model
        self.source_id = source_id
        self._jobs = jobs
        self._tidying = threading.Lock()

    def find(self, track: Track) -> Stems | None:
        """Return a track's stems where they are there."""
        folder = self.folder / self._name(track)
        try:
            sketch = json.loads((folder / SKETCH).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        with suppress(OSError):
            os.utime(folder)
        return Stems(folder, sketch)

    def job(self, track: Track) -> Job | None:
        """Return who makes a track's stems, or failed to."""
        return self._jobs.of(self._name(track))

    def order(self, track: Track, kept: dict[str, str]) -> Job:
        """Have a track's stems made.

        Parameters
        ----------
        kept
            Stems of the present source that an ingest kept, by name.

        Raises
        ------
        QueueFull
            Where too much waits already.
        OSError
            Where the cache cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        scratch = Path(mkdtemp(prefix=f".{os.getpid()}-", suffix=UNFINISHED, dir=self.folder))
        target = self.folder / self._name(track)

        def finish(job: Job) -> None:
            try:
                if job.reason is None and not (target / SKETCH).exists():
                    shutil.rmtree(target, ignore_errors=True)
                    scratch.replace(target)
                    self._tidy(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

        arguments = {"path": track.path, "folder": str(scratch), "model": self.model, "kept": kept}
        try:
            job = self._jobs.submit("stems", target.name, arguments, finish)
        except BaseException:
            scratch.rmdir()
            raise
        if job.arguments is not arguments:  # it was being made already
            scratch.rmdir()
        return job

    def size_bytes(self) -> int:
        """Return what the cache takes."""
        return sum(size for _, _, size in self._folders())

    def _name(self, track: Track) -> str:
        return hashlib.sha256(f"{track.audio_hash}\0{self.source_id}".encode()).hexdigest()[:32]

    def _folders(self) -> list[tuple[float, Path, int]]:
        """Return when each folder was last used, and its bytes; the longest unused first."""
        found = []
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                with suppress(OSError):
                    if path.is_dir() and not path.name.startswith("."):
                        size = sum(file.stat().st_size for file in path.iterdir())
                        found.append((path.stat().st_mtime, path, size))
        return sorted(found)

    def _tidy(self, newest: Path) -> None:
        with self._tidying:
            folders = self._folders()
            total = sum(size for _, _, size in folders)
            for _, path, size in folders:
                if total <= self.most_bytes:
                    return
                if path != newest:
                    logger.info("the stem cache is full: %s is thrown away", path.name)
                    shutil.rmtree(path, ignore_errors=True)
                    total -= size
