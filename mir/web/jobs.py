"""Long work, one piece at a time, in a process of its own: stems on demand, and files that are asked with.

The process is started with the first job, kept warm for a while, and gone when idle or when the page ends. What
waits is bounded: more is refused at once, and told when to come again.
"""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final, Literal

from mir.errors import MirError

logger = logging.getLogger(__name__)

State = Literal["waiting", "working", "done", "failed"]
Serve = Callable[[Connection], None]
"""What runs in the process: takes ``(task, arguments)``, sends ``("progress", 0…1)``, then ``done`` or ``failed``."""

_REMEMBERED: Final = 200
_POLL_S: Final = 0.2


class QueueFull(MirError, RuntimeError):
    """Too much is waiting already; `retry_after_s` says when to come again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Job:
    """One piece of work; `fraction` is how much of it is done, `result` what came out."""

    job_id: str
    key: str
    task: str
    arguments: dict[str, Any]
    finish: Callable[[Job], None] | None = None
    state: State = "waiting"
    fraction: float = 0.0
    reason: str | None = None
    result: Any = None
    started: float = field(default_factory=time.monotonic)


class Jobs:
    """A bounded queue and the process that works it off.

    Parameters
    ----------
    serve
        What the process runs; it has to be importable there.
    most
        Jobs that may wait.
    idle_s
        How long the process is kept without work.
    """

    def __init__(self, serve: Serve, *, most: int = 8, idle_s: float = 300.0) -> None:
        self._serve = serve
        self._most = most
        self._idle_s = idle_s
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(
        self, task: str, key: str, arguments: dict[str, Any], finish: Callable[[Job], None] | None = None
    ) -> Job:
        """Add a job, or return the one of the same key that is not done yet.

        Parameters
        ----------
        task, arguments
            What the process is sent.
        key
            What the work is about.
        finish
            Called when it is done or has failed.

        Raises
        ------
        QueueFull
            Where too many wait.
        """
        with self._changed:
            known = self._unfinished(key)
            if known is not None:
                return known
            self._need_room()
            job = Job(uuid.uuid4().hex, key, task, arguments, finish)
            self._waiting.append(job)
            self._jobs[job.job_id] = job
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return job

    def need_room(self) -> None:
        """See that a job would be taken.

        Raises
        ------
        QueueFull
            Where it would not.
        """
        with self._changed:
            self._need_room()

    def find(self, job_id: str) -> Job | None:
        """Return a job; None where it is unknown or long gone."""
        with self._changed:
            return self._jobs.get(job_id)

    def of(self, key: str) -> Job | None:
        """Return the newest job of a key."""
        with self._changed:
            return next((job for job in reversed(self._jobs.values()) if job.key == key), None)

    def ahead(self, job: Job) -> int:
        """Return how many wait before a job."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        with self._changed:
            states = [job.state for job in self._jobs.values()]
        return {state: states.count(state) for state in ("waiting", "working", "done", "failed")}

    def close(self) -> None:
        """Stop working; what waits is dropped."""
        with self._changed:
            self._closing = True
            dropped = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            thread = self._thread
        for job in dropped:
            _end(job, "failed", "the page was closed", None)
        if thread is not None:
            thread.join(timeout=10)

    def _need_room(self) -> None:
        if len(self._waiting) >= self._most or self._closing:
            raise QueueFull(f"{len(self._waiting)} pieces of work are waiting already; try again in a minute", 60)

    def _unfinished(self, key: str) -> Job | None:
        return next((j for j in self._jobs.values() if j.key == key and j.state in ("waiting", "working")), None)

    def _forget(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.state in ("done", "failed")]
        for job_id in over[: max(len(self._jobs) - _REMEMBERED, 0)]:
            del self._jobs[job_id]

    def _work(self) -> None:
        """Take one job after the other; runs in a thread of its own, which ends when nothing comes for a while."""
        helper = _Helper(self._serve)
        while (job := self._next()) is not None:
            if not helper.alive:
                helper = _Helper(self._serve)
            state, value = helper.run(job, lambda: self._closing)
            if state == "done":
                _end(job, "done", None, value)
            else:
                _end(job, "failed", str(value), None)
        helper.stop()

    def _next(self) -> Job | None:
        """Wait for work; None, and no thread any more, where there is none."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closing, self._idle_s)
            if self._closing or not self._waiting:
                self._thread = None
                return None
            job = self._waiting.popleft()
            job.state = "working"
            return job


class _Helper:
    """The process, and the wire to it."""

    def __init__(self, serve: Serve) -> None:
        context = multiprocessing.get_context("spawn")
        self._wire, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), name="mir-serve-work", daemon=True)
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it can be sent work."""
        return self._process.is_alive()

    def run(self, job: Job, closing: Callable[[], bool]) -> tuple[Literal["done", "failed"], Any]:
        """Have one job done, and listen to its progress."""
        try:
            self._wire.send((job.task, job.arguments))
            while True:
                while not self._wire.poll(_POLL_S):
                    if closing():
                        self.stop()
                        return "failed", "the page was closed"
                kind, value = self._wire.recv()
                if kind != "progress":
                    return ("done", value) if kind == "done" else ("failed", str(value))
                job.fraction = max(job.fraction, min(float(value), 1.0))
        except (EOFError, OSError):
            self._process.join(timeout=5)
            code = self._process.exitcode
            logger.error("the process that separates ended with %s", code)
            return "failed", f"the process that separates ended ({code}); perhaps memory ran out. Try again"

    def stop(self) -> None:
        """End it."""
        with suppress(OSError):
            self._wire.close()
        self._process.terminate()
        self._process.join(timeout=5)


def _end(job: Job, state: Literal["done", "failed"], reason: str | None, result: Any) -> None:  # noqa: ANN401
    """Note what became of a job; it is done when what came out is in its place."""
    job.result, job.reason = result, reason
    if job.finish is not None:
        try:
            job.finish(job)
        except (MirError, OSError) as error:
            state, job.reason = "failed", str(error)
    if state == "done":
        job.fraction = 1.0
    job.state = state
    job.finish = None
