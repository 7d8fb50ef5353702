"""Answers from memory are those of `mir similar`; the library in memory follows the catalog."""

from __future__ import annotations

import numpy as np
import pytest
from similar_crowd import VARIOUS, crowd, settle
from similar_library import add, small_extractors

from mir import similarity
from mir.catalog import create_catalog
from mir.catalog.removal import forget_artist
from mir.errors import BadRequest, NothingToCompare
from mir.similarity.filters import Filters, allowed_tracks
from mir.similarity.query import Query, find_query
from mir.web import similar
from mir.web.keeper import Keeper
from mir.web.library import load

QUESTIONS = [{"vocals": 1.0}, {"drums": 0.4}, {"vocals": 0.7, "drums": 0.3}, {"vocals": 1.0, "drums": -0.8}]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    with small_extractors():
        yield settle(crowd(), tmp_path_factory.mktemp("crowd") / "mir.duckdb")


def keys(hits):
    return [getattr(hit, "track_id", None) or hit.artist_id for hit in hits]


@pytest.mark.parametrize("by", QUESTIONS)
@pytest.mark.parametrize("kind", ["artists", "tracks"])
@pytest.mark.parametrize("filters", [Filters(), Filters(genre="House", year=(1990, None))])
def test_the_same_answers_as_mir_similar(people, by, kind, filters):
    library = load(people)
    with people.read() as con:
        allowed = allowed_tracks(con, filters)
    asked = 0
    for name in ("Artist 3", "Artist 11", "Track 7", "Track 80"):
        query = find_query(people, name, [], "mir-4s")
        try:
            expected = getattr(similarity, f"similar_{kind}")(people, name, by, 15, filters=filters)
        except NothingToCompare:
            with pytest.raises(NothingToCompare):
                getattr(similar, f"similar_{kind}")(library, query, by, 15, allowed)
            continue
        found = getattr(similar, f"similar_{kind}")(library, query, by, 15, allowed)
        assert keys(found) == keys(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-6)
            assert one.similarity == pytest.approx(other.similarity, abs=1e-6)
            assert one.cosines == pytest.approx(other.cosines, abs=1e-6)
            assert getattr(one, "tracks", None) == getattr(other, "tracks", None)
        asked += len(found)
    assert asked > 20


def test_a_large_library_is_cut_down_first_and_answers_the_same(people, monkeypatch):
    library = load(people)
    query = find_query(people, "Artist 3", [], "mir-4s")
    whole = similar.similar_tracks(library, query, {"vocals": 1.0, "drums": -0.5}, 10)
    monkeypatch.setattr(similar, "_SPARE", 3)
    assert keys(similar.similar_tracks(library, query, {"vocals": 1.0, "drums": -0.5}, 10)) == keys(whole)


def test_why_sums_to_the_score(people):
    library = load(people)
    query = find_query(people, "Artist 3", [], "mir-4s")
    by = {"vocals": 1.0, "drums": -0.4}
    hit = similar.similar_artists(library, query, by, 3)[2]
    parts = similar.why(people, library, query, by, Query("artist", hit.artist, artist_id=hit.artist_id))
    assert sum(part.contribution for part in parts) == pytest.approx(hit.score, abs=1e-4)
    assert {part.instrument for part in parts} == {"vocals", "drums"}


def test_questions_that_cannot_be_answered(people):
    library = load(people)
    silent = next(track for track in crowd() if track.vocals is None)
    query = Query("track", silent.title, track_id=silent.number)
    with pytest.raises(NothingToCompare, match="no vocals"):
        similar.similar_tracks(library, query, {"vocals": 1.0}, 5)
    with pytest.raises(BadRequest, match="positive"):
        similar.similar_tracks(library, query, {"drums": -1.0}, 5)
    with pytest.raises(BadRequest, match="triangle"):
        similar.similar_tracks(library, query, {"triangle": 1.0}, 5)


def test_nobody_is_no_answer(people):
    library = load(people)
    query = find_query(people, "Artist 3", [], "mir-4s")
    assert VARIOUS not in {hit.artist for hit in similar.similar_artists(library, query, {"vocals": 1.0}, 200)}


def same(one, other):
    assert one.generation == other.generation
    assert one.tracks == other.tracks
    assert one.artists == other.artists
    for name, space in one.spaces.items():
        assert np.array_equal(space.vectors.track_ids, other.spaces[name].vectors.track_ids)
        assert np.array_equal(space.vectors.matrix, other.spaces[name].vectors.matrix)
        assert np.array_equal(space.artists.matrix, other.spaces[name].artists.matrix)
        assert np.array_equal(space.tracks.here, other.spaces[name].tracks.here)
        assert space.chance.mean == other.spaces[name].chance.mean


def test_the_library_follows_the_catalog_and_reads_only_what_is_new(tmp_path, monkeypatch):
    with small_extractors():
        catalog = create_catalog(tmp_path / "mir.duckdb")
        rng = np.random.default_rng(0)
        for number in range(12):
            add(catalog, f"T{number}", [f"A{number % 4}"], vocals=rng.normal(size=4), drums=rng.normal(size=3))
        first = load(catalog)
        assert load(catalog, first) is first

        asked = []
        real = load.__globals__["read_vectors"]

        def watched(con, space, transform, *, only=None):
            asked.append((space, None if only is None else len(only)))
            return real(con, space, transform, only=only)

        monkeypatch.setitem(load.__globals__, "read_vectors", watched)
        add(catalog, "New", ["A9"], vocals=rng.normal(size=4), drums=None)
        second = load(catalog, first)
        assert asked == [("vocal_timbre", 1)]
        assert second.spaces["drums"].vectors is first.spaces["drums"].vectors
        same(second, load(catalog))

        add(catalog, "T3", ["A3"], vocals=rng.normal(size=4), drums=rng.normal(size=3))  # measured again
        third = load(catalog, second)
        assert not np.array_equal(third.spaces["vocals"].vectors.matrix, second.spaces["vocals"].vectors.matrix)
        same(third, load(catalog))

        forget_artist(catalog, "A1")
        fourth = load(catalog, third)
        assert "A1" not in {artist.artist for artist in fourth.artists.values()}
        same(fourth, load(catalog))


def test_questions_are_answered_while_the_catalog_is_written_to(tmp_path):
    import threading

    with small_extractors():
        catalog = create_catalog(tmp_path / "mir.duckdb")
        for number in range(6):
            add(catalog, f"T{number}", [f"A{number}"], vocals=[1, number, 1, 0], drums=[1, 1, number])
        keeper = Keeper(catalog)
        before = keeper.library()
        writing, done = threading.Event(), threading.Event()

        def write():
            with catalog.write() as con:
                con.execute("UPDATE tracks SET title = title || '!'")
                writing.set()
                assert done.wait(30)

        writer = threading.Thread(target=write)
        writer.start()
        assert writing.wait(30)
        keeper._next_look = 0.0
        assert keeper.library() is before  # at once, although the catalog is shut
        done.set()
        writer.join()
        assert all(track.title.endswith("!") for track in keeper.refresh().tracks.values())
