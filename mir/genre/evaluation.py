"""How well genre is told on artists never heard, from each instrument and from all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features import INSTRUMENTS
from mir.genre.calibration import reliability
from mir.genre.candidates import CANDIDATES, Candidate
from mir.genre.dataset import Dataset
from mir.genre.folds import Labels, Rows, artists_per_label, grouped_folds
from mir.genre.model import compete, predict_proba
from mir.genre.report import Report, baselines, protocol, rare_labels, scorable, statements
from mir.genre.scores import Counts, Score, confusions, difference, guess_or_label, label_scores, score

OnStep = Callable[[int, int, str], None]
"""Called after each fold: done, total, what was done."""

FORMS = ("concatenated", "stacked")


@dataclass(frozen=True, slots=True)
class CrossPrediction:
    """What each row was called by models that had not heard its artist.

    Parameters
    ----------
    guesses
        One array of shape ``(n,)`` a repeat.
    confidences
        Probability of each guess, 0…1, shape ``(n_repeats, n)``.
    forms
        The same guesses had only candidates of one form competed; empty where that was not asked for.
    chosen
        How often each candidate won.
    statements
        What has to be said of the folds and of the candidates.
    """

    guesses: tuple[Labels, ...]
    confidences: NDArray[np.float64]
    forms: dict[str, tuple[Labels, ...]]
    chosen: dict[str, int]
    statements: tuple[str, ...]


def fold_seed(seed: int, repeat: int) -> int:
    """Return the seed of the folds of one repeat, so that another method can be scored on the same folds."""
    return seed + 1000 * repeat


def cross_predict(
    dataset: Dataset,
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    candidates: Sequence[Candidate] = CANDIDATES,
    by_form: bool = False,
    on_fold: Callable[[], None] | None = None,
) -> CrossPrediction:
    """Predict every row from folds that hold its artist out; candidates are chosen inside the training part.

    Parameters
    ----------
    dataset
        The rows.
    folds, repeats, seed
        Folds grouped by artist, drawn anew for each repeat.
    candidates
        What may be chosen.
    by_form
        Also predict with the best stacked and the best concatenated model alone.
    on_fold
        Hears of each fold.

    Raises
    ------
    TooFewLabels
        Where the rows cannot be split by artist.
    """
    names = np.unique(dataset.labels)
    forms: tuple[str | None, ...] = (None, *FORMS) if by_form and len(dataset.blocks) > 1 else (None,)
    guesses: dict[str | None, list[Labels]] = {form: [] for form in forms}
    confidences, chosen, said = [], dict[str, int](), dict[str, None]()
    for repeat in range(repeats):
        split = grouped_folds(dataset.labels, dataset.groups, folds, fold_seed(seed, repeat))
        said.update(dict.fromkeys(split.statements))
        guess = {form: np.full(len(dataset.labels), "", dtype=dataset.labels.dtype) for form in forms}
        confidence = np.ones(len(dataset.labels))
        for number, (train, test) in enumerate(split.splits):
            if len(np.unique(dataset.labels[train])) < 2:
                for form in forms:
                    guess[form][test] = dataset.labels[train][0]
                continue
            found = _predict_fold(dataset, train, test, forms, fold_seed(seed, repeat) + number, candidates)
            for form, probabilities in found.probabilities.items():
                guess[form][test] = names[probabilities.argmax(axis=1)]
            confidence[test] = found.probabilities[None].max(axis=1)
            chosen[found.chosen] = chosen.get(found.chosen, 0) + 1
            said.update(dict.fromkeys(found.statements))
            if on_fold is not None:
                on_fold()
        for form in forms:
            guesses[form].append(guess[form])
        confidences.append(confidence)
    by_name = {form: tuple(each) for form, each in guesses.items() if form is not None}
    return CrossPrediction(
        tuple(guesses[None]), np.array(confidences), by_name, dict(sorted(chosen.items())), tuple(said)
    )


@dataclass(frozen=True, slots=True)
class _Fold:
    probabilities: dict[str | None, NDArray[np.float64]]
    chosen: str
    statements: tuple[str, ...]


def _predict_fold(
    dataset: Dataset,
    train: Rows,
    test: Rows,
    forms: Sequence[str | None],
    seed: int,
    candidates: Sequence[Candidate],
) -> _Fold:
    """Probabilities of the test rows by the best candidate (None) and by the best of each form."""
    names = np.unique(dataset.labels).tolist()
    contest = compete(dataset.learning(train), seed=seed, candidates=candidates)
    winner = contest.best() or contest.candidates[0]
    trained: dict[Candidate, NDArray[np.float64]] = {}
    probabilities = {}
    for form in forms:
        candidate = contest.best(form) or winner
        if candidate not in trained:
            fitted = contest.train(candidate)
            trained[candidate] = predict_proba(fitted.pipeline, dataset.matrix[test], names)
        probabilities[form] = trained[candidate]
    return _Fold(probabilities, str(winner), contest.statements)


def evaluate(
    dataset: Dataset,
    by: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    ablate: bool = True,
    candidates: Sequence[Candidate] = CANDIDATES,
    on_step: OnStep | None = None,
) -> Report:
    """Score genre on artists held out, with the ablation: mixture only, each instrument, all.

    Parameters
    ----------
    dataset
        Labelled tracks with the features of all spaces.
    by
        Instruments that the headline score uses.
    folds, repeats, seed
        Folds grouped by artist; the whole is repeated with other folds and the scores are averaged.
    ablate
        False scores `by` alone, and does not set stacked against concatenated models.
    candidates
        Pipelines to choose from.
    on_step
        Hears of progress.

    Raises
    ------
    TooFewLabels
        Where fewer than two labels have two artists each.
    """
    rare = rare_labels(dataset)
    dataset = scorable(dataset, rare)
    headline = tuple(name for name in INSTRUMENTS if name in by)
    variants: dict[str, tuple[str, ...]] = {"headline": headline}
    if ablate:
        variants |= {name: (name,) for name, space in INSTRUMENTS.items() if dataset.plays(space)}
        variants["all"] = tuple(INSTRUMENTS)
    # The same instruments under two names are computed once.
    unique = dict.fromkeys(variants.values())
    done, total = 0, len(unique) * folds * repeats
    results: dict[tuple[str, ...], CrossPrediction] = {}
    for instruments in unique:

        def step(what: str = "+".join(instruments)) -> None:
            nonlocal done
            done += 1
            if on_step is not None:
                on_step(done, total, what)

        results[instruments] = cross_predict(
            dataset.select([INSTRUMENTS[name] for name in instruments]),
            folds=folds,
            repeats=repeats,
            seed=seed,
            candidates=candidates,
            by_form=ablate and instruments == headline,
            on_fold=step,
        )
    artists = artists_per_label(dataset.labels, dataset.groups)
    counts = {instruments: _counts(dataset, result.guesses) for instruments, result in results.items()}
    found = results[headline]
    forms = {name: _counts(dataset, guesses) for name, guesses in found.forms.items()}
    return Report(
        by=headline,
        score=score(counts[headline], seed),
        protocol=protocol(dataset, folds, repeats, seed),
        labels=tuple(artists),
        confusion=tuple(tuple(row) for row in counts[headline].sum(axis=0).round(6).tolist()),
        per_label=label_scores(counts[headline], artists),
        calibration=reliability(found.confidences, np.array([_right(dataset, guess) for guess in found.guesses])),
        ablation=_ablation(variants, counts, seed) if ablate else {},
        all_minus_mix=difference(counts[variants["all"]], counts[("mix",)], seed)
        if ablate and "mix" in variants
        else None,
        forms={name: score(each, seed) for name, each in forms.items()},
        stacked_minus_concatenated=difference(forms["stacked"], forms["concatenated"], seed) if forms else None,
        baselines=baselines(dataset.labels),
        chosen=found.chosen,
        rare=rare,
        statements=(*statements(dataset, rare), *found.statements),
        tracks=len(dataset.labels),
        artists=len(np.unique(dataset.groups)),
        unknown_artists=dataset.n_unknown_artists,
        held_out=_held_out(dataset, found.guesses[0]),
    )


def _counts(dataset: Dataset, guesses: Sequence[Labels]) -> Counts:
    return confusions(dataset.labels, guesses, dataset.groups, np.unique(dataset.labels).tolist(), dataset.further)


def _right(dataset: Dataset, guess: Labels) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = guess_or_label(dataset.labels, guess, dataset.further) == guess
    return right


def _held_out(dataset: Dataset, guess: Labels) -> dict[str, list[int]]:
    """Return, as numbers of sorted labels and artists, what each row counts as, what it was called, and whose it is."""
    names = np.unique(dataset.labels)
    true = guess_or_label(dataset.labels, guess, dataset.further)
    return {
        "label": np.searchsorted(names, true).tolist(),
        "guess": np.searchsorted(names, guess).tolist(),
        "artist": np.unique(dataset.groups, return_inverse=True)[1].tolist(),
    }


def _ablation(
    variants: dict[str, tuple[str, ...]], counts: dict[tuple[str, ...], Counts], seed: int
) -> dict[str, Score | None]:
    names = ("mix", *(name for name in INSTRUMENTS if name != "mix"), "all")
    return {name: score(counts[variants[name]], seed) if name in variants else None for name in names}
