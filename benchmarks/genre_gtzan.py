"""Genre on half of GTZAN: this program's classifier beside plain MFCC statistics, on the same folds.

    python -m benchmarks genre_gtzan --data DATA
    python -m benchmarks.genre_gtzan --data DATA --repeats 20 --json > gtzan.json

The clips name no artists, and GTZAN has largely one artist a genre: every clip is its own group, so this is a
smoke test of the whole chain and no evidence for unknown artists. MFCC mean and deviation with an RBF-SVM, the
common baseline, is known to reach about 51 % here.

References
----------
G. Tzanetakis, P. Cook, "Musical genre classification of audio signals", IEEE Transactions on Speech and Audio
Processing, 2002. B. Sturm, "The GTZAN dataset: its contents, its faults, their effects on evaluation, and its
future use", 2013.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import INSTRUMENTS
from mir.catalog import Catalog, open_catalog
from mir.genre.calibration import reliability
from mir.genre.dataset import Dataset, load
from mir.genre.evaluation import cross_predict, fold_seed
from mir.genre.folds import Labels, grouped_folds
from mir.genre.scores import confusions, difference, score


def labels_of(folder: Path) -> dict[str, str]:
    """Return genre by file name: from the manifest, else from names like ``blues.00000.opus``."""
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding="utf-8", newline="") as file:
            return {row["file"]: row["genre"] for row in csv.DictReader(file)}
    return {path.name: path.name.split(".")[0] for path in sorted(folder.iterdir()) if path.is_file()}


def ingest_labelled(folder: Path, catalog_path: Path, model: str, workers: int | None) -> Catalog:
    """Take the clips into a catalog and write their genres down as a person's labels."""
    from mir.ingest import ingest

    report = ingest([folder], catalog_path, model=model, workers=workers)
    if report.failed:
        raise SystemExit("\n".join(f"{failure.path}: {failure.error}" for failure in report.failed))
    catalog = open_catalog(catalog_path)
    genres = labels_of(folder)
    with catalog.write() as con:
        con.execute("DELETE FROM track_genres WHERE source IN ('person', 'tag')")
        for track_id, path in con.execute("SELECT track_id, path FROM tracks").fetchall():
            con.execute(
                "INSERT INTO track_genres (track_id, genre, source) VALUES (?, ?, 'person')",
                [track_id, genres[Path(path).name]],
            )
    return catalog


def mfcc_statistics(paths: list[str]) -> NDArray[np.float64]:
    """Return mean and deviation of 20 MFCC at 22.05 kHz, shape ``(n, 40)``."""
    import librosa

    from separation import audio

    rows = []
    for path in paths:
        y, sr = audio.load(path, sr=22050)
        mfcc = librosa.feature.mfcc(y=y.mean(axis=0), sr=sr, n_mfcc=20)
        rows.append(np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]))
    return np.asarray(rows, dtype=np.float64)


def mfcc_guesses(matrix: NDArray[np.float64], dataset: Dataset, folds: int, repeats: int, seed: int) -> list[Labels]:
    """Predict with a standardised RBF-SVM on the folds that `cross_predict` draws."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    guesses = []
    for repeat in range(repeats):
        guess = np.full_like(dataset.labels, "")
        for train, test in grouped_folds(dataset.labels, dataset.groups, folds, fold_seed(seed, repeat)).splits:
            pipeline = make_pipeline(StandardScaler(), SVC(C=10.0, gamma="scale"))
            guess[test] = pipeline.fit(matrix[train], dataset.labels[train]).predict(matrix[test])
        guesses.append(guess)
    return guesses


def main() -> None:
    """Ingest, predict, print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--model", default="mir-4s", help="separation model")
    parser.add_argument("--catalog", type=Path, help="keep the catalog here, and use what is in it")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    clips = options.data / "gtzan-half"
    if not clips.is_dir():
        parser.error(f"no folder {clips}; give --data FOLDER")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mir-gtzan-") as folder:
        path = options.catalog or Path(folder) / "gtzan.duckdb"
        catalog = ingest_labelled(clips, path, options.model, options.workers)
        dataset = load(catalog)
        with catalog.read() as con:
            paths = dict(con.execute("SELECT track_id, path FROM tracks").fetchall())
    ingest_s = time.monotonic() - started
    # No artists are known (the folder is not one): each clip is a group of its own.
    dataset = dataclasses.replace(dataset, groups=dataset.track_ids.astype(np.str_))
    names = tuple(np.unique(dataset.labels).tolist())
    drawn = {"folds": options.folds, "repeats": options.repeats, "seed": options.seed}
    guesses: dict[str, tuple[Labels, ...]] = {}
    chosen: dict[str, int] = {}
    for name, spaces in {
        **{name: [space] for name, space in INSTRUMENTS.items()},
        "all": list(INSTRUMENTS.values()),
    }.items():
        if any(dataset.plays(space) for space in spaces):
            found = cross_predict(dataset.select(spaces), by_form=name == "all", **drawn)
            guesses[name], chosen = found.guesses, found.chosen
            guesses |= {f"all, {form}": each for form, each in found.forms.items()}
    mfcc = mfcc_statistics([paths[track] for track in dataset.track_ids.tolist()])
    guesses["mfcc + svm"] = tuple(mfcc_guesses(mfcc, dataset, **drawn))
    counts = {name: confusions(dataset.labels, each, dataset.groups, names) for name, each in guesses.items()}
    scores = {name: score(each, options.seed) for name, each in counts.items()}
    result = {
        "clips": len(dataset.labels),
        "genres": list(names),
        "protocol": f"{options.repeats} × {options.folds} folds of clips, stratified; seed {options.seed}",
        "model": options.model,
        "scores": {
            name: {**each.to_json(), "accuracy_sd_of_repeats": spread(guesses[name], dataset.labels)}
            for name, each in scores.items()
        },
        "all_minus_mfcc": difference(counts["all"], counts["mfcc + svm"], options.seed),
        "all_minus_mix": difference(counts["all"], counts["mix"], options.seed),
        "stacked_minus_concatenated": difference(counts["all, stacked"], counts["all, concatenated"], options.seed),
        "calibration": reliability(
            found.confidences, np.array([guess == dataset.labels for guess in found.guesses])
        ).to_json(),
        "chosen": chosen,
        "confusion": counts["all"].sum(axis=0).round(3).tolist(),
        "ingest_s": round(ingest_s, 1),
        "wall_s": round(time.monotonic() - started, 1),
    }
    if options.json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
    else:
        show(result)


def spread(guesses: Sequence[Labels], truth: Labels) -> float:
    """Return the standard deviation of accuracy over repeats."""
    return float(np.std([np.mean(guess == truth) for guess in guesses]))


def show(result: dict[str, Any]) -> None:
    """Print the result as a table."""
    print(f"{result['clips']} clips, {len(result['genres'])} genres; {result['protocol']}")
    print(f"{'':18}{'accuracy':>10}{'± repeats':>11}{'95 %':>18}{'macro-F1':>10}")
    for name, each in result["scores"].items():
        interval = "{:.3f} to {:.3f}".format(*each["accuracy_interval"])
        deviation = each["accuracy_sd_of_repeats"]
        print(f"{name:18}{each['accuracy']:10.3f}{deviation:11.3f}{interval:>18}{each['macro_f1']:10.3f}")
    for name in ("all_minus_mfcc", "all_minus_mix", "stacked_minus_concatenated"):
        interval = "{:+.3f} to {:+.3f}".format(*result[name]["accuracy_interval"])
        print(f"{name.replace('_', ' ')}: {result[name]['accuracy']:+.3f} accuracy, 95 % {interval} (paired)")
    print(f"expected calibration error {result['calibration']['expected_calibration_error']:.3f}")
    print(f"ingest {result['ingest_s']} s, all {result['wall_s']} s")


if __name__ == "__main__":
    main()
