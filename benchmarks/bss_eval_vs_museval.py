"""Our BSS Eval beside museval's on the validation tracks: largest differences in dB, and the time each takes.

    python -m benchmarks bss_eval_vs_museval --data DATA
    python -m benchmarks.bss_eval_vs_museval --data DATA --clips 3 --model mir-4s

Needs museval (`pip install museval`) and the data folder. The estimates are the true stems with bleed from the
others, an echo and noise, so that every figure is a natural one; or those of a model. Every clip is scored as it is
decoded, and with noise at -100 dBFS in all signals, as a 16-bit file would have it.

As decoded, lossy stems hold next to nothing in their upper band, and channels may be equal: the least-squares problem
is singular to within rounding. Then museval's own figures depend on the order in which it is given stems and channels,
which changes nothing but the rounding; the last four columns say how much when both are reversed. Where we differ by
more than 0.01 dB, the same figures are computed in extended precision, and a line below says how far from them each
of the two is: ours must be within 0.01 dB or nearer than museval's.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path
from unittest import mock

import numpy as np
from scipy import fft

from separation import Separator, block_toeplitz
from separation.block_toeplitz import solve
from separation.bss_eval import bss_eval
from separation.musdb import STEMS, find_tracks

METRICS = ("SDR", "ISR", "SIR", "SAR")
TOLERANCE_DB = 0.01
REFINEMENTS = 8


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
    parser.add_argument("--clips", type=int, help="only so many")
    parser.add_argument("--model", help="score what this separator makes of the clips")
    arguments = parser.parse_args()
    metrics = import_museval()
    if metrics is None:
        print("skipped: museval is not installed (pip install museval)")
        return 0
    folder = arguments.data / "musdb18-7s"
    if not folder.is_dir():
        parser.error(f"no folder {folder}; give --data FOLDER")
    separator = Separator(arguments.model) if arguments.model else None
    rng, noise = np.random.default_rng(0), np.random.default_rng(1)
    warm_up = noise.standard_normal((2, 2, 2000))
    our_scores(warm_up, warm_up, 1000)
    titles = "".join(f"{name:>8}" for name in METRICS)
    print(f"{'':38}difference in the worst frame{'':8}median{'time':>9}{'':16}museval against itself")
    print(f"{'clip':25}{'signals':10}{titles}{'':10}{'museval':>10}{'ours':>9}   {titles}")
    total_s = np.zeros(2)
    agree = True
    worst: dict[str, np.ndarray] = {}
    for track in find_tracks(folder, split="valid")[: arguments.clips]:
        stems, sr = track.load()
        true = np.stack(list(stems.values())).astype(np.float64)
        estimated = distorted(true, rng) if separator is None else separated(separator, true, sr)
        for signals, level in (("decoded", 0.0), ("dithered", 1e-5)):
            references, estimates = (y + level * noise.standard_normal(y.shape) for y in (true, estimated))
            started = time.perf_counter()
            ours = our_scores(references, estimates, sr)
            between = time.perf_counter()
            theirs = museval_scores(metrics, references, estimates, sr)
            times = np.array([time.perf_counter() - between, between - started])
            total_s += times
            if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
                print(f"{track.name}: other frames are NaN")
                return 1
            difference = largest(ours - theirs)
            medians = largest(np.nanmedian(ours, axis=-1) - np.nanmedian(theirs, axis=-1))
            row = f"{track.name[:24]:25}{signals:10}{cells(difference)}{medians.max():10.1e}"
            row += f"{times[0]:9.1f}s{times[1]:8.2f}s"
            if signals == "decoded":
                again = museval_scores(metrics, references[::-1, ::-1], estimates[::-1, ::-1], sr)[:, ::-1]
                row += f"   {cells(largest(again - theirs))}"
            print(row, flush=True)
            worst[signals] = np.maximum(worst.get(signals, 0.0), difference)
            far = difference > TOLERANCE_DB
            if far.any():
                exact = exact_scores(references, estimates, sr)
                our_error, their_error = largest(ours - exact), largest(theirs - exact)
                agree = agree and bool((our_error <= np.maximum(their_error, TOLERANCE_DB))[far].all())
                print(
                    f"{'':25}{'exact':10}{cells(our_error)}  from ours {cells(their_error)}  from museval's", flush=True
                )
    for signals, difference in worst.items():
        print(f"{'largest difference, dB':25}{signals:10}{cells(difference)}")
    museval_s, ours_s = total_s
    print(f"museval takes {museval_s:.1f} s, ours {ours_s:.2f} s: {museval_s / ours_s:.1f} times as long")
    return 0 if agree else 1


def separated(separator: Separator, stems: np.ndarray, sr: int) -> np.ndarray:
    """Stems that a separator makes of the sum of the true ones, in their order."""
    parts = separator.separate(stems.sum(axis=0).astype(np.float32), sr)
    return np.stack([parts[name] for name in STEMS]).astype(np.float64)


def our_scores(references: np.ndarray, estimates: np.ndarray, sr: int) -> np.ndarray:
    """SDR, ISR, SIR and SAR, `(4, n_stems, n_frames)`."""
    result = bss_eval(references, estimates, window=sr, hop=sr)
    return np.stack([result.sdr, result.isr, result.sir, result.sar])


def museval_scores(metrics: types.ModuleType, references: np.ndarray, estimates: np.ndarray, sr: int) -> np.ndarray:
    """The same as museval computes them with the settings of its `museval.evaluate`."""
    scores = metrics.bss_eval(
        references.transpose(0, 2, 1),
        estimates.transpose(0, 2, 1),
        window=sr,
        hop=sr,
        compute_permutation=False,
        filters_len=512,
        framewise_filters=False,
        bsseval_sources_version=False,
    )
    return np.stack(scores[:4])


def exact_scores(references: np.ndarray, estimates: np.ndarray, sr: int) -> np.ndarray:
    """Ours, with correlations and filters computed in extended precision (80 bits, on most processors)."""
    with (
        mock.patch("separation.bss_eval._correlations", exact_correlations),
        mock.patch("separation.block_toeplitz.solve", exact_solution),
    ):
        return our_scores(references, estimates, sr)


def exact_correlations(references: np.ndarray, estimates: np.ndarray, n_taps: int, n_threads: int) -> np.ndarray:
    """As `separation.bss_eval` has them, of the whole track at once."""
    n_samples = references.shape[2]
    n_fft = fft.next_fast_len(n_samples + n_taps, real=True)
    x, e = (
        fft.rfft(y.reshape(-1, n_samples).astype(np.longdouble), n_fft, workers=n_threads)
        for y in (references, estimates)
    )
    columns = [fft.irfft(x.conj() * z, n_fft, workers=n_threads)[:, :n_taps].T for z in (*x, *e)]
    return np.stack(columns, axis=2)


def exact_solution(blocks: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve again and again for what the solution leaves, until nothing is left."""
    product = block_toeplitz._Product(blocks)
    x = np.zeros_like(right)
    for _ in range(REFINEMENTS):
        x += solve(blocks.astype(np.float64), (right - product(x)).astype(np.float64))
    return x.astype(np.float64)


def largest(differences: np.ndarray) -> np.ndarray:
    """Largest of each metric over all other axes, `(4,)`."""
    return np.nanmax(np.abs(differences.reshape(len(METRICS), -1)), axis=1)


def cells(values: np.ndarray) -> str:
    """One cell a metric."""
    return "".join(f"{value:8.0e}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
