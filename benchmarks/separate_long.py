"""Peak memory of `mir separate` by length of the file, and what is left of a very long one that is killed half-way.

`python -m benchmarks separate_long --data DATA`: 10 minutes and 3 hours of stereo FLAC (the songs of the data folder,
again and again) to four WAVs, each by a process of its own whose peak memory the system tells. With `--killed 10`, ten
hours to one stem as 32-bit float, past 4 GiB: killed with SIGKILL half-way, then started again with `--skip-existing`;
needs 15 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from separation.audio import load
from separation.encode import Encoding, open_writer

SR = 44_100


def make_long(songs: Path, path: Path, hours: float) -> None:
    """Write `hours` of stereo FLAC."""
    parts = []
    for song in sorted(songs.glob("*.[mo][pg][3g]")):
        y, _ = load(song, sr=SR)
        parts.append(y if y.shape[0] == 2 else np.repeat(y[:1], 2, axis=0))
    music = np.concatenate(parts, axis=1)
    left = round(hours * 3600 * SR)
    with open_writer(path, SR, 2, Encoding("flac")) as writer:
        while left > 0:
            writer.write(music[:, :left])
            left -= music.shape[1]


def separate(path: Path, out: Path, *options: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "mir.cli", "separate", str(path), "-o", str(out), "--json", "--no-tags", *options]


def peak_of(command: list[str]) -> tuple[float, float]:
    """Run a command: seconds, and peak memory of the whole process in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def memory(songs: Path, folder: Path, lengths_h: list[float], options: list[str]) -> None:
    """Print peak memory by length."""
    peaks = []
    for hours in lengths_h:
        path = folder / f"{hours:g}h.flac"
        make_long(songs, path, hours)
        seconds, peak = peak_of(separate(path, folder / "out", *options))
        peaks.append(peak)
        print(
            f"{60 * hours:7.0f} min   {peak:7.0f} MB   {seconds:6.0f} s   {3600 * hours / seconds:5.1f} x", flush=True
        )
        for stem in (folder / "out").rglob("*.wav"):
            stem.unlink()
        path.unlink()
    print(
        json.dumps({"hours": lengths_h, "peak_mb": [round(peak) for peak in peaks], "ratio": max(peaks) / min(peaks)})
    )


def killed(songs: Path, folder: Path, hours: float, options: list[str]) -> None:
    """Print what a killed run leaves, and what the next one makes of it."""
    path, out = folder / "long.flac", folder / "out"
    make_long(songs, path, hours)
    command = separate(path, out, "--stems", "drums", "--bit-depth", "float", "--skip-existing", *options)
    wanted = hours * 3600 * SR * 8
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and sum(file.stat().st_size for file in out.rglob(".*.unfinished")) < wanted / 2:
        time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    target = out / "long" / "drums.wav"
    print(f"killed half-way: {target.name} is there: {target.exists()}; "
          f"unfinished files: {len(list(out.rglob('.*.unfinished')))}", flush=True)  # fmt: skip
    seconds, peak = peak_of(command)
    import soundfile

    info = soundfile.info(target)
    with target.open("rb") as file:
        head = file.read(4).decode()
    left = [str(file) for file in out.rglob(".*")]
    print(f"again: {seconds:.0f} s, {peak:.0f} MB; {head}, {info.frames / SR / 3600:.4f} h, "
          f"{target.stat().st_size / 2**30:.2f} GiB; left over: {left}", flush=True)  # fmt: skip
    complete = info.frames == round(hours * 3600 * SR) and info.subtype == "FLOAT" and not left
    print(json.dumps({"hours": hours, "header": head, "complete": complete}))
    seconds, _ = peak_of(command)
    print(f"a third time: {seconds:.1f} s, nothing to do")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--hours", type=float, nargs="+", default=[1 / 6, 3.0])
    parser.add_argument("--options", default="", help="more options for mir separate, as one word")
    parser.add_argument("--killed", type=float, metavar="HOURS", help="kill a run of that length half-way instead")
    arguments = parser.parse_args()
    options = shlex.split(arguments.options)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    songs = arguments.data / "songs"
    with tempfile.TemporaryDirectory(prefix="mir-long-") as folder:
        if arguments.killed:
            killed(songs, Path(folder), arguments.killed, options)
        else:
            memory(songs, Path(folder), arguments.hours, options)


if __name__ == "__main__":
    main()
