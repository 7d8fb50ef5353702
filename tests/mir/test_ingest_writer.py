"""Commits beside separation: in order, none after an error, and nothing waits that need not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from ingest_fakes import BandSplitter, Samples, calls, cheap_describe, fake_source, write_tone

import mir
from mir.errors import CatalogBusy
from mir.ingest import Event, IngestReport, SeparatorSource, commits, ingest, source, writing
from mir.ingest.listening import Sound
from mir.ingest.writing import CatalogNotWritten, Writer

LONG_S = 60.0
"""So long is waited for what must happen; a test that waits for it has failed."""

Run = Callable[..., IngestReport]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Ingest four tones with one worker; afterwards the writer is gone."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    for number in range(4):
        write_tone(tmp_path / "lib" / f"{number}.wav", 300 + number)

    def run(separator: SeparatorSource | None = None, **how: object) -> IngestReport:
        options = {"describe": cheap_describe, "workers": 1} | how
        separator = separator or fake_source(tmp_path / "log")
        try:
            return ingest([tmp_path / "lib"], tmp_path / "c.duckdb", separator=separator, **options)  # type: ignore[arg-type]
        finally:
            assert not [thread for thread in threading.enumerate() if thread.name == "mir-write"]
            assert not list((tmp_path / "tmp").iterdir())

    return run


def _tracks(tmp_path: Path) -> int:
    (n,) = mir.open_catalog(tmp_path / "c.duckdb").fetch("SELECT count(*) FROM tracks").rows[0]
    return int(str(n))


def _committing(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> None:
    """Let `before` be called with the number of each commit of a track, ahead of it."""
    real, n = commits.commit_track, 0

    def commit(catalog: object, record: object) -> int:
        nonlocal n
        n += 1
        before(n)
        return real(catalog, record)  # type: ignore[arg-type]

    monkeypatch.setattr(commits, "commit_track", commit)


def test_steps_are_taken_in_order_and_waited_for() -> None:
    done: list[int] = []
    with Writer() as writer:
        for number in range(50):
            writer.do(lambda number=number: done.append(number))  # type: ignore[misc]
        writer.drain()
        assert done == list(range(50))
        for number in range(50, 53):
            writer.do(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == list(range(53))


@pytest.mark.parametrize("error", [OSError("the disk refuses"), KeyboardInterrupt()])
def test_an_error_ends_the_writer_and_comes_to_who_gives_steps(error: BaseException) -> None:
    done: list[str] = []

    def fail() -> None:
        raise error

    def give(writer: Writer) -> None:
        writer.do(fail)
        for _ in range(10 * writing.DEPTH):  # it never waits for room that an ended writer does not make
            writer.do(lambda: done.append("after"))

    with pytest.raises(type(error)) as caught, Writer() as writer:
        give(writer)
    assert caught.value is error
    with pytest.raises(type(error)), Writer() as writer:
        writer.do(fail)
    assert done == []


def test_a_block_that_ends_by_an_error_ends_the_step_under_way_and_drops_the_rest() -> None:
    done: list[str] = []
    begun = threading.Event()

    def step(writer: Writer) -> None:
        begun.set()
        assert writer.stopped.wait(LONG_S)
        done.append("under way")

    def interrupted(writer: Writer) -> None:
        writer.do(lambda: step(writer))
        writer.do(lambda: done.append("dropped"))
        assert begun.wait(LONG_S)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Writer() as writer:
        interrupted(writer)
    assert done == ["under way"]


def test_a_slow_writer_is_waited_for_at_last() -> None:
    go, given = threading.Event(), 0
    with Writer() as writer:

        def give() -> None:
            nonlocal given
            for _ in range(3 * writing.DEPTH):
                writer.do(lambda: _waited(go))
                given += 1

        giver = threading.Thread(target=give)
        giver.start()
        giver.join(0.2)
        assert giver.is_alive()
        assert given <= writing.DEPTH
        go.set()
        giver.join(LONG_S)
        assert given == 3 * writing.DEPTH


def _waited(event: threading.Event) -> None:
    assert event.wait(LONG_S)


def test_a_commit_that_nobody_wants_any_more_waits_for_no_lock(tmp_path: Path) -> None:
    stopped, tries = threading.Event(), []

    def busy() -> None:
        tries.append(1)
        if len(tries) == 2:
            stopped.set()
        raise CatalogBusy("locked by a notebook")

    with pytest.raises(CatalogBusy, match="locked by a notebook"):
        writing.written(tmp_path, busy, stopped)
    assert len(tries) == 2


def test_a_slow_commit_keeps_nobody_from_the_next_track(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_time: list[bool] = []
    third = threading.Event()

    class Heard(BandSplitter):
        def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
            stems = super().separate(y, sr)
            if len(calls(self.log)) == 3:
                third.set()
            return stems

    def slow(n: int) -> None:
        if n == 1:
            in_time.append(third.wait(LONG_S))

    _committing(monkeypatch, slow)
    separator = replace(fake_source(tmp_path / "log"), load=lambda: Heard(tmp_path / "log"))
    assert run(separator).ingested == 4
    assert in_time == [True], "the third track was separated while the first was being committed"


def test_events_come_in_order_and_from_one_thread(run: Run) -> None:
    events: list[Event] = []
    threads: set[int] = set()

    def listen(event: Event) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    run(on_progress=listen)
    assert len(threads) == 1
    assert [event.done for event in events if event.state == "ok"] == [1, 2, 3, 4]
    assert [event.done for event in events] == sorted(event.done for event in events)
    for path in {event.path for event in events}:
        assert [event.state for event in events if event.path == path] == ["started", "ok"]


def test_a_catalog_that_refuses_stops_the_run(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def refuse(n: int) -> None:
        tries.append(n)
        if n > 1:
            raise duckdb.IOException('Cannot write "c.duckdb": Input/output error')

    _committing(monkeypatch, refuse)
    told: list[str] = []
    with pytest.raises(CatalogNotWritten, match="Input/output error"):
        run(on_progress=lambda event: told.append(event.state))
    assert tries == [1, 2], "nothing is written after a refusal"
    assert told.count("ok") == _tracks(tmp_path) == 1


def test_an_interrupt_while_a_commit_is_under_way(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    class Interrupted(BandSplitter):
        def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
            stems = super().separate(y, sr)
            if len(calls(self.log)) == 3:
                assert begun.wait(LONG_S)
                raise KeyboardInterrupt
            return stems

    def slow(n: int) -> None:
        assert n == 1, "what waits when it is interrupted is not committed"
        begun.set()
        time.sleep(0.3)  # into which the interrupt falls

    _committing(monkeypatch, slow)
    separator = replace(fake_source(tmp_path / "log"), load=lambda: Interrupted(tmp_path / "log"))
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run(separator, on_progress=lambda event: told.append(event.state))
    assert told.count("ok") == _tracks(tmp_path) == 1, "the commit under way ended, and was told of"
    monkeypatch.undo()
    report = ingest(
        [tmp_path / "lib"], tmp_path / "c.duckdb", separator=fake_source(tmp_path / "log"), describe=cheap_describe
    )
    assert (report.ingested, report.skipped) == (3, 1)


def test_the_separator_is_loaded_while_the_first_track_is_decoded(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, in_time, real = threading.Event(), [], source.listen

    def listen(path: Path) -> Sound:
        in_time.append(loading.wait(LONG_S))
        return real(path)

    def load() -> BandSplitter:
        loading.set()
        return BandSplitter(tmp_path / "log")

    monkeypatch.setattr(source, "listen", listen)
    assert run(replace(fake_source(tmp_path / "log"), load=load)).ingested == 4
    assert in_time == [True] * 4


def test_a_file_that_cannot_be_decoded_fails_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = source.listen

    def listen(path: Path) -> Sound:
        if path.name == "2.wav":
            raise RuntimeError("a bug in a decoder")
        return real(path)

    monkeypatch.setattr(source, "listen", listen)
    report = run()
    assert report.ingested == 3
    assert [(Path(one.path).name, one.error) for one in report.failed] == [
        ("2.wav", "RuntimeError: a bug in a decoder")
    ]


DESCRIBE = """
import sys
from importlib import import_module
import numpy as np
from mir.ingest.workers import LIBRARIES
from mir.analysis import describe
from features import EXTRACTORS
for library in LIBRARIES:
    import_module(library)
import numpy.random
before = set(sys.modules)
t = np.arange(3 * 44100) / 44100
voice = sum(np.sin(2 * np.pi * 220 * k * t + 3 * np.sin(2 * np.pi * 5 * t)) / k for k in range(1, 20)) / 10
noise = np.random.default_rng(0).normal(size=t.size) * (np.sin(2 * np.pi * 2 * t) > 0.9) / 5
stems = {"vocals": voice, "drums": noise, "bass": np.sin(2 * np.pi * 55 * t) / 5, "other": voice / 2}
stems = {name: y[None].astype(np.float32) for name, y in stems.items()}
stems["mixture"] = sum(stems.values())
_, results = describe(stems, 44100, "x", list(EXTRACTORS))
assert sum(result.state == "ok" for result in results) >= 4, results
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - {"features", "mir", "separation"}))
"""


def test_an_idle_worker_loads_all_that_describing_loads() -> None:
    done = subprocess.run([sys.executable, "-c", DESCRIBE], capture_output=True, text=True, check=True)
    third_party = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert not third_party, "put it into mir.ingest.workers.LIBRARIES"
