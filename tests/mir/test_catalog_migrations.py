"""Catalogs of every schema that was released still open: migrated, with all that was in them, after a backup."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from catalog_records import record, snapshot, two_spaces

import features
from mir.catalog import Catalog, create_catalog, open_catalog, schema
from mir.catalog.commit import commit_track
from mir.catalog.migrations import MIGRATIONS, migrate
from mir.errors import CatalogTooOld

FIXTURES = Path(__file__).parents[1] / "data" / "catalogs"
ADDED = {"clusterings", "clusters", "track_clusters", "maps", "map_points"}


@pytest.fixture(autouse=True)
def spaces(monkeypatch):
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "mir.duckdb"
    path.write_bytes(gzip.decompress((FIXTURES / "schema-1.gz").read_bytes()))
    return Catalog(path)


def structure(catalog):
    here = "database_name = current_database() AND NOT internal"
    with catalog.read() as con:
        return [
            con.execute(f"SELECT {what} WHERE {here} ORDER BY ALL").fetchall()
            for what in (
                "table_name, comment FROM duckdb_tables()",
                "table_name, column_index, column_name, comment, data_type, is_nullable, column_default"
                " FROM duckdb_columns()",
                "view_name, sql, comment FROM duckdb_views()",
            )
        ] + [
            con.execute(
                "SELECT table_name, constraint_type, constraint_text FROM duckdb_constraints()"
                " WHERE database_name = current_database() ORDER BY ALL"
            ).fetchall()
        ]


def test_every_released_schema_has_a_fixture_and_a_step():
    assert {path.name for path in FIXTURES.glob("*.gz")} >= {f"schema-{n}.gz" for n in range(1, schema.SCHEMA_VERSION)}
    assert set(MIGRATIONS) == set(range(2, schema.SCHEMA_VERSION + 1))


def test_schema_1_becomes_what_is_made_today_and_loses_nothing(old, tmp_path):
    with pytest.raises(CatalogTooOld, match=r"has schema 1.*mir catalog migrate"):
        open_catalog(old.path)
    saved = migrate(old)
    assert saved is not None
    assert saved.name == "mir.duckdb.backup-v1"
    migrated = open_catalog(old.path)
    today = create_catalog(tmp_path / "new.duckdb")
    commit_track(today, record(1))  # the first vector settles how long those of its space are
    assert structure(migrated) == structure(today)
    rows = snapshot(migrated)
    assert [len(rows[name]) for name in sorted(ADDED)] == [0] * len(ADDED)
    assert (len(rows["tracks"]), len(rows["vocal_timbre"]), len(rows["genre_predictions"])) == (5, 4, 5)
    assert commit_track(migrated, record(3)) in {row[0] for row in migrated.fetch("SELECT track_id FROM tracks").rows}
    with pytest.raises(CatalogTooOld):
        open_catalog(saved)  # the backup is the catalog as it was
    again = tmp_path / "again.duckdb"
    again.write_bytes(saved.read_bytes())
    migrate(Catalog(again))
    kept = {name: each for name, each in snapshot(open_catalog(again)).items() if name not in ADDED}
    assert {name: each for name, each in rows.items() if name not in ADDED} == kept


def test_ingest_migrates_schema_1_by_itself(old):
    catalog = create_catalog(old.path)
    assert catalog.fetch("SELECT max(version) FROM schema_version").rows == [(schema.SCHEMA_VERSION,)]
    assert old.path.with_name("mir.duckdb.backup-v1").is_file()
