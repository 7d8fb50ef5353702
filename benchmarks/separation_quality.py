"""SDR, SIR, SAR and ISR of mir-4s on the validation tracks, beside baselines that need no network.

`python -m benchmarks separation_quality --data DATA`: what `mir evaluate` prints for each of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

RUNS = (
    ("--model", "mir-4s"),
    ("--baseline", "equaliser"),
    ("--baseline", "hpss"),
    ("--baseline", "mixture"),
    ("--baseline", "oracle"),
)


def main() -> None:
    """Score each, and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "musdb18-7s"
    for run in RUNS:
        command = [sys.executable, "-m", "mir.cli", "evaluate", str(folder), "--split", "valid", "--json", *run]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        row = json.loads(out.splitlines()[-1])
        stems = "  ".join(f"{stem} {sdr:6.2f}" for stem, sdr in row["sdr"].items())
        print(f"{run[1]:10s} mean SDR {row['mean_sdr']:6.2f} dB   {stems}")
        print(json.dumps({key: row[key] for key in row if key != "per_track"}))


if __name__ == "__main__":
    main()
