"""Ctrl-C while a decoder reads: C libraries forget what is raised in what they call, and the run would go on."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from separation import audio
from separation.interrupts import interrupt_held

SR = 22_050


class Interrupting(io.BytesIO):
    """A file during whose `at`-th read someone presses Ctrl-C."""

    def __init__(self, content: bytes, at: int) -> None:
        super().__init__(content)
        self.left = at

    def read(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().read(size)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus"])
def test_ctrl_c_ends_the_reading_whenever_it_comes(tmp_path: Path, suffix: str) -> None:
    y = 0.1 * np.random.default_rng(0).standard_normal((2, 8 * SR)).astype(np.float32)
    path = audio.save(tmp_path / f"noise{suffix}", y, SR) or tmp_path / f"noise{suffix}"
    content = path.read_bytes()
    reading = Interrupting(content, -1)
    audio.load(reading)
    n_reads = -1 - reading.left
    assert n_reads > 3
    for at in range(2, n_reads + 1):
        with pytest.raises(KeyboardInterrupt):
            audio.load(Interrupting(content, at))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_comes_after_the_block_even_where_that_fails() -> None:
    done = []

    def call() -> None:
        with interrupt_held():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(True)
            raise ValueError("what C made of it")

    with pytest.raises(KeyboardInterrupt):
        call()
    assert done == [True]


def test_a_handler_of_ones_own_hears_it_and_no_handler_is_left_alone() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with interrupt_held():
            os.kill(os.getpid(), signal.SIGINT)
            assert heard == []
        assert heard == [signal.SIGINT]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interrupt_held():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_no_handler_to_change() -> None:
    failed: list[BaseException] = []

    def read() -> None:
        try:
            with interrupt_held():
                pass
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert failed == []
