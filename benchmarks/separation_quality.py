"""SDR, SIR, SAR and ISR of mir-4s on the validation tracks, beside baselines that need no network.

`python -m benchmarks separation_quality --data DATA`: what `mir evaluate --baselines` prints, and its report as JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Score them, and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mir-4s")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "mir.cli", "evaluate", str(arguments.data / "musdb18-7s")]
    command += ["--model", arguments.model, "--baselines", "--split", "valid", "--json"]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    report = json.loads(out)
    report.pop("per_track")
    for row in (report, *report["baselines"].values()):
        stems = "  ".join(f"{stem} {sdr:6.2f}" for stem, sdr in row["sdr"].items())
        print(f"{row['model']:10s} mean SDR {row['mean_sdr']:6.2f} dB   {stems}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
