"""A catalog with indexes: the same answers, whatever has happened since they were built."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from similar_library import add, small_extractors, stock

from indexes.errors import IndexDamaged, IndexIncompatible
from mir.catalog import create_catalog, open_catalog
from mir.catalog.commit import forget_artist
from mir.errors import NothingToCompare
from mir.indexing import IndexedShelf, MemoryShelf, build, open_shelf, store, verify
from mir.similarity import similar_artists, similar_tracks
from mir.spaces import fit

SPACES = ("vocal_timbre", "drum_rhythm")
BYS = ("vocals", "vocals=0.6,drums=0.4", "vocals,drums=-0.5")


@pytest.fixture(name="catalog")
def _catalog(tmp_path, tmp_path_factory):
    with small_extractors():
        yield open_catalog(shutil.copy(stock(tmp_path_factory).path, tmp_path / "mir.duckdb"))


def answers(catalog):
    found = [
        search(catalog, query, by, 100)
        for by in BYS
        for search, query in ((similar_artists, "artist 0 [e]"), (similar_tracks, "Track 5"))
    ]
    return [[(getattr(hit, "track", hit.artist), round(hit.score, 5)) for hit in hits] for hits in found]


def without_index(catalog):
    kept = store(catalog).root
    aside = kept.with_suffix(".aside")
    kept.rename(aside)
    try:
        return answers(catalog)
    finally:
        aside.rename(kept)


def shelf(catalog, space="vocal_timbre"):
    with catalog.read() as con:
        return open_shelf(catalog, con, space)


def states(catalog):
    return [verify(catalog, space).state for space in SPACES]


def test_an_index_changes_no_answer(catalog):
    before = answers(catalog)
    assert states(catalog) == ["missing", "missing"]
    assert isinstance(shelf(catalog), MemoryShelf)
    manifests = [build(catalog, space) for space in SPACES]
    assert [manifest.count for manifest in manifests] == [22, 18]
    assert states(catalog) == ["current", "current"]
    assert isinstance(shelf(catalog), IndexedShelf)
    assert answers(catalog) == before
    hits = similar_artists(catalog, "artist 0 [e]", "vocals,drums", 3, explain=True)
    assert sum(one.contribution for one in hits[0].explanation) == pytest.approx(hits[0].score, abs=1e-6)


def test_a_stale_index_is_searched_with_what_came_since(catalog):
    for space in SPACES:
        build(catalog, space)
    before = answers(catalog)
    add(catalog, "Late", ["Latecomer"], vocals=[1, 1, 0, 0], drums=[1, 0, 0])
    forget_artist(catalog, "Artist 3 [é]")
    add(catalog, "Track 9", ["Artist 4 [é]"], vocals=[-1, 2, 3, 0.5])  # measured again: other numbers, same track
    add(catalog, "Track 11", ["Artist 5 [é]"], vocals=None)  # measured again: silent now
    assert states(catalog) == ["stale", "stale"]
    now = answers(catalog)
    assert now == without_index(catalog)
    assert now != before
    tracks = [name for name, _ in now[1]]
    assert "Late" in tracks
    assert not {"Track 6", "Track 7", "Track 11"} & set(tracks)
    np.testing.assert_array_equal(shelf(catalog).ids, np.sort(shelf(catalog).ids))
    for space in SPACES:
        build(catalog, space)
    assert states(catalog) == ["current", "current"]
    assert answers(catalog) == now


def test_a_change_of_tags_alone_scans_nothing_again(catalog):
    build(catalog, "vocal_timbre")
    with catalog.write() as con:
        con.execute("UPDATE tracks SET title = 'Renamed' WHERE title = 'Track 4'")
    assert verify(catalog, "vocal_timbre").state == "stale"
    opened = shelf(catalog)
    assert len(opened._since.ids) == len(opened._left_out) == 0
    assert len(opened.ids) == 22


def test_a_damaged_index_is_refused_with_the_command_that_rebuilds_it(catalog):
    build(catalog, "vocal_timbre")
    path = next(store(catalog).root.rglob("index.faiss"))
    path.write_bytes(path.read_bytes()[:-1])
    for search in (similar_artists, similar_tracks):
        with pytest.raises(IndexDamaged, match="mir index build"):
            search(catalog, "artist 0 [e]", "vocals", 3)
    assert verify(catalog, "vocal_timbre").state == "damaged"
    assert similar_artists(catalog, "artist 0 [e]", "drums", 3)
    build(catalog, "vocal_timbre")
    assert similar_artists(catalog, "artist 0 [e]", "vocals", 3)


def test_an_index_of_other_vectors_is_refused(catalog, tmp_path):
    build(catalog, "vocal_timbre")
    fit(catalog, "vocal_timbre")
    with pytest.raises(IndexIncompatible, match=r"transform_id.*mir index build"):
        similar_artists(catalog, "artist 0 [e]", "vocals", 3)
    assert verify(catalog, "vocal_timbre").state == "incompatible"
    build(catalog, "vocal_timbre")
    assert verify(catalog, "vocal_timbre").state == "current"
    other = create_catalog(tmp_path / "other.duckdb")
    add(other, "Track 0", ["Artist 0 [é]"], vocals=[1, 2, 3, 4])
    shutil.copytree(store(catalog).root, store(other).root)
    with pytest.raises(IndexIncompatible, match="catalog_id"):
        similar_tracks(other, "Track 0", "vocals", 3)


def test_an_empty_space_can_be_indexed(catalog):
    build(catalog, "harmony")
    assert verify(catalog, "harmony").count == 0
    with pytest.raises(NothingToCompare, match="has no other"):
        similar_artists(catalog, "artist 0 [e]", "other", 3)
