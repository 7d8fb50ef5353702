"""Tables and views: declared once, commented throughout, and following what the extractors declare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalog_records import column, make_extractor, record, result, two_spaces

import features
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.queries import done, vectors
from mir.catalog.wide import wide_table
from mir.errors import CatalogTooNew, CatalogTooOld


@pytest.fixture(autouse=True)
def spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return create_catalog(tmp_path / "mir.duckdb")


def test_every_table_and_column_has_a_comment(catalog: Catalog) -> None:
    where = "database_name = current_database() AND schema_name = 'main' AND NOT internal"
    with catalog.read() as con:
        tables = con.execute(f"SELECT table_name, comment FROM duckdb_tables() WHERE {where}").fetchall()
        columns = con.execute(
            f"SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {where}"
            " AND table_name NOT LIKE 'embeddings%'"
        ).fetchall()
        views = con.execute(f"SELECT view_name, comment FROM duckdb_views() WHERE {where}").fetchall()
    assert {name for name, _ in tables} >= {"tracks", "files", "extractions", "vocal_timbre", "drum_rhythm"}
    assert {name for name, _ in views} == {
        "library", "embeddings", "embeddings_vocal_timbre", "embeddings_drum_rhythm"
    }  # fmt: skip
    assert [row for row in (*tables, *columns, *views) if not row[-1]] == []


def test_library_joins_everything_once(catalog: Catalog) -> None:
    first = record(1)
    commit_track(catalog, first)
    commit_track(catalog, replace(first, file=replace(first.file, path="/music/copy.mp3")))
    commit_track(catalog, record(2, results=(result("vocal_timbre", state="silent"), result("drum_rhythm", 2))))
    found = catalog.fetch(
        "SELECT artist, genre, genre_source, genres, artists, files, path, vocals_active_ratio, f0_median_hz,"
        " tempo_bpm, vocal_timbre_level_db, drum_rhythm_level_db FROM library ORDER BY title"
    )
    both = ["Pop", "Rock"]
    assert found.rows == [
        ("Artist 1", "Rock", "tag", both, ["Artist 1"], 2, "/music/copy.mp3", 0.5, 10.0, 10.0, 11.0, 11.0),
        ("Artist 2", "Rock", "tag", both, ["Artist 2"], 1, "/music/2.mp3", 0.5, None, 20.0, None, 21.0),
    ]


def test_a_persons_genre_wins_and_a_prediction_is_the_last_resort(catalog: Catalog) -> None:
    ids = [commit_track(catalog, record(number)) for number in (1, 2)]
    ids.append(commit_track(catalog, record(3, tags=replace(record(3).tags, genres=()))))
    with catalog.write() as con:
        con.execute("INSERT INTO track_genres VALUES (?, 'House', 'person', NULL, NULL)", [ids[1]])
        for track_id in ids:
            con.execute("INSERT INTO track_genres VALUES (?, 'Dub', 'predicted', 'r', 0.5)", [track_id])
    found = catalog.fetch("SELECT genre, genre_source, predicted_genre FROM library ORDER BY title")
    assert found.rows == [("Rock", "tag", "Dub"), ("House", "person", "Dub"), ("Dub", "predicted", "Dub")]


def test_vectors_are_arrays_in_sql(catalog: Catalog) -> None:
    for number in (1, 2):
        commit_track(catalog, record(number))
    stored = vectors(catalog, "vocal_timbre").matrix
    (similarity,) = catalog.fetch(
        "SELECT array_cosine_similarity(a.vector, b.vector) FROM embeddings_vocal_timbre AS a"
        " JOIN embeddings_vocal_timbre AS b ON a.track_id < b.track_id"
    ).rows[0]
    assert similarity == pytest.approx(float(stored[0] @ stored[1]), abs=1e-6)


def test_ids_are_exact_in_json_and_the_same_in_every_catalog(catalog: Catalog, tmp_path: Path) -> None:
    other = create_catalog(tmp_path / "other.duckdb")
    ids = [commit_track(where, record(7)) for where in (catalog, other)]
    assert ids[0] == ids[1]
    assert 0 <= ids[0] < 2**53
    assert catalog.identity().catalog_id != other.identity().catalog_id


def test_a_new_extractor_version_makes_what_was_done_out_of_date(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    track_id = commit_track(catalog, record(1))
    later = make_extractor("vocal_timbre", "vocals", (column("f0_median_hz"), column("new_hz")), 2, size=5)
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces() | {"vocal_timbre": later})
    with pytest.raises(CatalogTooOld, match="version 1"):
        commit_track(catalog, record(2))
    create_catalog(catalog.path)
    assert done(catalog)[record(1).audio_hash]["vocal_timbre"].version == 1
    assert catalog.fetch("SELECT count(*) FROM vocal_timbre").rows == [(0,)]
    assert catalog.fetch("SELECT space, count(*) FROM descriptors GROUP BY ALL").rows == [("drum_rhythm", 1)]
    assert vectors(catalog, "vocal_timbre").matrix.shape == (0, 5)
    assert commit_track(catalog, record(1)) == track_id
    assert done(catalog)[record(1).audio_hash]["vocal_timbre"].version == 2
    assert catalog.fetch("SELECT new_hz, tempo_bpm, level_db FROM library").rows == [(11.0, 10.0, 11.0)]


def test_an_earlier_program_does_not_touch_a_later_space(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    later = make_extractor("vocal_timbre", "vocals", (column("f0_median_hz"),), 2)
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces() | {"vocal_timbre": later})
    create_catalog(catalog.path)
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())
    with pytest.raises(CatalogTooNew, match="upgrade mir"):
        create_catalog(catalog.path)


def test_columns_that_change_without_a_version_are_computed_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_track(catalog, record(1))
    changed = make_extractor("vocal_timbre", "vocals", (column("f0_median_hz"),))
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces() | {"vocal_timbre": changed})
    create_catalog(catalog.path)
    assert set(done(catalog)[record(1).audio_hash]) == {"drum_rhythm"}


def test_better_words_cost_nothing(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_track(catalog, record(1))
    columns = (column("f0_median_hz", "It's the pitch."), column("level_db"))
    reworded = make_extractor("vocal_timbre", "vocals", columns)
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces() | {"vocal_timbre": reworded})
    create_catalog(catalog.path)
    found = catalog.fetch(
        "SELECT f0_median_hz, (SELECT comment FROM duckdb_columns() WHERE table_name = 'library'"
        " AND column_name = 'f0_median_hz') FROM library"
    )
    assert found.rows == [(10.0, "It's the pitch. [Hz; 0 to 100] made up")]
    generation = catalog.identity().generation
    create_catalog(catalog.path)
    assert catalog.identity().generation == generation


def test_a_space_cannot_take_a_table_of_the_catalog() -> None:
    with pytest.raises(ValueError, match="tracks"):
        wide_table(make_extractor("tracks", "x", ()))


def test_replaced_vectors_may_have_another_size(catalog: Catalog) -> None:
    from mir.catalog.queries import replace_vectors

    ids = np.array(sorted(commit_track(catalog, record(number)) for number in (1, 2)))
    matrix = np.eye(2, 5, dtype=np.float32)
    replace_vectors(catalog, "vocal_timbre", "t2", ids, matrix, parameters={"mean": [0.0]})
    found = vectors(catalog, "vocal_timbre")
    assert (found.track_ids.tolist(), found.matrix.tolist(), found.transform_id) == (
        ids.tolist(),
        matrix.tolist(),
        "t2",
    )
    assert catalog.fetch("SELECT typeof(vector) FROM embeddings_vocal_timbre LIMIT 1").rows == [("FLOAT[5]",)]
    current = catalog.fetch('SELECT transform_id, "current", parameters FROM transforms').rows
    assert current == [("t2", True, '{"mean": [0.0]}')]
    commit_track(catalog, record(3))  # by a worker that still had the old transform
    assert len(vectors(catalog, "vocal_timbre").track_ids) == 2
    with pytest.raises(ValueError, match="not all of their tracks"):
        replace_vectors(catalog, "vocal_timbre", "t3", ids + 1, matrix)
    assert vectors(catalog, "vocal_timbre").transform_id == "t2"
