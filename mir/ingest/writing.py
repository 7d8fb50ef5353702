"""The one writer: commits in a thread, in order, with patience for readers and clear words where the disk refuses."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from mir.errors import CatalogBusy, MirError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
Step = Callable[[], None]

PATIENCE_S = 300.0
"""How long a commit is tried while others read; each try waits as long as its catalog does."""
DEPTH = 4
"""Most steps that wait for the writer: a catalog that is kept busy in the end stops the run, not the memory."""
_TOLD_EVERY_S = 10.0

logger = logging.getLogger("mir.ingest")


class CatalogNotWritten(MirError, OSError):
    """The catalog could not be written: no room, or the disk refuses."""


class Writer:
    """A thread that takes one step after the other, so that who gives them can go on.

    The first error ends it: later steps are dropped, and the error is raised where the next one is given. A block that
    ends well waits for all steps; one that ends by an error waits for the step under way, and drops the rest.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        """Set where steps are no longer wanted; one that waits can look."""
        self._room = threading.Semaphore(DEPTH)
        self._steps: Queue[Step | None] = Queue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="mir-write")

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            self.stopped.set()
            self._steps.put(None)
            self._thread.join()

    def do(self, step: Step) -> None:
        """Give a step, waiting for room; raises what an earlier one raised, be it Ctrl-C."""
        self._room.acquire()
        self._check()
        self._steps.put(step)

    def drain(self) -> None:
        """Wait until all is done; raises what a step raised."""
        self._steps.join()
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while (step := self._steps.get()) is not None:
            try:
                if not self.stopped.is_set():
                    step()
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that gives steps
                self._failure = error
                self.stopped.set()
            finally:
                self._room.release()
                self._steps.task_done()


def written(path: Path, commit: Callable[[], T], stopped: threading.Event | None = None) -> T:
    """Run a commit; hours of work do not end because somebody's query takes longer than usual.

    Parameters
    ----------
    path
        The catalog, for messages.
    commit
        One transaction; run again where it found the catalog locked.
    stopped
        Looked at between tries: once it is set, nothing is waited for.

    Raises
    ------
    CatalogBusy
        Where the catalog stayed locked through all tries.
    CatalogNotWritten
        Where it could not be written.
    """
    refused: tuple[type[Exception], ...] = (*_refusals(), OSError)
    began = told = time.monotonic()
    while True:
        try:
            return commit()
        except CatalogBusy as error:
            now = time.monotonic()
            if now - began >= PATIENCE_S or (stopped is not None and stopped.is_set()):
                raise CatalogBusy(f"could not be written for {now - began:.0f} s: {error}") from error
            if now - told >= _TOLD_EVERY_S:
                logger.warning("waiting to write: %s", error)
                told = now
        except MirError:
            raise
        except RuntimeError as error:
            if "Query interrupted" in str(error):  # what DuckDB makes of Ctrl-C; its transaction is undone
                raise KeyboardInterrupt from error
            raise
        except refused as error:
            full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
            why = "no space left on its disk" if full else str(error).splitlines()[0]
            raise CatalogNotWritten(
                f"{path} cannot be written: {why}. What was committed before is kept; "
                "put that right and run the same command again"
            ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What DuckDB raises where a file cannot be written; a commit says it as a transaction's error."""
    import duckdb

    return duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException
