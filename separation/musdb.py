"""Tracks with their true stems, in the layouts that MUSDB18 is published in, and folders like them.

- `.stem.mp4` files, five audio streams each (MUSDB18 and its 7-second previews), with a `manifest.csv` (columns `file`,
  `split`) or in folders `train` and `test`;
- MUSDB18-HQ: a folder a track, in folders `train` and `test`, with a WAV or FLAC file a stem: `vocals` and, for what no
  other file holds, `other` or `accompaniment`. There may be any number of stems between (`drums`, `bass`, `piano`, …).
  `mixture` and `minus-…` are sums of stems, and so is `accompaniment` beside `other`: they are not read;
- a folder a track with stems of a user's own: whatever they are called, the model that is evaluated has the same.

References
----------
Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner: The MUSDB18 corpus for music separation, 2017.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from separation.audio import load
from separation.errors import AudioInvalid, AudioMissing
from separation.samples import Samples

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


_SUFFIXES = (".wav", ".flac")
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Track:
    """A track whose stems are known."""

    name: str
    split: str
    path: Path
    """A `.stem.mp4` file, or a folder with a file a stem."""
    own: tuple[str, ...] | None = None
    """Names of a user's own that its stems have to have; None: those of MUSDB18."""

    @property
    def files(self) -> dict[str, Path]:
        """File of each stem, `STEMS` (or a user's own) first; there need not be one where the data set is damaged."""
        if not self.path.is_dir():
            return dict.fromkeys(STEMS, self.path)
        found = {
            path.stem: path
            for suffix in reversed(_SUFFIXES)
            for path in sorted(self.path.glob(f"*{suffix}"))
            if path.stem != "mixture" and not path.name.startswith((".", "minus-"))
        }
        if "other" in found and self.own is None:
            found.pop("accompaniment", None)
        first = self.own or STEMS
        return {stem: found[stem] for stem in sorted(found, key=lambda stem: (_rank(stem, first), stem))}

    def load(self) -> tuple[dict[str, Samples], int]:
        """Read the true stems.

        Returns
        -------
        stems : dict of float32, (n_channels, n_samples)
            In the order of `STEMS`, then any others by name, all of one shape.
        sr : int
            Their rate, Hz.

        Raises
        ------
        AudioMissing, AudioUnreadable
            A stem is not there, or cannot be decoded.
        AudioInvalid
            The stems differ in rate or channels, or in length by more than 0.1 s; or their names from a user's own.
        """
        files = self.files
        if self.own is not None and set(files) != set(self.own):
            raise AudioInvalid(
                f"{self.path} holds {', '.join(files) or 'no stems'} and the model gives {', '.join(self.own)}: "
                "stems are scored where both have the same names"
            )
        if self.own is None and ("vocals" not in files or files.keys().isdisjoint(("other", "accompaniment"))):
            raise AudioMissing(
                f"{self.path} holds {', '.join(files) or 'no stems'}: a track needs vocals, and other or accompaniment"
            )
        stems, rates = {}, set()
        for stem, path in files.items():
            stems[stem], rate = load(path, stream=STREAMS[stem] if path == self.path else 0)
            rates.add(rate)
        lengths = [y.shape[1] for y in stems.values()]
        sr = rates.pop()
        if rates or len({y.shape[0] for y in stems.values()}) > 1 or max(lengths) - min(lengths) > 0.1 * sr:
            raise AudioInvalid(f"the stems of {self.path} differ in rate, channels or length: they are not one track's")
        return {stem: y[:, : min(lengths)] for stem, y in stems.items()}, sr


def find_tracks(folder: str | Path, split: str | None = None, *, stems: Collection[str] | None = None) -> list[Track]:
    """List the tracks of a data set, sorted by name; names differ from each other.

    Parameters
    ----------
    folder
        MUSDB18, MUSDB18-HQ, the previews, or a folder laid out like one of them.
    split
        `train`, `valid` or `test`; None means all. Without a manifest the standard validation tracks are `valid`, and
        tracks in no folder of such a name are of split `all`.
    stems
        Stems of the model in question: where they are none of MUSDB18's (`vocals` with `other` or `accompaniment`),
        tracks are folders with files of these names.

    Raises
    ------
    AudioMissing
        No such folder, no tracks in it, or none of that split.
    AudioInvalid
        The same track twice, in two layouts.
    """
    root = Path(folder)
    if not root.is_dir():
        raise AudioMissing(f"no such data folder: {root}")
    manifest = root / "manifest.csv"
    own = _own(stems)
    found = _listed(root, manifest) if manifest.is_file() else []
    found = found or _laid_out(root, ("vocals",) if own is None else own)
    if own is not None:
        found = [replace(track, own=own) for track in found]
        if not found:
            raise AudioMissing(
                f"no tracks with stems of the model ({', '.join(own)}) in {root}: it has {_names(root)}; give a folder "
                f"with a folder a track that holds {', '.join(f'{stem}.wav' for stem in own)}"
            )
    if not found:
        raise AudioMissing(
            f"no tracks with stems in {root}: give a folder with .stem.mp4 files, or with a folder a track that holds "
            + ", ".join(f"{stem}.wav" for stem in STEMS)
        )
    chosen = [track for track in found if split in (None, track.split)]
    if not chosen:
        splits = sorted({track.split for track in found})
        raise AudioMissing(f"no tracks of split {split!r} in {root}: it has {', '.join(splits)}")
    return sorted(_distinct(chosen, root), key=lambda track: track.name)


def mixture(stems: Mapping[str, Samples]) -> Samples:
    """Sum of the stems: after lossy coding the published mixture is not, and would be scored for the codec's errors."""
    total: Samples = np.sum(list(stems.values()), axis=0, dtype=np.float32)
    return total


def _rank(stem: str, first: Sequence[str]) -> int:
    return first.index(stem) if stem in first else len(first)


def _own(stems: Collection[str] | None) -> tuple[str, ...] | None:
    """Names of a model's stems where they are a user's own."""
    if stems is None or ("vocals" in stems and not {"other", "accompaniment"}.isdisjoint(stems)):
        return None
    return tuple(stems)


def _names(root: Path) -> str:
    """Names of the files that could be stems, for messages."""
    names = sorted({path.stem for suffix in _SUFFIXES for path in root.rglob(f"*{suffix}")})
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return shown or "no WAV or FLAC files"


def _listed(root: Path, manifest: Path) -> list[Track]:
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [(root / row.get("file", ""), row.get("split") or "") for row in rows]
    return [
        Track(name=_name(path), split=split or _split(path), path=path)
        for path, split in paths
        if path.name.endswith(".stem.mp4")
    ]


def _laid_out(root: Path, stems: Collection[str]) -> list[Track]:
    files = {path for path in root.rglob("*.stem.mp4") if not path.name.startswith(".")}
    folders = {path.parent for suffix in _SUFFIXES for path in root.rglob(f"*{suffix}") if path.stem in stems}
    return [Track(name=_name(path), split=_split(path), path=path) for path in files | folders]


def _distinct(tracks: list[Track], root: Path) -> list[Track]:
    """Name tracks of one name by their whole path below `root`: figures are kept by name."""
    tracks = list(dict.fromkeys(tracks))
    count = Counter(track.name for track in tracks)
    tracks = [
        track
        if count[track.name] == 1
        else replace(track, name=" - ".join((*track.path.relative_to(root).parts[:-1], track.name)))
        for track in tracks
    ]
    paths: dict[str, Path] = {}
    for track in tracks:
        if (first := paths.setdefault(track.name, track.path)) != track.path:
            raise AudioInvalid(f"one track twice: {first} and {track.path}; move one of them out of {root}")
    return tracks


def _name(path: Path) -> str:
    return path.name.removesuffix(".stem.mp4")


def _split(path: Path) -> str:
    if _name(path) in VALIDATION_TRACKS:
        return "valid"
    return path.parent.name if path.parent.name in ("train", "valid", "test") else "all"
