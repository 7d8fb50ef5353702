"""Feature workers: spawned processes that measure stems, replaced when they crash.

The standard pools are no choice here: one dead process breaks `ProcessPoolExecutor` for good, and when the
main process is killed their workers wait for ever, since each holds the queue's other end. Here every worker
has a pipe of its own: it ends when the main process does, and a worker's death is one track's failure.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mir.analysis import Describe
from mir.catalog.records import SpaceResult, StemRow
from mir.errors import MirError
from mir.ingest.scratch import read_signals
from separation.processes import ctrl_c_ignored, death

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

_READY = "ready"


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


class _Worker:
    def __init__(self, describe: Describe) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self.ready = False
        self.process = context.Process(target=_serve, args=(theirs, describe), name="mir-features", daemon=True)
        with _environment(ONE_THREAD), ctrl_c_ignored():
            self.process.start()
        theirs.close()

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class Workers:
    """At most `n` processes, each started when it is first needed.

    Parameters
    ----------
    n
        How many.
    describe
        A function of a module (it is found by name in the worker): `mir.analysis.describe`.
    """

    def __init__(self, n: int, describe: Describe) -> None:
        self._n = max(1, n)
        self._describe = describe
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    @property
    def busy(self) -> int:
        """Tasks that are being worked on."""
        return sum(worker.task is not None for worker in self._workers)

    @property
    def free(self) -> bool:
        """Whether a task given now would be begun at once."""
        return self.busy < self._n

    def prepare(self) -> None:
        """Start one worker now, so that its start overlaps what the main process loads meanwhile."""
        if not self._workers:
            self._workers.append(_Worker(self._describe))

    def give(self, task: Task) -> None:
        """Hand a task to a free worker.

        Raises
        ------
        RuntimeError
            Where none is free.
        """
        if not self.free:
            raise RuntimeError(f"all {self._n} workers are busy; take results first")
        worker = next((one for one in self._workers if one.task is None), None)
        if worker is None:
            worker = _Worker(self._describe)
            self._workers.append(worker)
        worker.task = task
        with suppress(OSError):  # where it died idle, `results` finds the end of its pipe and says so
            worker.connection.send(task)

    def results(self, *, wait_s: float | None = 0.0) -> list[Outcome]:
        """Return what has been finished; with `wait_s` None, wait until something is (where anything is under way).

        Raises
        ------
        WorkersUnavailable
            Where a worker ended before it was ready.
        """
        outcomes: list[Outcome] = []
        while self.busy and not outcomes:
            by_connection = {worker.connection: worker for worker in self._workers if worker.task is not None}
            messages = wait(list(by_connection), wait_s)
            if not messages:
                break
            for connection in messages:
                outcome = self._receive(by_connection[connection])  # type: ignore[index]
                if outcome is not None:
                    outcomes.append(outcome)
        return outcomes

    def _receive(self, worker: _Worker) -> Outcome | None:
        task = worker.task
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            code = worker.process.exitcode
            self._workers.remove(worker)
            worker.end()
            if not worker.ready:
                raise WorkersUnavailable(
                    f"the feature workers do not start ({death(code)}). A script that ingests needs the line "
                    """`if __name__ == "__main__":` before its first call, because workers import the script"""
                ) from None
            if task is None:
                return None
            return Outcome(task.number, error=f"the feature worker died on this track: {death(code)}")
        if message == _READY:
            worker.ready = True
            return None
        worker.task = None
        return message if isinstance(message, Outcome) else None


def _serve(connection: Connection, describe: Describe) -> None:
    """Work off tasks until the main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)  # whatever a library prints: standard output belongs to the main process's data
    sys.stdout = sys.stderr
    warnings.simplefilter("ignore")
    try:
        connection.send(_READY)
        while True:
            connection.send(_work(connection.recv(), describe))
    except (EOFError, OSError):
        return


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


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes started in this block, and put back what was."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
