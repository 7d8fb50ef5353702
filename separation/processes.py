"""Processes that are started to work for another one: each has a pipe of its own, and ends when the other does.

The standard pools are no choice: one dead process breaks `ProcessPoolExecutor` for good without saying whose work it
had, and when the main process is killed their processes wait for ever, since each holds the queue's other end. Here
the death of a process costs the piece of work that it had, and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import MappingProxyType, TracebackType
from typing import Generic, TypeVar

Work = TypeVar("Work")
Answer = TypeVar("Answer")

_READY = "ready"
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Death:
    """What comes back from a process that ended before it answered.

    Parameters
    ----------
    how
        In words.
    begun
        Whether it had got as far as to wait for work.
    """

    how: str
    begun: bool


class Crew(Generic[Work, Answer]):
    """At most `n` processes; each works at one piece at a time, and all end with the block.

    Parameters
    ----------
    n
        How many, at least 1.
    serve, arguments
        What they run: a function of a module (it is found by name over there), given its end of the pipe and
        `arguments`. It uses `serving`.
    name
        Name of the processes.
    environment
        Variables that they are born with.
    """

    def __init__(
        self,
        n: int,
        serve: Callable[..., None],
        *arguments: object,
        name: str,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.n = max(1, n)
        self._serve, self._arguments = serve, arguments
        self._name, self._environment = name, environment
        self._members: list[_Member[Work, Answer]] = []

    def __enter__(self) -> Crew[Work, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._members:
            self._members.pop().end()

    @property
    def busy(self) -> int:
        """Pieces of work that are under way."""
        return sum(member.work is not None for member in self._members)

    @property
    def free(self) -> bool:
        """Whether a piece given now would be begun at once."""
        return self.busy < self.n

    def have_idle(self, n: int) -> None:
        """Start processes until `n` are idle or all are there: a start takes a second, in which there is other work."""
        for _ in range(min(n - len(self._members) + self.busy, self.n - len(self._members))):
            with _environment(self._environment), ctrl_c_ignored():
                self._members.append(_Member(self._name, self._serve, *self._arguments))

    def give(self, work: Work, send: Callable[[Connection], None]) -> None:
        """Let an idle process, started where there is none, have a piece of work.

        Parameters
        ----------
        work
            What to remember it by.
        send
            Sends it through the pipe.

        Raises
        ------
        RuntimeError
            Where none is free.
        """
        if not self.free:
            raise RuntimeError(f"all {self.n} processes are busy; take answers first")
        self.have_idle(1)
        member = next(member for member in self._members if member.work is None)
        member.work = work
        with suppress(OSError):  # where it died idle, `answers` finds the end of its pipe and says so
            send(member.connection)

    def answers(self, wait_s: float | None = None) -> list[tuple[Work, Answer | Death]]:
        """Return what has been finished: each piece of work with what the process sent, or its `Death`.

        Parameters
        ----------
        wait_s
            How long to wait for the first, in seconds; None: as long as it takes, where anything is under way.
        """
        finished: list[tuple[Work, Answer | Death]] = []
        while not finished and (busy := {one.connection: one for one in self._members if one.work is not None}):
            signs = wait(list(busy), wait_s)
            if not signs:
                break
            for connection in signs:
                member = busy[connection]  # type: ignore[index]
                work, answer = member.work, member.answer()
                if work is not None and member.work is None:
                    finished.append((work, answer))
                if isinstance(answer, Death):
                    self._members.remove(member)
        return finished


class _Member(Generic[Work, Answer]):
    """One process and the work that it has."""

    def __init__(self, name: str, serve: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.work: Work | None = None
        self._ready = False
        self._process = context.Process(target=serve, args=(theirs, *arguments), name=name, daemon=True)
        self._process.start()
        theirs.close()

    def answer(self) -> Answer | Death:
        """Take what it sent; unless that is the sign that it has begun, it has no work any more."""
        try:
            message: Answer | Death = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE_S)
            message = Death(death(self._process.exitcode), self._ready)
            self.end()
        if isinstance(message, str) and message == _READY and not self._ready:
            self._ready = True
        else:
            self.work = None
        return message

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def serving(connection: Connection) -> Iterator[None]:
    """In a process of a crew: say that it is there, and end quietly when the main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)  # whatever a library prints: standard output belongs to the main process's data
    sys.stdout = sys.stderr
    with suppress(OSError):  # who is gone by now is found gone below
        connection.send(_READY)
    with suppress(EOFError, OSError):
        yield


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Let processes started in this block be born deaf to Ctrl-C, which reaches the whole group of a terminal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def death(code: int | None) -> str:
    """How a process ended, in words."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
        return f"signal {name}" + (", perhaps for lack of memory" if name == "SIGKILL" else "")
    return f"exit code {code}"


def guard_missing(who: str, what: str, how: str) -> str:
    """What to tell where processes end before they have begun: most often a script starts them as it is imported."""
    return (
        f"{who} do not start ({how}). A script that {what} needs the line "
        """`if __name__ == "__main__":` before its first call, because they import the script"""
    )


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
