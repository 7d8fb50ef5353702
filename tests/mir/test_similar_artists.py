"""Sets of tracks compared: by hand, and by plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from similar_library import by_loops, unit

from mir.errors import BadRequest
from mir.similarity import artists
from mir.similarity.artists import WAYS, artist_similarities, pair_weights


def some(seed, n, d=5):
    random = np.random.default_rng(seed)
    return unit(random.normal(size=(n, d))), random.uniform(30, 400, n)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("block", [1, 17, 2**21])
def test_everybody_is_compared_as_defined(how, block, monkeypatch):
    monkeypatch.setattr(artists, "_BLOCK", block)
    queries, query_s = some(0, 6)
    rows, rows_s = some(1, 80)
    artist_of = np.random.default_rng(2).integers(0, 23, 80) * 10
    ids, similarities = artist_similarities(queries, query_s, rows, rows_s, artist_of, how)
    assert ids.tolist() == sorted(set(artist_of.tolist()))
    for artist_id, similarity in zip(ids, similarities, strict=True):
        own = artist_of == artist_id
        expected = by_loops(queries, query_s, rows[own], rows_s[own], how)
        assert similarity == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("how", WAYS)
def test_pair_weights_say_what_the_similarity_is_made_of(how):
    queries, query_s = some(3, 4)
    rows, rows_s = some(4, 7)
    weights = pair_weights(queries, query_s, rows, rows_s, how)
    _, similarity = artist_similarities(queries, query_s, rows, rows_s, np.zeros(7, np.int64), how)
    assert (weights * (queries @ rows.T)).sum() == pytest.approx(similarity[0], abs=1e-12)
    if how != "centroid":
        assert weights.sum() == pytest.approx(1.0)
    back = pair_weights(rows, rows_s, queries, query_s, how)
    np.testing.assert_allclose(back.T, weights)


@pytest.mark.parametrize("how", WAYS)
def test_one_track_each_is_the_plain_cosine(how):
    queries, query_s = some(5, 1)
    rows, rows_s = some(6, 9)
    _, similarities = artist_similarities(queries, query_s, rows, rows_s, np.arange(9), how)
    np.testing.assert_allclose(similarities, rows @ queries[0], atol=1e-12)


@pytest.mark.parametrize("how", WAYS)
def test_a_longer_track_counts_for_more(how):
    rows = np.array([[1.0, 0.0], [0.0, 1.0]])
    long_first = artist_similarities([[1, 0]], [60], rows, [300, 60], np.zeros(2, np.int64), how)[1][0]
    long_last = artist_similarities([[1, 0]], [60], rows, [60, 300], np.zeros(2, np.int64), how)[1][0]
    assert long_first > long_last + 0.1


def test_a_band_of_two_manners_is_found_by_either_where_sets_are_compared():
    """Two manners average to something that nobody sings; the set still has both."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.72, 0.69]])
    artist_of = np.array([1, 1, 2])
    scores = {how: artist_similarities([[1, 0]], [60], unit(rows), [60, 60, 60], artist_of, how)[1] for how in WAYS}
    assert scores["centroid"][0] == pytest.approx(np.sqrt(0.5))
    assert scores["medoid"][0] == pytest.approx(1.0)
    assert scores["chamfer"][0] == pytest.approx(0.5 * (1 + 0.5), abs=1e-3)


@pytest.mark.parametrize("how", WAYS)
def test_vectors_that_say_nothing_are_like_nobody(how):
    rows, rows_s = np.zeros((3, 4)), np.ones(3)
    ids, similarities = artist_similarities(np.eye(4)[:1], [1.0], rows, rows_s, np.array([4, 4, 9]), how)
    assert ids.tolist() == [4, 9]
    np.testing.assert_array_equal(similarities, 0.0)
    ids, similarities = artist_similarities(np.eye(4)[:1], [1.0], rows[:0], [], np.empty(0, np.int64), how)
    assert (len(ids), len(similarities)) == (0, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"how": "mean"}, "centroid, medoid, chamfer"),
        ({"queries": np.empty((0, 2)), "query_durations": []}, "0 query tracks"),
        ({"artist_of": np.array([1])}, "one artist a candidate"),
        ({"candidates": np.ones((2, 3))}, r"\(n, 2\)"),
        ({"durations": [1.0, 0.0]}, "positive"),
        ({"query_durations": [1.0, 1.0]}, r"\(n,\) durations"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    fitting = {
        "queries": [[1.0, 0.0]],
        "query_durations": [1.0],
        "candidates": np.eye(2),
        "durations": [1.0, 1.0],
        "artist_of": np.array([1, 2]),
        "how": "centroid",
    }
    with pytest.raises(BadRequest, match=said):
        artist_similarities(**{**fitting, **change})
