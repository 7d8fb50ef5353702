"""Speed against real Spleeter 2.4.2 on this machine, now: 60 s of decoded stereo music, warm, in turns.

    python3.10 -m venv VENV; VENV/bin/pip install spleeter==2.4.2
    python -m benchmarks.spleeter_speed --data DATA --reference VENV/bin/python

or with $SPLEETER_PYTHON; skipped where there is none. On an idle machine. Both sides are long-lived processes with all
cores and their default settings, random weights in the same checkpoint, and take turns round by round; ratios are taken
within a round. Beside each speed stands how far the stems are from Spleeter's, so that nothing is fast by being wrong.

Spleeter's `Separator.separate` builds its graph and restores its checkpoint at every call. So it is raced twice: as its
users call it, and as its graph would run in a session kept open, which Spleeter does not offer. Then the start of
`mir separate` on a short file, whole processes, beside `import tensorflow` alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.spleeter.command import SR, errors, parser, reference
from benchmarks.spleeter.worker import Worker
from separation.audio import load, save

SECONDS = 60.0
SHORT_S = 5.0
SONG = "Jonathan Coulton - Not About You.mp3"
THEIRS = {"spleeter, as called": False, "spleeter, graph kept open": True}
OURS = {
    "spleeter:4stems float32": ("spleeter:4stems", "float32"),
    "spleeter:4stems bfloat16": ("spleeter:4stems", "bfloat16"),
    "mir-4s float32": ("mir-4s", "float32"),
    "mir-4s bfloat16": ("mir-4s", "bfloat16"),
}


def race(python: Path, y: NDArray[np.float32], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Let all take turns; one row each."""
    waveform, weights = folder / "y.npy", folder / "4stems"
    np.save(waveform, y)
    with (
        Worker(python, "benchmarks.spleeter.reference", folder / "theirs.log") as theirs,
        Worker(sys.executable, "benchmarks.spleeter.ours", folder / "ours.log") as ours,
    ):
        theirs.ask("checkpoint", descriptor="spleeter:4stems", folder=str(weights), seed=4)

        def run(name: str, **more: str) -> dict[str, Any]:
            if name in THEIRS:
                which = {"descriptor": "spleeter:4stems", "weights": str(weights), "opened": THEIRS[name]}
                return theirs.ask("separate", waveform=str(waveform), **which, **more)
            model, precision = OURS[name]
            which = {"model": model, "precision": precision, "weights": None if model == "mir-4s" else str(weights)}
            return ours.ask("separate", waveform=str(waveform), sr=SR, **which, **more)

        stems = {}
        seconds: dict[str, list[float]] = {}
        processor: dict[str, list[float]] = {}
        for name in (*THEIRS, *OURS):  # once each before the clock counts
            answer = run(name, out=str(folder / "stems.npz"))
            if "unsupported" in answer:
                print(f"{name}: {answer['unsupported']}")
                continue
            seconds[name] = []
            with np.load(folder / "stems.npz") as arrays:
                stems[name] = dict(arrays)
        for _ in range(rounds):
            for name, times in seconds.items():
                run(name)  # warms what the others' turns have cooled: the second of two counts
                answer = run(name)
                times.append(answer["seconds"])
                processor.setdefault(name, []).append(answer["processor_s"])
    return [_row(name, seconds, stems) | {"processor_s": median(processor[name])} for name in seconds]


def _row(
    name: str, seconds: dict[str, list[float]], stems: dict[str, dict[str, NDArray[np.float32]]]
) -> dict[str, Any]:
    times = seconds[name]
    called, opened = (seconds[their] for their in THEIRS)
    right = "mir-4s float32" if name.startswith("mir-4s") else next(iter(THEIRS))
    return {
        "name": name,
        "seconds": median(times),
        "times_real_time": SECONDS / median(times),
        "faster_than_called": _ratios(called, times),
        "faster_than_kept_open": _ratios(opened, times),
        "error_against": right,
        "largest_error": max(errors(stems[name], stems[right]).values()),
    }


def _ratios(theirs: list[float], ours: list[float]) -> dict[str, float]:
    pairs = [a / b for a, b in zip(theirs, ours, strict=True)]
    return {"median": median(pairs), "min": min(pairs), "max": max(pairs)}


def starts(y: NDArray[np.float32], folder: Path, rounds: int) -> dict[str, Any]:
    """Seconds of fresh processes, files in the page cache: the import alone, and ours to its first stem and its end."""
    source = folder / "short.wav"
    save(source, y[:, : int(SHORT_S * SR)], SR)
    imports, first, whole = [], [], []
    for number in range(rounds + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
        imports.append(time.perf_counter() - started)
        out = folder / f"out{number}"
        command = [sys.executable, "-m", "mir.cli", "separate", str(source), "-o", str(out)]
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not any(out.rglob("[!.]*.wav")) and process.poll() is None:
                time.sleep(0.01)
            first.append(time.perf_counter() - started)
        whole.append(time.perf_counter() - started)
        if process.returncode or not any(out.rglob("[!.]*.wav")):
            raise RuntimeError(f"{' '.join(command)} gave no stems, exit status {process.returncode}")
    more = [b - a for a, b in zip(imports[1:], first[1:], strict=True)]  # the first round warms the page cache
    return {
        "import_tensorflow_s": median(imports[1:]),
        "first_stem_s": median(first[1:]),
        "end_s": median(whole[1:]),
        "first_stem_after_import_s": {"median": median(more), "min": min(more), "max": max(more)},
    }


def main() -> None:
    """Race, then start; a table, then JSON."""
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, default=3, help="turns that count (default 3)")
    arguments = made.parse_args()
    python = reference(arguments)
    y, _ = load(arguments.data / "songs" / SONG, sr=SR, offset_s=20.0, duration_s=SECONDS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = race(python, y, folder, arguments.rounds)
        titles = f"{'s':>6s} {'processor s':>11s} {'x real time':>11s} {'x as called':>20s} {'x kept open':>20s}"
        print(f"{'':28s} {titles}  largest error")
        for row in rows:
            ratios = "".join(
                f" {row[key]['median']:6.2f} ({row[key]['min']:5.2f}–{row[key]['max']:5.2f})"
                for key in ("faster_than_called", "faster_than_kept_open")
            )
            about = f"{row['largest_error']:.1e} of {row['error_against']}"
            times = f"{row['seconds']:6.2f} {row['processor_s']:11.2f} {row['times_real_time']:11.1f}"
            print(f"{row['name']:28s} {times} {ratios}  {about}")
        started = starts(y, folder, arguments.rounds)
    print(
        f"start: import tensorflow {started['import_tensorflow_s']:.2f} s; mir separate on {SHORT_S:.0f} s of music: "
        f"first stem file after {started['first_stem_s']:.2f} s, end after {started['end_s']:.2f} s"
    )
    print(json.dumps({"rows": rows, "start": started}))


if __name__ == "__main__":
    main()
