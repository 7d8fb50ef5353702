"""Our BSS Eval beside museval's on real clips: largest difference in dB, and the time each takes.

    python -m benchmarks bss_eval_vs_museval --data DATA

Needs museval (`pip install museval`) and the data folder. The estimates are the true
stems with bleed from the others, an echo and noise, so that every figure is a natural one.

Where stems are linearly dependent (equal channels, empty bands) SIR and SAR hang on the last bits of a singular
system, and museval's figures move when all signals are multiplied by 3: the last column. Agreement means 0.01 dB, or
that spread where it is larger.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path

import numpy as np

from separation.bss_eval import bss_eval
from separation.evaluation import find_tracks


def import_museval() -> types.ModuleType | None:
    """The metrics module of museval alone: the package's loaders of data sets want an ffmpeg program."""
    package = importlib.util.find_spec("museval")
    if package is None or not package.submodule_search_locations:
        return None
    location = Path(package.submodule_search_locations[0]) / "metrics.py"
    spec = importlib.util.spec_from_file_location("museval_metrics", location)
    if spec is None or spec.loader is None:
        return None
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    return metrics


def distorted(stems: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stems `(n_stems, n_channels, n_samples)` as a middling separator would return them."""
    bleed = 0.15 * (stems.sum(axis=0, keepdims=True) - stems)
    echo = 0.3 * np.roll(stems, 40, axis=2)
    hiss = 0.1 * stems.std() * rng.standard_normal(stems.shape)
    return 0.9 * stems + bleed + echo + hiss


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--clips", type=int, default=3)
    arguments = parser.parse_args()
    metrics = import_museval()
    if metrics is None:
        print("skipped: museval is not installed (pip install museval)")
        return 0
    folder = arguments.data / "musdb18-7s"
    if not folder.is_dir():
        parser.error(f"no folder {folder}; give --data FOLDER")
    rng = np.random.default_rng(0)
    worst, ours_s, theirs_s, reproduced = 0.0, 0.0, 0.0, True
    print(f"{'clip':40}{'SDR':>9}{'ISR':>9}{'SIR':>9}{'SAR':>9}{'museval':>10}{'ours':>8}   museval against itself")
    for track in find_tracks(folder, split="valid")[: arguments.clips]:
        stems, sr = track.load()
        references = np.stack(list(stems.values())).astype(np.float64)
        estimates = distorted(references, rng)
        started = time.perf_counter()
        ours = bss_eval(references, estimates, window=sr, hop=sr)
        between = time.perf_counter()
        theirs = museval_scores(metrics, references, estimates, sr)
        ended = time.perf_counter()
        again = museval_scores(metrics, 3.0 * references, 3.0 * estimates, sr)
        ours_s += between - started
        theirs_s += ended - between
        mine = (ours.sdr, ours.isr, ours.sir, ours.sar)
        if not all(np.array_equal(np.isnan(a), np.isnan(b)) for a, b in zip(mine, theirs, strict=True)):
            print(f"{track.name}: other frames are NaN")
            return 1
        row = [largest_difference(a, b) for a, b in zip(mine, theirs, strict=True)]
        spread = max(largest_difference(a, b) for a, b in zip(again, theirs, strict=True))
        reproduced = reproduced and max(row) < max(0.01, spread)
        worst = max(worst, *row)
        cells = "".join(f"{value:9.1e}" for value in row)
        print(f"{track.name[:39]:40}{cells}{ended - between:9.1f}s{between - started:7.1f}s{spread:25.1e}", flush=True)
    print(f"largest difference {worst:.1e} dB; museval takes {theirs_s / ours_s:.1f} times as long")
    print("(against itself: museval on the same signals times 3, which changes nothing but the rounding)")
    return 0 if reproduced else 1


def museval_scores(metrics: types.ModuleType, references: np.ndarray, estimates: np.ndarray, sr: int) -> tuple:
    """SDR, ISR, SIR and SAR as museval computes them with the settings of its `museval.evaluate`."""
    return metrics.bss_eval(
        references.transpose(0, 2, 1),
        estimates.transpose(0, 2, 1),
        window=sr,
        hop=sr,
        compute_permutation=False,
        filters_len=512,
        framewise_filters=False,
        bsseval_sources_version=False,
    )[:4]


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference over stems and frames, dB."""
    return float(np.nanmax(np.abs(a - b), initial=0.0))


if __name__ == "__main__":
    sys.exit(main())
