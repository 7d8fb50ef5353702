"""What one track brings into the catalog: plain data, made by a pure function, committed whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

State = Literal["ok", "silent", "failed"]


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file as it lay on disk when it was read; `path` is absolute and resolved."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says of itself, or what its name and folder say where it says nothing.

    `artists` is empty for an unknown artist: such a track is in the catalog but never matched as an artist.
    """

    title: str
    artists: tuple[str, ...] = ()
    album: str | None = None
    album_artist: str | None = None
    year: int | None = None
    genres: tuple[str, ...] = ()
    musicbrainz_artist_ids: tuple[str, ...] = ()
    compilation: bool = False


@dataclass(frozen=True, slots=True)
class StemRow:
    """One separated stem: how loud it is, how much of the track it sounds, where it is kept (if it is)."""

    stem: str
    source_id: str
    loudness_lufs: float
    active_ratio: float
    path: str | None = None


@dataclass(frozen=True, slots=True)
class SpaceResult:
    """One extractor's outcome on one track.

    `values`, `descriptor` (raw, before the transform) and `vector` (after it) are for state ``ok`` alone.
    """

    space: str
    version: int
    source_id: str
    state: State
    reason: str | None = None
    values: dict[str, float] | None = None
    descriptor: NDArray[np.float32] | None = None
    vector: NDArray[np.float32] | None = None
    transform_id: str | None = None


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """Everything known of one track after analysis. `results` may cover some of the spaces only."""

    audio_hash: str
    file: FileStat
    tags: Tags
    duration_s: float
    sample_rate_hz: int
    n_channels: int
    codec: str
    stems: tuple[StemRow, ...] = ()
    results: tuple[SpaceResult, ...] = ()
