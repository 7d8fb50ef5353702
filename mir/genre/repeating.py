"""A run carried out once more from its row: the same data must give the same model and the same figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from features import EXTRACTORS
from mir.genre.artifact import library_version
from mir.genre.dataset import Dataset, load
from mir.genre.evaluation import OnStep
from mir.genre.model import predict_proba
from mir.genre.recipe import Recipe, carry_out, learned_data
from mir.genre.runs import Run, find_run, load_model

if TYPE_CHECKING:
    from mir.catalog import Catalog

TOLERANCE = 1e-6
"""Metrics that differ by no more are the same."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """What a repeat showed.

    Parameters
    ----------
    run_id
        The run.
    same
        Whether the same predictions and, within `TOLERANCE`, the same metrics came out.
    changed
        Why a repeat cannot be had: what is not as it was. Nothing was trained then.
    predictions_equal
        Whether both models give every track the same genre with the same probabilities, to the last bit.
    largest_probability_difference, largest_metric_difference
        Over all tracks and genres, and over all numbers of the evaluation; None where nothing was trained.
    accuracy, macro_f1
        (then, now).
    tracks
        What was predicted for the comparison.
    """

    run_id: str
    same: bool
    changed: tuple[str, ...] = ()
    predictions_equal: bool | None = None
    largest_probability_difference: float | None = None
    largest_metric_difference: float | None = None
    accuracy: tuple[float | None, float | None] | None = None
    macro_f1: tuple[float | None, float | None] | None = None
    tracks: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir genre repeat --json``."""
        return asdict(self)


def repeat(catalog: Catalog, run_id: str, *, on_step: OnStep | None = None) -> Repeat:
    """Train and score a run again from its row and compare; nothing is stored.

    Parameters
    ----------
    catalog
        The catalog with the run and its data.
    run_id
        The run, or the beginning of its id.
    on_step
        Hears of the evaluation's progress.

    Raises
    ------
    NotInCatalog
        Where there is no such run.
    ArtifactRefused
        Where the run's own model cannot be used.
    TooFewLabels
        Where too few labelled tracks are left.
    """
    run = find_run(catalog, run_id)
    elsewhere = _other_programs(run)
    if elsewhere:
        return Repeat(run.run_id, same=False, changed=elsewhere)
    recipe = Recipe.from_json(run.parameters)
    everything = load(catalog, recipe.label_map)
    changed = _changes(run, learned_data(everything, recipe))
    if changed:
        return Repeat(run.run_id, same=False, changed=changed)
    model = load_model(catalog, run.run_id)
    learned = carry_out(everything, recipe, on_step)
    before, now = (
        predict_proba(pipeline, learned.dataset.matrix, run.labels)
        for pipeline in (model.pipeline, learned.fitted.pipeline)
    )
    equal = bool(np.array_equal(before, now))
    apart = max(_differences(run.metrics, learned.metrics), default=0.0)
    return Repeat(
        run.run_id,
        same=equal and apart <= TOLERANCE,
        predictions_equal=equal,
        largest_probability_difference=float(np.abs(before - now).max()),
        largest_metric_difference=apart,
        accuracy=(run.metrics.get("accuracy"), learned.metrics.get("accuracy")),
        macro_f1=(run.metrics.get("macro_f1"), learned.metrics.get("macro_f1")),
        tracks=len(before),
    )


def _other_programs(run: Run) -> tuple[str, ...]:
    said = [
        f"{space} was version {version} and is {EXTRACTORS[space].version if space in EXTRACTORS else 'gone'}"
        for space, version in run.spaces.items()
        if space not in EXTRACTORS or EXTRACTORS[space].version != version
    ]
    if run.parameters["scikit_learn"] != library_version():
        said.append(f"scikit-learn was {run.parameters['scikit_learn']} and is {library_version()}")
    if "truth" not in run.parameters:
        said.append("an earlier mir trained the run, and kept less of what a repeat needs")
    return tuple(said)


def _changes(run: Run, dataset: Dataset) -> tuple[str, ...]:
    """Say how the data differ from those that the run learned from."""
    then = run.parameters
    if dataset.snapshot() == then["snapshot"]:
        return ()
    if len(dataset.labels) != then["tracks"]:
        return (f"{then['tracks']} labelled tracks then, {len(dataset.labels)} now",)
    if dataset.truth() != then["truth"]:
        return ("other tracks, genres or artists than then, though as many",)
    return ("the same tracks and genres, but other features: the tracks were measured anew",)


def _differences(one: Any, other: Any) -> Iterator[float]:  # noqa: ANN401 - JSON
    """Yield how far apart the numbers of two JSON values are; infinity where anything else differs."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from _differences(one[name], other[name])
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for first, second in zip(one, other, strict=True):
            yield from _differences(first, second)
    elif isinstance(one, int | float) and isinstance(other, int | float):
        yield abs(float(one) - float(other))
    else:
        yield 0.0 if one == other else math.inf
