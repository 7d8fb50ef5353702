"""Kinds of index behind a catalog: chosen by size and said so, carried on, and as good as comparing everything."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from command import invoke
from similar_library import add, small_extractors, stock, unit

from indexes import ExactIndex, HnswIndex, IvfPqIndex, choose
from mir.catalog import open_catalog
from mir.cli.index import index_app
from mir.errors import BadRequest
from mir.indexing import IndexedShelf, MemoryShelf, build, open_shelf, store, verify
from mir.similarity import similar_tracks
from mir.similarity.ranking import Seed, Voice, chance_of, rank_tracks
from mir.spaces import SpaceVectors

SPACE = "vocal_timbre"
NOTHING = np.empty(0, np.int64)


@pytest.fixture(name="catalog")
def _catalog(tmp_path, tmp_path_factory):
    with small_extractors():
        yield open_catalog(shutil.copy(stock(tmp_path_factory).path, tmp_path / "mir.duckdb"))


def answers(catalog):
    hits = similar_tracks(catalog, "Track 5", "vocals", 100)
    return [(hit.track, round(hit.score, 5)) for hit in hits]


def shelf(catalog):
    with catalog.read() as con:
        return open_shelf(catalog, con, SPACE)


def test_the_kind_follows_from_count_and_memory():
    gigabyte = 1 << 30
    assert choose(200_000, 64, gigabyte).kind == "exact"
    assert choose(200_001, 64, 16 * gigabyte).kind == "hnsw"
    assert choose(10**9, 64, None).kind == "hnsw"
    squeezed = choose(1_000_000, 64, gigabyte)
    assert squeezed.kind == "ivf-pq"
    assert squeezed.why == "1,000,000 vectors are more than 200,000, and 0.4 GB is more than 25% of 1.1 GB of memory"


@pytest.mark.parametrize("kind", ["exact", "hnsw", "ivf-pq"])
def test_the_kind_asked_for_is_built_and_changes_no_small_catalog_s_answer(catalog, kind):
    before = answers(catalog)
    manifest = build(catalog, SPACE, kind)
    assert (manifest.kind, manifest.why, manifest.count) == (kind, "asked for", 22)
    assert store(catalog).manifest(SPACE) == manifest
    assert verify(catalog, SPACE).state == "current"
    assert shelf(catalog).exact == (kind == "exact")
    assert answers(catalog) == before


def test_the_kind_is_chosen_and_the_manifest_says_why(catalog, monkeypatch):
    assert build(catalog, SPACE).kind == "exact"
    monkeypatch.setattr("indexes.choice.EXACT_UP_TO", 10)
    manifest = build(catalog, SPACE)
    assert manifest.kind == "hnsw"
    assert "22 vectors are more than 10" in manifest.why
    assert manifest.parameters["m"] == 16
    assert 0 < manifest.parameters["recall_at_10"] <= 1
    monkeypatch.setattr("mir.indexing._memory_bytes", lambda: 1000)
    assert build(catalog, SPACE).kind == "ivf-pq"


def test_an_unknown_kind_is_refused(catalog):
    with pytest.raises(BadRequest, match="auto, exact, hnsw, ivf-pq"):
        build(catalog, SPACE, "lsh")


@pytest.mark.parametrize("kind", ["hnsw", "ivf-pq"])
def test_an_approximate_index_is_carried_on(catalog, kind):
    build(catalog, SPACE, kind)
    add(catalog, "Late", ["Latecomer"], vocals=[1, 1, 0, 0])
    add(catalog, "Track 9", ["Artist 4 [é]"], vocals=[-1, 2, 3, 0.5])  # measured again
    add(catalog, "Track 11", ["Artist 5 [é]"], vocals=None)  # silent now
    now = answers(catalog)
    assert verify(catalog, SPACE).state == "stale"
    assert build(catalog, SPACE, kind).count == 22
    assert verify(catalog, SPACE).state == "current"
    assert answers(catalog) == now
    assert "Late" in [track for track, _ in now]
    index = store(catalog).open(SPACE).index
    assert index.removed == 2, "it was made anew, or nothing was removed"
    assert len(index.ids) == 22
    build(catalog, SPACE, kind, anew=True)
    assert store(catalog).open(SPACE).index.removed == 0
    assert answers(catalog) == now


def test_a_large_index_is_opened_once_for_each_publication(catalog):
    build(catalog, SPACE, "hnsw")
    first = shelf(catalog)._index
    assert shelf(catalog)._index is first
    add(catalog, "Late", ["Latecomer"], vocals=[1, 1, 0, 0])
    assert shelf(catalog)._index is first
    assert len(shelf(catalog).ids) == 23
    build(catalog, SPACE, "hnsw")
    assert shelf(catalog)._index is not first
    assert len(shelf(catalog)._index) == 23
    assert len(first) == 22


def test_the_command_says_what_was_chosen_and_why(catalog):
    words = ("build", "--by", "vocals", "--catalog", catalog.path)
    code, out, _ = invoke(index_app, *words)
    assert code == 0
    assert "exact\t22 vectors: up to 200,000 every one is compared" in out
    code, out, _ = invoke(index_app, *words, "--kind", "hnsw", "--json")
    told = json.loads(out)
    assert (code, told["kind"], told["why"]) == (0, "hnsw", "asked for")
    assert set(told["parameters"]) == {"m", "ef_construction", "ef_search", "recall_at_10"}
    code, _, message = invoke(index_app, *words, "--kind", "best")
    assert code == 2
    assert "auto, exact, hnsw, ivf-pq" in message


N, D = 12_000, 16


def space(seed):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(60, D))[random.integers(0, 60, N)] + 0.6 * random.normal(size=(N, D))
    return SpaceVectors(np.arange(N), unit(rows).astype(np.float32))


@pytest.fixture(name="shelves", scope="module")
def _shelves():
    """Two spaces: each in memory and in a graph."""
    spaces = space(1), space(2)
    indexed = []
    for one in spaces:
        index = HnswIndex(D)
        index.add(one.track_ids, one.matrix)
        index.tune()
        indexed.append(IndexedShelf(index, NOTHING, SpaceVectors(NOTHING, np.empty((0, D), np.float32))))
    return [MemoryShelf(one) for one in spaces], indexed


@pytest.mark.parametrize("weights", [(1.0,), (0.7, 0.3), (1.0, -0.4)])
def test_answers_through_a_graph_are_scored_exactly_and_nearly_complete(shelves, weights):
    memory, indexed = shelves
    found, expected = [], []
    for number in range(0, N, N // 20):
        ranked = []
        for side in (memory, indexed):
            asked = [
                Voice(
                    str(n),
                    str(n),
                    weight,
                    one,
                    chance_of(one),
                    (Seed(NOTHING, one.rows(np.array([number])), np.ones(1)),),
                )
                for n, (weight, one) in enumerate(zip(weights, side, strict=False))
            ]
            ranked.append(rank_tracks(asked, np.array([number]), 10))
        expected.append(set(ranked[0].ids.tolist()))
        found.append(set(ranked[1].ids.tolist()))
        common = np.isin(ranked[0].ids, ranked[1].ids)
        again = np.isin(ranked[1].ids, ranked[0].ids)
        np.testing.assert_allclose(ranked[0].scores[common], ranked[1].scores[again], atol=1e-4)
    assert np.mean([len(a & b) / 10 for a, b in zip(found, expected, strict=True)]) >= 0.99


def test_an_exhaustive_search_holds_for_queries_where_nothing_is(shelves):
    memory, indexed = shelves
    assert not indexed[0].exact
    opposite = -memory[0].rows(np.array([17]))[0]
    expected, least = memory[0].nearest(opposite, 50)
    ids, bound = indexed[0].nearest(opposite, 50, exhaustive=True)
    assert set(ids.tolist()) == set(expected.tolist())
    assert bound == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize(("share", "recall"), [(0.02, 1.0), (0.3, 0.98)])
def test_a_filter_goes_through_the_graph_and_few_are_compared_one_by_one(shelves, share, recall):
    allowed = np.flatnonzero(np.random.default_rng(7).random(N) < share)
    found = []
    for number in range(0, N, N // 20):
        query = shelves[0][0].rows(np.array([number]))[0]
        answers = [set(side[0].nearest(query, 10, allowed=allowed)[0].tolist()) for side in shelves]
        assert answers[1] <= set(allowed.tolist())
        found.append(len(answers[0] & answers[1]) / 10)
    assert np.mean(found) >= recall


def test_an_exact_index_is_made_anew_without_reading_the_one_before(catalog, monkeypatch):
    build(catalog, SPACE, "hnsw")
    with monkeypatch.context() as patched:
        patched.setattr("indexes.IndexStore.open", lambda *_: pytest.fail("the old index was read"))
        assert build(catalog, SPACE, "exact").count == 22
        with pytest.raises(pytest.fail.Exception):
            build(catalog, SPACE, "hnsw")
    assert shelf(catalog).exact


@pytest.mark.parametrize("kind", [ExactIndex, HnswIndex, IvfPqIndex])
def test_bytes_of_a_file_are_about_what_is_said(kind, tmp_path):
    one = space(1)
    index = kind(D)
    index.add(one.track_ids, one.matrix)
    index.write(tmp_path / "index")
    size = (tmp_path / "index").stat().st_size / N
    said = {"exact": 4 * D + 8, "hnsw": HnswIndex.bytes_per_vector(D)}
    said["ivf-pq"] = IvfPqIndex.bytes_per_vector(D) + 4 * D
    assert size == pytest.approx(said[kind.kind], rel=0.15)
