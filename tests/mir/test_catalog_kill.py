"""kill -9 before every single statement of every way of writing: all of it is there afterwards, or none."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from catalog_records import record, snapshot, two_spaces

import features
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.queries import done

HERE = str(Path(__file__).parent)

CHILD = f"""
import os, signal, sys, threading, time
sys.path.insert(0, {HERE!r})
import duckdb
import numpy as np
import features
from catalog_records import record, result, two_spaces
from mir.catalog import Catalog, commit, engine, lock, maintenance, migrations, queries, removal, schema
from mir.catalog.records import Tags

features.EXTRACTORS = two_spaces()
left = 0

class Mortal:
    'A connection whose process dies before a certain statement.'
    def __init__(self, connection):
        self._connection = connection
    def execute(self, *arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._connection.execute(*arguments)
    def __getattr__(self, name):
        return getattr(self._connection, name)

def merge(catalog):
    silent = result("drum_rhythm", state="silent")
    commit.commit_track(catalog, record(1, tags=Tags("New", ("Other",)), results=(silent,)))

def refit(catalog):
    ids = queries.vectors(catalog, "vocal_timbre").track_ids
    matrix = np.eye(len(ids), 7, dtype=np.float32)
    queries.replace_vectors(catalog, "vocal_timbre", "t9", ids, matrix, parameters={{"n": 7}})

def migrate(catalog):
    def next_one(con):
        con.execute("CREATE TABLE moods (mood VARCHAR)")
        con.execute("INSERT INTO moods VALUES ('calm')")
    goal = schema.SCHEMA_VERSION + 1
    migrations.migrate(catalog, goal, {{goal: next_one}})

WAYS = {{
    "add": lambda catalog: commit.commit_track(catalog, record(3)),
    "merge": merge,
    "forget": lambda catalog: removal.forget_artist(catalog, "Artist 1"),
    "refit": refit,
    "compact": maintenance.compact,
    "migrate": migrate,
}}

def child(path, way, fatal, delay):
    global left
    cursor = engine.HOST.cursor
    engine.HOST.cursor = lambda alias=None: Mortal(cursor(alias))
    if delay:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
        left = 0
    else:
        left = fatal
    WAYS[way](Catalog(path))

for line in sys.stdin:  # each attempt has a process of its own, born with its imports done and no engine running
    way, fatal, delay = line.split()
    pid = os.fork()
    if not pid:
        child(sys.argv[1], way, int(fatal), float(delay))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """Runs one way of writing in a process that may be killed."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, way: str, fatal: int = 0, delay: float = 0.0) -> int:
        """Exit code of an attempt that dies before statement `fatal` (from 1), or after `delay` seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{way} {fatal} {delay}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())
    catalog = create_catalog(tmp_path / "mir.duckdb")
    for number in (1, 2):
        commit_track(catalog, record(number))
    return catalog


@pytest.fixture
def nursery(catalog: Catalog) -> Iterator[Nursery]:
    nursery = Nursery(catalog.path)
    yield nursery
    nursery.close()


@pytest.mark.parametrize("way", ["merge", "forget", "refit", "compact", "migrate"])
def test_killed_before_each_statement(catalog: Catalog, nursery: Nursery, way: str) -> None:
    before = snapshot(catalog)
    untouched = catalog.path.read_bytes()
    assert nursery.run(way) == 0
    after = _snapshot(catalog)
    assert (after == before) == (way == "compact")
    seen = []
    for fatal in range(1, 200):
        catalog.path.write_bytes(untouched)
        died = nursery.run(way, fatal)
        now = _snapshot(catalog)  # opens clean, whatever happened
        assert now in (before, after), f"half written when killed before statement {fatal}"
        assert not catalog.path.with_name("mir.duckdb.wal").exists() or died
        seen.append(now == after)
        if died == 0:
            break
        assert died == -signal.SIGKILL
        catalog.path.with_name("mir.duckdb.wal").unlink(missing_ok=True)
    assert len(seen) > 5
    assert seen[-1]
    assert way == "compact" or not seen[0]


def test_killed_at_any_moment(catalog: Catalog, nursery: Nursery) -> None:
    """In the middle of writing the file, too."""
    before = snapshot(catalog)
    assert nursery.run("add") == 0
    after = snapshot(catalog)
    for attempt in range(8):
        nursery.run("forget", delay=0.002 + 0.006 * attempt)
        create_catalog(catalog.path)
        nursery.run("add", delay=0.002 + 0.006 * attempt)
        assert commit_track(catalog, record(1)) == commit_track(catalog, record(1))
        assert set(done(catalog)) >= {record(1).audio_hash, record(2).audio_hash}
    assert nursery.run("add") == 0
    assert snapshot(catalog) == after
    assert before != after


def test_reading_while_another_process_writes(catalog: Catalog, nursery: Nursery) -> None:
    assert nursery.process.stdin is not None
    assert nursery.process.stdout is not None
    nursery.process.stdin.write("add 0 0\nforget 0 0\nmerge 0 0\nadd 0 0\n")
    nursery.process.stdin.flush()
    patient = Catalog(catalog.path, wait_s=60)
    for _ in range(20):
        counts = patient.fetch("SELECT (SELECT count(*) FROM tracks), (SELECT count(DISTINCT track_id) FROM stems)")
        assert counts.rows[0][0] == counts.rows[0][1] >= 2
    assert [nursery.process.stdout.readline() for _ in range(4)] == ["0\n"] * 4


def _snapshot(catalog: Catalog) -> dict[str, list[tuple[object, ...]]]:
    """Content, whatever the schema: the migrations here lead to one that this program does not have."""
    from mir.catalog.store import schema_version

    class Lenient(Catalog):
        def _check(self, con: duckdb.DuckDBPyConnection) -> None:
            schema_version(con, self.path)

    return snapshot(Lenient(catalog.path))
