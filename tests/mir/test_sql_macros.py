"""Similarity in SQL says what `mir similar` says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest
from similar_library import small_extractors, stock
from sql_library import N_ARTISTS, Made, library

from mir.catalog import Catalog, open_catalog
from mir.errors import QueryFailed
from mir.similarity import similar_artists, similar_tracks


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return library(tmp_path_factory)


@pytest.fixture(scope="module")
def catalog(made: Made) -> Catalog:
    return open_catalog(made.path)


@pytest.fixture
def stocked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    with small_extractors():
        yield open_catalog(shutil.copy(stock(tmp_path_factory).path, tmp_path / "mir.duckdb"))


def test_artists_are_those_of_mir_similar(stocked: Catalog) -> None:
    with stocked.read() as con:
        names = [name for (name,) in con.execute("SELECT artist FROM artists ORDER BY artist").fetchall()]
    assert len(names) > 5
    for name in names[::3]:
        expected = similar_artists(stocked, name, {"vocals": 1.0}, 100)
        found = stocked.fetch("FROM similar_artists(?, 'vocal_timbre', 100)", [name])
        assert found.columns == ("artist_id", "artist", "tracks", "similarity")
        assert [row[1] for row in found.rows] == [hit.artist for hit in expected]
        np.testing.assert_allclose(
            [row[3] for row in found.rows], [hit.cosines["vocals"] for hit in expected], atol=1e-5
        )


def test_tracks_are_those_of_mir_similar(stocked: Catalog) -> None:
    with stocked.read() as con:
        titles = con.execute("SELECT title, track_id FROM tracks ORDER BY title").fetchall()
    for title, track_id in titles[::5]:
        expected = similar_tracks(stocked, title, {"vocals": 1.0}, 5)
        for seed in (title, title.upper(), track_id):
            found = stocked.fetch("FROM similar_tracks(?, 'vocals', 5)", [seed])
            assert [row[2] for row in found.rows] == [hit.track for hit in expected]
        np.testing.assert_allclose(
            [row[3] for row in found.rows], [hit.cosines["vocals"] for hit in expected], atol=1e-5
        )


def test_nearest_by_the_definition(catalog: Catalog, made: Made) -> None:
    vectors = made.vectors["drum_rhythm"]
    heard = np.flatnonzero(~np.isnan(vectors[:, 0]))
    first = heard[4]
    cosines = vectors[heard] @ vectors[first]
    order = heard[np.argsort(-cosines)][1:4]
    track = made.tracks.iloc[first]
    for seed in (track.title, f"{track.artist} - {track.title}", f"/music/{first}.flac", f" song  {first}"):
        found = catalog.sql("FROM similar_tracks(?, 'drum_rhythm', 3)", [seed])
        assert found.title.tolist() == made.tracks.title[order].tolist()
    assert len(catalog.fetch("FROM similar_tracks(?, 'drums')", [track.title]).rows) == 10


def test_artists_by_the_definition(catalog: Catalog, made: Made) -> None:
    """Tracks of different length, tracks of two artists, and an artist who is silent there."""
    vectors = made.vectors["harmony"]
    centroids = {}
    for who, group in made.artists().groupby("who"):
        heard = group[~np.isnan(vectors[group.index, 0])]
        if heard.empty:  # all of this artist's tracks are silent there: no answer
            continue
        centroid = (vectors[heard.index] * heard.duration_s.to_numpy()[:, None]).sum(0)
        centroids[who] = (centroid / np.linalg.norm(centroid), len(heard))
    assert len(centroids) == N_ARTISTS  # of ten: with the guest, without the silent one
    asked, _ = centroids.pop("Guest O'Neil")
    expected = sorted(((asked @ centroid, who, n) for who, (centroid, n) in centroids.items()), reverse=True)
    found = catalog.fetch("FROM similar_artists('guest o''neil', 'harmony', 100)").rows
    assert [row[1:3] for row in found] == [(who, n) for _, who, n in expected]
    np.testing.assert_allclose([row[3] for row in found], [cosine for cosine, _, _ in expected], atol=1e-6)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("FROM similar_tracks('no such song', 'vocals', 3)", "no track 'no such song'"),
        ("FROM similar_tracks('Song 1', 'tuba', 3)", "no space or instrument 'tuba'; there are bass_line, drum_rhythm"),
        ("FROM similar_artists('nobody', 'vocals', 3)", "no artist 'nobody'"),
        ("FROM similar_artists('Artist 1', 'x''); SELECT 1 --', 3)", "no space or instrument"),
    ],
)
def test_what_is_not_there_is_said(catalog: Catalog, query: str, told: str) -> None:
    with pytest.raises(QueryFailed, match="no ") as caught:
        catalog.fetch(query)
    assert told in str(caught.value)


def test_a_silent_track_has_nothing_to_compare(catalog: Catalog, made: Made) -> None:
    silent = int(np.flatnonzero(np.isnan(made.vectors["vocal_timbre"][:, 0]))[0])
    with pytest.raises(QueryFailed, match=f"'Song {silent}' has no vector in vocals"):
        catalog.fetch(f"FROM similar_tracks('Song {silent}', 'vocals', 3)")


def test_two_tracks_of_one_title_are_told_apart_by_id(made: Made, tmp_path: Path) -> None:
    catalog = made.copy(tmp_path)
    with catalog.write() as con:
        con.execute("UPDATE tracks SET title = 'Song 3' WHERE title = 'Song 4'")
    ids = made.tracks.track_id[made.tracks.title.isin(["Song 3", "Song 4"])].tolist()
    with pytest.raises(QueryFailed, match="2 tracks are called 'Song 3'") as caught:
        catalog.fetch("FROM similar_tracks('Song 3', 'mix', 3)")
    for track_id in ids:
        assert str(track_id) in str(caught.value)
        assert len(catalog.fetch("FROM similar_tracks(?, 'mix', 3)", [track_id]).rows) == 3


def test_various_artists_are_nobody(made: Made, tmp_path: Path) -> None:
    catalog = made.copy(tmp_path)
    with catalog.write() as con:
        con.execute(
            "UPDATE artists SET artist = 'Various Artists', name_key = 'various artists' WHERE artist = 'Artist 2'"
        )
    found = catalog.sql("FROM similar_artists('Artist 1', 'vocals', 100)")
    assert "Various Artists" not in found.artist.tolist()
    assert "Artist 3" in found.artist.tolist()
    with pytest.raises(QueryFailed, match="'Various Artists' has no vector"):
        catalog.fetch("FROM similar_artists('Various Artists', 'vocals', 3)")


def test_a_macro_goes_anywhere_in_a_statement(catalog: Catalog) -> None:
    found = catalog.sql(
        "SELECT s.artist, count(*) AS n, max(similarity) AS best FROM similar_tracks('Song 1', 'mix', 30) AS s"
        " JOIN library USING (track_id) WHERE genre = 'House' GROUP BY s.artist ORDER BY best DESC"
    )
    assert found.best.is_monotonic_decreasing
    assert 0 < found.n.sum() < 30


def test_no_macro_stays_in_the_catalog(catalog: Catalog) -> None:
    catalog.fetch("FROM similar_tracks('Song 1', 'mix', 1)")
    with catalog.read() as con:
        found = con.execute("SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'similar_%'").fetchone()
    assert found == (0,)


def test_duckdb_alone_takes_the_printed_macros(made: Made, tmp_path: Path, catalog: Catalog) -> None:
    printed = subprocess.run([sys.executable, "-m", "mir.sql.macros"], capture_output=True, text=True, check=True)
    copy = made.copy(tmp_path)
    con = duckdb.connect(str(copy.path))
    con.execute(printed.stdout)
    query = "SELECT title FROM similar_tracks('Song 1', 'mix', 5)"
    assert con.execute(query).fetchall() == catalog.fetch(query).rows
    con.close()
