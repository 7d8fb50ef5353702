"""Genre on MUSDB18's previews, artists held out: what true and separated stems tell beyond the mixture.

    python -m benchmarks genre_musdb --data DATA
    python -m benchmarks.genre_musdb --data DATA --repeats 10 --out genre_musdb.json

Labels are those of the manifest, with Pop, Rock and Pop/Rock merged; a track without one is left out, and so are
genres by a single artist (the report names them). The mixture is the sum of the true stems on both sides, so that the
two differ by the separation alone. The shipped separator has heard 80 of the 94 tracks in training: its stems are
cleaner here than a stranger's would be (`--fold RUN`, once a part of a cross-fitted training, takes each track apart
with a run that left it out). Seven seconds a track, and seven tracks in ten are one label: read the intervals.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.retrieval.separators import Separators
from features import EXTRACTORS, INSTRUMENTS
from mir.analysis import describe
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.queries import done
from mir.catalog.records import FileStat, Tags, TrackRecord
from mir.genre.dataset import load
from mir.genre.evaluation import evaluate
from mir.genre.labels import LabelMap
from separation.musdb import Track, find_tracks, mixture

MERGED = LabelMap({"Pop": "Pop/Rock", "Rock": "Pop/Rock"})
SOURCES = ("true", "separated")


def tags_of(folder: Path) -> dict[str, Tags]:
    """Return artist, title and genre by track name, from the manifest."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return {
            Path(row["file"]).name.removesuffix(".stem.mp4"): Tags(
                row["title"], (row["artist"],), genres=(row["genre"],) if row["genre"] else ()
            )
            for row in csv.DictReader(file)
        }


def catalog_of(folder: Path, tracks: Sequence[Track], source: str, separators: Separators, cache: Path) -> Catalog:
    """Describe the tracks' stems into a catalog; what it has already, in this version, is not heard again."""
    separated = source == "separated"
    made_by = separators.load(tracks[0]).source_id.split(":")[1][:12] if separated else "stems"
    cache.mkdir(parents=True, exist_ok=True)
    catalog = create_catalog(cache / f"musdb-{source}-{made_by}.duckdb")  # brings an earlier one up
    known = done(catalog)
    tags = tags_of(folder)
    for track in tracks:
        audio_hash = hashlib.sha256(track.name.encode()).hexdigest()
        there = known.get(audio_hash, {})
        wanted = [name for name, one in EXTRACTORS.items() if name not in there or there[name].version != one.version]
        if not wanted:
            continue
        stems, sr = track.load()
        mixed = mixture(stems)
        source_id = f"{source}:musdb"
        if separated:
            separator = separators.load(track)
            stems, source_id = separator.separate(mixed, sr), separator.source_id
        rows, results = describe({"mixture": mixed, **stems}, sr, source_id, wanted)
        record = TrackRecord(
            audio_hash=audio_hash,
            file=FileStat(str(track.path.resolve()), track.path.stat().st_size, track.path.stat().st_mtime_ns),
            tags=tags[track.name],
            duration_s=mixed.shape[1] / sr,
            sample_rate_hz=sr,
            n_channels=mixed.shape[0],
            codec="aac",
            stems=tuple(rows),
            results=tuple(results),
        )
        commit_track(catalog, record)
    return catalog


def main() -> None:
    """Describe, evaluate, print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--model", default="mir-4s", help="separation model")
    parser.add_argument("--fold", type=Path, action="append", help="run folder that left a part of the tracks out")
    parser.add_argument("--cache", type=Path, default=Path("runs/genre"), help="where descriptions are kept")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--describe-only", action="store_true", help="stop when the tracks are described")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    folder = options.data / "musdb18-7s"
    tracks = find_tracks(folder)
    separators = Separators(options.model, options.fold or (), tracks)
    drawn = {"folds": options.folds, "repeats": options.repeats, "seed": options.seed}
    answer: dict[str, Any] = {}
    for source in SOURCES:
        started = time.monotonic()
        catalog = catalog_of(folder, tracks, source, separators, options.cache)
        if options.describe_only:
            continue
        report = evaluate(load(catalog, MERGED), tuple(INSTRUMENTS), **drawn)
        answer[source] = report.to_json()
        show(source, answer[source])
        print(f"{time.monotonic() - started:.0f} s")
    print(json.dumps(answer, ensure_ascii=False))
    if options.out:
        options.out.write_text(json.dumps(answer, ensure_ascii=False) + "\n", encoding="utf-8")


def show(source: str, report: dict[str, Any]) -> None:
    """Print one source's ablation."""
    print(f"\n{source} stems: {report['tracks']} tracks, {report['artists']} artists, {', '.join(report['labels'])}")
    print(report["protocol"])
    for statement in report["statements"]:
        print(f"note: {statement}")
    for name, each in report["ablation"].items():
        if each is not None:
            interval = "{:.3f} to {:.3f}".format(*each["macro_f1_interval"])
            print(f"{name:10} macro-F1 {each['macro_f1']:.3f}  95 % {interval}   accuracy {each['accuracy']:.3f}")
    for name, each in report["baselines"].items():
        print(f"{name:10} macro-F1 {each['macro_f1']:.3f}")
    interval = "{:+.3f} to {:+.3f}".format(*report["all_minus_mix"]["macro_f1_interval"])
    print(f"all − mix: {report['all_minus_mix']['macro_f1']:+.3f} macro-F1, 95 % {interval} (paired)")


if __name__ == "__main__":
    main()
