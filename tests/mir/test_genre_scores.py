"""Scores of confusion counts whose answers are known by hand, and folds that keep artists together."""

from __future__ import annotations

import numpy as np
import pytest

from mir.errors import TooFewLabels
from mir.genre.folds import artists_per_label, calibration_splits, grouped_folds
from mir.genre.scores import confusions, difference, label_scores, plain_score, score

TRUTH = np.array(["a", "a", "b", "b", "c", "c"])
GUESS = np.array(["a", "b", "b", "b", "a", "c"])
GROUPS = np.array(["1", "2", "3", "3", "4", "5"])


def counts(guess=GUESS):
    return confusions(TRUTH, [guess], GROUPS, ("a", "b", "c"))


def test_confusion_has_truth_in_rows():
    assert counts().sum(axis=0).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert counts().shape == (5, 3, 3)


def test_scores_by_hand():
    accuracy, macro_f1 = plain_score(counts())
    assert accuracy == pytest.approx(4 / 6)
    assert macro_f1 == pytest.approx((2 / 4 + 4 / 5 + 2 / 3) / 3)
    table = {row.label: row for row in label_scores(counts(), artists_per_label(TRUTH, GROUPS))}
    assert (table["a"].precision, table["a"].recall, table["a"].artists) == (0.5, 0.5, 2)
    assert (table["b"].precision, table["b"].recall) == (pytest.approx(2 / 3), 1.0)
    assert table["b"].artists == 1


def test_macro_f1_is_the_one_of_scikit_learn():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(3)
    truth, guess = rng.choice(list("abcd"), 200), rng.choice(list("abcd"), 200)
    table = confusions(truth, [guess], np.arange(200).astype(str), tuple("abcd"))
    assert plain_score(table)[1] == pytest.approx(f1_score(truth, guess, average="macro"))


def test_perfect_guesses_leave_no_doubt():
    found = score(counts(TRUTH), seed=0)
    assert (found.accuracy, found.macro_f1) == (1.0, 1.0)
    assert found.accuracy_interval == found.macro_f1_interval == (1.0, 1.0)


def test_intervals_are_wider_when_tracks_come_from_few_artists():
    rng = np.random.default_rng(0)
    truth = np.repeat(["a", "b"], 50)
    right_by_artist = np.repeat(rng.random(10) < 0.7, 10)
    guess = np.where(right_by_artist, truth, np.where(truth == "a", "b", "a"))
    alone = score(confusions(truth, [guess], np.arange(100).astype(str), ("a", "b")), seed=0)
    together = score(confusions(truth, [guess], np.repeat(np.arange(10), 10).astype(str), ("a", "b")), seed=0)

    def width(interval):
        return interval[1] - interval[0]

    assert width(together.accuracy_interval) > 2 * width(alone.accuracy_interval)


def test_a_paired_difference_of_equal_guesses_is_nothing():
    same = difference(counts(), counts(), seed=0)
    assert same["macro_f1"] == 0.0
    assert same["macro_f1_interval"] == [0.0, 0.0]
    better = difference(counts(TRUTH), counts(), seed=0)
    assert better["accuracy"] == pytest.approx(2 / 6)


def test_repeats_are_averaged():
    both = confusions(TRUTH, [GUESS, TRUTH], GROUPS, ("a", "b", "c"))
    assert both.sum() == pytest.approx(6)
    assert plain_score(both)[0] == pytest.approx((4 / 6 + 1) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_folds_keep_artists_together_and_test_every_row_once(seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), rng.integers(1, 6, 12)).astype(str)
    labels = np.array([f"g{int(group) % 3}" for group in groups])
    split = grouped_folds(labels, groups, 4, seed)
    assert len(split.splits) == 4
    tested = np.concatenate([test for _, test in split.splits])
    assert sorted(tested.tolist()) == list(range(len(labels)))
    for train, test in split.splits:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[test]) <= set(labels[train])
    assert split.statements == ()


def test_two_artists_a_genre_are_learned_from_each_other():
    groups = np.repeat(np.arange(8), 3).astype(str)
    labels = np.array([f"g{int(group) % 4}" for group in groups])
    split = grouped_folds(labels, groups, 5, 0)
    for train, test in split.splits:
        assert set(labels[test]) <= set(labels[train])
    assert any("fewer artists than folds" in said and "g0 (2)" in said for said in split.statements)


def test_with_a_fold_an_artist_each_artist_is_alone():
    groups = np.repeat(np.arange(8), 3).astype(str)
    split = grouped_folds(np.array([f"g{int(group) % 4}" for group in groups]), groups, 8, 0)
    assert [set(groups[test]) for _, test in split.splits] == [{str(number)} for number in range(8)]
    assert not any("instead" in said or "could not learn" in said for said in split.statements)


def test_fewer_artists_than_folds_is_said():
    split = grouped_folds(np.array(["a", "a", "b", "b"]), np.array(["1", "2", "3", "3"]), 5, 0)
    assert len(split.splits) == 3
    assert any("instead of 5" in said for said in split.statements)
    assert any("could not learn it: b" in said for said in split.statements)


def test_one_artist_cannot_be_split():
    with pytest.raises(TooFewLabels, match="artist"):
        grouped_folds(np.array(["a", "b"]), np.array(["1", "1"]), 5, 0)


def test_calibration_splits_always_learn_every_label():
    assert artists_per_label(TRUTH, GROUPS) == {"a": 2, "b": 1, "c": 2}
    splits = calibration_splits(TRUTH, GROUPS, 0)
    assert splits is not None
    for train, test in splits:
        assert set(TRUTH[train]) == {"a", "b", "c"}
        assert not set(train) & set(test)
    assert calibration_splits(np.array(["a", "a", "b"]), np.array(["1", "2", "3"]), 0) is None
