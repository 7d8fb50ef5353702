"""A catalog whose neighbours are known: two small made-up extractors, and tracks placed by hand."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest

import features
from features.base import Column, Description, Extractor
from mir.catalog import create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord
from mir.spaces import current_transform


def _columns(*names):
    return tuple(Column(name, unit, -1e9, 1e9, f"More {name}.", "these tests") for name, unit in names)


class Voices(Extractor):
    space: ClassVar[str] = "vocal_timbre"
    instrument: ClassVar[str] = "vocals"
    version: ClassVar[int] = 1
    stems: ClassVar[tuple[str, ...]] = ("vocals", "mixture")
    columns: ClassVar[tuple[Column, ...]] = _columns(("f0_hz", "Hz"), ("breath", "ratio"))
    descriptor_names: ClassVar[tuple[str, ...]] = ("f0_hz", "breath_mean", "mfcc_01_mean", "mfcc_02_mean")

    def describe(self, stems):
        level = np.float32(np.sqrt(np.mean(stems["vocals"] ** 2)))
        return Description({"f0_hz": 200.0, "breath": float(level)}, np.array([1, level, 1, 0], np.float32))


class Beats(Voices):
    space: ClassVar[str] = "drum_rhythm"
    instrument: ClassVar[str] = "drums"
    stems: ClassVar[tuple[str, ...]] = ("drums", "mixture")
    columns: ClassVar[tuple[Column, ...]] = _columns(("tempo_bpm", "BPM"))
    descriptor_names: ClassVar[tuple[str, ...]] = ("tempo_bpm", "pattern_1", "pattern_2")


@contextmanager
def small_extractors():
    """Put the made-up extractors in the place of the real ones, and no shipped transform beside them."""
    with pytest.MonkeyPatch.context() as patch:
        for made in (Voices(), Beats()):
            patch.setitem(features.EXTRACTORS, made.space, made)
        patch.setattr("mir.spaces.shipped_transform", lambda _space: None)
        yield patch


def result(catalog, space, descriptor, model="model-1"):
    """What ingest would commit for one space; None is a silent stem."""
    extractor = features.EXTRACTORS[space]
    if descriptor is None:
        return SpaceResult(space, extractor.version, model, "silent", "the stem is silent")
    raw = np.asarray(descriptor, np.float32)
    transform = current_transform(catalog, space)
    values = {column.name: float(raw[place]) for place, column in enumerate(extractor.columns)}
    return SpaceResult(
        space,
        extractor.version,
        model,
        "ok",
        values=values,
        descriptor=raw,
        vector=transform.apply(raw[None])[0],
        transform_id=transform.transform_id,
    )


def add(catalog, title, artists, duration_s=100.0, path=None, **descriptors):
    """Commit one track; `vocals` and `drums` are descriptors, None for silent, absent for never measured."""
    names = {"vocals": "vocal_timbre", "drums": "drum_rhythm"}
    audio_hash = hashlib.sha256(f"{title}|{artists}".encode()).hexdigest()
    record = TrackRecord(
        audio_hash=audio_hash,
        file=FileStat(path or f"/music/{title}.flac", 1000, 1),
        tags=Tags(title=title, artists=tuple(artists)),
        duration_s=duration_s,
        sample_rate_hz=44100,
        n_channels=2,
        codec="flac",
        results=tuple(result(catalog, names[name], value) for name, value in descriptors.items()),
    )
    return commit_track(catalog, record)


def unit(rows):
    rows = np.asarray(rows, float)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_loops(queries, query_s, rows, rows_s, how):
    """The definition, written down without a matrix."""
    if how == "centroid":
        a = sum(s * q for s, q in zip(query_s, queries, strict=True))
        b = sum(s * c for s, c in zip(rows_s, rows, strict=True))
        return float(unit(a) @ unit(b))
    if how == "medoid":
        return float(medoid(queries, query_s) @ medoid(rows, rows_s))
    there = [soft(q, rows, rows_s) for q in queries]
    back = [soft(c, queries, query_s) for c in rows]
    return 0.5 * float(np.average(there, weights=query_s) + np.average(back, weights=rows_s))


def medoid(rows, durations):
    return max(rows, key=lambda one: sum(s * (one @ other) for s, other in zip(durations, rows, strict=True)))


def soft(one, others, durations):
    cosines = [float(one @ other) for other in others]
    weights = [s * np.exp(c / 0.1) for s, c in zip(durations, cosines, strict=True)]
    return float(np.average(cosines, weights=weights))


STOCK_TRACKS = 22
STOCK_WITH_DRUMS = 18

_made = {}


def stock_rows():
    """Vocal descriptors of the stock: coordinates differ in size and place, two of which say the same."""
    x = np.random.default_rng(0).normal(size=(STOCK_TRACKS, 4))
    x[:, 3] = x[:, 2] + 0.01 * x[:, 3]
    return x * [100.0, 1.0, 1e-3, 5.0] + [220.0, 0.0, 7.0, -40.0]


def stock(tmp_path_factory):
    """22 tracks by 11 artists, the first 18 with drums; made once, every test takes a copy of its file."""
    if "stock" not in _made:
        with small_extractors():
            catalog = create_catalog(tmp_path_factory.mktemp("stock") / "mir.duckdb")
            beats = np.random.default_rng(1).normal(size=(STOCK_TRACKS, 3))
            for number, row in enumerate(stock_rows()):
                drums = beats[number] if number < STOCK_WITH_DRUMS else None
                add(catalog, f"Track {number}", [f"Artist {number // 2} [é]"], vocals=row, drums=drums)
        _made["stock"] = catalog
    return _made["stock"]
