"""The made-up library: songs rendered, mixed, tagged and written, with the truth in a file beside them."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mir.demo import bass, drums, harmony
from mir.demo.melody import write_line
from mir.demo.people import ACTS, Act
from mir.demo.room import level, limit, pan, reverberate, tone
from mir.demo.voice import sing
from mir.keys import NAMES
from separation.publishing import sweep, write_text

Signal = NDArray[np.float32]

SAMPLE_RATE_HZ = 44_100
VERSION = 1
"""Counts changes of the sound: a folder of another version is rendered anew."""

_TAIL_S = 0.7


@dataclass(frozen=True, slots=True)
class Song:
    """One track: who plays it and what was decided before a note sounded."""

    title: str
    act: Act
    tempo_bpm: float
    tonic: int
    instrumental: bool

    @property
    def seed(self) -> int:
        """Of everything that is random in this song."""
        return zlib.crc32(f"{self.act.name}/{self.title}".encode())

    @property
    def filename(self) -> str:
        """Name of its file."""
        return re.sub(r"[^\w .-]", "_", f"{self.act.name} - {self.title}") + ".flac"

    @property
    def key(self) -> str:
        """Key, as ``E♭ minor``."""
        return f"{NAMES[self.tonic]} {harmony.SCALE_OF[self.act.band.style]}"


def songs() -> list[Song]:
    """All songs of the library, the same at each call."""
    out = []
    for number, act in enumerate(ACTS):
        slow, fast = act.band.tempo_bpm
        for index, title in enumerate(act.titles):
            rng = np.random.default_rng(zlib.crc32(title.encode()))
            out.append(
                Song(
                    title=title,
                    act=act,
                    tempo_bpm=round(float(slow + (fast - slow) * (index + rng.uniform(0.1, 0.9)) / 3.0), 1),
                    tonic=(number * 5 + index * 7 + int(rng.integers(3))) % 12,
                    instrumental=title in act.instrumentals,
                )
            )
    return out


def render(song: Song) -> dict[str, Signal]:
    """Render a song's four stems at `SAMPLE_RATE_HZ`; they sum to its mixture.

    Returns
    -------
    ``{"vocals", "drums", "bass", "other"}``, each of shape ``(2, n_samples)``; an instrumental's vocals are
    zeros.
    """
    band, singer, sr = song.act.band, song.act.singer, SAMPLE_RATE_HZ
    parts = [np.random.default_rng([song.seed, part]) for part in range(5)]
    quarter = 60.0 / song.tempo_bpm
    beat_s = quarter * band.quarters_per_beat
    n_bars = band.n_bars // band.quarters_per_beat
    n_samples = int((band.n_bars * 4 * quarter + _TAIL_S) * sr)
    vocals_db, drums_db, bass_db = band.levels_db

    bars = harmony.chords(band.style, song.tonic, parts[0])
    beaten = drums.play(band.kit, band.style, song.tempo_bpm, band.swing, band.n_bars, n_samples, sr, parts[1])
    beaten = beaten + band.kit.room * reverberate(beaten.mean(axis=0), sr, band.kit.room_decay_s, 5000.0)
    low = bass.play(band.bass, band.style, [bar[0] for bar in bars], beat_s, n_bars, n_samples, sr, parts[2])
    other = np.zeros((2, n_samples), np.float32)
    for layer in band.layers:
        chordal = harmony.play(layer.sound, layer.rhythm, bars, layer.octave, beat_s, n_bars, n_samples, sr, parts[3])
        other += level(chordal, layer.level_db)
    other += np.float32(0.25) * reverberate(other.mean(axis=0), sr, band.room_s, 3500.0)
    sung = np.zeros((2, n_samples), np.float32)
    if not song.instrumental:
        scale = harmony.SCALE_OF[band.style]
        line = write_line(singer, song.tonic, scale, bars, beat_s, n_bars, 1, parts[4])
        voice = sing(singer, line, n_samples, sr, parts[4])
        sung = level(pan(voice, 0.0) + np.float32(0.22) * reverberate(voice, sr, band.room_s, 4500.0), vocals_db)
    beaten, low, other = (tone(y, sr, *band.tone_db) for y in (level(beaten, drums_db), low, other))
    return limit({"vocals": sung, "drums": beaten, "bass": level(pan(low, 0.0), bass_db), "other": other})


def write_library(folder: Path, on_song: Callable[[Song], None] | None = None) -> list[Path]:
    """Render every song into ``folder/music`` as tagged FLAC, and its truth into ``folder/truth.json``.

    What is there already, of this version, is left as it is.

    Parameters
    ----------
    folder
        Made where missing.
    on_song
        Called after each song.
    """
    music, truth = folder / "music", folder / "truth.json"
    music.mkdir(parents=True, exist_ok=True)
    sweep(music)
    keep = truth.is_file() and json.loads(truth.read_text(encoding="utf-8")).get("version") == VERSION
    library = songs()
    for song in library:
        path = music / song.filename
        if not (keep and path.is_file()):
            _write(path, song)
        if on_song is not None:
            on_song(song)
    if not keep:
        document = {"version": VERSION, "tracks": [_truth(song) for song in library]}
        write_text(truth, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return [music / song.filename for song in library]


def _write(path: Path, song: Song) -> None:
    from mutagen.flac import FLAC

    from separation.encode import Encoding, open_writer

    def tag(unfinished: Path) -> None:
        tags = FLAC(unfinished)
        tags.update(
            {
                "artist": song.act.name,
                "title": song.title,
                "album": song.act.album,
                "genre": song.act.band.style,
                "date": str(song.act.year),
            }
        )
        tags.save()

    mixture = np.sum(list(render(song).values()), axis=0)
    with open_writer(path, SAMPLE_RATE_HZ, mixture.shape[0], Encoding("flac"), before_publish=tag) as writer:
        writer.write(mixture)


def _truth(song: Song) -> dict[str, object]:
    return {
        "file": song.filename,
        "title": song.title,
        "artist": song.act.name,
        "singer": song.act.singer.name,
        "band": song.act.band.name,
        "genre": song.act.band.style,
        "tempo_bpm": song.tempo_bpm,
        "key": song.key,
        "instrumental": song.instrumental,
    }
