"""How well genre is told on artists never heard, from each instrument and from all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features import INSTRUMENTS
from mir.errors import TooFewLabels
from mir.genre.dataset import Dataset
from mir.genre.folds import Labels, artists_per_label, grouped_folds
from mir.genre.model import CANDIDATES, Candidate, fit, predict_proba
from mir.genre.scores import (
    Counts,
    LabelScore,
    Score,
    confusions,
    difference,
    label_scores,
    score,
)

RARE_BELOW = 3
"""Labels with fewer artists are reported as rare."""

OnStep = Callable[[int, int, str], None]
"""Called after each fold: done, total, what was done."""


@dataclass(frozen=True, slots=True)
class RareLabel:
    """A label with fewer artists than `RARE_BELOW`; with a single artist it cannot be scored."""

    label: str
    tracks: int
    artists: int
    scored: bool


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation. `confusion` has the truth in rows; `ablation` is None for an instrument nobody plays."""

    by: tuple[str, ...]
    score: Score
    protocol: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[float, ...], ...]
    per_label: tuple[LabelScore, ...]
    ablation: dict[str, Score | None]
    all_minus_mix: dict[str, Any] | None
    baselines: dict[str, dict[str, float]]
    chosen: dict[str, int]
    rare: tuple[RareLabel, ...]
    statements: tuple[str, ...]
    tracks: int
    artists: int

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir genre evaluate --json``."""
        return {
            **self.score.to_json(),
            "protocol": self.protocol,
            "by": list(self.by),
            "tracks": self.tracks,
            "artists": self.artists,
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
            "per_label": [asdict(row) for row in self.per_label],
            "ablation": {name: value.to_json() if value else None for name, value in self.ablation.items()},
            "all_minus_mix": self.all_minus_mix,
            "baselines": self.baselines,
            "chosen": self.chosen,
            "rare": [asdict(row) for row in self.rare],
            "statements": list(self.statements),
        }


@dataclass(frozen=True, slots=True)
class CrossPrediction:
    """What each row was called by models that had not heard its artist; one `guesses` array a repeat."""

    guesses: tuple[Labels, ...]
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
    on_fold: Callable[[], None] | None = None,
) -> CrossPrediction:
    """Predict every row from folds that hold its artist out; candidates are chosen inside the training part.

    Raises
    ------
    TooFewLabels
        Where the rows cannot be split by artist.
    """
    names = [str(name) for name in np.unique(dataset.labels)]
    guesses, chosen, statements = [], dict[str, int](), dict[str, None]()
    for repeat in range(repeats):
        split = grouped_folds(dataset.labels, dataset.groups, folds, fold_seed(seed, repeat))
        statements.update(dict.fromkeys(split.statements))
        guess = np.full(len(dataset.labels), "", dtype=dataset.labels.dtype)
        for number, (train, test) in enumerate(split.splits):
            if len(np.unique(dataset.labels[train])) < 2:
                guess[test] = dataset.labels[train][0]
                continue
            fitted = fit(
                dataset.matrix[train],
                dataset.labels[train],
                dataset.groups[train],
                seed=fold_seed(seed, repeat) + number,
                candidates=candidates,
            )
            probabilities = predict_proba(fitted.pipeline, dataset.matrix[test], names)
            guess[test] = np.asarray(names)[probabilities.argmax(axis=1)]
            chosen[str(fitted.candidate)] = chosen.get(str(fitted.candidate), 0) + 1
            if on_fold is not None:
                on_fold()
        guesses.append(guess)
    return CrossPrediction(tuple(guesses), dict(sorted(chosen.items())), tuple(statements))


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
        False scores `by` alone.
    on_step
        Hears of progress.

    Raises
    ------
    TooFewLabels
        Where fewer than two labels have two artists each.
    """
    rare = rare_labels(dataset)
    dataset = _scorable(dataset, rare)
    played = {name: dataset.plays(space) for name, space in INSTRUMENTS.items()}
    variants: dict[str, tuple[str, ...]] = {"headline": tuple(name for name in INSTRUMENTS if name in by)}
    if ablate:
        variants |= {name: (name,) for name in INSTRUMENTS if played[name]}
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

        part = dataset.select([INSTRUMENTS[name] for name in instruments])
        results[instruments] = cross_predict(
            part, folds=folds, repeats=repeats, seed=seed, candidates=candidates, on_fold=step
        )
    labels = tuple(str(label) for label in np.unique(dataset.labels))
    counts = {
        instruments: confusions(dataset.labels, result.guesses, dataset.groups, labels)
        for instruments, result in results.items()
    }
    headline = results[variants["headline"]]
    return Report(
        by=variants["headline"],
        score=score(counts[variants["headline"]], seed),
        protocol=_protocol(dataset, folds, repeats, seed),
        labels=labels,
        confusion=tuple(tuple(row) for row in counts[variants["headline"]].sum(axis=0).round(6).tolist()),
        per_label=label_scores(counts[variants["headline"]], labels),
        ablation=_ablation(variants, counts, seed) if ablate else {},
        all_minus_mix=difference(counts[variants["all"]], counts[("mix",)], seed)
        if ablate and "mix" in variants
        else None,
        baselines=_baselines(dataset.labels),
        chosen=headline.chosen,
        rare=rare,
        statements=(*dataset.notes, *_rare_statements(rare), *headline.statements),
        tracks=len(dataset.labels),
        artists=len(np.unique(dataset.groups)),
    )


def rare_labels(dataset: Dataset) -> tuple[RareLabel, ...]:
    """Return the labels with fewer artists than `RARE_BELOW`."""
    return tuple(
        RareLabel(label, int((dataset.labels == label).sum()), count, count >= 2)
        for label, count in artists_per_label(dataset.labels, dataset.groups).items()
        if count < RARE_BELOW
    )


def _scorable(dataset: Dataset, rare: Sequence[RareLabel]) -> Dataset:
    alone = [row.label for row in rare if not row.scored]
    kept = dataset.rows(~np.isin(dataset.labels, alone))
    if len(np.unique(kept.labels)) < 2:
        counts = artists_per_label(dataset.labels, dataset.groups)
        listed = ", ".join(f"{label}: {count}" for label, count in counts.items()) or "no labelled track"
        raise TooFewLabels(
            f"an honest score needs at least two genres with two artists each; artists by genre: {listed}"
        )
    return kept


def _rare_statements(rare: Sequence[RareLabel]) -> list[str]:
    alone = [f"{row.label} ({row.tracks} tracks)" for row in rare if not row.scored]
    few = [f"{row.label} ({row.artists} artists)" for row in rare if row.scored]
    said = []
    if alone:
        said.append(f"not scored, by one artist only: {', '.join(alone)}")
    if few:
        said.append(f"rare, so their scores mean little: {', '.join(few)}")
    return said


def _ablation(
    variants: dict[str, tuple[str, ...]], counts: dict[tuple[str, ...], Counts], seed: int
) -> dict[str, Score | None]:
    names = ("mix", *(name for name in INSTRUMENTS if name != "mix"), "all")
    return {name: score(counts[variants[name]], seed) if name in variants else None for name in names}


def _protocol(dataset: Dataset, folds: int, repeats: int, seed: int) -> str:
    n_artists = len(np.unique(dataset.groups))
    unknown = dataset.n_unknown_artists
    return (
        f"{repeats} × {min(folds, n_artists)} folds grouped by artist ({n_artists} groups"
        + (f", {unknown} of them single tracks by unknown artists" if unknown else "")
        + f"), stratified by genre; model chosen by 3 inner folds grouped by artist; seed {seed}; "
        "intervals: 95 %, bootstrap over artists"
    )


def _baselines(labels: Labels) -> dict[str, dict[str, float]]:
    """Score, in closed form, saying the commonest label always and drawing labels as often as they occur.

    With shares p of k labels: accuracy max p and Σ p²; macro-F1 2 max p / (1 + max p) / k and, of the expected
    counts, 1/k.
    """
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    most, k = float(shares.max()), len(shares)
    return {
        "majority": {"accuracy": most, "macro_f1": 2.0 * most / (1.0 + most) / k},
        "random": {"accuracy": float((shares**2).sum()), "macro_f1": 1.0 / k},
    }
