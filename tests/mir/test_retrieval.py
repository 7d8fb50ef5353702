"""Retrieval scores against hand counts, the protocol's rules, and evaluations whose outcome is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mir.retrieval.queries import Recording, few_artists, make_queries
from mir.retrieval.ranking import rank_artists, rank_tracks
from mir.retrieval.scores import Scores, difference, expected_precision, interval, score_order
from mir.similarity.artists import WAYS


def recording(number, artists, album=None, duration_s=60.0):
    return Recording(number, f"track {number}", tuple(artists), album, duration_s)


def as_they_are(_seen):
    return lambda rows: rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def test_scores_by_hand():
    assert score_order([False, True, False, True], 2) == (0.5, 0.0, 1.0)
    assert score_order([True, False], 2) == (0.5, 1.0, 0.5)
    assert score_order([], 1) == (0.0, 0.0, 0.0)
    precision, hit, recall = score_order([True] * 12, 12)
    assert (precision, hit, recall) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("relevant", "candidates"), [(1, 4), (2, 5), (3, 6), (4, 4)])
def test_chance_is_the_mean_over_all_orders(relevant, candidates):
    flags = [True] * relevant + [False] * (candidates - relevant)
    orders = set(itertools.permutations(flags))
    mean = np.mean([score_order(order, relevant)[0] for order in orders])
    assert expected_precision(relevant, candidates) == pytest.approx(mean)


def test_intervals_draw_artists():
    """Ten equal queries of one artist tell no more than one."""
    values = np.array([0.0] * 10 + [1.0] * 10)
    low, high = interval(values, ["a"] * 10 + ["b"] * 10)
    assert (low, high) == (0.0, 1.0)
    many = [str(i) for i in range(20)]
    low, high = interval(values, many)
    assert 0.2 < low < 0.45 < 0.55 < high < 0.8
    assert interval(np.full(20, 0.3), many) == pytest.approx((0.3, 0.3))


def test_differences_are_paired():
    rows = np.random.default_rng(0).uniform(0, 0.8, 40)
    groups = [str(i // 2) for i in range(40)]
    a = Scores.collect(groups, [(x + 0.1, 0.0, 0.0) for x in rows], [0.1] * 40)
    b = Scores.collect(groups, [(x, 0.0, 0.0) for x in rows], [0.1] * 40)
    gain = difference(a, b)
    assert gain["map"] == pytest.approx(0.1)
    assert gain["map_interval"] == pytest.approx([0.1, 0.1])
    with pytest.raises(ValueError, match="same queries"):
        difference(a, Scores.collect(groups[1:], [(0.0, 0.0, 0.0)] * 39, [0.1] * 39))


def test_who_asks_and_what_counts():
    library = [
        recording(0, ["ada"], "first"),
        recording(1, ["ada"], "first"),
        recording(2, ["ada", "bob"], "second"),
        recording(3, ["bob"]),
        recording(4, ["cy"], "third"),
        recording(5, [], "fourth"),
    ]
    queries = {query.place: query for query in make_queries(library)}
    assert sorted(queries) == [0, 1, 2, 3]
    # Not itself, not the same album, nobody unknown; Bob's track is neither Ada's nor hers to miss.
    assert np.flatnonzero(queries[0].relevant).tolist() == [2]
    assert np.flatnonzero(queries[0].candidates).tolist() == [2, 3, 4]
    assert np.flatnonzero(queries[0].kin).tolist() == [0, 1, 2]
    assert np.flatnonzero(queries[2].relevant).tolist() == [0, 1, 3]
    assert np.flatnonzero(queries[2].candidates).tolist() == [0, 1, 3, 4]
    assert queries[2].artist == "ada"
    assert np.flatnonzero(queries[3].relevant).tolist() == [2]
    together = {query.place: query for query in make_queries(library, same_album=True)}
    assert np.flatnonzero(together[0].relevant).tolist() == [1, 2]


def test_the_same_few_artists():
    library = [recording(i, [f"artist {i // 2}"]) for i in range(40)]
    queries = make_queries(library)
    few = few_artists(queries, 5)
    assert len(few) == 10
    assert few == few_artists(queries, 5)
    assert few_artists(queries, 20) == queries


def made_up(seed=0, artists=12, tracks=3, noise=0.2):
    random = np.random.default_rng(seed)
    places = np.repeat(random.normal(size=(artists, 6)), tracks, axis=0)
    library = [recording(i, [f"artist {i // tracks}"]) for i in range(artists * tracks)]
    return library, places + noise * random.normal(size=places.shape)


def test_artists_that_sound_alike_are_found():
    library, rows = made_up(noise=0.05)
    queries = make_queries(library)
    assert rank_tracks(rows, queries, as_they_are).mean == pytest.approx(1.0)
    noise = np.random.default_rng(1).normal(size=rows.shape)
    lost = rank_tracks(noise, queries, as_they_are)
    assert lost.mean < 0.25
    assert lost.chance.mean() == pytest.approx(expected_precision(2, 35))
    for way in WAYS:
        assert rank_artists(rows, library, queries, as_they_are, way).mean == pytest.approx(1.0)
        assert rank_artists(noise, library, queries, as_they_are, way).mean < 0.5


def test_what_is_not_described_scores_nothing():
    library, rows = made_up(noise=0.01)
    rows[0] = np.nan
    scores = rank_tracks(rows, make_queries(library), as_they_are)
    assert scores.missing.tolist() == [True] + [False] * 35
    # The track itself finds nothing, and its two siblings find one of two.
    np.testing.assert_allclose(scores.average_precision[:3], [0.0, 0.5, 0.5])
    assert scores.mean == pytest.approx((33 + 1) / 36)
    assert scores.to_plain()["missing"] == 1
    alone = rank_artists(
        np.where(np.arange(36)[:, None] < 2, np.nan, rows), library, make_queries(library), as_they_are, "centroid"
    )
    assert alone.average_precision[2] == 0.0


def test_a_transform_never_sees_the_query_s_artist():
    library, rows = made_up()
    queries = make_queries(library)
    seen_by = []

    def fit(seen):
        seen_by.append(seen)
        return as_they_are(seen)

    rank_tracks(rows, queries, fit)
    assert len(seen_by) == 12
    hidden = sorted(tuple(np.flatnonzero(~seen).tolist()) for seen in seen_by)
    assert hidden == [(3 * i, 3 * i + 1, 3 * i + 2) for i in range(12)]


def test_other_descriptors_may_ask():
    library, rows = made_up(noise=0.05)
    queries = make_queries(library)
    asking = rows.copy()
    asking[0] = rows[3]
    scores = rank_tracks(rows, queries, as_they_are, asking=asking)
    assert scores.average_precision[0] < 0.5
    np.testing.assert_array_equal(scores.average_precision[3:], 1.0)
