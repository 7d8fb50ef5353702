"""The pipeline: one separator, N workers, one writer; every track is committed as soon as it is measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from features import EXTRACTORS
from mir.analysis import MIXTURE, Describe
from mir.catalog.queries import done as done_spaces
from mir.ingest.commits import Commits, Track
from mir.ingest.listening import Sound
from mir.ingest.plan import Job, Plan, Wanted
from mir.ingest.report import IngestReport, Listener
from mir.ingest.scratch import scratch_folder, write_signals
from mir.ingest.separators import SeparatorLike, SeparatorSource
from mir.ingest.source import Broken, Known, Ready, Source, ahead, reason
from mir.ingest.workers import Task, Workers
from mir.ingest.writing import Writer

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger("mir.ingest")


@dataclass(slots=True)
class Pipeline:
    """Works off a plan: separates here, has measured in processes, and committed in a thread.

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
    writer: Writer = field(default_factory=Writer)
    commits: Commits = field(init=False)
    separator: SeparatorLike | None = None
    tracks: dict[int, Track] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the books that the writer keeps: they are its thread's alone, but when it has nothing to do."""
        total = len(self.plan.jobs)
        self.commits = Commits(self.catalog, self.report, self.listener, total, self.started, self.writer.stopped)

    def run(self, n_workers: int) -> None:
        """Do all jobs; a track that another file's change made the catalog drop meanwhile is done anew."""
        numbers = count()
        # longest first, so that no worker is left alone with a long track at the end
        jobs: Sequence[Job] = sorted(self.plan.jobs, key=lambda job: -job.file.size)
        with (
            scratch_folder() as scratch,
            self.writer,
            Workers(min(n_workers, len(jobs)), self.describe) as crew,
        ):
            while jobs:
                self.round(jobs, numbers, scratch, crew)
                self.writer.drain()
                jobs, self.commits.lost = self.commits.lost, []
                if jobs:
                    self.plan.done = done_spaces(self.catalog)

    def round(self, jobs: Sequence[Job], numbers: count[int], scratch: Path, crew: Workers) -> None:
        """Go through the jobs once."""
        twins: list[Known] = []
        with closing(ahead(jobs, Source(self.plan, self.wanted).prepare)) as items:
            for item in items:
                began = time.monotonic()
                if isinstance(item, Broken):
                    self.writer.do(partial(self.commits.fail, item.job.file, item.error, began))
                elif not isinstance(item, Known):
                    self.analyse(item, scratch / str(next(numbers)), crew, began)
                elif item.in_this_run:
                    twins.append(item)
                else:
                    self.writer.do(partial(self.commits.known, item, began))
                del item
                self.take(crew)
        while crew.busy:
            self.take(crew, wait_s=None)
        for twin in twins:
            self.writer.do(partial(self.commits.known, twin, time.monotonic()))

    def analyse(self, ready: Ready, folder: Path, crew: Workers, began: float) -> None:
        """Separate, and hand the stems to a worker, waiting for a free one."""
        file = ready.job.file
        crew.prepare()
        self.writer.do(partial(self.commits.begin, file))
        separator = self.loaded() if self.separation_needed(ready) else None
        try:
            sound = ready.sound.result()
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one file's decoder bug stops no other file
            self.writer.do(partial(self.commits.fail, file, reason(file.path, error), began))
            return
        signals = {MIXTURE: sound.y}
        if separator is not None:
            try:
                signals |= separator.separate(sound.y, sound.sr)
            except Exception as error:
                logger.debug("%s", file.path, exc_info=True)
                why = f"separation failed: {type(error).__name__}: {error}"
                self.writer.do(partial(self.commits.fail, file, why, began, ready.audio_hash))
                return
        write_signals(folder, signals)
        while not crew.free:
            self.take(crew, wait_s=None)
        number = int(folder.name)
        silent = replace(sound, y=sound.y[:, :0].copy())
        self.tracks[number] = Track(ready.job, ready.audio_hash, ready.tags, silent, folder, began)
        keep = self.stems_folder(ready, sound)
        crew.give(Task(number, folder, sound.sr, self.wanted.source_id, ready.spaces, keep))

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

    def stems_folder(self, ready: Ready, sound: Sound) -> Path | None:
        """Folder in which a track's stems are kept, None where they are not."""
        if self.plan.kept is None:
            return None
        if sound.excerpt:
            logger.warning("%s is too long to keep its stems; `mir separate` writes them", ready.job.file.path)
            return None
        return stems_root(self.catalog.path) / ready.audio_hash

    def take(self, crew: Workers, wait_s: float | None = 0.0) -> None:
        """Have committed what workers have finished."""
        for outcome in crew.results(wait_s=wait_s):
            self.writer.do(partial(self.commits.measured, self.tracks.pop(outcome.number), outcome))


def _reads_stems(space: str) -> bool:
    return set(EXTRACTORS[space].stems) != {MIXTURE}


def stems_root(catalog_path: Path) -> Path:
    """Folder beside a catalog in which its stems are kept."""
    return catalog_path.with_name(f"{catalog_path.stem}.stems").absolute()
