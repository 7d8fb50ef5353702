"""Drums laid under other people's music and separated again.

A session is one kit, one drummer's timing and the accompaniments of some artists, none of which another session has.
Every sound is kept, so that a second run computes features alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from benchmarks.drums.dance import STYLES, TEMPI_BPM, Feel, Style, feels, pattern, played
from benchmarks.drums.midi import Stroke
from benchmarks.drums.render import SR, load_mono, rendered
from features.base import Samples
from separation.musdb import Track

if TYPE_CHECKING:
    from separation import Separator

KITS = {0: "standard", 8: "room", 16: "power", 24: "electronic", 25: "TR-808", 32: "jazz"}
"""Programs of the soundfont's drum bank, one a session."""

CLIP_S = 12.0
_CROSSFADE_S = 0.1
_DRUMS_DB = (-9.0, 3.0)
"""Drums against the rest are as loud as those that they replace, within these bounds."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip before it is made a sound.

    Parameters
    ----------
    name
        Unique.
    style, bpm
        What is played, how fast.
    session, kit
        Which of the sessions, with which program of the soundfont.
    strokes
        What is played.
    accompaniment
        Two previews that are heard one after the other, without their drums.
    """

    name: str
    style: Style
    bpm: float
    session: str
    kit: int
    strokes: Sequence[Stroke]
    accompaniment: tuple[Track, Track]


@dataclass(frozen=True, slots=True)
class Sounds:
    """Files of one clip: the mixture, its separated drums, and the drums as they were rendered."""

    mixture: Path
    drums: Path
    dry: Path


def plan(groove: Path, tracks: Sequence[Track], clips: int) -> list[Clip]:
    """Draw all clips; the same data give the same ones.

    Parameters
    ----------
    groove
        Folder of the Groove MIDI Dataset.
    tracks
        Songs for the accompaniment, named ``Artist - Title``.
    clips
        How many of each style, shared out among the sessions.
    """
    artists = sorted({_artist(track) for track in tracks})
    order = np.random.default_rng(0).permutation(len(artists)).tolist()
    drummers = feels(groove, len(KITS))
    out = []
    for place, (kit, feel) in enumerate(zip(KITS, drummers, strict=True)):
        own = {artists[number] for number in order[place :: len(KITS)]}
        bands = [track for track in tracks if _artist(track) in own]
        out += _session(kit, feel, bands, clips // len(KITS) + (place < clips % len(KITS)))
    return out


def heard(clip: Clip, separator: Separator, folder: Path) -> Sounds:
    """Render, mix and separate a clip, unless that was done.

    Parameters
    ----------
    clip
        What to make.
    separator
        Takes the mixture apart.
    folder
        Where sounds are kept.
    """
    stem = f"{clip.name}-{_fingerprint(clip, separator.source_id)}"
    sounds = Sounds(*(folder / f"{stem}{end}.flac" for end in ("", ".drums", ".dry")))
    if sounds.drums.is_file():
        return sounds
    folder.mkdir(parents=True, exist_ok=True)
    dry = load_mono(rendered(sounds.dry, clip.strokes, clip.kit), SR)
    mixture = mixed(dry, clip.accompaniment)
    write(sounds.mixture, mixture)
    write(sounds.drums, separator.separate(mixture, SR)["drums"])
    return sounds


def mixed(dry: Samples, accompaniment: tuple[Track, Track]) -> Samples:
    """Lay drums under songs that are heard one after the other without their own drums.

    Parameters
    ----------
    dry
        Drums alone at `SR`, shape ``(n_samples,)``.
    accompaniment
        Where the rest comes from.

    Returns
    -------
    Samples
        At most `CLIP_S` at `SR`, shape ``(2, n_samples)``; the drums are as loud as the first song's own.
    """
    band, level = _accompaniment(accompaniment)
    n = min(round(CLIP_S * SR), band.shape[1])
    drums = np.zeros(n, dtype=np.float32)
    drums[: min(n, dry.size)] = dry[:n]
    drums *= np.float32(level * _rms(band) / max(_rms(drums), 1e-9))
    mixture: Samples = band[:, :n] + drums
    mixture *= np.float32(min(1.0, 0.98 / max(float(np.abs(mixture).max()), 1e-9)))
    return mixture


def _session(kit: int, feel: Feel, bands: Sequence[Track], clips: int) -> list[Clip]:
    """Two patterns a style, played at other tempi over other bands each time."""
    rng = np.random.default_rng([7, kit])
    session = f"{KITS[kit]} kit, {feel.drummer}"
    out = []
    for style in STYLES:
        patterns = [pattern(style, rng) for _ in range(2)]
        for number in range(clips):
            bpm = float(rng.uniform(*TEMPI_BPM[style]))
            strokes = played(style, patterns[number % 2], feel, bpm, CLIP_S, rng)
            first, second = rng.permutation(len(bands))[:2].tolist()
            name = f"{'house' if style == 'House' else 'dnb'}-{KITS[kit]}-{number}"
            out.append(Clip(name, style, bpm, session, kit, strokes, (bands[first], bands[second])))
    return out


def _accompaniment(tracks: Sequence[Track]) -> tuple[Samples, float]:
    """Return songs without drums, cross-faded, ``(2, n_samples)`` at `SR`, and how loud the first one's drums were.

    The level is an amplitude ratio, drums to the rest.
    """
    parts, level = [], 1.0
    for track in reversed(tracks):
        stems, sr = track.load()
        if sr != SR:
            raise ValueError(f"{track.name} is at {sr} Hz; the previews of MUSDB18 are at {SR} Hz")
        drums = stems.pop("drums")
        band = np.sum(list(stems.values()), axis=0, dtype=np.float32)
        gain_db = 20 * np.log10(max(_rms(drums), 1e-9) / max(_rms(band), 1e-9))
        level = float(10 ** (np.clip(gain_db, *_DRUMS_DB) / 20))
        parts.insert(0, band)
    return _joined(*parts), level


def _joined(first: Samples, second: Samples) -> Samples:
    """One after the other, equally loud, with a short crossfade."""
    second = second * np.float32(_rms(first) / max(_rms(second), 1e-9))
    n = round(_CROSSFADE_S * SR)
    fade = np.linspace(0.0, 1.0, n, dtype=np.float32)
    middle = first[:, -n:] * (1 - fade) + second[:, :n] * fade
    joined: Samples = np.concatenate([first[:, :-n], middle, second[:, n:]], axis=1)
    return joined


def _artist(track: Track) -> str:
    return track.name.split(" - ")[0]


def _rms(y: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


def _fingerprint(clip: Clip, source_id: str) -> str:
    """Name what a clip's sounds depend on."""
    strokes = [(round(s.time_s, 4), s.note, s.velocity) for s in clip.strokes]
    said = json.dumps([clip.kit, strokes, [track.name for track in clip.accompaniment], source_id, CLIP_S])
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def write(path: Path, y: Samples) -> None:
    """Write FLAC of 24 bits under another name, then rename."""
    part = path.with_suffix(".part")
    soundfile.write(part, y.T, SR, format="FLAC", subtype="PCM_24")
    part.replace(path)
