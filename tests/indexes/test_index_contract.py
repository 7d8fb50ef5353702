"""What every index class must do; adding one is a line in `KINDS`."""

from __future__ import annotations

import numpy as np
import pytest

from indexes import KINDS
from indexes.errors import IndexDamaged, VectorsInvalid

DIMENSION = 12


def unit(n: int, seed: int, dimension: int = DIMENSION) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=sorted(KINDS), name="kind")
def _kind(request):
    return KINDS[request.param]


@pytest.fixture(name="ids")
def _ids():
    return np.random.default_rng(1).permutation(5000)[:300] + 7


@pytest.fixture(name="filled")
def _filled(kind, ids):
    index = kind(DIMENSION)
    index.add(ids, unit(300, 0))
    return index


def truth(ids, queries, k, keep=None):
    similarities = queries @ unit(300, 0).T
    if keep is not None:
        similarities[:, ~keep] = -np.inf
    order = np.argsort(-similarities, axis=1)[:, :k]
    return ids[order], np.take_along_axis(similarities, order, axis=1)


def test_search_finds_the_true_neighbours(filled, ids):
    queries = unit(20, 5)
    expected, similarities = truth(ids, queries, 10)
    answer = filled.search(queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(answer.ids, expected, strict=True)])
    assert recall == 1.0 if filled.exact else recall > 0.9
    if filled.exact:
        np.testing.assert_array_equal(answer.ids, expected)
        np.testing.assert_allclose(answer.similarities, similarities, atol=1e-6)
    assert (np.diff(answer.similarities, axis=1) <= 0).all()


def test_a_vector_is_its_own_nearest(filled, ids):
    answer = filled.search(unit(300, 0)[:9], 1)
    np.testing.assert_array_equal(answer.ids[:, 0], ids[:9])
    np.testing.assert_allclose(answer.similarities[:, 0], 1, atol=1e-6)


def test_excluded_ids_never_answer(filled, ids):
    queries = unit(4, 6)
    keep = np.ones(300, bool)
    keep[:100] = False
    answer = filled.search(queries, 5, exclude=ids[:100])
    assert not np.isin(answer.ids, ids[:100]).any()
    if filled.exact:
        np.testing.assert_array_equal(answer.ids, truth(ids, queries, 5, keep)[0])


def test_only_allowed_ids_answer(filled, ids):
    answer = filled.search(unit(4, 6), 8, allowed=ids[:5], exclude=ids[:2])
    assert set(answer.ids.ravel()) == {*ids[2:5].tolist(), -1}
    assert (answer.ids[:, 3:] == -1).all()
    assert np.isneginf(answer.similarities[:, 3:]).all()
    assert (filled.search(unit(1, 6), 2, allowed=[]).ids == -1).all()


def test_rows_are_filled_up_where_there_is_too_little(kind, filled):
    assert filled.search(unit(1, 6), 1000).ids.shape == (1, 1000)
    assert (filled.search(unit(1, 6), 1000).ids >= 0).sum() == 300
    empty = kind(DIMENSION)
    assert len(empty) == 0
    assert (empty.search(unit(2, 6), 3).ids == -1).all()
    assert filled.search(np.empty((0, DIMENSION)), 3).ids.shape == (0, 3)


def test_vectors_come_back_by_id(filled, ids):
    np.testing.assert_allclose(filled.vectors(ids[[5, 3, 3]]), unit(300, 0)[[5, 3, 3]], atol=1e-6)
    np.testing.assert_allclose(filled.vectors(ids), unit(300, 0), atol=1e-6)
    np.testing.assert_array_equal(filled.ids, ids)
    assert filled.vectors([]).shape == (0, DIMENSION)
    with pytest.raises(VectorsInvalid, match="no vector under"):
        filled.vectors([10**9])


def test_what_cannot_be_added_is_refused(filled, ids):
    fresh = unit(2, 9)
    for wrong_ids, wrong, message in [
        ([10**6, 10**6], fresh, "names one vector"),
        ([ids[0], 10**6], fresh, "names one vector"),
        ([-1, 10**6], fresh, "0 or more"),
        ([1.5, 10**6], fresh, "whole numbers"),
        ([10**6], fresh, "as many ids"),
        ([10**6, 10**6 + 1], 2 * fresh, "length 1"),
        ([10**6, 10**6 + 1], fresh * np.nan, "length 1"),
        ([10**6, 10**6 + 1], fresh[:, :-1], "shape"),
    ]:
        with pytest.raises(VectorsInvalid, match=message):
            filled.add(wrong_ids, wrong)
    assert len(filled) == 300


def test_what_was_removed_is_gone_and_its_id_is_free(filled, ids):
    filled.remove(ids[[4, 2, 4]])
    np.testing.assert_array_equal(filled.ids, np.delete(ids, [2, 4]))
    assert len(filled) == 298
    assert not np.isin(ids[[2, 4]], filled.search(unit(3, 6), 300).ids).any()
    with pytest.raises(VectorsInvalid, match="no vector under"):
        filled.remove([ids[0], ids[2]])
    assert len(filled) == 298
    filled.add([ids[2]], unit(1, 9))
    assert filled.search(unit(1, 9), 1).ids.tolist() == [[ids[2]]]
    filled.remove([])
    filled.remove(filled.ids)
    assert len(filled) == 0
    assert (filled.search(unit(1, 9), 1).ids == -1).all()


def test_what_cannot_be_searched_is_refused(filled):
    with pytest.raises(VectorsInvalid, match="k is 1"):
        filled.search(unit(1, 2), 0)
    with pytest.raises(VectorsInvalid, match="shape"):
        filled.search(unit(1, 2)[0], 1)
    with pytest.raises(VectorsInvalid, match="dimension"):
        type(filled)(0)


def test_a_file_brings_the_same_answers(kind, filled, tmp_path):
    filled.write(tmp_path / "x")
    again = kind.read(tmp_path / "x")
    first, second = filled.search(unit(6, 3), 7, exclude=[8]), again.search(unit(6, 3), 7, exclude=[8])
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.similarities, second.similarities)
    again.add([10**7], unit(1, 99))
    assert len(again) == 301
    (tmp_path / "y").write_bytes(b"not an index at all" * 30)
    with pytest.raises(IndexDamaged, match="mir index build"):
        kind.read(tmp_path / "y")
