"""The order is the true one whatever way candidates are found."""

from __future__ import annotations

import numpy as np
import pytest
from similar_library import unit

from indexes import ExactIndex
from mir.indexing import IndexedShelf, MemoryShelf
from mir.similarity.links import Links
from mir.similarity.ranking import PAIRS, Seed, Voice, artist_cosines, chance_of, rank_artists, rank_tracks
from mir.spaces import SpaceVectors

N, D = 3000, 8


def vectors(seed, keep=0.8):
    random = np.random.default_rng(seed)
    ids = np.flatnonzero(random.random(N) < keep).astype(np.int64)
    return SpaceVectors(ids, unit(random.normal(size=(len(ids), D)) + 0.4).astype(np.float32))


def indexed(whole, seed):
    """The same vectors: half in an index, among some that are out of date or gone, half beside it."""
    random = np.random.default_rng(seed)
    late = random.random(len(whole.track_ids)) < 0.5
    changed = whole.track_ids[late][::7]
    gone = np.arange(N, N + 50)
    old = np.concatenate([changed, gone])
    index = ExactIndex(D)
    index.add(whole.track_ids[~late], whole.matrix[~late])
    index.add(old, unit(random.normal(size=(len(old), D))))
    return IndexedShelf(index, old, SpaceVectors(whole.track_ids[late], whole.matrix[late]))


def asking(*vectors):
    """Seeds of one track each."""
    return tuple(Seed(np.empty(0, np.int64), np.asarray([one], float), np.ones(1)) for one in vectors)


def voices(weights, shelves):
    query = unit(np.random.default_rng(9).normal(size=D))
    return [
        Voice(f"i{n}", f"s{n}", weight, shelf, chance_of(shelf), asking(query))
        for n, (weight, shelf) in enumerate(zip(weights, shelves, strict=True))
    ]


def brute_force(asked, exclude):
    """Score every track that has all positively weighted spaces."""
    scores = {}
    for track_id in range(N + 50):
        total, complete = 0.0, track_id not in exclude
        for voice in asked:
            if track_id in set(voice.shelf.ids.tolist()):
                cosine = float(voice.shelf.rows(np.array([track_id]))[0] @ voice.query())
                total += voice.weight * (cosine - voice.chance.mean) / voice.chance.deviation
            elif voice.weight > 0:
                complete = False
        if complete:
            scores[track_id] = total
    return scores


def test_both_shelves_hold_the_same():
    whole = vectors(1)
    plain, through_index = MemoryShelf(whole), indexed(whole, 5)
    np.testing.assert_array_equal(plain.ids, through_index.ids)
    some = plain.ids[::3]
    np.testing.assert_allclose(plain.rows(some), through_index.rows(some), atol=1e-7)
    assert chance_of(plain).mean == pytest.approx(chance_of(through_index).mean, abs=1e-9)
    query = unit(np.random.default_rng(3).normal(size=D))
    order = np.argsort(-(whole.matrix @ query))
    for shelf in (plain, through_index):
        ids, least = shelf.nearest(query, 40)
        assert set(whole.track_ids[order[:40]]) <= set(ids)
        unseen = np.setdiff1d(whole.track_ids, ids)
        assert (shelf.rows(unseen) @ query).max() <= least + 1e-6
        assert shelf.nearest(query, 2 * N)[1] == -np.inf


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_a_shelf_finds_what_is_allowed_and_nothing_else(share):
    whole = vectors(1)
    allowed = np.flatnonzero(np.random.default_rng(4).random(N + 50) < share)  # some are not here, some are gone
    there = np.isin(whole.track_ids, allowed)
    query = unit(np.random.default_rng(3).normal(size=D))
    similarities = whole.matrix[there] @ query
    for shelf in (MemoryShelf(whole), indexed(whole, 5)):
        ids, least = shelf.nearest(query, 10, allowed=allowed)
        assert np.isin(ids, whole.track_ids[there]).all()
        best = whole.track_ids[there][np.argsort(-similarities)[:10]]
        assert set(best) <= set(ids)
        unseen = ~np.isin(whole.track_ids[there], ids)
        assert (similarities[unseen] <= least + 1e-6).all()
        ids, least = shelf.nearest(query, N, allowed=allowed)
        assert set(ids) == set(whole.track_ids[there])
        assert least == -np.inf


class Counting(MemoryShelf):
    """A shelf whose searches cost more the deeper they are."""

    whole = False

    def __init__(self, vectors):
        super().__init__(vectors)
        self.depths = []

    def nearest(self, query, k, *, allowed=None, exhaustive=False):
        self.depths.append(k)
        return super().nearest(query, k, allowed=allowed, exhaustive=exhaustive)


def test_a_filter_reaches_the_search():
    shelf = Counting(vectors(1))
    asked = voices((1.0,), [shelf])
    cosines = shelf.rows(shelf.ids) @ asked[0].query()
    farthest = shelf.ids[np.argsort(cosines)[:600]]
    ranked = rank_tracks(asked, farthest[:3], 15, farthest)
    assert ranked.ids.tolist() == farthest[:2:-1][:15].tolist()
    assert shelf.depths == [128]
    assert not len(rank_tracks(asked, np.empty(0, np.int64), 15, np.empty(0, np.int64)).ids)


@pytest.mark.parametrize("weights", [(1.0,), (0.6, 0.4), (0.2, 2.0, 1.0), (1.0, -0.8), (0.5, 0.5, -2.0)])
@pytest.mark.parametrize("through_index", [False, True])
def test_tracks_are_ranked_as_by_brute_force(weights, through_index):
    whole = [vectors(seed) for seed in range(len(weights))]
    shelves = [indexed(each, n) if through_index else MemoryShelf(each) for n, each in enumerate(whole)]
    asked = voices(weights, shelves)
    exclude = np.array([4, 8, 15, 16, 23, 42])
    ranked = rank_tracks(asked, exclude, 15)
    plain = voices(weights, [MemoryShelf(each) for each in whole])
    expected = brute_force_fast(plain, exclude)
    order = sorted(expected, key=lambda one: (-expected[one], one))[:15]
    assert ranked.ids.tolist() == order
    np.testing.assert_allclose(ranked.scores, [expected[one] for one in order], atol=1e-6)


def brute_force_fast(asked, exclude):
    table = np.zeros(N)
    complete = np.ones(N, bool)
    complete[exclude] = False
    for voice in asked:
        here = np.zeros(N, bool)
        here[voice.shelf.ids] = True
        cosine = np.zeros(N)
        cosine[voice.shelf.ids] = voice.shelf.rows(voice.shelf.ids) @ voice.query()
        z = voice.weight * (cosine - voice.chance.mean) / voice.chance.deviation
        table += np.where(here, z, 0.0)
        complete &= here | (voice.weight < 0)
    return {int(one): float(table[one]) for one in np.flatnonzero(complete)}


class Careless(MemoryShelf):
    """An approximate index that misses whatever it can, unless it is asked to compare everything."""

    whole = exact = False

    def nearest(self, query, k, *, allowed=None, exhaustive=False):
        ids, least = super().nearest(query, k, allowed=allowed)
        return (ids, least) if exhaustive else (np.sort(ids)[::2], least)


@pytest.mark.parametrize("seed", range(30))
def test_any_weights_seeds_and_filters_are_exact_whatever_the_indexes(seed):
    random = np.random.default_rng(seed)
    kinds = [MemoryShelf, Careless, lambda whole: indexed(whole, seed)]
    weights = random.normal(size=random.integers(2, 5))
    weights[0] = abs(weights[0])
    shelves = [kinds[random.integers(3)](vectors(100 * seed + n, keep=0.9)) for n in range(len(weights))]
    seeds = asking(*unit(random.normal(size=(random.integers(1, 4), D))))
    asked = [
        Voice(f"i{n}", f"s{n}", float(weight), shelf, chance_of(shelf), seeds)
        for n, (weight, shelf) in enumerate(zip(weights, shelves, strict=True))
    ]
    exclude = random.choice(N, 30, replace=False)
    allowed = [None, random.choice(N, 60, replace=False), random.choice(N, 1500, replace=False)][seed % 3]
    expected = brute_force_fast(asked, exclude)
    if allowed is not None:
        expected = {one: score for one, score in expected.items() if one in set(allowed.tolist())}
    order = sorted(expected, key=lambda one: (-expected[one], one))[:20]
    ranked = rank_tracks(asked, exclude, 20, allowed)
    assert ranked.ids.tolist() == order
    np.testing.assert_allclose(ranked.scores, [expected[one] for one in order], atol=1e-6)


def test_one_instrument_alone_is_asked_of_its_index():
    asked = voices((1.0,), [Careless(vectors(1))])
    plain = voices((1.0,), [MemoryShelf(vectors(1))])
    exclude = np.empty(0, np.int64)
    assert rank_tracks(asked, exclude, 20).ids.tolist() != rank_tracks(plain, exclude, 20).ids.tolist()


def test_the_two_brute_forces_agree():
    small = vectors(1)
    small = SpaceVectors(small.track_ids[:40], small.matrix[:40])
    other = SpaceVectors(small.track_ids[10:], small.matrix[10:])
    asked = voices((1.0, -0.5), [MemoryShelf(small), MemoryShelf(other)])
    assert brute_force(asked, [3]) == pytest.approx(brute_force_fast(asked, [3]))


def test_depth_grows_until_nothing_better_is_left():
    """The best of both together is far down either list alone."""
    random = np.random.default_rng(0)
    angles = np.concatenate([random.uniform(0.3, 0.4, 1500), random.uniform(1.4, 1.6, 1500)])
    first = np.stack([np.cos(angles), np.sin(angles)], 1)
    second = first[::-1].copy()
    first[777] = second[777] = [np.cos(0.45), np.sin(0.45)]
    shelves = []
    for matrix in (first, second):
        index = ExactIndex(2)
        index.add(np.arange(3000), matrix.astype(np.float32))
        nothing = SpaceVectors(np.empty(0, np.int64), np.empty((0, 2), np.float32))
        shelves.append(IndexedShelf(index, np.empty(0, np.int64), nothing))
    asked = [Voice("a", "a", 1.0, shelf, chance_of(shelf), asking([1.0, 0.0])) for shelf in shelves]
    assert rank_tracks(asked, np.empty(0, np.int64), 1).ids.tolist() == [777]


def test_chance_is_all_pairs_where_they_are_few_and_a_fair_sample_where_not():
    few = MemoryShelf(SpaceVectors(np.arange(30), vectors(2).matrix[:30]))
    gram = few.rows(few.ids) @ few.rows(few.ids).T
    cosines = gram[np.triu_indices(30, 1)]
    chance = chance_of(few)
    assert (chance.mean, chance.deviation) == (pytest.approx(cosines.mean()), pytest.approx(cosines.std()))
    many = MemoryShelf(vectors(2))
    sampled = chance_of(many)
    assert len(sampled.first) == PAIRS
    assert (sampled.first != sampled.second).all()
    gram = many.rows(many.ids) @ many.rows(many.ids).T
    cosines = gram[np.triu_indices(len(gram), 1)]
    assert sampled.mean == pytest.approx(cosines.mean(), abs=4 * cosines.std() / np.sqrt(PAIRS))
    assert sampled.deviation == pytest.approx(cosines.std(), rel=0.03)
    assert chance_of(many).mean == sampled.mean


@pytest.mark.parametrize("n", [0, 1, 2])
def test_chance_of_next_to_nothing(n):
    shelf = MemoryShelf(SpaceVectors(np.arange(n), vectors(2).matrix[:n]))
    assert chance_of(shelf).deviation == 1.0


def test_artists_are_compared_by_the_tracks_that_a_space_has():
    whole = SpaceVectors(np.array([1, 2, 3]), np.array([[1, 0], [0, 1], [1, 0]], np.float32))
    links = Links(np.array([1, 2, 9, 2, 3]), np.array([5, 5, 5, 6, 7]), np.array([10.0, 30, 99, 30, 1]))
    shelf = MemoryShelf(whole)
    voice = Voice("a", "a", 1.0, shelf, chance_of(shelf), asking([1.0, 0.0], [0.0, 1.0]))
    ids, cosines = artist_cosines(voice, links, "centroid")
    assert ids.tolist() == [5, 6, 7]
    np.testing.assert_allclose(cosines, [40 / np.sqrt(1000) / 2, 0.5, 0.5])


def test_artists_through_an_index_are_the_same():
    whole = [vectors(1), vectors(2)]
    random = np.random.default_rng(8)
    links = Links(np.arange(N), np.sort(random.integers(0, 200, N)), random.uniform(60, 300, N))
    answers = [
        rank_artists(voices((0.7, 0.3), shelves), links, np.array([3]), 20)
        for shelves in ([MemoryShelf(each) for each in whole], [indexed(each, 1) for each in whole])
    ]
    np.testing.assert_array_equal(answers[0].ids, answers[1].ids)
    np.testing.assert_allclose(answers[0].scores, answers[1].scores, atol=1e-9)
    assert 3 not in answers[0].ids


def test_links_of_artists_are_those_a_look_at_every_row_finds():
    random = np.random.default_rng(4)
    links = Links(np.arange(N), np.sort(random.integers(0, 40, N)), random.uniform(60, 300, N))
    for wanted in (np.array([], np.int64), np.array([39, 3, 3, 700]), np.arange(40)):
        here = np.isin(links.artist_ids, wanted)
        some = links.of_artists(wanted)
        for got, all_of in zip(
            (some.track_ids, some.artist_ids, some.durations_s),
            (links.track_ids, links.artist_ids, links.durations_s),
            strict=True,
        ):
            np.testing.assert_array_equal(got, all_of[here])
    for artist_id in (0, 17, 700):
        track_ids, durations_s = links.of_artist(artist_id)
        np.testing.assert_array_equal(track_ids, links.track_ids[links.artist_ids == artist_id])
        np.testing.assert_array_equal(durations_s, links.durations_s[links.artist_ids == artist_id])
