"""Everything that a model's card says in figures, measured: scores, baselines, leakage, data, training.

`python -m benchmarks.model_card --data DATA [--model NAME|RUN] [--run RUN] [--ship FOLDER] [--out FILE.json]`

Scores are BSS Eval v4 on the 14 validation tracks of the MUSDB18 previews, with dither (stems are decoded from AAC).
Leakage is how far a stem lies under a mixture that has nothing of it: the 94 previews, each less one true stem.
`--ship` writes the weights of a run with this card in their description, as they come with the package.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation import Separator
from separation.evaluation import BASELINES, Evaluation, baseline, evaluate
from separation.models import find
from separation.musdb import Track, find_tracks
from separation.scores import METRICS

N_BOOTSTRAP = 5000
SOURCES_WITHOUT_TABLE = {"everything-is-remixed": "CC0-1.0"}


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Median over tracks in dB, its 95 % bootstrap interval, and the middle half of the tracks."""
    known = values[np.isfinite(values)]
    picks = np.random.default_rng(0).integers(known.size, size=(N_BOOTSTRAP, known.size))
    low, high = np.percentile(np.median(known[picks], axis=1), [2.5, 97.5])
    quarter, median, three_quarters = np.percentile(known, [25, 50, 75])
    figures = {"median": median, "low_95": low, "high_95": high, "quarter": quarter, "three_quarters": three_quarters}
    return {name: round(float(value), 2) for name, value in figures.items()}


def scores(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    """`spread` of every metric and stem."""
    return {
        metric: {
            stem: spread(column) for stem, column in zip(evaluation.stems, evaluation.table(metric).T, strict=True)
        }
        for metric in METRICS
    }


def leakage(separator: Separator, tracks: Sequence[Track]) -> NDArray[np.float64]:
    """Level of each stem under mixtures without it, ``(n_tracks, n_stems)`` in dB; NaN where nothing is left."""
    levels = np.full((len(tracks), len(separator.stems)), np.nan)
    for row, track in zip(levels, tracks, strict=True):
        truth, sr = track.load()
        for column, stem in enumerate(separator.stems):
            rest = np.stack([y for name, y in truth.items() if name != stem]).sum(axis=0)
            if not rest.any():
                continue
            left = separator.separate(rest, sr)[stem]
            row[column] = 10.0 * np.log10((np.mean(left**2) + 1e-12) / np.mean(rest**2))
    return levels


def worst(stems: Sequence[str], levels: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Median, worst tenth and worst of each stem's `leakage`, in dB."""
    median, tenth, most = np.nanpercentile(levels, [50, 90, 100], axis=0).round(1).tolist()
    return {
        stem: {"median_db": a, "worst_tenth_db": b, "worst_db": c}
        for stem, a, b, c in zip(stems, median, tenth, most, strict=True)
    }


def licences(folder: Path) -> str:
    """Licences in a source's table, each once."""
    table = folder / "manifest.csv"
    if not table.is_file():
        return SOURCES_WITHOUT_TABLE.get(folder.name, "not stated")
    with table.open(encoding="utf-8", newline="") as lines:
        found = {part.strip() for row in csv.DictReader(lines) for part in row.get("licence", "").split(";")}
    return "; ".join(sorted(found - {""}))


def training(run: Path, data: Path) -> dict[str, Any]:
    """What was trained on and with what effort, from the run folder."""
    config, facts, metrics = (
        json.loads((run / name).read_text(encoding="utf-8")) for name in ("config.json", "data.json", "metrics.json")
    )
    rows = []
    for source, minutes in facts["minutes"].items():
        path = source.partition(":")[2]
        rows.append(
            {"source": path, **{f"{stem}_min": m for stem, m in minutes.items()}, "licence": licences(data / path)}
        )
    return {
        "data": rows,
        "training": {
            "steps": metrics["step"],
            "mixes": metrics["step"] * config["batch_size"],
            "hours": round(metrics["seconds"] / 3600.0, 2),
            "precision": config["precision"],
            "weights_kept": config["keep"],
            "parameters": metrics["parameters"],
            "versions": metrics["versions"],
        },
    }


def ship(description: Path, card: dict[str, Any], folder: Path) -> None:
    """Copy weights and their description, with the card in it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(description.with_suffix(".npz"), folder / f"{description.stem}.npz")
    table = json.loads(description.read_text(encoding="utf-8")) | {"card": card}
    text = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    (folder / description.name).write_text(text, encoding="utf-8")


def main() -> None:
    """Measure and print the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mir-4s", help="model, or run folder")
    parser.add_argument("--run", type=Path, help="run folder that the model came from")
    parser.add_argument("--ship", type=Path, help="folder to write weights and description with the card into")
    parser.add_argument("--out", type=Path, help="JSON file of the card and of every track's scores")
    arguments = parser.parse_args()
    folder = arguments.data / "musdb18-7s"
    separator = Separator(arguments.model)
    tracks = find_tracks(folder, split="valid")
    own = evaluate(separator, tracks, model=str(arguments.model), dither=True)
    low, high = own.mean_sdr_interval()
    every = find_tracks(folder)
    levels = leakage(separator, every)
    card: dict[str, Any] = {
        "date": date.today().isoformat(),
        "measured_on": f"{len(tracks)} validation tracks of the MUSDB18 previews; BSS Eval v4, medians, dithered",
        "mean_sdr_db": {"mean": round(own.mean_sdr, 2), "low_95": round(low, 2), "high_95": round(high, 2)},
        **{f"{metric}_db": table for metric, table in scores(own).items()},
        "baselines_sdr_db": {},
        "leakage": worst(separator.stems, levels),
        "leakage_validation": worst(separator.stems, levels[[track.split == "valid" for track in every]]),
    }
    for name in BASELINES:
        found = evaluate(baseline(name, folder), tracks, model=name, dither=True)
        medians = {stem: round(value, 2) for stem, value in found.median("sdr").items()}
        card["baselines_sdr_db"][name] = {**medians, "mean": round(found.mean_sdr, 2)}
    if arguments.run:
        card |= training(arguments.run, arguments.data)
    print(json.dumps(card, indent=1, ensure_ascii=False))
    if arguments.ship:
        ship(find(str(arguments.model)), card, arguments.ship)
    if arguments.out:
        arguments.out.write_text(json.dumps({"card": card, "per_track": own.as_dict()}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
