"""Which performances of the Groove MIDI Dataset are used for what.

References
----------
Gillick, Roberts, Engel, Eck, Bamman: "Learning to groove with inverse sequence transformations", ICML 2019 (CC BY 4.0).
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.drums.midi import Stroke, read_strokes

KICK = frozenset({35, 36})
SNARE = frozenset({37, 38, 39, 40})
HATS = frozenset({22, 26, 42, 44, 46, 49, 51, 52, 53, 55, 57, 59})
TOMS = frozenset({41, 43, 45, 47, 48, 50, 58})
DRUM_KEYS = (KICK, SNARE, HATS, TOMS)
"""Keys of `features.drum_voices.DRUMS`."""

SHORTEST_S = 8.0
OTHER_KITS = (8, 16, 24, 25, 32, 40)
"""Room, power, electronic, TR-808, jazz and brush kits, the programs of the soundfont that are no variants."""


@dataclass(frozen=True, slots=True)
class Performance:
    """A row of the manifest.

    Parameters
    ----------
    file
        Path under the dataset's folder.
    drummer, style
        Who plays what.
    bpm
        Tempo of the click, beats a minute.
    kind
        ``beat`` or ``fill``.
    metre
        Beats a bar and their note value, as ``4-4``.
    seconds
        Length.
    """

    file: str
    drummer: str
    style: str
    bpm: float
    kind: str
    metre: str
    seconds: float

    @property
    def name(self) -> str:
        """The path as a file name without suffix."""
        return self.file.removesuffix(".mid").replace("/", "_")

    def strokes(self, root: Path) -> list[Stroke]:
        """Read what is played; `root` is the dataset's folder."""
        return read_strokes(root / self.file)

    def first_bar_s(self, root: Path) -> float | None:
        """Seconds at which the first bar begins as it is played; None where bars have not four beats.

        The click's first bar begins at 0. Players sit before or behind the click: the circular mean of their distance
        from its sixteenths is taken for that.
        """
        if self.metre != "4-4":
            return None
        step_s = 15 / self.bpm
        turns = np.exp([2j * np.pi * stroke.time_s / step_s for stroke in self.strokes(root)])
        return float(np.angle(turns.sum()) / (2 * np.pi) * step_s)


def performances(root: Path) -> list[Performance]:
    """Read the manifest, without the session in which all play the same ten scores.

    Parameters
    ----------
    root
        Folder of the dataset, with ``manifest.csv``.
    """
    with (root / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        return [
            Performance(
                row["file"],
                row["drummer"],
                row["style"].split("/")[0],
                float(row["bpm"]),
                row["kind"],
                row["meter"],
                float(row["seconds"]),
            )
            for row in csv.DictReader(manifest)
            if "eval_session" not in row["file"] and float(row["seconds"]) >= SHORTEST_S
        ]


def beats(root: Path, limit: int | None = None) -> list[Performance]:
    """Beats of `SHORTEST_S` or more in an order that is random but always the same, so that any first part is fair."""
    return _shuffled([each for each in performances(root) if each.kind == "beat"], "")[:limit]


def for_other_kits(root: Path, limit: int) -> list[tuple[Performance, int]]:
    """Beats and fills of at most 45 s, each with one of `OTHER_KITS` in turn."""
    chosen = _shuffled([each for each in performances(root) if each.seconds <= 45], "k")[:limit]
    return [(each, OTHER_KITS[i % len(OTHER_KITS)]) for i, each in enumerate(chosen)]


def _shuffled(rows: list[Performance], salt: str) -> list[Performance]:
    return sorted(rows, key=lambda row: hashlib.sha256((salt + row.file).encode()).digest())
