"""What the API and the pages ask in the same way: parameters, seeds, filters, and answers in their shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from features import EXTRACTORS
from mir.similarity.filters import Filters, allowed_tracks
from mir.web import schemas, similar
from mir.web.library import Artist, Library, Track
from mir.web.site import Site

if TYPE_CHECKING:
    from mir.similarity import Hit
    from mir.similarity.links import Ids
    from mir.similarity.query import Query as Asked

HIGHEST_ID = 2**53
Weight = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(max_length=200)]
TrackId = Annotated[int, Path(ge=0, le=HIGHEST_ID)]
ArtistId = Annotated[int, Path(ge=0, le=HIGHEST_ID)]
SomeId = Annotated[int | None, Field(ge=0, le=HIGHEST_ID)]
Year = Annotated[int | None, Field(ge=0, le=9999)]
Bpm = Annotated[float | None, Field(ge=0, le=1000, allow_inf_nan=False)]


class Narrowing(BaseModel):
    """Which tracks may answer."""

    model_config = ConfigDict(extra="ignore")

    genre: list[Name] = Field(default_factory=list, max_length=20)
    year_from: Year = None
    year_to: Year = None
    tempo_from: Bpm = None
    tempo_to: Bpm = None

    @field_validator("year_from", "year_to", "tempo_from", "tempo_to", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """A form sends what was left empty too."""
        return None if value == "" else value

    def filters(self) -> Filters:
        """Return the filters of `mir.similarity`.

        Raises
        ------
        BadRequest
            Where a range is empty.
        """
        year = (self.year_from, self.year_to)
        tempo = (self.tempo_from, self.tempo_to)
        return Filters(
            genre=tuple(name.strip() for given in self.genre for name in given.split(",") if name.strip()),
            year=None if year == (None, None) else year,
            tempo_bpm=None if tempo == (None, None) else tempo,
        )


class Weights(Narrowing):
    """Weights by instrument, −1 to 1, and what narrows the answers; vocals alone where no weight is given."""

    vocals: Weight | None = None
    drums: Weight | None = None
    bass: Weight | None = None
    other: Annotated[Weight | None, Field(description="Harmony")] = None
    mix: Annotated[Weight | None, Field(description="The whole mix")] = None
    kind: schemas.Kind = "artists"
    k: int = Field(20, ge=1, le=200)

    def by(self) -> dict[str, float]:
        """Return the weights that are not 0."""
        given = {name: getattr(self, name) for name in instruments()}
        if all(weight is None for weight in given.values()):
            return {"vocals": 1.0}
        return {name: weight for name, weight in given.items() if weight}


class Question(Weights):
    """What `similar` is asked: one of `artist_id`, `track_id`, `upload`, `q` (a name), and weights."""

    artist_id: SomeId = None
    track_id: SomeId = None
    upload: Annotated[str | None, StringConstraints(max_length=64)] = None
    q: Name | None = None


class WhyQuestion(Question):
    """As `similar`, and the answer that is to be explained: `hit_artist_id` or `hit_track_id`."""

    hit_artist_id: SomeId = None
    hit_track_id: SomeId = None


class Browsing(Narrowing):
    """Which tracks to list, and in which order."""

    sort: Name = "artist"
    descending: bool = False
    k: int = Field(100, ge=1, le=1000)


AskQuestion = Annotated[Question, Query()]
AskWhy = Annotated[WhyQuestion, Query()]
AskBrowsing = Annotated[Browsing, Query()]


def site_of(request: Request) -> Site:
    """Return the site that a request is for."""
    found: Site = request.app.state.site
    return found


def instruments() -> list[str]:
    """Return the instruments, in their order."""
    return [extractor.instrument for extractor in EXTRACTORS.values()]


def answer(site: Site, question: Question) -> schemas.SimilarAnswer:
    """Answer who sounds alike.

    Raises
    ------
    BadRequest, NotInCatalog, NothingToCompare
        Where there is no answer.
    """
    seed = site.seed(question.artist_id, question.track_id, question.upload, question.q)
    return similar_to(site, seed, question)


def similar_to(site: Site, seed: Asked, question: Weights) -> schemas.SimilarAnswer:
    """Do as `answer`, with a seed that is known."""
    library, by = site.library, question.by()
    allowed = _allowed(site, library, question.filters())
    hits: list[Hit]
    with site.comparing:
        if question.kind == "artists":
            hits = list(similar.similar_artists(library, seed, by, question.k, allowed))
        else:
            hits = list(similar.similar_tracks(library, seed, by, question.k, allowed))
    return schemas.SimilarAnswer(
        query=seed_item(seed),
        by=by,
        kind=question.kind,
        generation=library.generation,
        results=[_hit_item(hit) for hit in hits],
    )


def explain(site: Site, question: WhyQuestion) -> schemas.WhyAnswer:
    """Explain one answer.

    Raises
    ------
    BadRequest, NotInCatalog, NothingToCompare
        Where there is nothing to explain.
    """
    seed = site.seed(question.artist_id, question.track_id, question.upload, question.q)
    hit = site.seed(question.hit_artist_id, question.hit_track_id)
    with site.turns.turn():
        parts = similar.why(site.catalog, site.library, seed, question.by(), hit)
    return schemas.WhyAnswer(
        query=seed_item(seed),
        hit=seed_item(hit),
        by=question.by(),
        score=sum(part.contribution for part in parts),
        parts=[
            schemas.Part(
                instrument=part.instrument,
                feature=part.feature,
                contribution=part.contribution,
                unit=part.unit,
                query_value=_finite(part.query_value),
                hit_value=_finite(part.hit_value),
                description=part.description,
            )
            for part in parts
        ],
    )


def seed_item(seed: Asked) -> schemas.Seed:
    """Return what was asked with, as the API shows it."""
    return schemas.Seed(kind=seed.kind, label=seed.label, artist_id=seed.artist_id, track_id=seed.track_id)


def artist_item(artist: Artist) -> schemas.ArtistItem:
    """Return an artist for a list."""
    return schemas.ArtistItem(artist_id=artist.artist_id, artist=artist.artist, tracks=artist.tracks)


def track_item(track: Track) -> schemas.TrackItem:
    """Return a track for a list."""
    return schemas.TrackItem(**track_values(track))


def track_values(track: Track) -> dict[str, Any]:
    """Return what lists show of a track."""
    names = ("track_id", "title", "artist", "album", "year", "genre", "duration_s")
    return {name: getattr(track, name) for name in names}


def track_answer(site: Site, track: Track) -> schemas.TrackAnswer:
    """Return a track in full.

    Raises
    ------
    NotInCatalog
        Where it has gone.
    """
    details = site.details(track.track_id)
    spread = site.distributions()
    spaces = []
    for space, extractor in EXTRACTORS.items():
        measured, known = details.spaces[space], spread.get(space, {})
        features = []
        for column in extractor.columns:
            value = _finite(measured.values.get(column.name))
            place = known[column.name].percentile(value) if value is not None and column.name in known else None
            features.append(
                schemas.FeatureItem(
                    name=column.name, unit=column.unit, value=value, percentile=place, description=column.description
                )
            )
        spaces.append(
            schemas.SpaceItem(
                instrument=extractor.instrument,
                space=space,
                state=measured.state,
                reason=measured.reason,
                features=features if measured.state == "ok" else [],
            )
        )
    return schemas.TrackAnswer(
        **track_values(track),
        artists=[artist_item(artist) for artist in site.library.artists_of(track.track_id)],
        codec=details.codec,
        sample_rate_hz=details.sample_rate_hz,
        n_channels=details.n_channels,
        genres=[_genre_item(each) for each in details.genres],
        predicted=[_genre_item(each) for each in details.predicted],
        levels=[
            schemas.StemLevel(
                stem=stem.stem, loudness_lufs=_finite(stem.loudness_lufs), active_ratio=_finite(stem.active_ratio)
            )
            for stem in details.stems
        ],
        spaces=spaces,
    )


def _genre_item(genre: object) -> schemas.GenreItem:
    return schemas.GenreItem.model_validate(genre, from_attributes=True)


def _hit_item(hit: Hit) -> schemas.SimilarItem:
    return schemas.SimilarItem.model_validate(hit, from_attributes=True)


def _allowed(site: Site, library: Library, filters: Filters) -> Ids | None:
    if filters == Filters():
        return None

    def read() -> Ids | None:
        with site.read() as con:
            return allowed_tracks(con, filters)

    return site.answers.get(("allowed", library.generation, filters), read)


def _finite(value: float | None) -> float | None:
    from math import isfinite

    return value if value is not None and isfinite(value) else None
