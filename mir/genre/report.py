"""What an evaluation found, and what has to be said beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mir.errors import TooFewLabels
from mir.genre.calibration import Reliability
from mir.genre.dataset import Dataset
from mir.genre.folds import Labels, artists_per_label
from mir.genre.scores import LabelScore, Score

RARE_BELOW = 3
"""Labels with fewer artists are reported as rare."""


@dataclass(frozen=True, slots=True)
class RareLabel:
    """A label with fewer artists than `RARE_BELOW`; with a single artist it cannot be scored."""

    label: str
    tracks: int
    artists: int
    scored: bool


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation.

    `confusion` has the truth in rows; `ablation` is None for an instrument nobody plays; `forms` scores one model of
    all numbers (``concatenated``) and a model an instrument (``stacked``) on the same folds, each the best of its kind
    on the inner folds; `held_out` has, by row, the numbers of label, artist and first repeat's guess.
    """

    by: tuple[str, ...]
    score: Score
    protocol: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[float, ...], ...]
    per_label: tuple[LabelScore, ...]
    calibration: Reliability
    ablation: dict[str, Score | None]
    all_minus_mix: dict[str, Any] | None
    forms: dict[str, Score]
    stacked_minus_concatenated: dict[str, Any] | None
    baselines: dict[str, dict[str, float]]
    chosen: dict[str, int]
    rare: tuple[RareLabel, ...]
    statements: tuple[str, ...]
    tracks: int
    artists: int
    unknown_artists: int
    held_out: dict[str, list[int]]

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir genre evaluate --json``; what was guessed of each track stays out."""
        return {
            **self.score.to_json(),
            "protocol": self.protocol,
            "by": list(self.by),
            "tracks": self.tracks,
            "artists": self.artists,
            "unknown_artists": self.unknown_artists,
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
            "per_label": [asdict(row) for row in self.per_label],
            "calibration": self.calibration.to_json(),
            "ablation": {name: value.to_json() if value else None for name, value in self.ablation.items()},
            "all_minus_mix": self.all_minus_mix,
            "forms": {name: value.to_json() for name, value in self.forms.items()},
            "stacked_minus_concatenated": self.stacked_minus_concatenated,
            "baselines": self.baselines,
            "chosen": self.chosen,
            "rare": [asdict(row) for row in self.rare],
            "statements": list(self.statements),
        }


def rare_labels(dataset: Dataset) -> tuple[RareLabel, ...]:
    """Return the labels with fewer artists than `RARE_BELOW`."""
    return tuple(
        RareLabel(label, int((dataset.labels == label).sum()), count, count >= 2)
        for label, count in artists_per_label(dataset.labels, dataset.groups).items()
        if count < RARE_BELOW
    )


def scorable(dataset: Dataset, rare: Sequence[RareLabel]) -> Dataset:
    """Return the rows whose label has artists enough to be scored.

    Raises
    ------
    TooFewLabels
        Where fewer than two labels have two artists each.
    """
    alone = [row.label for row in rare if not row.scored]
    kept = dataset.rows(~np.isin(dataset.labels, alone))
    if len(np.unique(kept.labels)) < 2:
        counts = artists_per_label(dataset.labels, dataset.groups)
        listed = ", ".join(f"{label}: {count}" for label, count in counts.items()) or "no labelled track"
        raise TooFewLabels(
            f"an honest score needs at least two genres with two artists each; artists by genre: {listed}"
        )
    return kept


def statements(dataset: Dataset, rare: Sequence[RareLabel]) -> tuple[str, ...]:
    """Return what these data make a reader know before believing a score."""
    alone = [f"{row.label} ({row.tracks} tracks)" for row in rare if not row.scored]
    few = [f"{row.label} ({row.artists} artists)" for row in rare if row.scored]
    several = sum(map(bool, dataset.further))
    said = list(dataset.notes)
    if alone:
        said.append(f"not scored, by one artist only: {', '.join(alone)}")
    if few:
        said.append(f"rare, so their scores mean little: {', '.join(few)}")
    if several:
        said.append(f"{several} track(s) with several genres: a guess that is any of them is right")
    return tuple(said)


def protocol(dataset: Dataset, folds: int, repeats: int, seed: int) -> str:
    """Return how the scores were made, in a sentence."""
    n_artists = len(np.unique(dataset.groups))
    unknown = dataset.n_unknown_artists
    return (
        f"{repeats} × {min(folds, n_artists)} folds grouped by artist ({n_artists} groups"
        + (f", {unknown} of them single tracks by unknown artists" if unknown else "")
        + f"), stratified by genre; model chosen by 3 inner folds grouped by artist; seed {seed}; "
        "intervals: 95 %, bootstrap over artists"
    )


def baselines(labels: Labels) -> dict[str, dict[str, float]]:
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
