"""`mir sql` and `mir tracks`: clear answers, and nothing but the catalog to be had."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from catalog_records import Said, record, result, shell, two_spaces

import features
from mir.catalog import Catalog, create_catalog, open_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import Tags
from mir.errors import QueryFailed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "EXTRACTORS", two_spaces())
        catalog = create_catalog(tmp_path_factory.mktemp("made") / "mir.duckdb")
        for number, genre in enumerate(("House", "house", "Rock"), 1):
            commit_track(catalog, record(number, tags=Tags(f'Söng "{number}"', (f"A{number}",), genres=(genre,))))
        silent = result("drum_rhythm", state="silent")
        commit_track(catalog, record(4, results=(result("vocal_timbre", 4), silent)))
    return catalog.path


@pytest.fixture
def catalog(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(made, tmp_path / "mir.duckdb")
    return open_catalog(tmp_path / "mir.duckdb")


@pytest.fixture
def run(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    return shell(monkeypatch, capsys)


ELSEWHERE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('mir.duckdb')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'secret.csv'",
    "SELECT * FROM read_json('secret.json')",
    "SELECT * FROM read_parquet('secret.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "COPY tracks TO 'out.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "EXPORT DATABASE 'out'",
    "ATTACH 'other.duckdb'",
    "ATTACH '/tmp/other.duckdb' AS other",
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "SET temp_directory = '/tmp'",
    "RESET enable_external_access",
    "PRAGMA enable_profiling = 'json'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "SELECT getenv('HOME')",
    "SELECT 1; COPY tracks TO 'out.csv'",
    "COPY (SELECT 1) TO 'mir.duckdb.wal'",
    "COPY (SELECT 1) TO 'mir.duckdb.tmp'",
    "COPY (SELECT 1) TO 'mir.duckdb'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'mir.duckdb.wal'",
    "ATTACH 'mir.duckdb' AS again",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('secret.parquet')",
    "SELECT * FROM enable_logging(storage = 'file', storage_path = 'log')",
    "SELECT * FROM enable_profiling(save_location = 'profile.json')",
    "SELECT * FROM catalog",
    "SELECT * FROM parameters",
]
WRITING = [
    "DELETE FROM tracks",
    "INSERT INTO artists VALUES (1, 'a', 'a', NULL)",
    "UPDATE tracks SET title = ''",
    "DROP TABLE tracks",
    "CREATE TABLE mine (x INTEGER)",
    "CREATE OR REPLACE VIEW library AS SELECT 1",
    "ALTER TABLE tracks ADD COLUMN x INTEGER",
    "BEGIN; DELETE FROM tracks; COMMIT",
]


WAYS_OUT = """
FROM 'https://example.org/x.parquet'
FROM 's3://bucket/x.parquet'
SELECT * FROM read_ndjson('secret.json')
SELECT * FROM parquet_schema('secret.parquet')
SELECT * FROM parquet_file_metadata('secret.parquet')
SELECT * FROM read_csv('secret*')
SELECT * FROM read_text('mir.duckdb')
SELECT * FROM read_duckdb('mir.duckdb')
SELECT * FROM read_blob('/dev/stdin')
CREATE TEMP TABLE t AS SELECT * FROM 'secret.csv'
CREATE SECRET s (TYPE s3)
CREATE PERSISTENT SECRET s (TYPE http)
IMPORT DATABASE 'out'
COPY FROM DATABASE mir TO memory
COPY tracks FROM 'secret.csv'
COPY tracks TO 'out' (FORMAT parquet, PARTITION_BY (year))
COPY (SELECT 1) TO 's3://bucket/x.csv'
COPY (SELECT 1) TO '/dev/null'
COPY (SELECT 1) TO 'memory://x'
ATTACH ':memory:' AS more
ATTACH 'https://example.org/x.duckdb'
ATTACH 'secret.csv' (TYPE sqlite)
PRAGMA profiling_output = 'profile.json'
SET log_query_path = 'log'
SET home_directory = '/tmp'
SET secret_directory = '/tmp'
SET extension_directory = '/tmp'
SET custom_extension_repository = 'http://example.org'
SET allowed_directories = ['/']
SET allowed_paths = ['/etc/passwd']
SET GLOBAL disabled_filesystems = ''
RESET disabled_filesystems
RESET lock_configuration
SET memory_limit = '100GB'
SET threads = 64
SET python_enable_replacements = true
SET VARIABLE home = getenv('HOME')
INSTALL spatial FROM community
INSTALL 'http://example.org/x.duckdb_extension'
FORCE INSTALL httpfs
UPDATE EXTENSIONS
SELECT * FROM sqlite_scan('secret.csv', 'a')
SELECT * FROM query('SELECT * FROM ''secret.csv''')
SELECT * FROM query_table('secret.csv')
EXPLAIN SELECT * FROM 'secret.csv'
DESCRIBE 'secret.csv'
SUMMARIZE 'secret.csv'
CALL enable_logging(storage = 'file', storage_path = 'log')
SELECT * FROM pandas_scan(1)
SELECT * FROM arrow_scan(1, 2, 3)
""".strip().splitlines()


def test_no_way_out(catalog: Catalog) -> None:
    folder = catalog.path.parent
    for name in ("secret.csv", "secret.json", "secret.parquet"):
        (folder / name).write_text("a\nsecret\n")
    there, content = sorted(folder.iterdir()), catalog.path.read_bytes()
    for query in WAYS_OUT:
        with pytest.raises(QueryFailed) as caught:
            catalog.fetch(query)
        assert "Internal" not in str(caught.value), query
    assert sorted(folder.iterdir()) == there
    assert catalog.path.read_bytes() == content


@pytest.mark.parametrize("query", ELSEWHERE + WRITING)
def test_nothing_elsewhere_and_nothing_written(catalog: Catalog, query: str) -> None:
    folder = catalog.path.parent
    for name in ("secret.csv", "secret.json", "secret.parquet"):
        (folder / name).write_text("a\nsecret\n")
    there, content = sorted(folder.iterdir()), catalog.path.read_bytes()
    for ask in (catalog.fetch, catalog.sql, catalog.arrow):
        with pytest.raises(QueryFailed) as caught:
            ask(query)
        assert "\n" not in str(caught.value)
        assert "Internal" not in str(caught.value)
    assert sorted(folder.iterdir()) == there
    assert catalog.path.read_bytes() == content


def test_own_files_on_request_but_never_the_catalog(run: Callable[..., Said], catalog: Catalog) -> None:
    Path("mine.csv").write_text("a,b\n1,2\n")
    query = "SELECT m.b, count(*) AS n FROM 'mine.csv' AS m, tracks GROUP BY ALL"
    assert run("sql", query).code == 1
    assert run("sql", query, "--allow-files", "--json").out == '{"b": 2, "n": 4}\n'
    assert run("sql", "COPY (SELECT 7 AS x) TO 'out.csv'", "--allow-files").code == 0
    assert Path("out.csv").read_text() == "x\n7\n"
    said = run("sql", "DELETE FROM tracks", "--allow-files")
    assert (said.code, said.out) == (1, "")
    assert "read-only" in said.err


def test_json_lines_hold_whatever_duckdb_has(run: Callable[..., Said]) -> None:
    query = (
        "SELECT title, genres, NULL AS nothing, 'nan'::DOUBLE AS nan, DATE '2020-01-02' AS day,"
        " 1.5::DECIMAL(4, 2) AS d, TIMESTAMP '2020-01-02 03:04:05' AS at, INTERVAL 90 SECOND AS s,"
        " 'ab'::BLOB AS b, {'x': [DATE '2020-01-02']} AS n, [1.0, 2.0]::FLOAT[2] AS v, true AS yes,"
        " MAP {'k': 1} AS m FROM library ORDER BY title LIMIT 2"
    )
    said = run("sql", query, "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    assert rows[0] == {
        "title": "Song 4", "genres": ["Pop", "Rock"], "nothing": None, "nan": None, "day": "2020-01-02", "d": 1.5,
        "at": "2020-01-02T03:04:05", "s": 90.0, "b": "6162", "n": {"x": ["2020-01-02"]}, "v": [1.0, 2.0], "yes": True,
        "m": {"k": 1},
    }  # fmt: skip
    assert rows[1]["title"] == 'Söng "1"'


def test_tables_and_csv(run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT title, f0_median_hz AS f FROM library ORDER BY title DESC LIMIT 1"
    assert run("sql", query).out == 'title\tf\nSöng "3"\t30\n'
    assert run("sql", query, "--format", "csv").out == 'title,f\n"Söng ""3""",30.0\n'
    assert run("sql", query, "--format", "json").out == '{"title": "Söng \\"3\\"", "f": 30.0}\n'
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS one"))
    assert run("sql", "-").out == "one\n1\n"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT tempo FROM library", '"tempo_bpm"'),
        ("SELECT * FROM libary", 'Did you mean "library"'),
        ("SELECT title::INTEGER FROM library", "Could not convert"),
        ("", "the query is empty"),
        (";", "the query is empty"),
    ],
)
def test_a_wrong_query_is_one_clear_line(run: Callable[..., Said], query: str, told: str) -> None:
    said = run("sql", query)
    assert said.out == ""
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert told in said.err


def test_a_time_with_a_zone_is_shown_or_there_is_a_way(run: Callable[..., Said]) -> None:
    said = run("sql", "SELECT now()")
    if said.code:  # DuckDB before 2.0.1 needs another package for it
        assert "now()::TIMESTAMP" in said.err
        assert said.err.count("\n") == 1
    else:
        assert said.out.startswith("now()\n2")


def test_frames(catalog: Catalog) -> None:
    frame = catalog.sql("SELECT title, year FROM library WHERE tempo_bpm > ? ORDER BY tempo_bpm", [15])
    assert frame.title.tolist() == ['Söng "2"', 'Söng "3"']


def test_a_missing_catalog_is_one_line(run: Callable[..., Said]) -> None:
    said = run("sql", "SELECT 1", "--catalog", "nowhere.duckdb")
    assert (said.code, said.out) == (1, "")
    assert said.err == "error: no catalog at nowhere.duckdb; `mir ingest FOLDER --catalog nowhere.duckdb` makes one\n"


def test_tracks_by_genre_in_any_order(run: Callable[..., Said]) -> None:
    said = run("tracks", "--genre", "HOUSE", "--sort", "tempo_bpm", "--desc", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [(row["title"], row["genre"], row["tempo_bpm"]) for row in rows] == [
        ('Söng "2"', "house", 20.0),
        ('Söng "1"', "House", 10.0),
    ]
    said = run("tracks", "--sort", "TEMPO_BPM", "-k", "2")
    assert said.out == 'artist\ttitle\tgenre\ttempo_bpm\nA1\tSöng "1"\tHouse\t10\nA2\tSöng "2"\thouse\t20\n'
    last = json.loads(run("tracks", "--sort", "tempo_bpm", "--desc", "--json").out.splitlines()[-1])
    assert (last["title"], last["tempo_bpm"]) == ("Song 4", None)
    assert len(run("tracks").out.splitlines()) == 5


def test_tracks_says_what_there_is(run: Callable[..., Said]) -> None:
    said = run("tracks", "--sort", "tempo")
    assert (said.code, said.out) == (2, "")
    assert "tempo_bpm" in said.err
    said = run("tracks", "--sort", "tempo_bpm; DROP TABLE tracks")
    assert said.code == 2
    said = run("tracks", "--genre", "Hous")
    assert (said.code, said.out) == (1, "")
    assert "near: House" in said.err
