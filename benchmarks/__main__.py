"""Run benchmarks by name, all of them by default; each prints a table and writes JSON into the results folder."""

from __future__ import annotations

import argparse
import runpy
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run what was asked for; a benchmark that fails is named, the others go on."""
    names = sorted(path.stem for path in HERE.glob("[a-z]*.py"))
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(names)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data folder")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if not (arguments.data / "README.md").is_file():
        parser.error(f"no data folder at {arguments.data}: give --data FOLDER")
    failed = []
    for name in arguments.names or names:
        print(f"\n=== {name}", flush=True)
        started = time.perf_counter()
        sys.argv = [name, "--data", str(arguments.data)]
        try:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__")
        except SystemExit as stop:
            if stop.code:
                failed.append(name)
        print(f"--- {name}: {time.perf_counter() - started:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
