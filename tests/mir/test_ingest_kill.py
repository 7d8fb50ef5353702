"""kill -9 at any moment: nothing lost, nothing computed twice, and the catalog opens clean."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ingest_fakes import calls, checksum, write_tone

import mir
from features import EXTRACTORS
from mir.catalog.queries import done, known_files

HERE = str(Path(__file__).parent)

INGEST = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from ingest_fakes import BandSplitter, cheap_describe, fake_source
from mir.ingest import ingest

class Slow(BandSplitter):
    def separate(self, y, sr):
        stems = super().separate(y, sr)
        time.sleep(0.12)
        return stems

if __name__ == "__main__":
    library, catalog, log, told = map(Path, sys.argv[1:])
    source = fake_source(log)
    object.__setattr__(source, "load", lambda: Slow(log))

    def tell(event):
        if event.state == "ok":
            with told.open("a") as file:
                print("committed", file=file)

    report = ingest([library], catalog, separator=source, describe=cheap_describe, workers=1, on_progress=tell)
    print(report.ingested, report.skipped, len(report.failed), flush=True)
"""

COMMIT = """
import os, signal, sys
from pathlib import Path
import duckdb, numpy as np
sys.path.insert(0, {here!r})
from ingest_fakes import cheap_describe
from features import EXTRACTORS
from dataclasses import replace
from mir.catalog import commit, create_catalog
from mir.catalog.records import FileStat, Tags, TrackRecord

left = 0

class Mortal:
    'A connection whose process is killed before a certain statement, be it of this one or of another.'
    def __init__(self, connection):
        self._connection = connection
    def cursor(self):
        return Mortal(self._connection.cursor())
    def __getattr__(self, name):
        value = getattr(self._connection, name)
        return mortal(value) if name in ("execute", "executemany", "begin", "commit", "append", "sql") else value

def mortal(statement):
    def call(*arguments, **keywords):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return statement(*arguments, **keywords)
    return call

def record(number):
    rng = np.random.default_rng(number)
    names = ("mixture", "vocals", "drums", "bass", "other")
    signals = {{name: rng.normal(size=(1, 44100)).astype(np.float32) for name in names}}
    stems, results = cheap_describe(signals, 44100, "fake", list(EXTRACTORS))
    results = [replace(one, vector=one.descriptor, transform_id="t") for one in results]
    file = FileStat(f"/m/{{number}}.wav", number, number)
    tags = Tags(f"T{{number}}", (f"A{{number}}", "B"), genres=("g",))
    return TrackRecord(f"hash{{number}}", file, tags, 1.0, 44100, 1, "pcm", tuple(stems), tuple(results))

def child(path, number, fatal):
    global left
    connect = duckdb.connect
    duckdb.connect = lambda *arguments, **keywords: Mortal(connect(*arguments, **keywords))
    catalog = create_catalog(path)
    left = fatal
    commit.commit_track(catalog, record(number))

if __name__ == "__main__":
    for line in sys.stdin:  # each commit has a process of its own, born with its imports done
        number, fatal = map(int, line.split())
        pid = os.fork()
        if not pid:
            child(Path(sys.argv[1]), number, fatal)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def _whole(catalog_path: Path) -> set[str]:
    """Audio hashes in the catalog; each with everything that a track has."""
    catalog = mir.open_catalog(catalog_path)
    tracks = done(catalog)
    assert all(set(spaces) == set(EXTRACTORS) for spaces in tracks.values())
    counts = catalog.fetch(
        "SELECT (SELECT count(*) FROM files), (SELECT count(DISTINCT track_id) FROM files),"
        " (SELECT count(*) FROM stems),"
        " (SELECT count(*) FROM space_vectors), (SELECT count(*) FROM descriptors), (SELECT count(*) FROM library)"
    ).rows[0]
    n = len(tracks)
    assert counts == (n, n, 4 * n, n * len(EXTRACTORS), n * len(EXTRACTORS), n)
    return set(tracks)


def test_killed_at_random_moments_ten_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from separation.audio import load, packet_hash

    n_tracks, rng = 40, np.random.default_rng(2)
    library, catalog, log, told, script = (tmp_path / name for name in ("lib", "c.duckdb", "log", "told", "script.py"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    script.write_text(INGEST.format(here=HERE))
    log.touch()
    told.touch()
    heard = {}
    for number in range(n_tracks):
        path = write_tone(library / f"Band - {number:02}.wav", 300 + number, seconds=1.0)
        heard[packet_hash(path)] = checksum(load(path, sr=44_100)[0])
    command = [sys.executable, str(script), str(library), str(catalog), str(log), str(told)]
    after_kills: list[tuple[int, set[str]]] = []
    committed: set[str] = set()
    for kill in range(10):
        watched = told if kill % 2 else log  # after some commits, or after some separations
        wanted = len(calls(watched)) + int(rng.integers(1, 4))
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while run.poll() is None and len(calls(watched)) < wanted:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.2)))  # into some part of separating, measuring or committing
        assert run.poll() is None, "the library is too small for ten kills"
        run.kill()
        run.communicate()
        now = _whole(catalog)
        assert committed <= now, "nothing that was committed is lost"
        committed = now
        after_kills.append((len(calls(log)), {heard[one] for one in committed}))
    assert 0 < len(committed) < n_tracks
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    assert last.stdout.split() == [str(n_tracks - len(committed)), str(len(committed)), "0"]
    assert _whole(catalog) == set(heard)
    lines = calls(log)
    for n_heard, in_catalog in after_kills:
        assert not in_catalog & set(lines[n_heard:]), "nothing that was committed is separated again"
    assert not list((tmp_path / "tmp").glob("mir-ingest-*")), "the dead runs' temporary folders are gone"
    assert {file.state for file in known_files(mir.open_catalog(catalog)).values()} == {"ok"}


def test_killed_between_each_pair_of_commit_statements(tmp_path: Path) -> None:
    script, catalog = tmp_path / "script.py", tmp_path / "c.duckdb"
    script.write_text(COMMIT.format(here=HERE))
    with subprocess.Popen(
        [sys.executable, str(script), str(catalog)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:

        def commit(number: int, fatal: int = 0) -> int:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(f"{number} {fatal}\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        assert commit(0) == 0
        without, complete = {"hash0"}, {"hash0", "hash1"}
        found = []
        for fatal in range(1, 200):
            code = commit(1, fatal)
            found.append(_whole(catalog))
            if code == 0:
                break
            assert code == -signal.SIGKILL
        n_without = found.count(without)
        assert found == [without] * n_without + [complete] * (len(found) - n_without)
        assert n_without >= 8, "a commit has many statements before it counts"
        assert found[-1] == complete
        assert commit(1) == 0
        assert commit(2) == 0
        assert _whole(catalog) == {"hash0", "hash1", "hash2"}
        assert server.stdin is not None
        server.stdin.close()
