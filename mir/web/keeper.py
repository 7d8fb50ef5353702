"""Who keeps the library in memory up to date, and lets pages read the catalog without ever shutting a writer out."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mir.errors import CatalogBusy, MirError
from mir.web.library import Library, load

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 1.0
"""At the soonest, the catalog is looked at again after this."""
_SHARE: Final = 150.0
"""A catalog that is a second's work to read is read every 150 at the most: an ingest must not wait for us."""
_LONGEST_PAUSE_S: Final = 60.0
_WINDOW_S: Final = 0.4
_BREAK_S: Final = 0.05
"""A writer that waits looks every 5 to 15 ms whether the file is free (`mir.catalog.lock`)."""


class Keeper:
    """The library, read again in the background when the catalog has changed; questions never wait for that.

    Parameters
    ----------
    catalog
        What is read.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._library: Library | None = None
        self._busy = threading.Lock()
        self._next_look = 0.0

    def library(self) -> Library:
        """Return the library as last read; the first call reads it.

        Raises
        ------
        CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
            Where it could not be read even once.
        """
        if self._library is None:
            return self.refresh()
        if time.monotonic() >= self._next_look and self._busy.acquire(blocking=False):
            self._next_look = time.monotonic() + LOOK_AGAIN_S
            threading.Thread(target=self._look_again, name="library", daemon=True).start()
        return self._library

    def refresh(self) -> Library:
        """Read what is new, now.

        Raises
        ------
        CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
            Where it cannot be read.
        """
        with self._busy:
            return self._read()

    def _look_again(self) -> None:
        try:
            self._read()
        except MirError as error:  # the library before goes on answering
            logger.warning("the catalog could not be read again: %s", error)
        finally:
            self._busy.release()

    def _read(self) -> Library:
        started = time.thread_time()  # what was waited for is no burden on anybody
        read = load(self.catalog, self._library)
        took = time.thread_time() - started
        self._library = read
        self._next_look = time.monotonic() + min(max(LOOK_AGAIN_S, _SHARE * took), _LONGEST_PAUSE_S)
        return read


class InOrder:
    """So many at a time, in the order in which they came: who comes while others wait cannot slip in.

    Parameters
    ----------
    desks
        How many at a time.
    """

    def __init__(self, desks: int) -> None:
        self._lock = threading.Lock()
        self._free = desks
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            called = threading.Event()
            self._waiting.append(called)
        called.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # the desk goes from hand to hand
            else:
                self._free += 1


class Turns:
    """Pages read the catalog side by side, but never so that one is always reading: then nobody could write.

    Where readers have overlapped for 0.4 s, the next ones wait until all are out, and 0.05 s more.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._since = 0.0
        self._closed_until = 0.0

    @contextmanager
    def turn(self, wait_s: float = 10.0) -> Iterator[None]:
        """Wait for a turn, and hold it for the block.

        Raises
        ------
        CatalogBusy
            Where there was none within `wait_s`.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            while not self._open():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise CatalogBusy(f"too many questions at once (waited {wait_s:g} s); try again in a moment")
                self._changed.wait(min(left, _BREAK_S))
            if not self._readers:
                self._since = time.monotonic()
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers and time.monotonic() - self._since >= _WINDOW_S:
                    self._closed_until = time.monotonic() + _BREAK_S
                self._changed.notify_all()

    def _open(self) -> bool:
        now = time.monotonic()
        return now >= self._closed_until and (not self._readers or now - self._since < _WINDOW_S)
