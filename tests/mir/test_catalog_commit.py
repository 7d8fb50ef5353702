"""Writing and taking out: whole tracks, the same twice is once, and a forgotten track is nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalog_records import record, result, snapshot, two_spaces

import features
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_failure, commit_file, commit_track, forget_artist, forget_path, prune
from mir.catalog.queries import descriptors, done, find_artist, known_files, track_table, vectors
from mir.catalog.records import FileStat, StemRow, Tags
from mir.catalog.removal import forget
from mir.errors import BadRequest, NotInCatalog


@pytest.fixture(autouse=True)
def spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return create_catalog(tmp_path / "mir.duckdb")


def test_the_same_record_twice_is_once(catalog: Catalog) -> None:
    first = commit_track(catalog, record(1))
    before = snapshot(catalog)
    assert commit_track(catalog, record(1)) == first
    assert snapshot(catalog) == before
    assert {table: len(rows) for table, rows in before.items() if rows} == {
        "schema_version": 1,
        "catalog_info": 1,
        "spaces": 2,
        "tracks": 1,
        "files": 1,
        "artists": 1,
        "track_artists": 1,
        "track_genres": 2,
        "stems": 4,
        "extractions": 2,
        "descriptors": 2,
        "space_vectors": 2,
        "vocal_timbre": 1,
        "drum_rhythm": 1,
    }


def test_what_is_read_is_what_was_written(catalog: Catalog) -> None:
    written = record(1)
    track_id = commit_track(catalog, written)
    voice = written.results[0]
    found = vectors(catalog, "vocal_timbre")
    assert (found.track_ids.tolist(), found.version, found.transform_id) == ([track_id], 1, "t1")
    np.testing.assert_array_equal(found.matrix, voice.vector[None, :])
    assert found.matrix.dtype == np.float32
    raw = descriptors(catalog, "vocal_timbre")
    np.testing.assert_array_equal(raw.matrix, voice.descriptor[None, :])
    (row,) = track_table(catalog)
    assert (row.track_id, row.title, row.artists, row.genres) == (track_id, "Song 1", ("Artist 1",), ("Pop", "Rock"))
    assert known_files(catalog)["/music/1.mp3"].audio_hash == written.audio_hash
    with pytest.raises(BadRequest, match="there are drum_rhythm, vocal_timbre"):
        vectors(catalog, "kazoo")


def test_nothing_read_before_anything_written(catalog: Catalog) -> None:
    assert vectors(catalog, "vocal_timbre").matrix.shape == (0, 4)
    assert (known_files(catalog), done(catalog), track_table(catalog)) == ({}, {}, [])


def test_silence_has_no_features(catalog: Catalog) -> None:
    commit_track(catalog, record(1))
    commit_track(catalog, record(1, results=(result("vocal_timbre", state="silent"),)))
    remembered = done(catalog)[record(1).audio_hash]
    assert {space: each.state for space, each in remembered.items()} == {"vocal_timbre": "silent", "drum_rhythm": "ok"}
    assert len(vectors(catalog, "vocal_timbre").track_ids) == 0
    assert len(descriptors(catalog, "vocal_timbre").track_ids) == 0
    assert catalog.fetch("SELECT count(*) FROM vocal_timbre").rows == [(0,)]
    assert len(vectors(catalog, "drum_rhythm").track_ids) == 1


def test_what_cannot_be_measured_is_null(catalog: Catalog) -> None:
    voice = result("vocal_timbre", values={"f0_median_hz": float("nan"), "level_db": float("-inf")})
    quiet = StemRow("vocals", "m", float("-inf"), 0.0)
    commit_track(catalog, record(1, results=(voice,), stems=(quiet,)))
    found = catalog.fetch("SELECT f0_median_hz, vocal_timbre_level_db, vocals_loudness_lufs FROM library")
    assert found.rows == [(None, None, None)]


@pytest.mark.parametrize(
    "broken",
    [
        {"values": {"f0_median_hz": 1.0}},
        {"values": None},
        {"descriptor": np.zeros(9, np.float32)},
        {"vector": np.array([np.nan], np.float32)},
        {"state": "silent"},
    ],
)
def test_a_result_that_breaks_its_declaration_is_refused_whole(catalog: Catalog, broken: dict[str, object]) -> None:
    before = snapshot(catalog)
    with pytest.raises(ValueError, match="vocal_timbre"):
        commit_track(catalog, record(1, results=(replace(result("vocal_timbre"), **broken),)))
    assert snapshot(catalog) == before


def test_vectors_of_one_transform_have_one_size(catalog: Catalog) -> None:
    commit_track(catalog, record(1))
    longer = result("vocal_timbre", 2, vector=np.ones(5, np.float32))
    with pytest.raises(ValueError, match="have 3 numbers, this one has 5"):
        commit_track(catalog, record(2, results=(longer,)))


def test_a_copy_shares_its_track(catalog: Catalog) -> None:
    commit_track(catalog, record(1))
    commit_file(catalog, FileStat("/music/copy.mp3", 5, 6), record(1).audio_hash, record(1).tags)
    assert len(snapshot(catalog)["tracks"]) == 1
    assert {each.track_id for each in known_files(catalog).values()} == {known_files(catalog)["/music/1.mp3"].track_id}
    assert prune(catalog, ["/music/copy.mp3", "/never/there"]) == 1
    assert catalog.fetch("SELECT path FROM tracks").rows == [("/music/1.mp3",)]
    assert prune(catalog, ["/music/1.mp3"]) == 1
    assert not snapshot(catalog)["tracks"]


def test_new_tags_replace_the_old_and_compute_nothing(catalog: Catalog) -> None:
    track_id = commit_track(catalog, record(1))
    with catalog.write() as con:
        con.execute("INSERT INTO track_genres VALUES (?, 'House', 'person', NULL, NULL)", [track_id])
    kept = {name: snapshot(catalog)[name] for name in ("extractions", "descriptors", "vocal_timbre", "stems")}
    tags = Tags("New", ("Somebody", "Else"), year=1999, genres=("Jazz",))
    commit_file(catalog, FileStat("/music/1.mp3", 1, 9), record(1).audio_hash, tags)
    (row,) = track_table(catalog)
    assert (row.title, row.artists, row.genres, row.album) == ("New", ("Somebody", "Else"), ("House", "Jazz"), None)
    now = snapshot(catalog)
    assert [name for _, name, *_ in sorted(now["artists"], key=lambda each: each[1])] == ["Else", "Somebody"]
    assert {name: now[name] for name in kept} == kept
    with pytest.raises(NotInCatalog, match="commit the track first"):
        commit_file(catalog, FileStat("/x", 1, 1), "f" * 64, tags)


def test_a_file_that_now_holds_other_audio_takes_its_track_along(catalog: Catalog, tmp_path: Path) -> None:
    stem = tmp_path / "stems" / "1" / "vocals.flac"
    stem.parent.mkdir(parents=True)
    stem.touch()
    commit_track(catalog, record(1, stems=(StemRow("vocals", "m", -20.0, 0.5, str(stem)),)))
    commit_track(catalog, record(2, file=record(1).file))
    assert set(done(catalog)) == {record(2).audio_hash}
    assert [name for _, name, *_ in snapshot(catalog)["artists"]] == ["Artist 2"]
    assert not stem.parent.exists()


def test_a_failure_is_kept_until_a_success(catalog: Catalog) -> None:
    file = record(1).file
    commit_failure(catalog, file, "it is a picture")
    known = known_files(catalog)[file.path]
    assert (known.state, known.reason, known.track_id, known.audio_hash) == ("failed", "it is a picture", None, None)
    track_id = commit_track(catalog, record(1))
    assert known_files(catalog)[file.path].state == "ok"
    commit_failure(catalog, replace(file, mtime_ns=9), "the disk is away")
    known = known_files(catalog)[file.path]
    assert (known.state, known.track_id, known.mtime_ns) == ("failed", track_id, 9)
    commit_track(catalog, record(1))
    assert known_files(catalog)[file.path].reason is None


def test_artists_are_one_whatever_the_case_and_two_where_their_ids_differ(catalog: Catalog) -> None:
    def tagged(number: int, name: str, *ids: str) -> None:
        commit_track(catalog, record(number, tags=Tags("T", (name,), musicbrainz_artist_ids=ids), results=()))

    tagged(1, "Nirvana")
    tagged(2, " NIRVANA ", "id-seattle")
    tagged(3, "nirvana", "id-london")
    tagged(4, "Nirvana (US)", "id-seattle")
    rows = catalog.fetch("SELECT artist, musicbrainz_id, count(*) FROM artists JOIN track_artists USING (artist_id)"
                         " GROUP BY ALL ORDER BY 3 DESC").rows  # fmt: skip
    assert rows == [("Nirvana", "id-seattle", 3), ("nirvana", "id-london", 1)]


def test_an_unknown_artist_is_nobody(catalog: Catalog) -> None:
    commit_track(catalog, record(1, tags=Tags("Untitled")))
    assert catalog.fetch("SELECT artist, artists FROM library").rows == [("Unknown artist", None)]
    assert track_table(catalog)[0].artists == ()
    with pytest.raises(NotInCatalog):
        find_artist(catalog, "Unknown artist")


def test_artists_are_found_without_case_and_accents(catalog: Catalog) -> None:
    for number, name in enumerate(("Björk", "Bjork Band", "Sigur Rós"), 1):
        commit_track(catalog, record(number, tags=Tags("T", (name,)), results=()))
    assert find_artist(catalog, "Björk").artist == "Björk"
    assert find_artist(catalog, "bjork").artist == "Björk"
    assert find_artist(catalog, "SIGUR ROS").artist == "Sigur Rós"
    with pytest.raises(NotInCatalog, match="near: Sigur Rós"):
        find_artist(catalog, "Sigur Ross")
    with pytest.raises(NotInCatalog, match="among the 3"):
        find_artist(catalog, "zzzz")


def test_a_forgotten_artist_is_nowhere(catalog: Catalog, tmp_path: Path) -> None:
    stem = tmp_path / "kept" / "vocals.flac"
    stem.parent.mkdir()
    stem.touch()
    secret = Tags("Verysecrettitle", ("Verysecretname", "Friend"), genres=("Verysecretgenre",))
    kept = (StemRow("vocals", "m", -20.0, 0.5, str(stem)),)
    track_id = commit_track(catalog, record(1, tags=secret, stems=kept))
    commit_failure(catalog, FileStat("/music/broken.mp3", 1, 1), "broken")
    other = commit_track(catalog, record(2, tags=replace(record(2).tags, artists=("Friend",))))
    with catalog.write() as con:
        for each in (track_id, other):
            con.execute("INSERT INTO genre_predictions VALUES (?, 'run', 'Dub', 0.5)", [each])
            con.execute("INSERT INTO track_genres VALUES (?, 'Dub', 'predicted', 'run', 0.5)", [each])
    expected = {
        table: [row for row in rows if track_id not in row and "Verysecretname" not in row]
        for table, rows in snapshot(catalog).items()
    }
    assert b"Verysecretname" in catalog.path.read_bytes()
    forgotten = forget(catalog, "verysecretNAME")
    assert (forgotten.what, forgotten.kind, forgotten.tracks) == ("Verysecretname", "artist", 1)
    assert snapshot(catalog) == expected
    assert {name for _, name, *_ in expected["artists"]} == {"Friend"}
    assert not stem.parent.exists()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    for word in (b"Verysecretname", b"Verysecrettitle", b"Verysecretgenre"):
        assert word not in content


def test_forgetting_paths_and_folders(catalog: Catalog, tmp_path: Path) -> None:
    for number, name in enumerate(("a/1.mp3", "a/b/2.mp3", "ab/3.mp3"), 1):
        commit_track(catalog, record(number, file=FileStat(str(tmp_path / name), 1, 1), results=()))
    commit_failure(catalog, FileStat(str(tmp_path / "a" / "broken.mp3"), 1, 1), "broken")
    with pytest.raises(NotInCatalog, match="no file at"):
        forget_path(catalog, tmp_path / "nothing")
    assert forget_path(catalog, tmp_path / "a") == 3
    assert list(known_files(catalog)) == [str(tmp_path / "ab/3.mp3")]
    assert forget_artist(catalog, "Artist 3") == 1
    assert known_files(catalog) == {}
