"""From a job to samples: hash, tags, decoding; runs in a thread, one file ahead of separation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mir.catalog.records import Tags
from mir.ingest.listening import ANALYSIS_SR_HZ, Sound, listen
from mir.ingest.plan import Job, Plan, Wanted
from mir.tags import read_tags
from separation.audio import packet_hash
from separation.errors import SeparationError

__all__ = ["ANALYSIS_SR_HZ", "Broken", "Item", "Known", "Ready", "Source", "ahead"]

logger = logging.getLogger("mir.ingest")


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that lacks something: the spaces it lacks, and what it sounds like, which is being decoded."""

    job: Job
    audio_hash: str
    tags: Tags
    spaces: tuple[str, ...]
    sound: Future[Sound]


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose audio is in the catalog, or comes with another file of this run: path and tags are news."""

    job: Job
    audio_hash: str
    tags: Tags
    in_this_run: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that makes no sound."""

    job: Job
    error: str


Item = Ready | Known | Broken


class Source:
    """Prepares the files of a plan, each audio once.

    Parameters
    ----------
    plan, wanted
        What to do, and what a complete track has.
    """

    def __init__(self, plan: Plan, wanted: Wanted) -> None:
        self._plan = plan
        self._wanted = wanted
        self._claimed: set[str] = set()

    def missing(self, job: Job) -> tuple[str, tuple[str, ...], bool]:
        """Return the audio hash of a job's file, the spaces it lacks, and whether its stems are to be kept still.

        Raises
        ------
        SeparationError
            Where the file has no audio.
        """
        audio_hash = job.audio_hash or packet_hash(job.file.path)
        spaces = self._wanted.missing(self._plan.done.get(audio_hash, {}))
        return audio_hash, spaces, self._plan.kept is not None and audio_hash not in self._plan.kept

    def prepare(self, job: Job, decode: Callable[[Path], Future[Sound]]) -> Item:
        """Hash, read tags and have it decoded; never raises for what is wrong with the file."""
        path = Path(job.file.path)
        try:
            audio_hash, spaces, keep = self.missing(job)
            tags = read_tags(path)
            if audio_hash in self._claimed or not (spaces or keep):
                return Known(job, audio_hash, tags, in_this_run=audio_hash in self._claimed)
            self._claimed.add(audio_hash)
            return Ready(job, audio_hash, tags, spaces, decode(path))
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one file's trouble stops no other file
            return Broken(job, reason(path, error))


def reason(path: str | Path, error: Exception) -> str:
    """Why a file makes no sound, in words; a decoder's bug is logged for who looks for it."""
    if isinstance(error, SeparationError):
        return str(error)
    logger.debug("%s", path, exc_info=error)
    return f"{type(error).__name__}: {error}"


Prepare = Callable[[Job, Callable[[Path], Future[Sound]]], Item]


def ahead(jobs: Sequence[Job], prepare: Prepare) -> Generator[Item]:
    """Prepare and decode the jobs in order in a thread, one ahead of the consumer.

    What is to be done with a file is known before it is decoded: the separator can be loaded meanwhile.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="mir-decode")

    def decode(path: Path) -> Future[Sound]:
        return pool.submit(listen, path)

    try:
        coming = pool.submit(prepare, jobs[0], decode) if jobs else None
        for following in [*jobs[1:], None]:
            if coming is None:
                return
            item = coming.result()
            coming = None if following is None else pool.submit(prepare, following, decode)
            yield item
            del item
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
