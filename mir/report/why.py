"""What the promoted run makes of a track, and which numbers made it say so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mir.errors import MirError
from mir.report.page import number

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.catalog.records import SpaceResult
    from mir.report.facts import About

logger = logging.getLogger(__name__)

SHOWN: Final = 8
"""Features that are named, those that speak loudest."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A number that speaks for the genre, or against it (negative), in log-odds; all but that as it is shown."""

    instrument: str
    name: str
    description: str
    shown: str
    place: str
    contribution: float


@dataclass(frozen=True, slots=True)
class Why:
    """A run's opinion of a track.

    Parameters
    ----------
    run_id, genre, probability, probabilities
        Who says what, and how surely; likeliest first.
    stems, features
        What each instrument and the strongest features add to the log-odds; empty for a file outside the catalog.
    background
        How many tracks the contributions are held against.
    """

    run_id: str
    genre: str
    probability: float
    probabilities: dict[str, float]
    stems: tuple[tuple[str, float], ...] = ()
    features: tuple[Reason, ...] = ()
    background: int = 0


def why_genre(catalog: Catalog, about: About, results: Sequence[SpaceResult]) -> Why | None:
    """Return what the promoted run says; None where no run is promoted, or it cannot say anything of this track."""
    with catalog.read() as con:
        if con.execute("SELECT 1 FROM genre_runs WHERE promoted").fetchone() is None:
            return None
    try:
        return _explained(catalog, about.path) if about.track_id is not None else _predicted(catalog, results)
    except MirError as error:
        logger.warning("no genre in the report: %s", error)
        return None


def _explained(catalog: Catalog, path: str) -> Why:
    from mir.genre.explanation import explain

    found = explain(catalog, path)[0]
    reasons = [
        Reason(
            one.instrument,
            one.name,
            one.description,
            f"{number(one.value)} {'' if one.unit in ('1', None) else one.unit}".strip()
            if one.value is not None
            else "",
            "" if one.percentile is None else f"higher than {one.percentile:.0f} %",
            one.contribution,
        )
        for one in found.features[:SHOWN]
    ]
    return Why(
        found.run_id,
        found.label,
        found.probability,
        found.probabilities,
        tuple((one.instrument, one.contribution) for one in found.stems),
        tuple(reasons),
        found.background,
    )


def _predicted(catalog: Catalog, results: Sequence[SpaceResult]) -> Why:
    from mir.genre.dataset import feature_row
    from mir.genre.model import predict_proba
    from mir.genre.runs import load_model

    model = load_model(catalog)
    row = feature_row(results, tuple(model.run.spaces))
    scores = predict_proba(model.pipeline, row, model.run.labels)[0].tolist()
    likely = sorted(zip(model.run.labels, scores, strict=True), key=lambda pair: -pair[1])
    return Why(model.run.run_id, likely[0][0], likely[0][1], dict(likely))
