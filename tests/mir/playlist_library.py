"""A catalog for playlists: voices on a circle, and tempo, key and loudness as we choose."""

from __future__ import annotations

import hashlib

import numpy as np
from similar_library import result

import features
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord

# Harmony and mixture keep the real declarations: playlists and reports read their columns by name.


def measured(space, **values):
    extractor = features.EXTRACTORS[space]
    middle = {column.name: 0.5 * (column.low + column.high) for column in extractor.columns}
    descriptor = np.random.default_rng(0).normal(size=extractor.embedding_size).astype(np.float32)
    return SpaceResult(space, extractor.version, "model-1", "ok", values={**middle, **values}, descriptor=descriptor)


def add_track(
    catalog,
    title,
    artist,
    *,
    angle=0.0,
    tempo=None,
    key=None,
    major=1.0,
    loudness=None,
    path=None,
    duration_s=100.0,
    year=None,
    genres=(),
):
    """Commit a track whose voice stands at `angle` (radians); what is None could not be measured."""
    results = [result(catalog, "vocal_timbre", [np.cos(angle), np.sin(angle), 0, 0])]
    if tempo is not None:
        results.append(result(catalog, "drum_rhythm", [tempo, np.cos(angle), np.sin(angle)]))
    if key is not None:
        results.append(measured("harmony", key_pitch_class=key, mode_is_major=major, key_strength=1.0))
    if loudness is not None:
        results.append(measured("mixture", loudness_lufs=loudness))
    return commit_track(
        catalog,
        TrackRecord(
            audio_hash=hashlib.sha256(f"{title}|{artist}".encode()).hexdigest(),
            file=FileStat(str(path or f"/music/{title}.flac"), 1000, 1),
            tags=Tags(title=title, artists=(artist,) if artist else (), year=year, genres=tuple(genres)),
            duration_s=duration_s,
            sample_rate_hz=44100,
            n_channels=2,
            codec="flac",
            results=tuple(results),
        ),
    )
