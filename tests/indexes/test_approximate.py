"""Shortcuts: near enough to the truth, never an answer that was removed or filtered out."""

from __future__ import annotations

import numpy as np
import pytest

from indexes import ExactIndex, HnswIndex, IvfPqIndex
from indexes.approximate import TARGET_RECALL
from indexes.errors import IndexDamaged, VectorsInvalid

N, D, K = 12_000, 32, 10


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(n, seed):
    """Vectors as embeddings are: most of them lie about a few directions."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(60, D))
    return unit(centres[random.integers(0, 60, n)] + 0.9 * random.normal(size=(n, D)))


ROWS, QUERIES = clustered(N, 0), clustered(60, 1)
IDS = np.random.default_rng(2).permutation(10 * N)[:N]


@pytest.fixture(name="made", params=[HnswIndex, IvfPqIndex], scope="module")
def _made(request):
    index = request.param(D)
    index.add(IDS, ROWS)
    index.tune()
    return index


@pytest.fixture(name="index")
def _index(made, tmp_path):
    """One of one's own, out of a file."""
    made.write(tmp_path / "index")
    return type(made).read(tmp_path / "index")


def truth(queries, k, keep=None):
    """Ids and similarities of the true neighbours."""
    exact = ExactIndex(D)
    chosen = np.ones(N, bool) if keep is None else keep
    exact.add(IDS[chosen], ROWS[chosen])
    return exact.search(queries, k)


def recall(answer, expected):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(answer.ids, expected.ids, strict=True)])


def watched(index, monkeypatch):
    """Names of the ways that searches of this index take from now on."""
    taken = []
    for name in ("_near", "_scan"):
        whole = getattr(index, name)
        monkeypatch.setattr(index, name, lambda *a, name=name, whole=whole: (taken.append(name), whole(*a))[1])
    return taken


def test_the_shortcut_is_taken_and_finds_the_neighbours(index, monkeypatch):
    taken = watched(index, monkeypatch)
    answer, expected = index.search(QUERIES, K), truth(QUERIES, K)
    assert taken == ["_near"]
    assert recall(answer, expected) >= 0.97
    assert (np.diff(answer.similarities, axis=1) <= 0).all()
    own = np.einsum("qkd,qd->qk", index.vectors(answer.ids.ravel()).reshape(len(QUERIES), K, D), QUERIES)
    np.testing.assert_allclose(answer.similarities, own, atol=1e-6)


def test_what_was_measured_is_written_down_and_is_no_more_than_needed(made):
    parameters = made.parameters
    assert parameters["recall_at_10"] >= TARGET_RECALL
    measured = {HnswIndex: ["ef_search"], IvfPqIndex: ["nprobe", "rescore"]}[type(made)]
    chosen = tuple(parameters[name] for name in measured)
    before = made.efforts[: made.efforts.index(chosen)]
    assert before, "the least effort is enough: these vectors are too easy to tell"
    made._try(before[0])
    lazy = recall(made.search(QUERIES, K), truth(QUERIES, K))
    made._try(chosen)
    assert lazy < recall(made.search(QUERIES, K), truth(QUERIES, K))


def test_vectors_that_nothing_can_shorten_are_said_to_be_so():
    random = unit(np.random.default_rng(3).normal(size=(2000, 128)))
    index = HnswIndex(128)
    index.efforts = ((16,),)
    index.add(np.arange(2000), random)
    index.tune()
    assert index.parameters["recall_at_10"] < TARGET_RECALL
    assert index.parameters["ef_search"] == 16


@pytest.mark.parametrize("share", [0.3, 0.08])
def test_a_filter_costs_no_recall(index, monkeypatch, share):
    keep = np.random.default_rng(4).random(N) < share
    monkeypatch.setattr(index, "_compared", lambda _times: 0.0)  # so few vectors would be scanned
    taken = watched(index, monkeypatch)
    allowed, barred = index.search(QUERIES, K, allowed=IDS[keep]), index.search(QUERIES, K, exclude=IDS[~keep])
    assert "_near" in taken
    np.testing.assert_array_equal(allowed.ids, barred.ids)
    assert np.isin(allowed.ids, IDS[keep]).all()
    assert recall(allowed, truth(QUERIES, K, keep)) >= 0.97


def test_a_filter_that_keeps_little_is_exact(index, monkeypatch):
    keep = np.random.default_rng(5).random(N) < 0.04
    taken = watched(index, monkeypatch)
    answer = index.search(QUERIES, K, allowed=IDS[keep])
    assert taken == ["_scan"]
    assert recall(answer, truth(QUERIES, K, keep)) == 1.0


def test_a_filter_on_what_is_near_still_fills_every_row(index):
    """All that is near a query is barred: the graph's walk stays among it, and finds too little."""
    nearest = truth(QUERIES[:1], N // 2).ids[0]
    answer = index.search(QUERIES[:1], K, exclude=nearest)
    assert (answer.ids >= 0).all()
    assert not np.isin(answer.ids, nearest).any()


def test_a_deep_search_is_exact(index, monkeypatch):
    taken = watched(index, monkeypatch)
    answer = index.search(QUERIES[:3], N // 2)
    assert taken == ["_scan"]
    assert recall(answer, truth(QUERIES[:3], N // 2)) == 1.0


def test_what_is_added_later_is_found(index, tmp_path):
    late = clustered(500, 7)
    index.add(np.arange(500) + 10**7, late)
    index.write(tmp_path / "again")
    for one in (index, type(index).read(tmp_path / "again")):
        answer = one.search(late, 1)
        assert (answer.ids[:, 0] == np.arange(500) + 10**7).mean() > 0.97
        assert len(one) == N + 500
        np.testing.assert_array_equal(one.ids[-3:], [10**7 + 497, 10**7 + 498, 10**7 + 499])


def test_what_was_removed_never_answers_and_may_come_again(index, tmp_path):
    gone = IDS[: N // 20]
    index.remove(gone)
    index.write(tmp_path / "again")
    for one in (index, type(index).read(tmp_path / "again")):
        assert one.removed == len(gone)
        assert len(one) == N - len(gone)
        np.testing.assert_array_equal(one.ids, IDS[len(gone) :])
        for k in (K, N):
            assert not np.isin(one.search(ROWS[:50], k).ids, gone).any()
        with pytest.raises(VectorsInvalid, match="no vector under"):
            one.vectors(gone[:1])
        with pytest.raises(VectorsInvalid, match="no vector under"):
            one.remove(gone[:1])
    index.add(gone[:1], ROWS[-1:])
    assert index.search(ROWS[-1:], 2).ids[0].tolist() in ([gone[0], IDS[-1]], [IDS[-1], gone[0]])


def test_a_tenth_of_tombstones_makes_the_index_anew(index):
    index.remove(IDS[: N // 10])
    assert index.removed == N // 10
    index.remove(IDS[N // 10 : N // 10 + 1])
    assert index.removed == 0
    np.testing.assert_array_equal(index.ids, IDS[N // 10 + 1 :])
    keep = np.arange(N) > N // 10
    assert recall(index.search(QUERIES, K), truth(QUERIES, K, keep)) >= 0.95
    index.remove(index.ids)
    assert len(index) == index.removed == 0
    assert (index.search(QUERIES, K).ids == -1).all()


def test_ivf_learns_when_there_is_enough_and_again_when_it_has_outgrown_that():
    index = IvfPqIndex(4)
    rows = unit(np.random.default_rng(0).normal(size=(41_000, 4)))
    index.add(np.arange(9_000), rows[:9_000])
    assert index.parameters == {}
    index.tune()
    assert index.parameters == {}
    index.add(np.arange(9_000, 10_000), rows[9_000:10_000])
    assert index.parameters["n_cells"] == 100
    index.add(np.arange(10_000, 39_000), rows[10_000:39_000])
    assert index.parameters["n_cells"] == 100
    index.add(np.arange(39_000, 41_000), rows[39_000:])
    assert index.parameters["n_cells"] == 202
    np.testing.assert_array_equal(index.ids, np.arange(41_000))
    np.testing.assert_array_equal(index.vectors([0, 40_999]), rows[[0, 40_999]])


def test_one_kind_does_not_read_the_other(made, tmp_path):
    made.write(tmp_path / "one")
    for other in {HnswIndex, IvfPqIndex, ExactIndex} - {type(made)}:
        with pytest.raises(IndexDamaged, match="mir index build"):
            other.read(tmp_path / "one")
