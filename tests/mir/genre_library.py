"""Made-up catalogs whose genres hang on numbers that we choose; no audio."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from features import EXTRACTORS
from features.base import Column, Extractor
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord


@contextmanager
def small_extractors() -> Iterator[None]:
    """Let every space declare two columns and six numbers, whatever the real extractors measure by now."""
    with pytest.MonkeyPatch.context() as patch:
        for space, real in list(EXTRACTORS.items()):
            declared = {
                "space": space,
                "instrument": real.instrument,
                "version": 7,
                "stems": real.stems,
                "columns": tuple(Column(f"{space}_{n}", "1", -99, 99, "Test.", "this test") for n in "ab"),
                "descriptor_names": tuple(f"d{number}" for number in range(6)),
                "describe": lambda self, stems: None,
            }
            patch.setitem(EXTRACTORS, space, type("Small", (Extractor,), declared)())
        yield


def result(space: str, rng: np.random.Generator, mean: float) -> SpaceResult:
    """One space's outcome: a descriptor near the place that `mean` names; columns are noise, some missing."""
    extractor = EXTRACTORS[space]
    values = {column.name: float(rng.normal()) for column in extractor.columns}
    for name in list(values)[::7]:
        if rng.random() < 0.2:
            values[name] = float("nan")
    place = np.random.default_rng(int(10 * mean)).normal(0.0, 2.0, extractor.embedding_size) if mean else 0.0
    descriptor = (place + rng.normal(0.0, 0.5, extractor.embedding_size)).astype(np.float32)
    return SpaceResult(space, extractor.version, "test:0", "ok", values=values, descriptor=descriptor)


def silent(space: str) -> SpaceResult:
    """A stem that does not sound."""
    return SpaceResult(space, EXTRACTORS[space].version, "test:0", "silent", reason="silent")


def add(
    catalog: Catalog,
    name: str,
    *,
    artist: str | None,
    genres: tuple[str, ...],
    means: Mapping[str, float],
    seed: int,
    mute: tuple[str, ...] = (),
) -> int:
    """Commit one track; `means` says where each space's descriptor lies."""
    rng = np.random.default_rng(seed)
    results = tuple(
        silent(space) if space in mute else result(space, rng, means.get(space, 0.0)) for space in EXTRACTORS
    )
    record = TrackRecord(
        audio_hash=hashlib.sha256(name.encode()).hexdigest(),
        file=FileStat(f"/music/{name}.flac", 1000, 1),
        tags=Tags(title=name, artists=(artist,) if artist else (), genres=genres),
        duration_s=10.0,
        sample_rate_hz=44100,
        n_channels=2,
        codec="flac",
        results=results,
    )
    return commit_track(catalog, record)


def genre_library(
    path: Path,
    *,
    genres: tuple[str, ...] = ("House", "Techno", "Jazz"),
    artists: int = 4,
    tracks: int = 2,
    by_genre: str | None = "drum_rhythm",
    by_artist: str | None = None,
    unlabelled: int = 0,
    shuffle: bool = False,
) -> Catalog:
    """Make a catalog in which `by_genre` tells the genre and `by_artist` only who plays."""
    catalog = create_catalog(path)
    rng = np.random.default_rng(7)
    names = [genre for genre in genres for _ in range(artists * tracks)]
    if shuffle:
        names = rng.permutation(names).tolist()
    for number in range(artists * tracks * len(genres)):
        genre, artist = genres[number // (artists * tracks)], number // tracks
        means = {}
        if by_genre:
            means[by_genre] = 1.0 + genres.index(genre)
        if by_artist:
            means[by_artist] = 10.0 + artist
        mute = ("vocal_timbre",) if number % 5 == 0 else ()
        add(
            catalog,
            f"t{number}",
            artist=f"Artist {artist}",
            genres=(names[number],),
            means=means,
            seed=number,
            mute=mute,
        )
    for number in range(unlabelled):
        genre = genres[number % len(genres)]
        add(
            catalog,
            f"u{number} {genre}",
            artist=f"New {number}",
            genres=(),
            means={by_genre: 1.0 + genres.index(genre)} if by_genre else {},
            seed=1000 + number,
        )
    return catalog
