"""A catalog of made-up numbers in the real extractors' columns, and the same numbers as a pandas DataFrame.

The frame is what was given to the catalog, not what came out of it: whoever checks an answer against it checks the
way in, the views and the query.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features import EXTRACTORS
from mir.catalog import Catalog, create_catalog, open_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, StemRow, Tags, TrackRecord

GENRES = ("House", "Drum & Bass", "Folk", "AC/DC.. = 100%", None)
N_TRACKS = 72
N_ARTISTS = 9
SIZE = 6


@dataclass(frozen=True)
class Made:
    """The catalog's file; tracks, one row each; vectors by space, one row a track, NaN where it is silent."""

    path: Path
    tracks: pd.DataFrame
    vectors: dict[str, np.ndarray]

    def copy(self, folder: Path) -> Catalog:
        """Give a catalog of one's own."""
        shutil.copyfile(self.path, folder / "mir.duckdb")
        return open_catalog(folder / "mir.duckdb")

    def artists(self) -> pd.DataFrame:
        """Return one row a track and artist."""
        return self.tracks.explode("artists").rename(columns={"artists": "who"})


def make(folder: Path) -> Made:
    """Make the library: numbers within what the columns declare, some missing, some stems silent."""
    rng = np.random.default_rng(5)
    catalog = create_catalog(folder / "mir.duckdb")
    rows = []
    vectors = {space: np.full((N_TRACKS, SIZE), np.nan) for space in EXTRACTORS}
    for number in range(N_TRACKS):
        genre = GENRES[number % len(GENRES)]
        artists = [f"Artist {number % N_ARTISTS}"] + (["Guest O'Neil"] if number % 10 == 3 else [])
        row = {
            "title": f"Song {number}",
            "artists": artists,
            "genre": genre,
            "year": None if number % 11 == 0 else 1975 + (number * 7) % 45,
            "duration_s": 60.0 + 10.0 * (number % 7),
        }
        results = []
        for space, extractor in EXTRACTORS.items():
            if (number + len(space)) % 9 == 0:
                results.append(SpaceResult(space, extractor.version, "m:1:f", "silent", "silent"))
                continue
            values = {
                column.name: float("nan") if rng.random() < 0.05 else float(rng.uniform(column.low, column.high))
                for column in extractor.columns
            }
            if space == "vocal_timbre":
                values["f0_median_hz"] = float(rng.uniform(0.9, 1.1) * (130 + 20 * (number % N_ARTISTS)))
            if space == "harmony":
                values["key_pitch_class"] = float(rng.integers(0, 12))
                values["mode_is_major"] = float(rng.integers(0, 2))
            if space == "drum_rhythm":
                values["tempo_bpm"] = float(rng.normal(120, 5) if number % 13 else 235.0 + number / 100)
                values["swing_ratio"] = float(rng.uniform(0.9, 1.5))
            vector = rng.normal(size=SIZE).astype(np.float32)
            vector /= np.linalg.norm(vector)
            vectors[space][number] = vector
            row |= {f"{space}.{name}": value for name, value in values.items()}
            descriptor = rng.normal(size=extractor.embedding_size).astype(np.float32)
            results.append(
                SpaceResult(
                    space,
                    extractor.version,
                    "m:1:f",
                    "ok",
                    values=values,
                    descriptor=descriptor,
                    vector=vector,
                    transform_id="t1",
                )
            )
        record = TrackRecord(
            audio_hash=hashlib.sha256(str(number).encode()).hexdigest(),
            file=FileStat(f"/music/{number}.flac", 1000, 1),
            tags=Tags(row["title"], tuple(artists), year=row["year"], genres=(genre,) if genre else ()),
            duration_s=row["duration_s"],
            sample_rate_hz=44100,
            n_channels=2,
            codec="flac",
            stems=tuple(StemRow(stem, "m:1:f", -20.0, 0.5) for stem in ("vocals", "drums", "bass", "other")),
            results=tuple(results),
        )
        row["track_id"] = commit_track(catalog, record)
        row["artist"] = ", ".join(artists)
        rows.append(row)
    return Made(catalog.path, pd.DataFrame(rows), vectors)


_made: dict[str, Made] = {}


def library(tmp_path_factory) -> Made:
    """Return the library; made once, every test that writes takes a copy."""
    if "it" not in _made:
        _made["it"] = make(tmp_path_factory.mktemp("sql"))
    return _made["it"]
