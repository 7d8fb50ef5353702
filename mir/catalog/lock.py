"""One writer or several readers: by a gate inside this process, by DuckDB's file lock between processes.

The file is locked from the first connection of a block to the end of the last, and never between blocks.
Connections of one kind may overlap, kinds wait for each other. Nothing in this package opens the catalog file
by other means while a connection may be open: closing any descriptor of a file drops the POSIX locks that the
process has on it.
"""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from mir.catalog import engine
from mir.errors import CatalogBusy, CatalogDamaged, CatalogMissing, CatalogTooNew

if TYPE_CHECKING:
    import duckdb

Kind = Literal["read", "write", "sealed", "files"]
"""``read`` and ``write`` for our own statements; for strangers' queries ``sealed``, or ``files``."""

_T = TypeVar("_T")

_FIRST_PAUSE_S = 0.005
_ATTACH_PAUSE_S = 0.01
"""A refused try costs 0.6 ms. Who looks rarely misses the gaps: a commit keeps the file for 50 ms, a query for 40."""
_ENGINE_PAUSE_S = 0.05
"""With an engine of its own, a refused try costs 7 ms."""

logger = logging.getLogger(__name__)


class Gate:
    """Lets connections of one kind through at a time; writers are alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kind: Kind | None = None
        self._holders: Counter[int] = Counter()
        self._attaching = threading.Lock()
        self._attached = 0
        self.since = 0.0
        self.alone: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def passage(self, kind: Kind, wait_s: float, path: Path) -> Iterator[None]:
        """Hold a place of `kind` for the block.

        Raises
        ------
        CatalogBusy
            Where another thread kept the gate for longer than `wait_s`.
        RuntimeError
            Where this very thread holds a place of another kind: waiting would never end.
        """
        me = threading.get_ident()
        with self._changed:
            if self._holders[me] and not self._fits(kind):
                raise RuntimeError(
                    f"{path}: a {self._kind} connection is still open in this block; close it before {kind}"
                )
            if not self._changed.wait_for(lambda: self._fits(kind), wait_s):
                raise CatalogBusy(f"{path} is kept busy by another thread of this process (waited {wait_s:g} s)")
            self._kind = kind
            self._holders[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._holders[me] -= 1
                self._holders += Counter()  # drops the zeros
                if not self._holders:
                    self._kind = None
                self._changed.notify_all()

    @contextmanager
    def attachment(self, attach: Callable[[], None], detach: Callable[[], None]) -> Iterator[None]:
        """Attach with the first one in, detach with the last one out."""
        with self._attaching:
            if self._attached == 0:
                attach()
            self._attached += 1
        try:
            yield
        finally:
            with self._attaching:
                self._attached -= 1
                if self._attached == 0:
                    detach()

    def _fits(self, kind: Kind) -> bool:
        return self._kind is None or (kind == self._kind and kind != "write")


_gates: dict[str, Gate] = {}
_gates_lock = threading.Lock()


@contextmanager
def connection(path: Path, kind: Kind, wait_s: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the catalog for one block; wait with back-off while another process has it.

    Raises
    ------
    CatalogMissing
        Where there is no file.
    CatalogBusy
        Where the lock was not to be had within `wait_s`; the message names who holds it.
    CatalogDamaged, CatalogTooNew
        Where DuckDB cannot read the file.
    """
    deadline = time.monotonic() + wait_s
    real = os.path.realpath(path)
    with _gates_lock:
        gate = _gates.setdefault(real, Gate())
        alias = f"catalog_{list(_gates).index(real)}"

    def attach() -> None:
        if kind in ("read", "write"):
            read_only = kind == "read"
            opener = partial(engine.HOST.attach, Path(real), alias, read_only=read_only)
            _patiently(path, wait_s, deadline, _ATTACH_PAUSE_S, opener)
        else:
            sealed = kind == "sealed"
            engine_opener = partial(engine.open_alone, path, sealed=sealed)
            gate.alone = _patiently(path, wait_s, deadline, _ENGINE_PAUSE_S, engine_opener)
        gate.since = time.monotonic()

    def detach() -> None:
        if gate.alone is None:
            engine.HOST.detach(alias)
        else:
            gate.alone.close()
            gate.alone = None
        logger.debug("%s: kept to %s for %.4f s", path, kind, time.monotonic() - gate.since)

    with gate.passage(kind, wait_s, path), gate.attachment(attach, detach):
        made = engine.HOST.cursor(alias) if gate.alone is None else gate.alone.cursor()
        try:
            yield made
        finally:
            made.close()


def _patiently(path: Path, wait_s: float, deadline: float, longest_s: float, opener: Callable[[], _T]) -> _T:
    """Call `opener` until the file's lock is to be had; pauses grow to `longest_s`, give or take a half."""
    import duckdb

    began = tried = time.monotonic()
    pause = _FIRST_PAUSE_S
    while True:
        if not path.is_file():
            raise _not_there(path)
        try:
            opened = opener()
        except duckdb.Error as error:
            if "Could not set lock" not in str(error):
                if isinstance(error, duckdb.IOException) or is_damage(error):
                    raise unreadable(path, error) from error
                raise
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise CatalogBusy(
                    f"{path} is locked by {holder(str(error))}; waited {wait_s:g} s. Try again later"
                ) from error
        else:
            logger.debug("%s: waited for the lock for %.4f s", path, tried - began)
            return opened
        time.sleep(min(pause * random.uniform(0.5, 1.5), remaining))  # noqa: S311 - two that wait must not keep step
        pause = min(2 * pause, longest_s)
        tried = time.monotonic()


def holder(message: str) -> str:
    """Say who holds the lock, from DuckDB's message: process id, and what it runs where the system tells."""
    found = re.search(r"lock is held in (.+?) \(PID (\d+)\)", message)
    if found is None:
        return "another process"
    program, pid = found.groups()
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    told = [Path(word).name if word.startswith("/") else word for word in words]
    said = " ".join(" ".join(told).split())[:80]
    return f"process {pid} ({said or program})"


def _not_there(path: Path) -> Exception:
    if path.exists():
        return CatalogDamaged(f"{path} is a folder; give the catalog's file")
    return CatalogMissing(f"no catalog at {path}; `mir ingest FOLDER --catalog {path}` makes one")


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error says that the file is broken, and not the statement."""
    import duckdb

    kinds = (duckdb.SerializationException, duckdb.FatalException, duckdb.InternalException)
    return isinstance(error, kinds) or str(error).startswith(("Corrupt", "IO Error: Corrupt"))


def unreadable(path: Path, error: Exception) -> Exception:
    """Return the error that says why DuckDB cannot read a file, and what to do."""
    text = str(error).splitlines()[0]
    if "newer version" in text or "version number" in text:
        return CatalogTooNew(f"{path} was written by a newer DuckDB than this one; upgrade mir ({text})")
    if "Cannot open file" in text or "ermission" in text:
        return CatalogDamaged(f"{path} cannot be opened: {text}")
    return CatalogDamaged(
        f"{path} is no readable catalog ({text}). Put a backup in its place (they are called "
        f"{path.name}.backup-*), or move it away and run `mir ingest` again"
    )
