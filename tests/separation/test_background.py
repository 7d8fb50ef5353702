"""Blocks from a background thread: the same ones, in order, and no thread stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from separation.background import prefetched


class Producer:
    """Counts what it was asked for; its generator notes being closed, and by whom."""

    def __init__(self, n: int, *, fails: bool = False) -> None:
        self.n, self.fails = n, fails
        self.n_made = 0
        self.closed_by: threading.Thread | None = None
        self.ran_ahead = threading.Event()

    def items(self) -> Iterator[int]:
        try:
            for number in range(self.n):
                self.n_made += 1
                if self.n_made == 3:
                    self.ran_ahead.set()
                yield number
            if self.fails:
                raise OSError("the disk is gone")
        finally:
            self.closed_by = threading.current_thread()


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("depth", [1, 4, 1000])
def test_everything_comes_in_order(depth):
    producer = Producer(100)
    assert list(prefetched(producer.items(), depth)) == list(range(100))
    assert producer.closed_by not in (None, threading.current_thread())


def test_any_iterable_will_do():
    assert list(prefetched([1, 2])) == [1, 2]
    assert list(prefetched([])) == []
    assert list(prefetched([None, [], 0])) == [None, [], 0]  # what looks like nothing is not the end


def test_works_ahead_but_not_further_than_its_depth():
    producer = Producer(1000)
    with closing(prefetched(producer.items(), depth=3)) as numbers:
        assert next(numbers) == 0
        assert producer.ran_ahead.wait(60)  # while nobody asks
        for expected in range(1, 50):
            assert next(numbers) == expected
            assert producer.n_made <= expected + 1 + 3 + 1  # taken, waiting, and one in the thread's hand


def test_an_error_comes_after_what_was_made_before_it():
    numbers = prefetched(Producer(3, fails=True).items())
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(numbers)
    assert list(numbers) == []


@pytest.mark.parametrize("depth", [1, 2, 50])
@pytest.mark.parametrize("taken", [1, 5])
def test_closed_early_the_producer_is_closed_too(depth, taken):
    producer = Producer(1_000_000)
    items = producer.items()  # held, so that it does not close by being forgotten
    numbers = prefetched(items, depth)
    for _ in range(taken):
        next(numbers)
    numbers.close()
    assert producer.closed_by not in (None, threading.current_thread())
    assert producer.n_made <= taken + depth + 2


def test_a_producer_that_waits_for_room_is_let_go():
    producer = Producer(1_000_000)
    numbers = prefetched(producer.items(), depth=1)
    next(numbers)
    assert producer.ran_ahead.wait(60)
    time.sleep(0.05)  # for the third item to be on its way into the full queue
    numbers.close()
    assert producer.n_made == 3


def test_an_interrupted_consumer_leaves_nothing():
    producer = Producer(1_000_000)

    def consume() -> None:
        with closing(prefetched(producer.items())) as numbers:
            for number in numbers:
                if number == 7:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert producer.closed_by is not None


def test_an_interrupt_while_waiting_leaves_nothing():
    producer = Producer(1_000_000)
    numbers = prefetched(producer.items())
    next(numbers)
    with pytest.raises(KeyboardInterrupt):
        numbers.throw(KeyboardInterrupt)
    assert producer.closed_by is not None


def test_never_asked_no_thread_is_started():
    producer = Producer(10)
    prefetched(producer.items()).close()
    assert producer.n_made == 0
