"""Answers beside the truth: the one place where the demo reads what it made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mir.demo.answers import Answers, Heard

TEMPO_TOLERANCE = 0.04
"""Relative error within which a tempo is right (MIREX's accuracy 1)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of one track."""

    file: str
    artist: str
    singer: str
    band: str
    genre: str
    tempo_bpm: float
    key: str
    instrumental: bool


@dataclass(frozen=True, slots=True)
class ActVerdict:
    """One artist's nearest beside the truth.

    Parameters
    ----------
    partner
        The other artist with the same singer.
    bandmate
        The other artist with the same band.
    first
        Instrument → who came first.
    rank
        Instrument → place of `partner`, from 1; 0 where it was no answer.
    """

    artist: str
    singer: str
    band: str
    partner: str
    bandmate: str
    first: Mapping[str, str]
    rank: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """One track's answers beside the truth; `tempo` is ``right``, ``half``, ``double`` or ``wrong``."""

    heard: Heard
    truth: Truth
    tempo: str

    @property
    def genre_right(self) -> bool:
        """Whether the genre was told."""
        return self.heard.genre == self.truth.genre

    @property
    def voice_right(self) -> bool:
        """Whether singing, or its absence, was noticed."""
        return (self.heard.vocals == "silent") == self.truth.instrumental


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of it."""

    acts: tuple[ActVerdict, ...]
    tracks: tuple[TrackVerdict, ...]

    def first(self, instrument: str, whom: str) -> int:
        """Count the artists whose nearest by an instrument is their ``partner`` or ``bandmate``."""
        return sum(act.first[instrument] == getattr(act, whom) for act in self.acts)

    def summary(self) -> dict[str, Any]:
        """Return the counts, as JSON has them."""
        tempi = [track.tempo for track in self.tracks]
        return {
            "artists": len(self.acts),
            "tracks": len(self.tracks),
            "same_singer_first": {by: self.first(by, "partner") for by in ("vocals", "mix", "drums")},
            "same_band_first": {by: self.first(by, "bandmate") for by in ("vocals", "mix", "drums")},
            "tempo_right": tempi.count("right"),
            "tempo_right_or_octave": sum(tempo != "wrong" for tempo in tempi),
            "genre_right": sum(track.genre_right for track in self.tracks),
            "instrumentals": {
                "truth": sorted(t.truth.file for t in self.tracks if t.truth.instrumental),
                "found": sorted(t.heard.file for t in self.tracks if t.heard.vocals == "silent"),
            },
        }


def read_truth(folder: Path) -> dict[str, Truth]:
    """Read ``truth.json``: file name → truth."""
    document = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    names = Truth.__dataclass_fields__
    rows = (Truth(**{name: row[name] for name in names}) for row in document["tracks"])
    return {truth.file: truth for truth in rows}


def compare(answers: Answers, truth: Mapping[str, Truth]) -> Verdict:
    """Lay answers beside the truth. Tracks and artists that the truth does not know are left out."""
    lineup = {row.artist: (row.singer, row.band) for row in truth.values()}
    acts = []
    for artist in sorted(lineup, key=lambda name: (lineup[name], name)):
        singer, band = lineup[artist]
        ranked = {by: [n.artist for n in found.get(artist, ())] for by, found in answers.neighbours.items()}
        partner = next(name for name, (who, _) in lineup.items() if who == singer and name != artist)
        acts.append(
            ActVerdict(
                artist=artist,
                singer=singer,
                band=band,
                partner=partner,
                bandmate=next(name for name, (_, what) in lineup.items() if what == band and name != artist),
                first={by: names[0] if names else "" for by, names in ranked.items()},
                rank={by: names.index(partner) + 1 if partner in names else 0 for by, names in ranked.items()},
            )
        )
    tracks = tuple(
        TrackVerdict(heard, truth[heard.file], tempo_verdict(heard.tempo_bpm, truth[heard.file].tempo_bpm))
        for heard in answers.tracks
        if heard.file in truth
    )
    return Verdict(tuple(acts), tracks)


def tempo_verdict(found_bpm: float, true_bpm: float) -> str:
    """Say ``right``, ``half``, ``double`` or ``wrong``.

    Examples
    --------
    >>> tempo_verdict(87.2, 174.0)
    'half'
    """
    for verdict, factor in (("right", 1.0), ("half", 0.5), ("double", 2.0)):
        if abs(found_bpm - factor * true_bpm) <= TEMPO_TOLERANCE * factor * true_bpm:
            return verdict
    return "wrong"
