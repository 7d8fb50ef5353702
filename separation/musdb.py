"""Tracks with their true stems, in the two layouts that MUSDB18 is published in.

- `.stem.mp4` files, five audio streams each, with a `manifest.csv` (columns `file`, `split`) or in folders `train` and
  `test`;
- MUSDB18-HQ: a folder a track with `vocals.wav`, `drums.wav`, `bass.wav`, `other.wav`, in folders `train` and `test`.

References
----------
Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner: The MUSDB18 corpus for music separation, 2017.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from separation.audio import load
from separation.decode import Samples
from separation.errors import AudioInvalid, AudioMissing

STEMS = ("vocals", "drums", "bass", "other")
"""The four stems, in the order in which they are reported."""

STREAMS = {"mixture": 0, "drums": 1, "bass": 2, "other": 3, "vocals": 4}
"""Number of each audio stream in a `.stem.mp4`."""

VALIDATION_TRACKS = frozenset(
    {
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "ANiMAL - Rockshow",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)
"""The standard 14 tracks of `train` that everybody keeps for validation."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track whose stems are known."""

    name: str
    split: str
    path: Path
    """A `.stem.mp4` file, or a folder of WAV files."""

    def load(self) -> tuple[dict[str, Samples], int]:
        """Read the true stems.

        Returns
        -------
        stems : dict of float32, (n_channels, n_samples)
            In the order of `STEMS`, all of one shape.
        sr : int
            Their rate, Hz.

        Raises
        ------
        AudioMissing, AudioUnreadable
            A stem is not there, or cannot be decoded.
        AudioInvalid
            The stems differ in rate or channels, or in length by more than 0.1 s.
        """
        stems, rates = {}, set()
        for stem in STEMS:
            if self.path.is_dir():
                stems[stem], rate = load(self.path / f"{stem}.wav")
            else:
                stems[stem], rate = load(self.path, stream=STREAMS[stem])
            rates.add(rate)
        lengths = [y.shape[1] for y in stems.values()]
        sr = rates.pop()
        if rates or len({y.shape[0] for y in stems.values()}) > 1 or max(lengths) - min(lengths) > 0.1 * sr:
            raise AudioInvalid(f"the stems of {self.path} differ in rate, channels or length: they are not one track's")
        return {stem: y[:, : min(lengths)] for stem, y in stems.items()}, sr


def find_tracks(folder: str | Path, split: str | None = None) -> list[Track]:
    """List the tracks of a data set, sorted by name.

    Parameters
    ----------
    folder
        MUSDB18 or MUSDB18-HQ.
    split
        `train`, `valid` or `test`; None means all. Without a manifest the standard validation tracks are `valid`.

    Raises
    ------
    AudioMissing
        No such folder, no tracks in it, or none of that split.
    """
    root = Path(folder)
    if not root.is_dir():
        raise AudioMissing(f"no such data folder: {root}")
    manifest = root / "manifest.csv"
    found = _listed(root, manifest) if manifest.is_file() else []
    found = found or _laid_out(root)
    if not found:
        raise AudioMissing(
            f"no tracks with stems in {root}: give a folder with .stem.mp4 files, or with a folder a track that holds "
            + ", ".join(f"{stem}.wav" for stem in STEMS)
        )
    chosen = [track for track in found if split in (None, track.split)]
    if not chosen:
        splits = sorted({track.split for track in found})
        raise AudioMissing(f"no tracks of split {split!r} in {root}: it has {', '.join(splits)}")
    return sorted(chosen, key=lambda track: track.name)


def mixture(stems: dict[str, Samples]) -> Samples:
    """Sum of the stems: after lossy coding the published mixture is not, and would be scored for the codec's errors."""
    total: Samples = np.sum(list(stems.values()), axis=0, dtype=np.float32)
    return total


def _listed(root: Path, manifest: Path) -> list[Track]:
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [(root / row.get("file", ""), row.get("split") or "") for row in rows]
    return [
        Track(name=_name(path), split=split or _split(path), path=path)
        for path, split in paths
        if path.name.endswith(".stem.mp4")
    ]


def _laid_out(root: Path) -> list[Track]:
    files = [path for path in root.rglob("*.stem.mp4") if not path.name.startswith(".")]
    folders = [
        path.parent
        for path in root.rglob("vocals.wav")
        if all((path.parent / f"{stem}.wav").is_file() for stem in STEMS)
    ]
    return [Track(name=_name(path), split=_split(path), path=path) for path in files + folders]


def _name(path: Path) -> str:
    return path.name.removesuffix(".stem.mp4")


def _split(path: Path) -> str:
    if _name(path) in VALIDATION_TRACKS:
        return "valid"
    return path.parent.name if path.parent.name in ("train", "valid", "test") else "all"
