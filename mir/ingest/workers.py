"""Feature workers: spawned processes that measure stems; the death of one is one track's failure."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mir.analysis import Describe
from mir.catalog.records import SpaceResult, StemRow
from mir.errors import MirError
from mir.ingest.scratch import read_signals
from separation.processes import Crew, Death, guard_missing, serving

Samples = NDArray[np.float32]

_POOLS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
ONE_THREAD = dict.fromkeys(_POOLS, "1")
"""A worker is one of several: its libraries' own thread pools would only fight over the cores."""

LIBRARIES = ("scipy.fft", "scipy.ndimage", "scipy.signal", "soxr")
"""What extractors load when they first need it."""


class WorkersUnavailable(MirError, RuntimeError):
    """Feature workers end before they have begun."""


@dataclass(frozen=True, slots=True)
class Task:
    """One track for a worker: where its signals lie, what to measure, where to keep its stems (if at all)."""

    number: int
    folder: Path
    sr: int
    source_id: str
    spaces: tuple[str, ...]
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker made of a task; `error` where it made nothing."""

    number: int
    stems: tuple[StemRow, ...] = ()
    results: tuple[SpaceResult, ...] = ()
    error: str | None = None


class Workers:
    """At most `n` processes that measure, each started when it is needed or soon will be.

    Parameters
    ----------
    n
        How many.
    describe
        A function of a module (it is found by name in the worker): `mir.analysis.describe`.
    """

    def __init__(self, n: int, describe: Describe) -> None:
        self._crew: Crew[Task, Outcome] = Crew(n, _serve, describe, name="mir-features", environment=ONE_THREAD)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.__exit__(kind, error, trace)

    @property
    def busy(self) -> int:
        """Tasks that are being worked on."""
        return self._crew.busy

    @property
    def free(self) -> bool:
        """Whether a task given now would be begun at once."""
        return self.busy < self._crew.n

    def prepare(self) -> None:
        """Start a worker for the first track and one for the next, while the main process loads its separator."""
        if not self.busy:
            self._crew.have_idle(2)

    def give(self, task: Task) -> None:
        """Hand a task to a free worker.

        Raises
        ------
        RuntimeError
            Where none is free.
        """
        self._crew.give(task, lambda connection: connection.send(task))

    def results(self, *, wait_s: float | None = 0.0) -> list[Outcome]:
        """Return what has been finished; with `wait_s` None, wait until something is (where anything is under way).

        Raises
        ------
        WorkersUnavailable
            Where a worker ended before it was ready.
        """
        return [_outcome(task, answer) for task, answer in self._crew.answers(wait_s)]


def _outcome(task: Task, answer: Outcome | Death) -> Outcome:
    if not isinstance(answer, Death):
        return answer
    if not answer.begun:
        raise WorkersUnavailable(guard_missing("the feature workers", "ingests", answer.how))
    return Outcome(task.number, error=f"the feature worker died on this track: {answer.how}")


def _serve(connection: Connection, describe: Describe) -> None:
    """Work off tasks until the main process is gone."""
    warnings.simplefilter("ignore")
    with serving(connection):
        _warm_up(connection)
        while True:
            connection.send(_work(connection.recv(), describe))


def _warm_up(connection: Connection) -> None:
    """Load what the first track would load, as long as there is none: the separator takes longer to load."""
    for library in LIBRARIES:
        if connection.poll():
            return
        import_module(library)


def _work(task: Task, describe: Describe) -> Outcome:
    try:
        signals = read_signals(task.folder)
        stems, results = describe(signals, task.sr, task.source_id, task.spaces)
        if task.keep is not None:
            stems = [replace(row, path=str(_keep(task.keep, row.stem, signals[row.stem], task.sr))) for row in stems]
    except Exception as error:  # noqa: BLE001 - the edge of a process: the reason goes to the catalog
        return Outcome(task.number, error=f"{type(error).__name__}: {error}")
    return Outcome(task.number, tuple(stems), tuple(results))


def _keep(folder: Path, stem: str, y: Samples, sr: int) -> Path:
    from separation.audio import save

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.flac"
    save(path, y, sr)
    return path
