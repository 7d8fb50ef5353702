"""Why a run says what it says of a track: what each stem, and each named number of it, adds to the label's log-odds.

Explained is the run's own pipeline, whatever it is, against tracks of the catalog (`mir.genre.attribution`). It tells
what the model goes by. Whether the music is so, the values beside it show: in their units, among the catalog's tracks,
and beside what is usual for the label and for its nearest rival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features import EXTRACTORS
from mir.errors import BadRequest, NothingToCompare
from mir.genre.attribution import Attribution, Player, attribute
from mir.genre.families import family_description
from mir.genre.model import Matrix, predict_proba
from mir.genre.rows import Asked, Heard, asked_about, everything_heard
from mir.genre.runs import Model, load_model
from mir.similarity.explain import feature_of
from mir.standing import percentile

if TYPE_CHECKING:
    from mir.catalog import Catalog

TOLERANCE = 1e-6
"""Contributions sum to the difference between a track's log-odds and the background's within this."""

SILENT, SOUNDS = "silent", "sounds"
"""Names of what a stem contributes that does not sound, and of what it adds that one sounds at all."""

_FLAGS = {SILENT: "the stem does not sound in this track", SOUNDS: "that the stem sounds at all"}

_BACKGROUND = (10, 50)
_ROWS = 60_000  # scored for one explanation; fewer above a thousand tracks, with all of which an RBF kernel compares
_SMALLEST = 1e-300
"""Probabilities are taken to be no smaller: log-odds stay within ± 691."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a stem or a feature contributes to the log-odds; `error` is the standard error of the sampling."""

    instrument: str
    contribution: float
    error: float


@dataclass(frozen=True, slots=True)
class Feature(Share):
    """What one feature contributes, and how it stands.

    Parameters
    ----------
    instrument, contribution, error
        As of a `Share`; positive speaks for the label.
    name
        A column of the catalog, or else a family of descriptor numbers that no column shows.
    numbers
        How many numbers of the model are gathered here: the column and those of the descriptor that say the same.
    unit
        As declared; None where it is no column.
    description
        What it is: as declared, or of a family in words.
    value
        Of this track; None where it is no column or could not be measured.
    percentile
        Share of the catalog's tracks below it, 0…100, ties counted half.
    label_range, rival_range
        Middle half of the tracks labelled so: 25th and 75th percentile. None where there are none.
    """

    name: str
    numbers: int
    description: str
    unit: str | None = None
    value: float | None = None
    percentile: float | None = None
    label_range: tuple[float, float] | None = None
    rival_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one track is called `label`.

    Parameters
    ----------
    query, track_id, artist, title
        What was asked about; `track_id` is None for a file outside the catalog.
    label, probability, probabilities
        The genre explained (the likeliest, unless another was asked for), and of all, likeliest first.
    rival
        The likeliest other genre, or the one that `label` was compared with.
    against
        None: log-odds are those of the label against all others. A genre: against that one.
    log_odds, background_log_odds
        Of this track, and the mean of the background's tracks (as many as `background`); contributions sum to the
        difference.
    stems, features
        By size of their contribution, largest first.
    run_id
        The run explained.
    """

    query: str
    track_id: int | None
    artist: str | None
    title: str
    label: str
    probability: float
    probabilities: dict[str, float]
    rival: str
    against: str | None
    log_odds: float
    background_log_odds: float
    background: int
    stems: tuple[Share, ...]
    features: tuple[Feature, ...]
    run_id: str

    def headline(self) -> str:
        """Say in one line what is explained."""
        name = f"{self.artist} - {self.title}" if self.artist else self.title
        likeliest = next(iter(self.probabilities))
        next_best = next((each for each in self.probabilities if each != self.label), self.rival)
        other = "next" if self.label == likeliest else "likeliest"
        return (
            f"{name}: {self.label}, probability {self.probability:.2f} "
            f"({other}: {next_best} {self.probabilities[next_best]:.2f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir genre explain --json``."""
        return asdict(self)


def explain(
    catalog: Catalog,
    query: str,
    *,
    run_id: str | None = None,
    label: str | None = None,
    against: str | None = None,
    separator: str = "mir-4s",
    seed: int = 0,
) -> list[Explanation]:
    """Explain the genre of a file, of a track, or of every track of an artist.

    Parameters
    ----------
    catalog
        The catalog that has the run; its tracks are the background.
    query
        Path, title, ``Artist - Title`` or artist. A file that the catalog does not have is separated and described.
    run_id
        The run, None for the promoted one.
    label
        The genre to explain, None for the likeliest.
    against
        The genre to compare it with, None for all others together.
    separator
        Separation model for a file outside the catalog.
    seed
        Draws the background and the sampling.

    Raises
    ------
    NotInCatalog
        Where nothing answers to the query, or there is no run.
    NothingToCompare
        Where there are no features of any space that the run reads.
    BadRequest
        Where the run does not know `label` or `against`, or they are the same.
    ArtifactRefused
        Where the run's model cannot be used.
    """
    model = load_model(catalog, run_id)
    known = {name.casefold(): name for name in model.run.labels}
    for name in (label, against):
        if name is not None and name.casefold() not in known:
            raise BadRequest(f"run {model.run.run_id} knows no genre {name!r}; it knows {', '.join(model.run.labels)}")
    label, against = (None if name is None else known[name.casefold()] for name in (label, against))
    asked = asked_about(catalog, model.run, query, separator)
    there = everything_heard(catalog, model.run)
    return [_explain(model, there, one, label, against, seed) for one in asked]


def players(names: Sequence[str], row: Matrix) -> list[Player]:
    """Gather the features of a model under what an analyst reads.

    Parameters
    ----------
    names
        As `mir.genre.dataset.feature_names` has them.
    row
        The explained track, shape ``(d,)``. What a stem that does not sound would have is one player, `SILENT`.
    """
    gathered: dict[tuple[str, str], list[int]] = {}
    flags = dict(zip(names, row.tolist(), strict=True))
    for place, name in enumerate(names):
        space, _, described = name.partition(":")
        column = space.partition(".")[2]
        space = space.partition(".")[0]
        extractor = EXTRACTORS[space]
        if flags[f"{space}.sounds"] <= 0:
            feature = SILENT
        elif column:
            feature = column
        else:
            feature = feature_of(described.partition(":")[2], [each.name for each in extractor.columns])
        gathered.setdefault((extractor.instrument, feature), []).append(place)
    return [Player(instrument, name, tuple(places)) for (instrument, name), places in gathered.items()]


def log_odds(probabilities: Matrix, label: int, against: int | None) -> Matrix:
    """Return log p(label) less the log of the others' sum, or of one other's p; shape ``(n,)`` from ``(n, k)``."""
    own = probabilities[:, label]
    other = np.delete(probabilities, label, axis=1).sum(axis=1) if against is None else probabilities[:, against]
    return np.asarray(np.log(np.maximum(own, _SMALLEST)) - np.log(np.maximum(other, _SMALLEST)), dtype=np.float64)


def _explain(
    model: Model, there: Heard, asked: Asked, label: str | None, against: str | None, seed: int
) -> Explanation:
    labels = list(model.run.labels)
    found = predict_proba(model.pipeline, asked.row[None], labels)[0]
    pairs = sorted(zip(labels, found.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    label = label or next(name for name, _ in pairs if name != against)
    if label == against:
        raise BadRequest(f"{label} cannot be explained against itself; give two genres of {', '.join(labels)}")
    rival = against or next(name for name, _ in pairs if name != label)
    place, other = labels.index(label), None if against is None else labels.index(against)

    def score(rows: Matrix) -> Matrix:
        return log_odds(predict_proba(model.pipeline, rows, labels), place, other)

    listed = players(model.run.parameters["features"], asked.row)
    rows = min(_ROWS, _ROWS * 1000 // max(int(model.run.parameters["tracks"]), 1))
    background = _background(there, asked, rows // (4 * (len(listed) + 1)), seed)
    shares = attribute(score, asked.row, background, listed, rows=rows, seed=seed)
    return Explanation(
        query=asked.query,
        track_id=asked.track_id,
        artist=asked.artist,
        title=asked.title,
        label=label,
        probability=dict(pairs)[label],
        probabilities=dict(pairs),
        rival=rival,
        against=against,
        log_odds=shares.value,
        background_log_odds=shares.base,
        background=len(background),
        stems=_stems(shares),
        features=_features(model, there, asked, listed, shares, (label, rival)),
        run_id=model.run.run_id,
    )


def _background(there: Heard, asked: Asked, wanted: int, seed: int) -> Matrix:
    """Draw about so many other tracks of the catalog."""
    others = there.matrix[there.track_ids != (-1 if asked.track_id is None else asked.track_id)]
    if not len(others):
        raise NothingToCompare("the catalog has no other track to explain this one against")
    n = int(np.clip(wanted, *_BACKGROUND))
    return others[np.sort(np.random.default_rng(seed).permutation(len(others))[:n])]


def _stems(shares: Attribution) -> tuple[Share, ...]:
    found = [Share(name, value, shares.stem_errors[name]) for name, value in shares.stems.items()]
    return tuple(sorted(found, key=lambda share: -abs(share.contribution)))


def _features(
    model: Model,
    there: Heard,
    asked: Asked,
    listed: Sequence[Player],
    shares: Attribution,
    genres: tuple[str, str],
) -> tuple[Feature, ...]:
    place_of = {name: place for place, name in enumerate(model.run.parameters["features"])}
    space_of = {EXTRACTORS[space].instrument: space for space in model.run.spaces}
    found = []
    for player, contribution, error in zip(listed, shares.contributions.tolist(), shares.errors.tolist(), strict=True):
        space = space_of[player.stem]
        said = _FLAGS.get(player.name) or family_description(space, player.name)
        feature = Feature(player.stem, contribution, error, player.name, len(player.columns), description=said)
        column = next((each for each in EXTRACTORS[space].columns if each.name == player.name), None)
        if column is not None:
            place = place_of[f"{space}.{column.name}"]
            value, values = float(asked.row[place]), there.matrix[:, place]
            feature = replace(
                feature,
                unit=column.unit,
                description=column.description,
                value=value if np.isfinite(value) else None,
                percentile=percentile(values, value),
                label_range=_middle_half(values[there.genres == genres[0]]),
                rival_range=_middle_half(values[there.genres == genres[1]]),
            )
        found.append(feature)
    return tuple(sorted(found, key=lambda one: (-abs(one.contribution), one.instrument, one.name)))


def _middle_half(values: Matrix) -> tuple[float, float] | None:
    there = values[np.isfinite(values)]
    if not len(there):
        return None
    low, high = np.percentile(there, [25.0, 75.0])
    return float(low), float(high)
