"""Making, refusing, migrating, backing up and compacting catalogs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from catalog_records import record, shell, snapshot, two_spaces

import features
import mir
from mir.catalog import Catalog, create_catalog, open_catalog, schema
from mir.catalog.commit import commit_track, prune
from mir.catalog.maintenance import backup, compact
from mir.catalog.migrations import migrate
from mir.errors import BadRequest, CatalogDamaged, CatalogMissing, CatalogTooNew, CatalogTooOld


@pytest.fixture(autouse=True)
def spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = create_catalog(tmp_path / "mir.duckdb")
    commit_track(catalog, record(1))
    return catalog


def test_a_missing_catalog_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogMissing, match="mir ingest FOLDER --catalog"):
        mir.open_catalog(tmp_path / "mir.duckdb")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CatalogMissing, match="create it first"):
        create_catalog(tmp_path / "no" / "mir.duckdb")


@pytest.mark.parametrize("content", [b"", b"hello world" * 1000, b"\xff\xd8\xff\xe0" + bytes(10_000)])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mir.duckdb"
    path.write_bytes(content)
    for opener in (open_catalog, create_catalog):
        with pytest.raises(CatalogDamaged, match="Put a backup in its place"):
            opener(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE invoices (n INTEGER)")
    content = path.read_bytes()
    for opener in (open_catalog, create_catalog):
        with pytest.raises(CatalogDamaged, match="no catalog of mir"):
            opener(path)
    assert path.read_bytes() == content
    with pytest.raises(CatalogDamaged, match="is a folder"):
        open_catalog(tmp_path)


def test_a_cut_file_is_refused(catalog: Catalog) -> None:
    whole = catalog.path.read_bytes()
    catalog.path.write_bytes(whole[: len(whole) // 3 // 4096 * 4096])
    with pytest.raises(CatalogDamaged):
        open_catalog(catalog.path).fetch("SELECT * FROM library")


def test_a_page_that_rotted_is_told(catalog: Catalog) -> None:
    for number in range(2, 6):
        commit_track(catalog, record(number))
    whole = bytearray(catalog.path.read_bytes())
    for page in range(4, len(whole) // 4096):
        whole[page * 4096 + 100] ^= 0xFF
    catalog.path.write_bytes(whole)
    with pytest.raises(CatalogDamaged, match="Put a backup in its place"):
        snapshot(Catalog(catalog.path))


def test_a_newer_schema_is_refused_and_an_older_one_told_what_to_do(catalog: Catalog) -> None:
    with catalog.write() as con:
        con.execute("INSERT INTO schema_version VALUES (99, now()::TIMESTAMP, 'later')")
    for opener in (open_catalog, create_catalog):
        with pytest.raises(CatalogTooNew, match="has schema 99"):
            opener(catalog.path)
    with duckdb.connect(str(catalog.path)) as con:
        con.execute("UPDATE schema_version SET version = 0 WHERE version = 99")
        con.execute("DELETE FROM schema_version WHERE version = ?", [schema.SCHEMA_VERSION])
    with pytest.raises(CatalogTooOld, match="mir catalog migrate"):
        open_catalog(catalog.path)
    with pytest.raises(CatalogTooOld, match="no way leads"):
        create_catalog(catalog.path)


def test_migrations_run_in_order_in_one_transaction_after_a_backup(catalog: Catalog) -> None:
    def second(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("ALTER TABLE tracks ADD COLUMN mood VARCHAR")

    def third(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("UPDATE tracks SET mood = 'calm'")

    def broken(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("UPDATE tracks SET mood = 'lost'")
        con.execute("SELECT * FROM nothing_of_that_name")

    now, before = schema.SCHEMA_VERSION, snapshot(catalog)
    with pytest.raises(duckdb.CatalogException):
        migrate(catalog, now + 2, {now + 1: second, now + 2: broken})
    assert snapshot(catalog) == before
    saved = migrate(catalog, now + 2, {now + 1: second, now + 2: third})
    assert saved is not None
    assert saved.name == f"mir.duckdb.backup-v{now}-1"  # the first one was made for the attempt that failed
    assert snapshot(Catalog(saved)) == before
    with duckdb.connect(str(catalog.path), read_only=True) as con:
        assert con.execute("SELECT mood FROM tracks").fetchall() == [("calm",)]
        assert con.execute("SELECT version FROM schema_version ORDER BY 1").fetchall() == [
            (now,),
            (now + 1,),
            (now + 2,),
        ]
    assert migrate(catalog, now + 2, {}) is None
    with pytest.raises(CatalogTooNew):
        open_catalog(catalog.path)


def test_ingest_migrates_by_itself(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from mir.catalog import migrations, store

    now = schema.SCHEMA_VERSION
    monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 1)
    monkeypatch.setattr(store, "SCHEMA_VERSION", now + 1)
    monkeypatch.setattr(migrations, "MIGRATIONS", {now + 1: lambda con: con.execute("CREATE TABLE moods (x INTEGER)")})
    assert create_catalog(catalog.path).fetch("SELECT count(*) FROM moods").rows == [(0,)]
    assert catalog.path.with_name(f"mir.duckdb.backup-v{now}").is_file()


def test_a_backup_is_a_catalog_and_overwrites_nothing(catalog: Catalog, tmp_path: Path) -> None:
    first, second = backup(catalog), backup(catalog)
    assert [each.name for each in (first, second)] == ["mir.duckdb.backup-1", "mir.duckdb.backup-2"]
    for each in (first, second, backup(catalog, tmp_path / "mine.duckdb")):
        assert snapshot(open_catalog(each)) == snapshot(catalog)
    with pytest.raises(BadRequest, match="no folder"):
        backup(catalog, tmp_path / "no" / "mine.duckdb")
    assert not list(tmp_path.glob(".*"))


def test_compaction_keeps_everything_but_the_room(catalog: Catalog, tmp_path: Path) -> None:
    def structure() -> list[object]:
        here = "database_name = current_database()"
        with catalog.read() as con:
            return [
                con.execute(f"SELECT {what} WHERE {here} ORDER BY ALL").fetchall()
                for what in (
                    "table_name, column_name, comment, data_type, column_default FROM duckdb_columns()",
                    "table_name, constraint_text FROM duckdb_constraints()",
                    "view_name, sql, comment FROM duckdb_views()",
                )
            ]

    for number in range(2, 12):
        commit_track(catalog, record(number))
    prune(catalog, [f"/music/{number}.mp3" for number in range(2, 12)])
    before, shape, identity = snapshot(catalog), structure(), catalog.identity()
    sizes = compact(catalog)
    assert sizes.after_bytes < sizes.before_bytes
    assert catalog.path.stat().st_size == sizes.after_bytes
    assert (snapshot(catalog), structure(), catalog.identity()) == (before, shape, identity)
    commit_track(catalog, record(2))
    assert [path.name for path in tmp_path.iterdir()] == ["mir.duckdb"]


def test_two_processes_that_make_a_catalog_make_one(tmp_path: Path) -> None:
    code = "import sys; from mir.catalog import create_catalog as c; print(c(sys.argv[1]).identity().catalog_id)"
    path = tmp_path / "mir.duckdb"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = {process.communicate()[0] for process in processes}
    assert len(said) == 1
    assert said != {""}
    assert [each.name for each in tmp_path.iterdir()] == ["mir.duckdb"]


def test_the_answers_of_similarity_are_frames(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    import mir.similarity

    asked: list[object] = []
    monkeypatch.setattr(mir.similarity, "similar_artists", lambda *given, **_: asked.append(given) or [])
    assert list(catalog.similar_artists("Artist 1").columns) == ["artist", "similarity", "score"]
    assert asked == [(catalog, "Artist 1", {"vocals": 1.0}, 10)]


def test_commands(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = shell(monkeypatch, capsys)
    at = ("--catalog", catalog.path)
    said = run("catalog", "backup", catalog.path.with_name("b.duckdb"), *at, "--json")
    assert (said.code, said.out) == (0, f'{{"backup": "{catalog.path.with_name("b.duckdb")}"}}\n')
    said = run("catalog", "migrate", *at, "--json")
    assert (said.code, said.out) == (0, f'{{"schema": {schema.SCHEMA_VERSION}, "backup": null, "rebuilt": []}}\n')
    assert '"after_bytes"' in run("catalog", "compact", *at, "--json").out
    said = run("forget", "artist 1", *at, "--json")
    assert said.out == '{"what": "Artist 1", "kind": "artist", "tracks": 1}\n'
    said = run("forget", "artist 1", *at)
    assert (said.code, said.out) == (1, "")
    assert "no artist 'artist 1'" in said.err


def test_the_module_is_light() -> None:
    code = (
        "import sys, mir.catalog; print(*[n for n in ('duckdb', 'pandas', 'pyarrow', 'features') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"\n"
