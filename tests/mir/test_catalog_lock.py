"""One writer or several readers, between processes and between threads; nobody keeps a connection."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalog_records import record, two_spaces

import features
from mir.catalog import Catalog, create_catalog, engine, open_catalog
from mir.catalog.commit import commit_track
from mir.catalog.queries import done, known_files
from mir.errors import CatalogBusy

HOLD = """
import sys, time, duckdb
path, mode, seconds = sys.argv[1:]
connection = duckdb.connect(path, read_only=mode == "read")
print("held", flush=True)
time.sleep(float(seconds))
"""


@pytest.fixture(autouse=True)
def spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = create_catalog(tmp_path / "mir.duckdb")
    commit_track(catalog, record(1))
    return catalog


@contextmanager
def held(path: Path, mode: str, seconds: float = 60.0) -> Iterator[int]:
    """Another process has the catalog open; its process id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), mode, str(seconds)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_who_holds_the_lock_is_said(catalog: Catalog) -> None:
    hurried = Catalog(catalog.path, wait_s=0.1)
    with held(catalog.path, "write") as pid:
        with pytest.raises(CatalogBusy, match=rf"locked by process {pid} \(python -c import.*\); waited 0.1 s"):
            known_files(hurried)
        with pytest.raises(CatalogBusy, match=str(pid)):
            hurried.fetch("SELECT 1")
        with pytest.raises(CatalogBusy, match=str(pid)):
            commit_track(hurried, record(2))
    assert list(done(catalog)) == [record(1).audio_hash]


def test_waiting_is_rewarded(catalog: Catalog) -> None:
    with held(catalog.path, "write", seconds=0.4):
        started = time.monotonic()
        assert list(done(catalog)) == [record(1).audio_hash]
        assert time.monotonic() - started > 0.1


def test_readers_of_two_processes_are_friends(catalog: Catalog) -> None:
    with held(catalog.path, "read"):
        hurried = Catalog(catalog.path, wait_s=0.1)
        assert len(done(hurried)) == 1
        assert hurried.fetch("SELECT count(*) FROM library").rows == [(1,)]
        with pytest.raises(CatalogBusy):
            commit_track(hurried, record(2))


def test_the_lock_is_given_up_with_the_block(catalog: Catalog) -> None:
    with catalog.read() as con:
        con.execute("SELECT 1")
    with held(catalog.path, "write"):
        pass
    commit_track(catalog, record(2))
    assert not catalog.path.with_name("mir.duckdb.wal").exists()
    with held(catalog.path, "write"):
        pass


def test_what_a_writer_of_another_process_commits_is_read(catalog: Catalog) -> None:
    code = (
        "import sys, duckdb\n"
        "with duckdb.connect(sys.argv[1]) as con: con.execute(\"UPDATE tracks SET title = 'Elsewhere'\")\n"
    )
    assert catalog.fetch("SELECT title FROM tracks").rows == [("Song 1",)]
    subprocess.run([sys.executable, "-c", code, str(catalog.path)], check=True)
    with catalog.read() as con:
        assert con.execute("SELECT title FROM tracks").fetchall() == [("Elsewhere",)]


def test_threads_take_turns(catalog: Catalog) -> None:
    failures: list[Exception] = []

    def work(kind: int, number: int) -> None:
        try:
            mine = open_catalog(catalog.path, wait_s=120)
            if kind == 0:
                commit_track(mine, record(number, results=()))
            elif kind == 1:
                assert known_files(mine)["/music/1.mp3"].state == "ok"
            else:
                assert mine.fetch("SELECT count(*) >= 1 FROM library").rows == [(True,)]
        except Exception as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number % 3, number)) for number in range(2, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(done(catalog)) == 5


def test_blocks_may_be_nested_among_readers_alone(catalog: Catalog) -> None:
    with catalog.read() as outer, catalog.read() as inner:
        assert outer.execute("SELECT count(*) FROM tracks").fetchall() == [(1,)]
        assert inner.execute("SELECT count(*) FROM tracks").fetchall() == [(1,)]
        with pytest.raises(RuntimeError, match="close it before write"), catalog.write():
            pass
    with catalog.write(), pytest.raises(RuntimeError, match="close it before read"):
        known_files(catalog)


def test_another_thread_is_waited_for_but_not_for_ever(catalog: Catalog) -> None:
    with catalog.read():
        caught: list[BaseException] = []

        def write() -> None:
            try:
                commit_track(Catalog(catalog.path, wait_s=0.1), record(2))
            except CatalogBusy as error:
                caught.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "another thread of this process" in str(caught[0])


def test_an_error_undoes_the_block(catalog: Catalog) -> None:
    before = catalog.identity()
    with pytest.raises(KeyError), catalog.write() as con:  # noqa: PT012 - the point is what happened before
        con.execute("DELETE FROM tracks")
        raise KeyError
    assert len(done(catalog)) == 1
    assert catalog.identity() == before


def test_two_catalogs_side_by_side(catalog: Catalog, tmp_path: Path) -> None:
    other = create_catalog(tmp_path / "o'ther.duckdb")
    with catalog.read() as here, other.write() as there:
        there.execute("INSERT INTO artists VALUES (1, 'X', 'x', NULL)")
        assert here.execute("SELECT artist FROM artists").fetchall() == [("Artist 1",)]
    assert other.fetch("SELECT artist FROM artists").rows == [("X",)]


def test_the_engine_is_made_anew_after_it_broke(catalog: Catalog) -> None:
    with catalog.read() as con:
        alias = con.execute("SELECT current_database()").fetchall()[0][0]
        engine.HOST.cursor().execute(f"DETACH {alias}")  # so that the end of the block cannot
    assert len(done(catalog)) == 1
