"""Temperatures whose right value is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mir.genre.tempering import Tempered, sharpness


def drawn(n, n_genres, seed=0):
    """Log-odds, and genres drawn by just these probabilities."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.0, 1.5, (n, n_genres))
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return scores, np.array([rng.choice(n_genres, p=row) for row in shares])


@pytest.mark.parametrize("factor", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("n_genres", [2, 5])
def test_scores_that_were_scaled_are_scaled_back(factor, n_genres):
    scores, truth = drawn(4000, n_genres)
    assert sharpness(factor * scores, truth) * factor == pytest.approx(1.0, abs=0.1)


def test_all_right_is_worth_what_succession_says():
    """24 of 24 right: no claim of 1.0."""
    scores = np.where(np.arange(2) == (np.arange(24) % 2)[:, None], 1.0, 0.0)
    beta = sharpness(scores, np.arange(24) % 2)
    assert 1 / (1 + np.exp(-beta)) == pytest.approx(25 / 26, abs=1e-3)


def test_scores_that_tell_nothing_claim_nothing():
    rng = np.random.default_rng(0)
    beta = sharpness(rng.normal(size=(500, 4)), rng.integers(4, size=500))
    assert beta < 0.2


def test_rows_count_by_their_weight():
    scores, truth = drawn(2000, 3)
    wrong = np.arange(2000) >= 1000
    mixed = np.where(wrong, (truth + 1) % 3, truth)
    assert sharpness(scores, mixed, np.where(wrong, 1e-9, 1.0)) == pytest.approx(1.0, abs=0.15)
    assert sharpness(scores, mixed) < 0.7


@pytest.mark.parametrize("genres", ["ab", "abc"])
def test_the_likeliest_stays_the_likeliest(genres):
    rng = np.random.default_rng(1)
    labels = np.array(list(genres) * 20)
    matrix = rng.normal(size=(len(labels), 3)) + 2.0 * (labels == "a")[:, None]
    rows = np.arange(len(labels))
    splits = [(rows[rows % 5 != part], rows[rows % 5 == part]) for part in range(5)]
    tempered = Tempered(LogisticRegression(), splits).fit(matrix, labels)
    plain = LogisticRegression().fit(matrix, labels)
    assert tempered.predict(matrix).tolist() == plain.predict(matrix).tolist()
    np.testing.assert_allclose(tempered.predict_proba(matrix).sum(axis=1), 1.0)
