"""Candidates, the stack, and tracks with several genres: what is chosen, what counts how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from genre_library import add, genre_library, small_extractors

from mir.genre.calibration import reliability
from mir.genre.candidates import AVERAGE_LIMIT, CANDIDATES, KERNEL_LIMIT, TREES_FROM, Candidate, allowed
from mir.genre.dataset import load
from mir.genre.evaluation import cross_predict, evaluate
from mir.genre.folds import grouped_folds, part_by_group
from mir.genre.model import SELECTION_ROWS, Learning, compete, fit, predict_proba
from mir.genre.scores import confusions, plain_score
from mir.genre.stack import InstrumentStack, pool_weights


@pytest.fixture(scope="module", autouse=True)
def small():
    """Spaces of a few numbers, so that these tests hang on no real extractor."""
    with small_extractors():
        yield


def heads(candidates):
    return {candidate.head for candidate in candidates}


@pytest.mark.parametrize(
    ("n_rows", "there", "said"),
    [
        (50, {"average", "logistic", "svm", "stack"}, "no gradient boosting"),
        (TREES_FROM, {"average", "logistic", "svm", "stack", "boosting"}, None),
        (AVERAGE_LIMIT, {"average", "logistic", "svm", "stack", "boosting"}, None),
        (KERNEL_LIMIT, {"logistic", "svm", "stack", "boosting"}, None),
        (KERNEL_LIMIT + 1, {"logistic", "nystroem", "stack"}, "Nyström"),
    ],
)
def test_size_decides_what_competes_and_it_is_said(n_rows, there, said):
    found, statements = allowed(CANDIDATES, n_rows=n_rows, n_instruments=2, calibrated=True)
    assert heads(found) == there
    assert len(statements) == (said is not None)
    assert said is None or said in statements[0]


def test_one_instrument_is_not_stacked_and_without_calibration_there_is_no_kernel():
    found, _ = allowed(CANDIDATES, n_rows=50, n_instruments=1, calibrated=False)
    assert heads(found) == {"average", "logistic"}
    only, _ = allowed([Candidate("svm")], n_rows=50, n_instruments=1, calibrated=False)
    assert heads(only) == {"logistic"}


def test_trees_find_what_no_line_tells():
    """Genre by the sign of a product, an instrument silent (NaN) half the time: boosting wins over logistic."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(600, 4))
    labels = np.where(matrix[:, 0] * matrix[:, 1] > 0, "a", "b")
    matrix[rng.random(600) < 0.5, 3] = np.nan
    matrix[:, 2] = np.nan  # no track has this number
    learning = Learning(matrix, labels, np.arange(600).astype(str), ((0, 2), (2, 4)))
    fitted = fit(learning, seed=0, candidates=[Candidate("logistic"), Candidate("boosting")])
    assert fitted.candidate == Candidate("boosting")
    assert fitted.scores["boosting"] > 0.85 > fitted.scores["logistic C=1"]
    again = fit(learning, seed=0, candidates=[Candidate("logistic"), Candidate("boosting")])
    one, two = (predict_proba(each.pipeline, matrix, ["a", "b"]) for each in (fitted, again))
    np.testing.assert_array_equal(one, two)


def large(n_rows, n_genres=3):
    rng = np.random.default_rng(1)
    groups = np.sort(rng.integers(n_rows // 5, size=n_rows))
    genre_of = rng.integers(n_genres, size=n_rows // 5)
    matrix = rng.normal(size=(n_rows, 4))
    matrix[:, 1] += 4.0 * genre_of[groups]
    return Learning(matrix, np.array(list("abcdef"))[genre_of[groups]], groups.astype(str), ((0, 2), (2, 4)))


def test_above_the_limit_the_run_takes_nystroem_and_says_so():
    learning = large(KERNEL_LIMIT + 500)
    fitted = fit(learning, seed=0, candidates=[Candidate("svm", 1.0), Candidate("nystroem", 1.0)])
    assert fitted.candidate.head == "nystroem"
    assert any("Nyström" in said for said in fitted.statements)
    found = predict_proba(fitted.pipeline, learning.matrix, ["a", "b", "c"])
    assert np.mean(np.array(list("abc"))[found.argmax(axis=1)] == learning.labels) > 0.9


def test_a_choice_among_many_is_made_on_some_artists_tracks():
    learning = large(3 * SELECTION_ROWS)
    contest = compete(learning, seed=0, candidates=[Candidate("logistic", c) for c in (0.1, 1.0)])
    assert any(f"chosen on about {SELECTION_ROWS} of the training tracks" in said for said in contest.statements)
    part = part_by_group(learning.labels, learning.groups, SELECTION_ROWS, 0)
    assert 0.8 * SELECTION_ROWS < len(part) < 1.2 * SELECTION_ROWS
    inside = set(learning.groups[part])
    assert not inside & set(np.delete(learning.groups, part))
    shares = [np.mean(learning.labels[part] == name) / np.mean(learning.labels == name) for name in "abc"]
    np.testing.assert_allclose(shares, 1.0, atol=0.1)


def test_folds_of_very_many_artists_keep_them_together():
    learning = large(15_000)
    split = grouped_folds(learning.labels, learning.groups, 5, 0)
    assert sorted(np.concatenate([test for _, test in split.splits]).tolist()) == list(range(15_000))
    for train, test in split.splits:
        assert not set(learning.groups[train]) & set(learning.groups[test])
        assert np.mean(learning.labels[test] == "a") == pytest.approx(np.mean(learning.labels == "a"), abs=0.03)


def two_instruments(n=120):
    """The first block tells the genre, the second is noise."""
    rng = np.random.default_rng(2)
    labels = np.array(list("abc") * (n // 3))
    matrix = rng.normal(size=(n, 8))
    for column, name in enumerate("abc"):
        matrix[:, column] += 1.5 * (labels == name)
    return matrix, labels, np.repeat(np.arange(n // 3), 3).astype(str)


def test_a_stack_hears_the_instrument_that_knows():
    matrix, labels, groups = two_instruments()
    stack = InstrumentStack(((0, 4), (4, 8)), c=0.1).fit(matrix, labels, groups)
    assert stack.weights_[0] > 2 * stack.weights_[1] >= 0
    assert np.mean(stack.predict(matrix) == labels) > 0.75
    np.testing.assert_allclose(stack.predict_proba(matrix).sum(axis=1), 1.0)
    swapped = InstrumentStack(((4, 8), (0, 4)), c=0.1).fit(matrix, labels, groups)
    np.testing.assert_allclose(swapped.weights_[::-1], stack.weights_, rtol=1e-3)


def test_pool_weights_are_where_the_loss_is_least():
    rng = np.random.default_rng(3)
    truth = rng.integers(3, size=200)
    scores = rng.normal(size=(2, 200, 3))
    scores[0, np.arange(200), truth] += 1.0
    opinions = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    found = pool_weights(opinions, truth, np.ones(200))

    def log_loss(weights):
        pooled = np.tensordot(weights, opinions, axes=1)
        return -(pooled - np.log(np.exp(pooled).sum(axis=1, keepdims=True)))[np.arange(200), truth].mean()

    assert found[1] < 0.35 < found[0]  # the noise is pulled towards the common weight, the knowing one hardly
    assert log_loss(found) < min(log_loss([0.5, 0.5]), log_loss([1.0, 1.0]))
    assert log_loss(found) < 1.02 * min(log_loss([a, b]) for a in np.linspace(0, 2, 21) for b in np.linspace(0, 1, 11))


def test_stacked_and_concatenated_stand_beside_the_choice(tmp_path):
    dataset = load(genre_library(tmp_path / "lib.duckdb"))
    few = (Candidate("logistic", 0.1), Candidate("stack", 0.1))
    report = evaluate(dataset, ("drums", "bass"), candidates=few)
    assert set(report.forms) == {"concatenated", "stacked"}
    assert all(score.accuracy >= 0.9 for score in report.forms.values())
    assert report.stacked_minus_concatenated["macro_f1_interval"][0] <= 0.1
    found = cross_predict(dataset.select(["drum_rhythm", "bass_line"]), candidates=few, by_form=True)
    either = (found.forms["stacked"][0] == found.guesses[0]) | (found.forms["concatenated"][0] == found.guesses[0])
    assert either.all()
    assert cross_predict(dataset.select(["drum_rhythm"]), candidates=few, by_form=True).forms == {}


def test_a_track_of_two_genres_is_two_rows_that_share_its_weight(tmp_path):
    catalog = genre_library(tmp_path / "lib.duckdb")
    both = add(catalog, "both", artist="Both", genres=("House", "Techno", "Zouk"), means={}, seed=90)
    dataset = load(catalog)
    row = int(np.flatnonzero(dataset.track_ids == both)[0])
    assert (dataset.labels[row], dataset.others[row]) == ("House", ("Techno", "Zouk"))
    assert dataset.further[row] == ("Techno",)  # nobody else plays Zouk
    learning = dataset.learning()
    of_it = learning.groups == dataset.groups[row]
    assert sorted(learning.labels[of_it]) == ["House", "Techno"]
    assert learning.weights[of_it].tolist() == [0.5, 0.5]
    assert learning.weights.sum() == pytest.approx(len(dataset.labels))
    assert set(learning.weights[~of_it]) == {1.0}
    assert dataset.learning(np.delete(np.arange(len(dataset.labels)), row)).weights is None
    one = replace(dataset, others=((),) * len(dataset.labels))
    assert one.truth() != dataset.truth()
    assert one.snapshot() != dataset.snapshot()


@pytest.mark.parametrize(
    "candidate",
    [Candidate("average"), Candidate("logistic"), Candidate("svm"), Candidate("stack"), Candidate("boosting")],
)
def test_weights_reach_every_candidate(candidate):
    """Half of the rows are mislabelled and count next to nothing."""
    rng = np.random.default_rng(5)
    truth = np.array(list("ab") * 200)
    matrix = rng.normal(size=(400, 4))
    matrix[:, 0] += 3 * (truth == "a")
    wrong = np.arange(400) % 4 >= 2
    labels = np.where(wrong, np.where(truth == "a", "b", "a"), truth)
    groups = np.arange(400).astype(str)
    learning = Learning(matrix, labels, groups, ((0, 2), (2, 4)), np.where(wrong, 1e-3, 1.0))
    fitted = fit(learning, seed=0, candidates=[candidate])
    assert fitted.candidate == candidate
    found = predict_proba(fitted.pipeline, matrix, ["a", "b"]).argmax(axis=1)
    assert np.mean(np.array(["a", "b"])[found] == truth) > 0.85


def test_any_genre_of_a_track_is_right():
    truth, guess = np.array(["a", "a", "b"]), np.array(["b", "b", "b"])
    counts = confusions(truth, [guess], np.array(["1", "2", "3"]), ("a", "b"), [("b",), (), ()])
    assert counts.sum(axis=0).tolist() == [[0, 1], [0, 2]]
    assert plain_score(counts)[0] == pytest.approx(2 / 3)


def test_several_genres_are_scored_and_said(tmp_path):
    catalog = genre_library(tmp_path / "lib.duckdb")
    for number in range(4):
        add(
            catalog,
            f"both{number}",
            artist=f"Both {number}",
            genres=("House", "Techno"),
            means={"drum_rhythm": 2.0},  # sounds like techno
            seed=90 + number,
        )
    dataset = load(catalog)
    report = evaluate(dataset, ("drums",), ablate=False, candidates=[Candidate("logistic", 0.1)])
    strict = evaluate(
        replace(dataset, others=((),) * len(dataset.labels)),
        ("drums",),
        ablate=False,
        candidates=[Candidate("logistic", 0.1)],
    )
    assert report.score.accuracy >= 0.9 > strict.score.accuracy
    assert any("4 track(s) with several genres" in said for said in report.statements)
    assert not any("several genres" in said for said in strict.statements)


def test_calibration_error_by_hand():
    confidence = np.array([[0.9] * 10 + [0.6] * 10])
    right = np.array([[True] * 9 + [False] + [True] * 3 + [False] * 7])
    found = reliability(confidence, right)
    assert [(each.n, round(each.confidence, 9), each.accuracy) for each in found.bins] == [
        (10, 0.6, 0.3),
        (10, 0.9, 0.9),
    ]
    assert found.expected_calibration_error == pytest.approx(0.15)
    assert found.brier == pytest.approx(((0.1**2 * 9 + 0.9**2) + (0.4**2 * 3 + 0.6**2 * 7)) / 20)


def test_held_out_probabilities_are_honest_where_labels_are_random(tmp_path):
    """Genres that nothing tells: claims stay near the share that is right, so the model knows that it does not know."""
    dataset = load(genre_library(tmp_path / "lib.duckdb", shuffle=True, artists=8))
    report = evaluate(dataset, ("drums",), repeats=2, ablate=False, candidates=[Candidate("logistic", 1.0)])
    claimed = np.mean([each.confidence for each in report.calibration.bins])
    assert claimed < 0.55
    assert report.calibration.expected_calibration_error < 0.25
