"""The shapes of the API's answers; its OpenAPI document is made of them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Kind = Literal["artists", "tracks"]
StemsState = Literal["none", "waiting", "working", "done", "failed"]


class Problem(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="Name of the error")
    detail: str = Field(description="What was wrong, what is allowed, what to do")


class Summary(BaseModel):
    """What is in the library."""

    catalog_id: str
    generation: int = Field(description="Goes up with every write to the catalog")
    tracks: int
    artists: int
    duration_s: float
    instruments: dict[str, int] = Field(description="Tracks that have vectors, by instrument")


class ArtistItem(BaseModel):
    """An artist in a list."""

    artist_id: int
    artist: str
    tracks: int


class TrackItem(BaseModel):
    """A track in a list."""

    track_id: int
    title: str
    artist: str
    album: str | None
    year: int | None
    genre: str | None = Field(description="As tagged")
    duration_s: float


class Found(BaseModel):
    """What a search found."""

    artists: list[ArtistItem]
    tracks: list[TrackItem]
    n_artists: int = Field(description="All that fit, listed or not")
    n_tracks: int


class ArtistAnswer(ArtistItem):
    """An artist, and the tracks they play on."""

    catalog: list[TrackItem]


class GenreItem(BaseModel):
    """A genre of a track."""

    genre: str
    source: str = Field(description="tag, person or predicted")
    probability: float | None = Field(description="0 to 1, of predictions")


class FeatureItem(BaseModel):
    """One named number of a track."""

    name: str
    unit: str
    value: float | None
    percentile: float | None = Field(description="Share of the catalog's tracks below it, 0 to 100")
    description: str


class SpaceItem(BaseModel):
    """One instrument of a track."""

    instrument: str
    space: str
    state: str = Field(description="ok, silent, failed or missing")
    reason: str | None
    features: list[FeatureItem]


class StemLevel(BaseModel):
    """How loud a stem is, and how much of the track it sounds."""

    stem: str
    loudness_lufs: float | None
    active_ratio: float | None


class TrackAnswer(TrackItem):
    """A track in full."""

    artists: list[ArtistItem]
    codec: str
    sample_rate_hz: int
    n_channels: int
    genres: list[GenreItem]
    predicted: list[GenreItem] = Field(description="By the promoted run, likeliest first")
    levels: list[StemLevel]
    spaces: list[SpaceItem]


class Seed(BaseModel):
    """What was asked with."""

    kind: str = Field(description="artist, track or file")
    label: str
    artist_id: int | None
    track_id: int | None


class SimilarItem(BaseModel):
    """One answer; `artist_id` of an artist, `track_id` of a track."""

    artist: str
    artist_id: int | None = None
    track: str | None = None
    track_id: int | None = None
    similarity: float = Field(description="Of one instrument its cosine, of several the score")
    score: float = Field(description="Sum of weight times standardised cosine")
    cosines: dict[str, float | None]
    tracks: int | None = Field(default=None, description="How many tracks an artist was compared by")


class SimilarAnswer(BaseModel):
    """Who sounds alike, best first."""

    query: Seed
    by: dict[str, float]
    kind: Kind
    generation: int
    results: list[SimilarItem]


class Part(BaseModel):
    """What one feature adds to a score."""

    instrument: str
    feature: str
    contribution: float
    unit: str | None
    query_value: float | None
    hit_value: float | None
    description: str | None


class WhyAnswer(BaseModel):
    """What makes two alike, largest contribution first; contributions sum to the score."""

    query: Seed
    hit: Seed
    by: dict[str, float]
    score: float
    parts: list[Part]


class GenreReason(BaseModel):
    """What one instrument, or one number, adds to the log-odds of a genre."""

    instrument: str
    feature: str | None
    contribution: float
    unit: str | None = None
    value: float | None = None
    percentile: float | None = None


class GenreAnswer(BaseModel):
    """The genre of a track as the promoted run hears it, and why."""

    run_id: str
    genre: str
    probability: float
    probabilities: dict[str, float]
    rival: str
    headline: str
    stems: list[GenreReason]
    features: list[GenreReason]


class StemItem(BaseModel):
    """A stem to listen to."""

    stem: str
    audio: str = Field(description="Address of a 16-bit WAV; ranges are served")
    spectrogram: str = Field(description="Address of a PNG")
    outline: list[int] = Field(description="Lowest and highest sample of each column, full scale 127")
    level_db: float | None = Field(description="dB below full scale; null for silence")


class StemsAnswer(BaseModel):
    """Where the stems of a track are, or how far they are."""

    state: StemsState
    fraction: float = Field(description="0 to 1, how much of the work is done")
    ahead: int = Field(description="Pieces of work that come first")
    reason: str | None = Field(default=None, description="Why it failed")
    sample_rate_hz: int | None = None
    n_channels: int | None = None
    n_samples: int | None = None
    data_offset: int | None = Field(default=None, description="Bytes before the samples in each WAV")
    stems: list[StemItem] = []


class JobAnswer(BaseModel):
    """How far a piece of work is; `upload` is what to ask `similar` with when it is done."""

    job_id: str
    state: str
    fraction: float
    ahead: int
    reason: str | None
    upload: str | None = None
    label: str | None = None


class GenreCount(BaseModel):
    """A genre, and how many tracks have it."""

    genre: str
    tracks: int


class Browsed(BaseModel):
    """Tracks that pass the filters, in the order that was asked for."""

    columns: list[str]
    rows: list[dict[str, str | int | float | list[str] | None]]
    more: bool = Field(description="Whether there are more than were asked for")


class SpaceState(BaseModel):
    """How many tracks have an instrument measured."""

    instrument: str
    space: str
    ok: int
    silent: int
    failed: int
    missing: int
    out_of_date: int


class FailureItem(BaseModel):
    """What failed."""

    file: str
    space: str | None
    reason: str


class StatusAnswer(BaseModel):
    """The state of the catalog, and of this page."""

    catalog: str
    size_bytes: int
    files: int
    gone: int = Field(description="Files that are not there any more")
    tracks: int
    artists: int
    duration_s: float
    generation: int
    spaces: list[SpaceState]
    failures: list[FailureItem]
    stems_bytes: int
    stems_limit_bytes: int
    model: str
    jobs: dict[str, int]
