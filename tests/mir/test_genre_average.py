"""Strengths averaged instead of chosen, and when another candidate takes the average's place."""

from __future__ import annotations

import numpy as np
import pytest

from mir.genre.average import STRENGTHS, AveragedLogistic
from mir.genre.candidates import Candidate
from mir.genre.model import NOT_BEYOND_DOUBT, Contest, Learning, compete, fit, predict_proba
from mir.genre.scores import confusions, plain_score, surely_better
from mir.genre.tempering import class_scores

AVERAGE, SVM, STACK = Candidate("average", 0.1), Candidate("svm", 1.0), Candidate("stack", 0.1)


def noisy(n_genres=3, n=90, told=1.5, columns=20):
    """The first columns tell the genre, the rest is noise; three rows an artist."""
    rng = np.random.default_rng(4)
    labels = np.array(list("abc"[:n_genres]) * n)[:n]
    matrix = rng.normal(size=(n, columns))
    for column, name in enumerate("abc"[:n_genres]):
        matrix[:, column] += told * (labels == name)
    return matrix, labels, np.repeat(np.arange(n // 3), 3).astype(str)


@pytest.mark.parametrize("n_genres", [2, 3])
def test_every_strength_has_a_say(n_genres):
    """As they are, the scores of the weakest regularisation would be most of the mean; tempered, they are not."""
    matrix, labels, groups = noisy(n_genres)
    model = AveragedLogistic(c=0.1).fit(matrix, labels, groups)
    raw = np.array([class_scores(each, matrix).std() for each in model.estimators_])
    says = model.sharpnesses_ * raw
    assert len(raw) == len(STRENGTHS)
    assert raw.max() > 8 * raw.min()
    assert says.max() < 4 * says.min()
    found = model.predict_proba(matrix)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert np.mean(model.predict(matrix) == labels) > 0.8
    assert model.predict(matrix).tolist() == model.classes_[found.argmax(axis=1)].tolist()


def test_the_mean_is_taken_of_scores():
    matrix, labels, groups = noisy()
    model = AveragedLogistic(c=0.1).fit(matrix, labels, groups)
    pooled = sum(
        share * class_scores(each, matrix) for share, each in zip(model.sharpnesses_, model.estimators_, strict=True)
    )
    odds = np.exp(pooled - pooled.max(axis=1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(matrix), odds / odds.sum(axis=1, keepdims=True))


def test_claims_follow_what_unheard_artists_say():
    """Labels that nothing tells: fitted rows look told, but the claims are those of artists held out."""
    matrix, labels, groups = noisy(told=0.0, columns=60)
    found = AveragedLogistic(c=10.0).fit(matrix, labels, groups).predict_proba(matrix)
    assert found.max(axis=1).mean() < 0.5
    known = noisy(told=6.0)
    assert AveragedLogistic(c=10.0).fit(*known).predict_proba(known[0]).max(axis=1).mean() > 0.9


def test_a_single_track_of_a_label_leaves_scores_as_they_are():
    matrix, labels, groups = noisy()
    labels = np.array(["z", *labels[1:]])
    model = AveragedLogistic(c=0.1).fit(matrix, labels, groups)
    assert model.sharpnesses_.tolist() == [1 / len(STRENGTHS)] * len(STRENGTHS)
    np.testing.assert_allclose(model.predict_proba(matrix).sum(axis=1), 1.0)


def contest(right_by_candidate, tracks=4):
    """A contest in which each candidate has so many of each artist's tracks right."""
    n_artists = len(next(iter(right_by_candidate.values())))
    groups = np.repeat(np.arange(n_artists), tracks).astype(str)
    labels = np.array(list("ab") * (len(groups) // 2))
    counts = {}
    for candidate, right in right_by_candidate.items():
        hit = np.concatenate([np.arange(tracks) < each for each in right])
        guess = np.where(hit, labels, np.where(labels == "a", "b", "a"))
        counts[candidate] = confusions(labels, [guess], groups, ("a", "b"))
    learning = Learning(np.zeros((len(labels), 2)), labels, groups)
    return Contest(learning, 0, tuple(right_by_candidate), counts, None)


def test_a_score_that_hangs_on_one_artist_does_not_take_the_place():
    found = contest({AVERAGE: [2] * 10, SVM: [4] + [2] * 9})
    assert found.scores[str(SVM)] > found.scores[str(AVERAGE)]
    assert found.best() == AVERAGE


def test_what_is_better_for_every_artist_takes_the_place():
    assert contest({AVERAGE: [2] * 10, SVM: [3] * 10}).best() == SVM
    assert contest({AVERAGE: [3] * 10, SVM: [2] * 10}).best() == AVERAGE


def test_without_the_average_the_highest_score_wins_and_forms_are_kept_apart():
    assert contest({Candidate("logistic"): [2] * 10, SVM: [3] + [2] * 9}).best() == SVM
    three = contest({AVERAGE: [2] * 10, SVM: [4] + [2] * 9, STACK: [1] * 10})
    assert (three.best("concatenated"), three.best("stacked")) == (AVERAGE, STACK)
    assert contest({STACK: [1] * 10}).best("concatenated") is None


def test_the_more_are_compared_the_more_it_takes():
    """Better for 9 artists, worse for 1: enough for one candidate, not for the best of forty."""
    found = contest({AVERAGE: [2] * 10, SVM: [3] * 9 + [1]})
    better, other = found.counts[SVM], found.counts[AVERAGE]
    assert surely_better(better, other, 0, 1)
    assert not surely_better(better, other, 0, 40)
    assert not surely_better(other, better, 0, 1)


def test_the_average_is_what_few_artists_get_and_it_is_said_when_another_scored_higher():
    matrix, labels, groups = noisy(told=0.4, n=36)
    rivals = [AVERAGE, *(Candidate("logistic", c) for c in (1e-4, 1.0, 100.0)), Candidate("svm", 10.0)]
    learning = Learning(matrix, labels, groups)
    found = compete(learning, seed=0, candidates=rivals)
    assert max(found.scores, key=found.scores.get) != str(AVERAGE)  # else this shows nothing
    assert found.best() == AVERAGE
    assert NOT_BEYOND_DOUBT in found.statements
    assert NOT_BEYOND_DOUBT not in compete(learning, seed=0, candidates=rivals[1:]).statements
    one, two = (fit(learning, seed=0, candidates=rivals).pipeline for _ in range(2))
    np.testing.assert_array_equal(predict_proba(one, matrix, list("abc")), predict_proba(two, matrix, list("abc")))


def test_what_no_line_tells_is_left_to_another():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(300, 2))
    labels = np.where(matrix[:, 0] * matrix[:, 1] > 0, "a", "b")
    found = compete(Learning(matrix, labels, np.arange(300).astype(str)), seed=0, candidates=[AVERAGE, SVM])
    assert found.best() == SVM
    assert NOT_BEYOND_DOUBT not in found.statements


def test_rows_are_counted_by_their_weight():
    truth, guess = np.array(["a", "a", "b"]), np.array(["a", "b", "b"])
    counts = confusions(truth, [guess, guess], np.array(["1", "2", "2"]), ("a", "b"), weights=np.array([1.0, 0.5, 2.0]))
    assert counts.tolist() == [[[1, 0], [0, 0]], [[0, 0.5], [0, 2]]]
    assert plain_score(counts)[0] == pytest.approx(3 / 3.5)
