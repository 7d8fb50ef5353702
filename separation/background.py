"""Work ahead in a thread: decode the next block while the network is busy with this one."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


def prefetched(blocks: Iterable[T], depth: int = 4) -> Generator[T, None, None]:
    """Iterate over `blocks` in a background thread, up to `depth` items ahead.

    The thread starts with the first item asked for, and is gone when this iterator ends, fails or is closed; a
    generator is closed with it. What `blocks` raises is raised here. Close it before that which `blocks` reads from.

    Parameters
    ----------
    blocks
        Anything to iterate over; used by the thread alone from then on.
    depth
        Most items that wait, at least 1.

    Examples
    --------
    >>> from contextlib import closing
    >>> with closing(prefetched(range(3))) as numbers:
    ...     list(numbers)
    [0, 1, 2]
    """
    ready: Queue[list[T]] = Queue(max(1, depth))  # an empty list is the end
    stopped, failure = Event(), list[BaseException]()
    thread = Thread(target=_produce, args=(blocks, ready, stopped, failure), name="prefetched", daemon=True)
    thread.start()
    try:
        while item := ready.get():
            yield item[0]
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        _drain(ready)
        thread.join()


def _produce(blocks: Iterable[T], ready: Queue[list[T]], stopped: Event, failure: list[BaseException]) -> None:
    try:
        with ExitStack() as stack:
            if isinstance(blocks, Generator):
                stack.callback(blocks.close)
            for block in blocks:
                ready.put([block])
                if stopped.is_set():
                    return
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked
        failure.append(error)
    if not stopped.is_set():
        ready.put([])


def _drain(ready: Queue[list[T]]) -> None:
    """Make room, so that a producer that waits to put something goes on and sees that it is to stop."""
    try:
        while True:
            ready.get_nowait()
    except Empty:
        return
