"""Answers, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one named feature adds to a score.

    Parameters
    ----------
    instrument, feature
        A column of the instrument's space, or the family of descriptor numbers that no column names.
    contribution
        In the score's own unit; positive: more alike in this than two tracks of the catalog usually are.
    unit, query_value, hit_value
        The column's value of either side (mean over tracks, weighted by duration), None where it is no
        column.
    description
        What a large value means.
    """

    instrument: str
    feature: str
    contribution: float
    unit: str | None = None
    query_value: float | None = None
    hit_value: float | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ArtistHit:
    """An artist who sounds like the query.

    Parameters
    ----------
    artist
        The name.
    similarity
        With one instrument its cosine, −1 to 1; with several the score.
    score
        Σ wₛ·zₛ: each instrument's cosine in standard deviations above that of random pairs of tracks.
    cosines
        Cosine by instrument; None where the artist or the query lacks a negatively weighted one.
    tracks
        How many tracks of the catalog are the artist's.
    artist_id
        In the catalog.
    explanation
        What makes up the score, largest first; empty unless asked for.
    """

    artist: str
    similarity: float
    score: float
    cosines: dict[str, float | None]
    tracks: int
    artist_id: int
    explanation: tuple[Contribution, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackHit:
    """A track that sounds like the query; fields as of `ArtistHit`."""

    track: str
    artist: str
    similarity: float
    score: float
    cosines: dict[str, float | None]
    path: str
    track_id: int
    explanation: tuple[Contribution, ...] = ()


def to_plain(hit: ArtistHit | TrackHit) -> dict[str, Any]:
    """Return a hit as what JSON can hold; without `explanation` where there is none."""
    plain = asdict(hit)
    if not hit.explanation:
        del plain["explanation"]
    return plain


def frame(hits: Sequence[ArtistHit | TrackHit]) -> pd.DataFrame:
    """Return hits as a pandas DataFrame, a column ``cosine_<instrument>`` for each instrument."""
    import pandas as pd

    rows = []
    for hit in hits:
        plain = to_plain(hit)
        cosines = plain.pop("cosines")
        rows.append({**plain, **{f"cosine_{instrument}": cosine for instrument, cosine in cosines.items()}})
    return pd.DataFrame(rows, columns=None if rows else ["artist", "similarity", "score"])
