"""Speed of a whole ingest, and of a repeated one: seconds of music per second, on this machine, now.

`python -m benchmarks ingest_speed --data DATA`, on an idle machine: whole processes are timed, start-up included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "mir.cli", "ingest"]


def timed(folder: Path, catalog: Path) -> tuple[float, dict[str, object]]:
    """Whole-process seconds of one ingest, and its last JSON line."""
    started = time.perf_counter()
    run = subprocess.run(
        [*COMMAND, str(folder), "--catalog", str(catalog), "--json"], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - started, json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Ingest the five whole songs, then again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "songs"
    with tempfile.TemporaryDirectory() as scratch:
        catalog = Path(scratch) / "mir.duckdb"
        first_s, report = timed(folder, catalog)
        again_s, repeat = timed(folder, catalog)
    audio_s = float(str(report["audio_s"]))
    print(f"ingest: {audio_s:.0f} s of music in {first_s:.1f} s = {audio_s / first_s:.1f} x real time")
    print(f"again:  {again_s:.2f} s, {repeat['skipped']} skipped, {repeat['ingested']} ingested")
    print(json.dumps({"audio_s": audio_s, "wall_s": first_s, "times_real_time": audio_s / first_s, "again_s": again_s}))


if __name__ == "__main__":
    main()
