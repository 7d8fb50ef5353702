"""Who has a voice: tracks with vocals, and the same without them, that get a `vocal_timbre` from separated vocals.

`python -m benchmarks who_sings --data DATA`: the 94 MUSDB18 previews; an instrumental is drums + bass + other.
Also how far the vocals stem of an instrumental lies under the mixture (leakage), in dB.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from features import Stems, extractor
from features.errors import StemSilent
from separation import Separator
from separation.decode import Samples
from separation.musdb import find_tracks


def has_voice(separator: Separator, mixture: Samples, sr: int) -> tuple[bool, float]:
    """Whether a mixture gets a description of its voice, and its vocals' level under the mixture in dB."""
    stems = separator.separate(mixture, sr)
    level_db = 10.0 * np.log10((np.mean(stems["vocals"] ** 2) + 1e-12) / (np.mean(mixture**2) + 1e-12))
    try:
        extractor("vocal_timbre").extract(Stems({"mixture": mixture, **stems}, sr))
    except StemSilent:
        return False, float(level_db)
    return True, float(level_db)


def main() -> None:
    """Count both kinds, over all tracks and over those the separator was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "musdb18-7s"
    separator = Separator()
    rows = []
    validation = {track.name for track in find_tracks(folder, split="valid")}
    for track in find_tracks(folder):
        stems, sr = track.load()
        instrumental = sum(y for name, y in stems.items() if name != "vocals")
        sung = bool(np.sqrt(np.mean(stems["vocals"] ** 2)) > 1e-3)
        with_voice = has_voice(separator, instrumental + stems["vocals"], sr)
        without = has_voice(separator, instrumental, sr)
        rows.append((track.name in validation, sung, with_voice[0], without[0], without[1]))
    table = np.array(rows, float)
    report = {}
    for name, part in (("all", table), ("validation", table[table[:, 0] == 1])):
        sung = part[part[:, 1] == 1]
        report[name] = {
            "tracks": len(part),
            "sung_with_voice": float(sung[:, 2].mean()),
            "instrumental_with_voice": float(part[:, 3].mean()),
            "leakage_median_db": float(np.median(part[:, 4])),
            "leakage_worst_db": float(part[:, 4].max()),
        }
        print(f"{name:12s}" + "  ".join(f"{key} {value:.3g}" for key, value in report[name].items()))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
