"""Processor seconds that features take for a minute of four stems, on one core, by space.

`python -m benchmarks.feature_speed --data DATA [--model NAME] [--rounds N]`: a minute out of the middle of each of the
five whole songs, separated beforehand, then described as an ingest does it: levels of the stems, then every space in
order on the same `Stems`, so that what two spaces share is paid by the first. Each round takes new `Stems`; of the
rounds of a song the fastest counts, as others may keep the machine busy. A space that finds its stem silent returns at
once and is not counted. Finite descriptors are part of the answer: speed without numbers is none.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, Stems
from features.errors import StemSilent
from mir.analysis import MIXTURE, describe
from separation.audio import load

Samples = NDArray[np.float32]

MINUTE_S = 60.0
MUST_S, AIM_S = 2.5, 1.2
LEVELS = "levels of stems"


def minute_of(path: Path) -> tuple[Samples, int]:
    """A minute out of the middle of a song, and its rate."""
    y, sr = load(path)
    n = round(MINUTE_S * sr)
    start = max(0, (y.shape[1] - n) // 2)
    return np.ascontiguousarray(y[:, start : start + n]), sr


def processor_s(call: Callable[[], object]) -> float:
    """Processor seconds of a call, of all threads."""
    started = time.process_time()
    call()
    return time.process_time() - started


def measure(signals: Mapping[str, Samples], sr: int) -> dict[str, float]:
    """Describe once; return processor seconds by space, without those whose stem is silent."""
    # In ingest each stem's level is measured first; it shares nothing with the spaces.
    spent = {LEVELS: processor_s(lambda: describe(signals, sr, "", []))}
    stems = Stems(signals, sr)
    for space, extractor in EXTRACTORS.items():
        started = time.process_time()
        try:
            description = extractor.extract(stems)
        except StemSilent:
            continue
        spent[space] = time.process_time() - started
        if not np.isfinite(description.descriptor).all():
            raise SystemExit(f"{space}: no finite descriptor")
    return spent


def report(songs: list[dict[str, float]]) -> dict[str, object]:
    """Print seconds by space, median over songs with least and most, and return them."""
    print(f"{'':18s} {'processor s':>12s} {'least':>7s} {'most':>7s} {'songs':>6s}")
    complete = [sum(spent.values()) for spent in songs if len(spent) == len(EXTRACTORS) + 1]
    rows = {name: [spent[name] for spent in songs if name in spent] for name in (LEVELS, *EXTRACTORS)}
    for name, seconds in {**rows, "all of it": complete}.items():
        if seconds:
            print(f"{name:18s} {np.median(seconds):12.2f} {min(seconds):7.2f} {max(seconds):7.2f} {len(seconds):6d}")
    if not complete:
        raise SystemExit("no song in which every stem sounds")
    middle = float(np.median(complete))
    print(f"must: {MUST_S} s, {'kept' if middle <= MUST_S else 'missed'}; aim: {AIM_S} s")
    return {
        "processor_s": middle,
        "least_s": min(complete),
        "most_s": max(complete),
        "songs": len(complete),
        "by_space": {name: float(np.median(seconds)) for name, seconds in rows.items() if seconds},
    }


def main() -> None:
    """Separate, describe, print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mir-4s", help="separator")
    parser.add_argument("--rounds", type=int, default=3, help="times that each song is described")
    arguments = parser.parse_args()
    from threadpoolctl import threadpool_limits

    from separation import Separator

    paths = sorted(path for path in (arguments.data / "songs").iterdir() if path.suffix in (".mp3", ".ogg"))
    separator = Separator(arguments.model)
    songs = []
    for path in paths:
        y, sr = minute_of(path)
        signals = {MIXTURE: y, **separator.separate(y, sr)}
        with threadpool_limits(1):
            if not songs:
                measure(signals, sr)  # imports and compiles what the first call needs
            rounds = [measure(signals, sr) for _ in range(arguments.rounds)]
        songs.append(min(rounds, key=lambda spent: sum(spent.values())))
    print(json.dumps(report(songs)))


if __name__ == "__main__":
    main()
