"""A process that commits track after track, and two that read meanwhile: nobody fails, nobody sees half a track."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from catalog_records import STEMS, record, two_spaces

import features
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track

HERE = str(Path(__file__).parent)
TRACKS = 25

WRITER = f"""
import sys, time
sys.path.insert(0, {HERE!r})
import features
from catalog_records import record, two_spaces
from mir.catalog import Catalog
from mir.catalog.commit import commit_track

features.EXTRACTORS = two_spaces()
catalog = Catalog(sys.argv[1], wait_s=120)
sys.stdin.readline()
for number in range(2, {TRACKS} + 2):
    commit_track(catalog, record(number))
    time.sleep(0.05)
"""

READER = """
import json, sys, threading, time
from mir.catalog import open_catalog

catalog = open_catalog(sys.argv[1], wait_s=120)
query = '''SELECT
    (SELECT generation FROM catalog_info), (SELECT count(*) FROM tracks), (SELECT count(*) FROM files),
    (SELECT count(*) FROM stems), (SELECT count(*) FROM space_vectors), (SELECT count(*) FROM vocal_timbre)'''
def own():
    with catalog.read() as con:
        return con.execute(query).fetchone()
ask = own if sys.argv[2] == "own" else lambda: catalog.fetch(query).rows[0]
over = threading.Event()
answers = [ask()]
print("ready", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
while not over.wait(0.05):
    answers.append(ask())
answers.append(ask())
print(json.dumps(answers))
"""


@contextmanager
def started(code: str, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process for the block."""
    command = [sys.executable, "-c", code, *map(str, words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())
    catalog = create_catalog(tmp_path / "mir.duckdb")
    commit_track(catalog, record(1))
    return catalog


def test_two_readers_beside_a_writer(catalog: Catalog) -> None:
    with (
        started(WRITER, catalog.path) as writer,
        started(READER, catalog.path, "own") as first,
        started(READER, catalog.path, "sealed") as second,
    ):
        for reader in (first, second):
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        assert writer.communicate("go\n", timeout=240)[1] == ""
        assert writer.returncode == 0
        for reader in (first, second):
            out, errors = reader.communicate(timeout=240)
            assert (errors, reader.returncode) == ("", 0)
            check(json.loads(out))


def check(answers: list[list[int]]) -> None:
    """See that each answer is of whole tracks, and none older than the one before."""
    assert answers[0][1] == 1
    assert answers[-1][1] == TRACKS + 1
    assert len({answer[1] for answer in answers}) > 3, "it read before and after, and hardly meanwhile"
    for before, after in pairwise(answers):
        assert after[0] - before[0] == after[1] - before[1] >= 0, "a generation is a commit is a track"
    for _, tracks, files, stems, vectors, voices in answers:
        assert (files, stems, vectors, voices) == (tracks, tracks * len(STEMS), 2 * tracks, tracks)
