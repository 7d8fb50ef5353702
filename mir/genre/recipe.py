"""All that decides a training run, and carrying it out: the same recipe on the same data gives the same model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features import INSTRUMENTS
from mir.errors import TooFewLabels
from mir.genre import artifact
from mir.genre.candidates import CANDIDATES, Candidate
from mir.genre.dataset import Dataset
from mir.genre.evaluation import OnStep, evaluate
from mir.genre.labels import LabelMap
from mir.genre.model import Fitted, fit


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a user decides.

    Parameters
    ----------
    by
        Instruments to learn from (`features.INSTRUMENTS`).
    label_map
        A user's own rules.
    folds, seed
        Of the evaluation; the seed also decides the inner folds.
    candidates
        Pipelines to choose from.
    """

    by: tuple[str, ...]
    label_map: LabelMap
    folds: int = 5
    seed: int = 0
    candidates: tuple[Candidate, ...] = CANDIDATES

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as the row of a run keeps it."""
        return {
            "by": list(self.by),
            "seed": self.seed,
            "folds": self.folds,
            "label_map": dict(self.label_map.rules),
            "candidates": [candidate.to_json() for candidate in self.candidates],
        }

    @classmethod
    def from_json(cls, parameters: Mapping[str, Any]) -> Recipe:
        """Return the recipe that the row of a run keeps."""
        return cls(
            tuple(parameters["by"]),
            LabelMap(parameters["label_map"]),
            int(parameters["folds"]),
            int(parameters["seed"]),
            tuple(Candidate(**candidate) for candidate in parameters["candidates"]),
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a recipe: the data, the model, and the two columns of its row."""

    dataset: Dataset
    fitted: Fitted
    parameters: dict[str, Any]
    metrics: dict[str, Any]


def carry_out(everything: Dataset, recipe: Recipe, on_step: OnStep | None = None) -> Learned:
    """Score the recipe on artists held out, then train it on every labelled track.

    Raises
    ------
    TooFewLabels
        Where there are fewer than two genres of two tracks each.
    """
    single = _learnable(everything)[1]
    dataset = learned_data(everything, recipe)
    metrics = _metrics(everything, recipe, on_step)
    fitted = fit(dataset.learning(), seed=recipe.seed, candidates=recipe.candidates)
    if single:
        metrics["statements"].append(f"not learned, a single track: {', '.join(single)}")
    metrics["statements"] += [said for said in fitted.statements if said not in metrics["statements"]]
    parameters = {
        **recipe.to_json(),
        "chosen": fitted.candidate.to_json(),
        "inner_macro_f1": fitted.scores,
        "instrument_weights": _instrument_weights(fitted, recipe.by),
        "tracks": len(dataset.labels),
        "artists": len(np.unique(dataset.groups)),
        "snapshot": dataset.snapshot(),
        "truth": dataset.truth(),
        "features": list(dataset.features),
        "scikit_learn": artifact.library_version(),
    }
    return Learned(dataset, fitted, parameters, metrics)


def learned_data(everything: Dataset, recipe: Recipe) -> Dataset:
    """Return the rows and features that a recipe learns from.

    Raises
    ------
    TooFewLabels
        Where there are fewer than two genres of two tracks each.
    """
    return _learnable(everything)[0].select([INSTRUMENTS[name] for name in recipe.by])


def _learnable(everything: Dataset) -> tuple[Dataset, list[str]]:
    """Leave out genres with a single track: nothing could calibrate them. Also return their names."""
    names, counts = np.unique(everything.labels, return_counts=True)
    single = names[counts < 2].tolist()
    if len(names) - len(single) < 2:
        there = ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True)) or "none"
        raise TooFewLabels(
            "training needs two genres or more, with two tracks each or more; "
            f"labelled and analysed here: {there}. Tag the files, or map their tags with --label-map"
        )
    return (everything.rows(~np.isin(everything.labels, single)) if single else everything), single


def _metrics(everything: Dataset, recipe: Recipe, on_step: OnStep | None) -> dict[str, Any]:
    try:
        report = evaluate(
            everything,
            recipe.by,
            folds=recipe.folds,
            seed=recipe.seed,
            ablate=False,
            candidates=recipe.candidates,
            on_step=on_step,
        )
    except TooFewLabels as error:
        # A model may still be wanted; that nobody knows how good it is stands in its row.
        return {"accuracy": None, "macro_f1": None, "statements": [*everything.notes, str(error)]}
    asked_elsewhere = {"ablation", "all_minus_mix", "forms", "stacked_minus_concatenated"}
    metrics = {name: value for name, value in report.to_json().items() if name not in asked_elsewhere}
    return {**metrics, "held_out": report.held_out}


def _instrument_weights(fitted: Fitted, by: tuple[str, ...]) -> dict[str, float] | None:
    """Return how much each instrument of a stack counts; None for one model of all numbers."""
    if fitted.candidate.form != "stacked":
        return None
    names = [name for name in INSTRUMENTS if name in by]
    return dict(zip(names, fitted.pipeline[-1].weights_.tolist(), strict=True))
