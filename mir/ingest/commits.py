"""What becomes of each file: into the catalog and the report, and told to the listener; all in the writer's thread."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mir.catalog import Catalog
from mir.catalog.commit import commit_failure, commit_file, commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord
from mir.errors import MirError, NotInCatalog
from mir.ingest.listening import Sound
from mir.ingest.plan import Job
from mir.ingest.report import Event, EventState, IngestReport, Listener
from mir.ingest.source import Known
from mir.ingest.workers import Outcome
from mir.ingest.writing import written
from mir.scan import Failure

if TYPE_CHECKING:
    from mir.transforms import Transform

TRY_S = 1.0
"""How long one try to write waits for the catalog's lock."""

logger = logging.getLogger("mir.ingest")


@dataclass(frozen=True, slots=True)
class Track:
    """A track that a worker has; the samples of `sound` are gone already.

    Parameters
    ----------
    folder
        Where its signals lie.
    began
        When (`time.monotonic`).
    """

    job: Job
    audio_hash: str
    tags: Tags
    sound: Sound
    folder: Path
    began: float


@dataclass(slots=True)
class Commits:
    """Commits one file after the other, each by a transaction of its own.

    Parameters
    ----------
    catalog
        Where to write. It is tried for as long as it is kept busy, see `writing`.
    report
        Filled in as files are finished.
    listener
        Told of each file, after its commit.
    total
        Files of the run.
    started
        Start of the run (`time.monotonic`), for the speed that is reported.
    stopped
        Set where commits are no longer wanted.
    failed
        Reasons, by audio hash, of what failed in this run.
    lost
        Jobs of known audio that the catalog no longer had.
    """

    catalog: Catalog
    report: IngestReport
    listener: Listener | None
    total: int
    started: float
    stopped: threading.Event
    failed: dict[str, str] = field(default_factory=dict)
    lost: list[Job] = field(default_factory=list)
    finished: int = 0
    transforms: dict[str, Transform] = field(default_factory=dict)
    _hasty: Catalog = field(init=False)

    def __post_init__(self) -> None:
        """Let a try to write be short: between two of them `stopped` is looked at."""
        self._hasty = Catalog(self.catalog.path, wait_s=min(TRY_S, self.catalog.wait_s))

    def begin(self, file: FileStat) -> None:
        """Tell that a file's separation begins."""
        self._tell(file, "started", 0.0, 0.0, None)

    def measured(self, track: Track, outcome: Outcome) -> None:
        """Write one track; it failed where nothing of it could be measured."""
        shutil.rmtree(track.folder, ignore_errors=True)
        file, audio_hash = track.job.file, track.audio_hash
        if outcome.error is not None:
            self.fail(file, outcome.error, track.began, audio_hash)
            return
        results = tuple(self._embedded(result) for result in outcome.results)
        record = TrackRecord(
            audio_hash=audio_hash,
            file=file,
            tags=track.tags,
            duration_s=track.sound.duration_s,
            sample_rate_hz=track.sound.sample_rate_hz,
            n_channels=track.sound.n_channels,
            codec=track.sound.codec,
            stems=outcome.stems,
            results=results,
        )
        try:
            self._written(lambda: commit_track(self._hasty, record))
        except ValueError as error:
            if isinstance(error, MirError):
                raise
            self.fail(file, f"its results cannot be stored: {error}", track.began, audio_hash)
            return
        self.report.audio_s += track.sound.duration_s
        reasons = [result.reason or "nothing could be measured" for result in results if result.state == "failed"]
        if results and len(reasons) == len(results):
            self.failed[audio_hash] = reasons[0]
            self._say(file, "failed", track.began, track.sound.duration_s, reasons[0])
        else:
            self.report.ingested += 1
            self._say(file, "ok", track.began, track.sound.duration_s)

    def known(self, item: Known, began: float) -> None:
        """Known audio: take its path and tags; where it failed in this run, so did this file."""
        file, audio_hash, tags = item.job.file, item.audio_hash, item.tags
        if item.in_this_run and audio_hash in self.failed:
            self.fail(file, self.failed[audio_hash], began)
            return
        try:
            self._written(lambda: commit_file(self._hasty, file, audio_hash, tags))
        except NotInCatalog:  # its last other file got new content a moment ago (files that changed names in a ring)
            self.lost.append(replace(item.job, audio_hash=audio_hash))
            return
        self.report.retagged += 1
        self._say(file, "retagged", began)

    def fail(self, file: FileStat, reason: str, began: float, audio_hash: str | None = None) -> None:
        """Keep a file's failure in the catalog."""
        if audio_hash is not None:
            self.failed[audio_hash] = reason
        self._written(lambda: commit_failure(self._hasty, file, reason))
        self._say(file, "failed", began, error=reason)

    def _written(self, commit: Callable[[], object]) -> None:
        written(self.catalog.path, commit, self.stopped)

    def _embedded(self, result: SpaceResult) -> SpaceResult:
        """Add the vector that the catalog's transform makes of a descriptor."""
        if result.state != "ok" or result.descriptor is None:
            return result
        if result.space not in self.transforms:
            from mir.spaces import current_transform

            self.transforms[result.space] = current_transform(self.catalog, result.space)
        transform = self.transforms[result.space]
        vector = np.asarray(transform.apply(result.descriptor[None, :])[0], dtype=np.float32)
        return replace(result, vector=vector, transform_id=transform.transform_id)

    def _say(
        self, file: FileStat, state: EventState, began: float, audio_s: float = 0.0, error: str | None = None
    ) -> None:
        """Count a finished file and tell the listener."""
        self.finished += 1
        if error is not None:
            self.report.failed.append(Failure(file.path, error))
            logger.info("%s: %s", file.path, error)
        self._tell(file, state, time.monotonic() - began, audio_s, error)

    def _tell(self, file: FileStat, state: EventState, seconds: float, audio_s: float, error: str | None) -> None:
        """Tell the listener, if there is one."""
        if self.listener is not None:
            speed = self.report.audio_s / max(time.monotonic() - self.started, 1e-9)
            self.listener(Event(file.path, state, seconds, audio_s, error, self.finished, self.total, speed))
