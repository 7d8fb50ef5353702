"""The pipeline: one separator, N workers, one writer; every track is committed as soon as it is measured."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features import EXTRACTORS
from mir.analysis import MIXTURE, Describe
from mir.catalog.commit import commit_failure, commit_file, commit_track
from mir.catalog.queries import done as done_spaces
from mir.catalog.records import FileStat, SpaceResult, TrackRecord
from mir.errors import MirError, NotInCatalog
from mir.ingest.plan import Job, Plan, Wanted
from mir.ingest.report import Event, EventState, IngestReport, Listener
from mir.ingest.scratch import scratch_folder, write_signals
from mir.ingest.separators import SeparatorLike, SeparatorSource
from mir.ingest.source import Broken, Known, Ready, Source, ahead
from mir.ingest.workers import Outcome, Task, Workers
from mir.ingest.writing import written
from mir.scan import Failure

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.transforms import Transform

logger = logging.getLogger("mir.ingest")


@dataclass(frozen=True, slots=True)
class Track:
    """A track that a worker has; the samples of `ready` are gone already."""

    ready: Ready
    folder: Path
    began: float


@dataclass(slots=True)
class Pipeline:
    """Works off a plan.

    Parameters
    ----------
    catalog, plan, wanted
        Where to write, what to do, and what a complete track has.
    source
        The separator, loaded with the first track that needs it.
    describe
        What workers run.
    report
        Filled in as files are finished.
    listener
        Told of each finished file.
    started
        Start of the run (`time.monotonic`), for the speed that is reported.
    """

    catalog: Catalog
    plan: Plan
    wanted: Wanted
    source: SeparatorSource
    describe: Describe
    report: IngestReport
    listener: Listener | None
    started: float
    separator: SeparatorLike | None = None
    tracks: dict[int, Track] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    lost: list[Job] = field(default_factory=list)
    finished: int = 0
    transforms: dict[str, Transform] = field(default_factory=dict)

    def run(self, n_workers: int) -> None:
        """Do all jobs; a track that another file's change made the catalog drop meanwhile is done anew."""
        numbers = count()
        # longest first, so that no worker is left alone with a long track at the end
        jobs: Sequence[Job] = sorted(self.plan.jobs, key=lambda job: -job.file.size)
        with scratch_folder() as scratch, Workers(n_workers, self.describe) as crew:
            while jobs:
                self.round(jobs, numbers, scratch, crew)
                jobs, self.lost = self.lost, []
                if jobs:
                    self.plan.done = done_spaces(self.catalog)

    def round(self, jobs: Sequence[Job], numbers: count[int], scratch: Path, crew: Workers) -> None:
        """Go through the jobs once."""
        twins: list[Known] = []
        with closing(ahead(jobs, Source(self.plan, self.wanted).prepare)) as items:
            for item in items:
                began = time.monotonic()
                if isinstance(item, Broken):
                    self.fail(item.job.file, item.error, began)
                elif not isinstance(item, Known):
                    self.analyse(item, scratch / str(next(numbers)), crew, began)
                elif item.in_this_run:
                    twins.append(item)
                else:
                    self.retag(item, began)
                del item
                self.take(crew.results())
        while crew.busy:
            self.take(crew.results(wait_s=None))
        for twin in twins:
            if twin.audio_hash in self.failed:
                self.fail(twin.job.file, self.failed[twin.audio_hash], time.monotonic())
            else:
                self.retag(twin, time.monotonic())

    def analyse(self, ready: Ready, folder: Path, crew: Workers, began: float) -> None:
        """Separate, and hand the stems to a worker, waiting for a free one."""
        crew.prepare()
        self.tell(ready.job.file, "started", 0.0, 0.0, None)
        signals = {MIXTURE: ready.sound.y}
        if self.separation_needed(ready):
            separator = self.loaded()
            try:
                signals |= separator.separate(ready.sound.y, ready.sound.sr)
            except Exception as error:
                logger.debug("%s", ready.job.file.path, exc_info=True)
                reason = f"separation failed: {type(error).__name__}: {error}"
                self.fail(ready.job.file, reason, began, ready.audio_hash)
                return
        write_signals(folder, signals)
        keep = self.stems_folder(ready)
        while not crew.free:
            self.take(crew.results(wait_s=None))
        number = int(folder.name)
        silent = replace(ready.sound, y=ready.sound.y[:, :0].copy())
        self.tracks[number] = Track(replace(ready, sound=silent), folder, began)
        crew.give(Task(number, folder, ready.sound.sr, self.wanted.source_id, ready.spaces, keep))

    def separation_needed(self, ready: Ready) -> bool:
        """Tell whether a wanted space reads a stem, or the stems themselves are wanted.

        They are, too, where no space hears what the model gives: their levels are all that is known of them.
        """
        kept, only_levels = self.plan.kept is not None, not any(map(_reads_stems, self.wanted.spaces))
        return kept or only_levels or any(map(_reads_stems, ready.spaces))

    def loaded(self) -> SeparatorLike:
        """Return the separator, loaded once."""
        if self.separator is None:
            self.separator = self.source.load()
        return self.separator

    def stems_folder(self, ready: Ready) -> Path | None:
        """Folder in which a track's stems are kept, None where they are not."""
        if self.plan.kept is None:
            return None
        if ready.sound.excerpt:
            logger.warning("%s is too long to keep its stems; `mir separate` writes them", ready.job.file.path)
            return None
        return stems_root(self.catalog.path) / ready.audio_hash

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Commit what workers have finished."""
        for outcome in outcomes:
            track = self.tracks.pop(outcome.number)
            shutil.rmtree(track.folder, ignore_errors=True)
            if outcome.error is not None:
                self.fail(track.ready.job.file, outcome.error, track.began, track.ready.audio_hash)
            else:
                self.commit(track, outcome)

    def commit(self, track: Track, outcome: Outcome) -> None:
        """Write one track; it failed where nothing of it could be measured."""
        ready, file = track.ready, track.ready.job.file
        results = tuple(self.embedded(result) for result in outcome.results)
        record = TrackRecord(
            audio_hash=ready.audio_hash,
            file=file,
            tags=ready.tags,
            duration_s=ready.sound.duration_s,
            sample_rate_hz=ready.sound.sample_rate_hz,
            n_channels=ready.sound.n_channels,
            codec=ready.sound.codec,
            stems=outcome.stems,
            results=results,
        )
        try:
            written(self.catalog.path, lambda: commit_track(self.catalog, record))
        except ValueError as error:
            if isinstance(error, MirError):
                raise
            self.fail(file, f"its results cannot be stored: {error}", track.began, ready.audio_hash)
            return
        self.report.audio_s += ready.sound.duration_s
        reasons = [result.reason or "nothing could be measured" for result in results if result.state == "failed"]
        if results and len(reasons) == len(results):
            self.failed[ready.audio_hash] = reasons[0]
            self.say(file, "failed", track.began, ready.sound.duration_s, reasons[0])
        else:
            self.report.ingested += 1
            self.say(file, "ok", track.began, ready.sound.duration_s)

    def embedded(self, result: SpaceResult) -> SpaceResult:
        """Add the vector that the catalog's transform makes of a descriptor."""
        if result.state != "ok" or result.descriptor is None:
            return result
        if result.space not in self.transforms:
            from mir.spaces import current_transform

            self.transforms[result.space] = current_transform(self.catalog, result.space)
        transform = self.transforms[result.space]
        vector = np.asarray(transform.apply(result.descriptor[None, :])[0], dtype=np.float32)
        return replace(result, vector=vector, transform_id=transform.transform_id)

    def retag(self, item: Known, began: float) -> None:
        """Known audio: take its path and tags."""
        file, audio_hash, tags = item.job.file, item.audio_hash, item.tags
        try:
            written(self.catalog.path, lambda: commit_file(self.catalog, file, audio_hash, tags))
        except NotInCatalog:  # its last other file got new content a moment ago (files that changed names in a ring)
            self.lost.append(replace(item.job, audio_hash=audio_hash))
            return
        self.report.retagged += 1
        self.say(file, "retagged", began)

    def fail(self, file: FileStat, reason: str, began: float, audio_hash: str | None = None) -> None:
        """Keep a file's failure in the catalog."""
        if audio_hash is not None:
            self.failed[audio_hash] = reason
        written(self.catalog.path, lambda: commit_failure(self.catalog, file, reason))
        self.say(file, "failed", began, error=reason)

    def say(
        self, file: FileStat, state: EventState, began: float, audio_s: float = 0.0, error: str | None = None
    ) -> None:
        """Count a finished file and tell the listener."""
        self.finished += 1
        if error is not None:
            self.report.failed.append(Failure(file.path, error))
            logger.info("%s: %s", file.path, error)
        self.tell(file, state, time.monotonic() - began, audio_s, error)

    def tell(self, file: FileStat, state: EventState, seconds: float, audio_s: float, error: str | None) -> None:
        """Tell the listener, if there is one."""
        if self.listener is not None:
            speed = self.report.audio_s / max(time.monotonic() - self.started, 1e-9)
            total = len(self.plan.jobs)
            self.listener(Event(file.path, state, seconds, audio_s, error, self.finished, total, speed))


def _reads_stems(space: str) -> bool:
    return set(EXTRACTORS[space].stems) != {MIXTURE}


def stems_root(catalog_path: Path) -> Path:
    """Folder beside a catalog in which its stems are kept."""
    return catalog_path.with_name(f"{catalog_path.stem}.stems").absolute()
