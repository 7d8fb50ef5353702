"""Shares of a score: exact where they can be, of the right size where they are sampled, always summing up."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from features import EXTRACTORS
from mir.genre.attribution import Player, attribute
from mir.genre.dataset import feature_names
from mir.genre.explanation import SILENT, log_odds, players
from mir.genre.families import FAMILIES
from mir.similarity.explain import feature_of

PLAYERS = [Player("a", "1", (0,)), Player("a", "2", (1, 2)), Player("b", "3", (3,)), Player("b", "4", (4,))]


def tangled(rows):
    """A score in which players need each other, within stems and across them."""
    a, b, c, d, e = rows.T
    return np.tanh(a * b + c) + 2 * a * d - np.maximum(d, e) * b


def exact_shares(score, row, start):
    """Mean gain of each player over all orders that keep stems together: the definition of the Owen value."""
    gains = []
    for order in permutations(range(len(PLAYERS))):
        stems = [PLAYERS[number].stem for number in order]
        if stems[0] != stems[1] or stems[2] != stems[3]:
            continue
        at, gain = start.copy(), np.zeros(len(PLAYERS))
        for number in order:
            before = score(at[None])[0]
            at[list(PLAYERS[number].columns)] = row[list(PLAYERS[number].columns)]
            gain[number] = score(at[None])[0] - before
        gains.append(gain)
    return np.mean(gains, axis=0)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_a_sum_over_features_is_taken_apart_exactly(rng):
    row, background, weights = rng.normal(size=5), rng.normal(size=(7, 5)), rng.normal(size=5)
    found = attribute(lambda rows: rows @ weights, row, background, PLAYERS, rows=1, seed=0)
    single = weights * (row - background.mean(axis=0))
    expected = [single[0], single[1] + single[2], single[3], single[4]]
    np.testing.assert_allclose(found.contributions, expected, atol=1e-12)
    assert found.errors.max() < 1e-12
    assert found.stems == pytest.approx({"a": single[:3].sum(), "b": single[3:].sum()}, abs=1e-12)


def test_what_is_tangled_is_shared_as_all_orders_would(rng):
    row, background = rng.normal(size=5), rng.normal(size=(6, 5))
    expected = np.mean([exact_shares(tangled, row, start) for start in background], axis=0)
    found = attribute(tangled, row, background, PLAYERS, rows=10**6, seed=1)
    assert (np.abs(found.contributions - expected) < 4 * found.errors + 1e-9).all()
    np.testing.assert_allclose(found.contributions, expected, atol=0.15)
    assert found.contributions.sum() == pytest.approx(found.value - found.base, abs=1e-9)
    assert found.stems["a"] == pytest.approx(found.contributions[:2].sum())


def test_few_orders_still_add_up_and_the_same_seed_gives_the_same(rng):
    row, background = rng.normal(size=5), rng.normal(size=(6, 5))
    first, again, other = (attribute(tangled, row, background, PLAYERS, rows=1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.contributions, again.contributions)
    assert not np.array_equal(first.contributions, other.contributions)
    assert other.contributions.sum() == pytest.approx(other.value - other.base, abs=1e-9)


def test_log_odds():
    probabilities = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    assert log_odds(probabilities, 0, None)[0] == pytest.approx(0.0)
    assert log_odds(probabilities, 0, 1)[0] == pytest.approx(np.log(2))
    assert np.isfinite(log_odds(probabilities, 0, None)).all()


def test_every_family_of_descriptor_numbers_has_words():
    families = {
        space: {feature_of(name, [c.name for c in real.columns]) for name in real.descriptor_names}
        - {c.name for c in real.columns}
        for space, real in EXTRACTORS.items()
    }
    assert {space: set(words) for space, words in FAMILIES.items()} == families


def test_numbers_that_say_the_same_are_one_feature():
    names = feature_names("drum_rhythm")
    found = {player.name: len(player.columns) for player in players(names, np.ones(len(names)))}
    assert (found["tempo_bpm"], found["kick_step"], found["sounds"]) == (10, 16, 1)
    assert sum(found.values()) == len(names)
    assert [player.name for player in players(names, np.zeros(len(names)))] == [SILENT]
