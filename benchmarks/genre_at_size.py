"""Training a genre run on 100,000 synthetic tracks with the features of every instrument: time, memory, figures.

    python -m benchmarks genre_at_size --data DATA
    python -m benchmarks.genre_at_size --tracks 100000 --genres 10 --artists 20000 --out genre_at_size.json

What ``mir genre train`` does after it has read the catalog: choice of the model, evaluation on five folds by artist,
training on everything, calibration; then the artifact is written and read back. A genre is a place in the features of
each instrument and an artist a place around it; one value in twenty is missing, and a stem is silent in one track of
ten. The figures only show that something was learned: such tracks are as hard as they are made.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from features import EXTRACTORS, INSTRUMENTS
from mir.genre import artifact
from mir.genre.dataset import Dataset, feature_names
from mir.genre.labels import LabelMap
from mir.genre.recipe import Recipe, carry_out

SPREAD_OF_GENRES = 0.28
"""Distance of genres in each feature, in standard deviations of a track around its artist."""

SPREAD_OF_ARTISTS = 0.6


def synthetic(n_tracks: int, n_genres: int, n_artists: int, seed: int) -> Dataset:
    """Make tracks whose features hang on their genre and artist."""
    rng = np.random.default_rng(seed)
    names = tuple(name for space in EXTRACTORS for name in feature_names(space))
    genre_of = rng.integers(n_genres, size=n_artists)
    artist = np.sort(rng.integers(n_artists, size=n_tracks))
    genre_places = rng.normal(0.0, SPREAD_OF_GENRES, (n_genres, len(names)))
    matrix = rng.normal(size=(n_tracks, len(names)))
    matrix += genre_places[genre_of[artist]]
    for column in range(len(names)):
        matrix[:, column] += rng.normal(0.0, SPREAD_OF_ARTISTS, n_artists)[artist]
        matrix[rng.random(n_tracks) < 0.05, column] = np.nan
    for space in EXTRACTORS:
        columns = [place for place, name in enumerate(names) if name.startswith((f"{space}.", f"{space}:"))]
        silent = rng.random(n_tracks) < 0.1
        matrix[np.ix_(silent, columns)] = np.nan
        matrix[:, columns[-1]] = ~silent
    return Dataset(
        track_ids=np.arange(1, n_tracks + 1),
        matrix=matrix,
        features=names,
        labels=np.array([f"Genre {number:02d}" for number in range(n_genres)])[genre_of[artist]],
        groups=np.char.add("artist:", artist.astype(np.str_)),
        others=((),) * n_tracks,
        versions={space: extractor.version for space, extractor in EXTRACTORS.items()},
        n_unknown_artists=0,
        notes=(),
    )


def main() -> None:
    """Train, print the figures and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not used: the tracks are made up")
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--genres", type=int, default=10)
    parser.add_argument("--artists", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    dataset = synthetic(options.tracks, options.genres, options.artists, options.seed)
    started, cpu = time.perf_counter(), time.process_time()
    learned = carry_out(dataset, Recipe(tuple(INSTRUMENTS), LabelMap()))
    train_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    with tempfile.TemporaryDirectory(prefix="mir-genre-") as folder:
        path = Path(folder) / "run.skops"
        sha256 = artifact.save(learned.fitted.pipeline, path)
        size = path.stat().st_size
        artifact.load(
            path,
            sha256=sha256,
            library=artifact.library_version(),
            versions=dataset.versions,
            current=dataset.versions,
            n_features=len(dataset.features),
        )
    metrics = learned.metrics
    answer = {
        "tracks": options.tracks,
        "features": len(dataset.features),
        "genres": options.genres,
        "artists": options.artists,
        "train_s": round(train_s, 1),
        "processor_s": round(cpu_s, 1),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2),
        "artifact_mb": round(size / 1e6, 2),
        "model": str(learned.fitted.candidate),
        "inner_macro_f1": learned.fitted.scores,
        "accuracy": metrics["accuracy"],
        "accuracy_interval": metrics["accuracy_interval"],
        "macro_f1": metrics["macro_f1"],
        "expected_calibration_error": metrics["calibration"]["expected_calibration_error"],
        "statements": metrics["statements"],
    }
    for name, value in answer.items():
        print(f"{name:28} {value}")
    print(json.dumps(answer))
    if options.out:
        options.out.write_text(json.dumps(answer) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
