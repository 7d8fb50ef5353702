"""A made-up library for clusters and maps: four crowds of tracks whose drums differ, one column each way."""

from __future__ import annotations

import hashlib

import numpy as np

import features
from mir.catalog import create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord

CROWDS = (("House", 124.0), ("Drum & Bass", 174.0), ("Hip Hop", 88.0), ("Ballad", 60.0))

PLACES = ((3.0, 3.0), (3.0, -3.0), (-3.0, 3.0), (-3.0, -3.0))


def make(path, each=8, alone=2, seed=0, spaces=("drum_rhythm", "vocal_timbre"), name=str):
    """A catalog with `each` tracks in every crowd and two loners unlike all crowds; vectors are committed as is."""
    catalog = create_catalog(path)
    for crowd in range(len(CROWDS)):
        add_crowd(catalog, crowd, each, seed=seed, spaces=spaces, name=name)
    random = np.random.default_rng(seed + 99)
    for number in range(alone):
        vector = np.array([0, 0, 0, 0, 0, (-5.0) ** number, 0, -5.0]) + random.normal(size=8) * 0.1
        commit(catalog, name(f"alone {number}"), vector, 100.0, (), spaces, random)
    return catalog


def add_crowd(catalog, crowd, count, seed=0, spaces=("drum_rhythm", "vocal_timbre"), name=str, genre=True, first=0):
    random = np.random.default_rng([seed, crowd, first])
    label, tempo = CROWDS[crowd]
    for number in range(first, first + count):
        vector = np.array([*PLACES[crowd], 0, 0, 0, 0, 0, 5.0])
        vector += random.normal(size=8) * 0.35
        genres = (label,) if genre else ()
        commit(catalog, name(f"{label} {number}"), vector, tempo + random.normal(), genres, spaces, random)


def commit(catalog, title, vector, tempo, genres, spaces, random):
    results = []
    for space in spaces:
        extractor = features.EXTRACTORS[space]
        values = {column.name: float(random.uniform(column.low, column.high)) for column in extractor.columns}
        if "tempo_bpm" in values:
            values["tempo_bpm"] = float(tempo)
        size = _size(space)
        turned = np.zeros(size)
        turned[: len(vector)] = vector
        results.append(
            SpaceResult(
                space,
                extractor.version,
                "made-up",
                "ok",
                values=values,
                descriptor=random.normal(size=extractor.embedding_size).astype(np.float32),
                vector=(turned / np.linalg.norm(turned)).astype(np.float32),
                transform_id=_transform(space).transform_id,
            )
        )
    record = TrackRecord(
        audio_hash=hashlib.sha256(title.encode()).hexdigest(),
        file=FileStat(f"/music/{hashlib.md5(title.encode(), usedforsecurity=False).hexdigest()}.flac", 1000, 1),
        tags=Tags(title=title, artists=(f"Artist of {title}",), genres=genres),
        duration_s=100.0,
        sample_rate_hz=44100,
        n_channels=2,
        codec="flac",
        results=tuple(results),
    )
    return commit_track(catalog, record)


def _transform(space):
    from mir.spaces import current_transform

    return current_transform(None, space)


def _size(space):
    return _transform(space).n_out
