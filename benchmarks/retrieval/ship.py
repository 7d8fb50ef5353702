"""Make what ships for voices from the cached descriptors of `same_artist`: what varies within one, and the transform.

`python -m benchmarks.retrieval.ship --data DATA [--source separated] [--model NAME | --fold RUN …]` writes
`mir/data/spaces/vocal_timbre.within.json` and `vocal_timbre.json`. Windows and equalisers of all 94 previews are used,
no label is.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np

from benchmarks.retrieval.separators import Separators
from benchmarks.retrieval.voices import SPACE, describe
from features import EXTRACTORS
from mir.fitting import Recipe
from mir.within import Within
from separation.musdb import find_tracks
from separation.publishing import write_text


def main() -> None:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", default="separated", choices=("true", "separated"), help="which voices")
    parser.add_argument("--model", default="mir-4s", help="separator of all tracks")
    parser.add_argument("--fold", type=Path, action="append", help="run folder that left a part of the tracks out")
    parser.add_argument("--cache", type=Path, default=Path("runs/retrieval"), help="where descriptors are kept")
    arguments = parser.parse_args()
    tracks = find_tracks(arguments.data / "musdb18-7s")
    separators = Separators(arguments.model, arguments.fold or (), tracks)
    voices = describe(tracks, arguments.source, separators, arguments.cache)
    sung = np.isfinite(voices.whole).all(axis=1)
    # As it will be read again: the transform belongs to the rounded numbers.
    within = Within.from_json(voices.within(sung).to_json())
    transform = Recipe().fit(
        voices.whole[sung], [""] * int(sung.sum()), space=SPACE, version=EXTRACTORS[SPACE].version, known=within
    )
    folder = Path(str(files("mir"))) / "data" / "spaces"
    for name, text in ((f"{SPACE}.within.json", within.to_json()), (f"{SPACE}.json", transform.to_json())):
        write_text(folder / name, text + "\n")
    print(f"{transform.transform_id}: {transform.n_tracks} voices, {within.n_rows} windows; {transform.method}")


if __name__ == "__main__":
    main()
