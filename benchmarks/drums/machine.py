"""Synthetic drum patterns: known tempo and strokes in styles and tempi that the recordings lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.base import Samples

Doubles = NDArray[np.float64]
Bar = Mapping[str, str]

DRUM_OF_SOUND = {"k": 0, "s": 1, "h": 2, "o": 2}
"""Kick, snare, closed and open hi-hat, as rows of `features.drum_voices.DRUMS`."""
GAIN_OF_MARK = {"X": 1.0, "x": 0.6, "-": 0.25}
EIGHTHS = "x.x.x.x.x.x.x.x."
BACKBEAT = "....X.......X..."
FOUR = "X...X...X...X..."
OFFBEATS = "..x...x...x...x."


@dataclass(frozen=True, slots=True)
class Style:
    """A pattern and how fast it is played.

    Parameters
    ----------
    slowest_bpm, fastest_bpm
        Usual tempi.
    bars
        Sixteen steps a sound and bar, repeated in turn: ``X`` loud, ``x`` softer, ``-`` a ghost note.
    """

    slowest_bpm: float
    fastest_bpm: float
    bars: Sequence[Bar]


STYLES: Mapping[str, Style] = {
    "house": Style(116, 130, [{"k": FOUR, "s": BACKBEAT, "o": OFFBEATS, "h": EIGHTHS}]),
    "house without snare": Style(118, 128, [{"k": FOUR, "h": OFFBEATS}]),
    "techno": Style(126, 146, [{"k": FOUR, "h": "x" * 16, "o": OFFBEATS}]),
    "drum and bass": Style(165, 180, [{"k": "X.........X.....", "s": BACKBEAT, "h": EIGHTHS}]),
    "drum and bass, two bars": Style(
        165,
        180,
        [
            {"k": "X.........X.....", "s": "....X..-....X...", "h": EIGHTHS},
            {"k": "X..X......X.....", "s": "....X.-..-..X...", "h": EIGHTHS},
        ],
    ),
    "jungle": Style(
        158,
        176,
        [
            {"k": "X.X.......XX....", "s": "....X..-.-..X..-", "h": EIGHTHS},
            {"k": "X.X.......X.....", "s": "....X..-.-....X.", "h": EIGHTHS},
        ],
    ),
    "hip-hop": Style(80, 100, [{"k": "X.....X.X.X.....", "s": BACKBEAT, "h": EIGHTHS}]),
    "hip-hop, busy hats": Style(78, 98, [{"k": "X..X....X.X.....", "s": "....X.......X..-", "h": "x.xxx.x.x.xxx.x."}]),
    "rock": Style(90, 150, [{"k": "X.......X.......", "s": BACKBEAT, "h": EIGHTHS}]),
    "rock, three kicks": Style(90, 150, [{"k": "X.......X.X.....", "s": BACKBEAT, "h": EIGHTHS}]),
    "rock, hats in four": Style(110, 170, [{"k": "X.......X.......", "s": BACKBEAT, "h": "x...x...x...x..."}]),
    "disco": Style(108, 126, [{"k": FOUR, "s": BACKBEAT, "h": "x.xxx.xxx.xxx.xx", "o": OFFBEATS}]),
    "dembow": Style(86, 102, [{"k": FOUR, "s": "...X..X....X..X.", "h": EIGHTHS}]),
    "punk": Style(160, 200, [{"k": "X.......X.......", "s": BACKBEAT, "h": EIGHTHS}]),
    "ballad": Style(60, 76, [{"k": "X.......X.......", "s": BACKBEAT, "h": EIGHTHS}]),
    "ballad in sixteenths": Style(60, 80, [{"k": "X......XX.......", "s": BACKBEAT, "h": "x" * 16}]),
    "funk": Style(92, 116, [{"k": "X.X....-..X..X..", "s": "....X..-.-..X...", "h": "x" * 16}]),
    "one drop": Style(66, 82, [{"k": BACKBEAT, "s": "....x.......x...", "h": EIGHTHS}]),
    "motown": Style(100, 130, [{"k": "X.....X.X.....X.", "s": FOUR, "h": EIGHTHS}]),
    "shuffle": Style(90, 140, [{"k": "X.......X.......", "s": BACKBEAT, "h": EIGHTHS}]),
    "trance": Style(132, 142, [{"k": FOUR, "o": "..X...X...X...X.", "s": BACKBEAT}]),
    "garage": Style(128, 136, [{"k": "X.........X.....", "s": BACKBEAT, "h": "..x...x...x..xx."}]),
}
OFTEN_SWUNG = ("hip-hop", "hip-hop, busy hats", "funk")


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke of a sound.

    Parameters
    ----------
    time_s
        Seconds from the beginning.
    sound
        Key of `DRUM_OF_SOUND`.
    gain
        1 for a loud one.
    """

    time_s: float
    sound: str
    gain: float


@dataclass(frozen=True, slots=True)
class Pattern:
    """A played and rendered pattern.

    Parameters
    ----------
    style, bpm
        What is played, how fast in beats a minute.
    hits
        Every stroke.
    y
        Sound, shape ``(n_samples,)``.
    """

    style: str
    bpm: float
    start_s: float
    hits: Sequence[Hit]
    y: Samples


def random_pattern(rng: np.random.Generator, sr: int, style: str | None = None) -> Pattern:
    """Play a style for 9 to 26 s with a kit, tempo, looseness, dynamics and swing drawn at random.

    Parameters
    ----------
    rng
        Draws everything.
    sr
        Sample rate in Hz.
    style
        Key of `STYLES`; drawn where None.
    """
    name = style or str(rng.choice(list(STYLES)))
    bpm = float(rng.uniform(STYLES[name].slowest_bpm, STYLES[name].fastest_bpm))
    swing = 1.0
    if name == "shuffle":
        swing = float(rng.uniform(1.6, 2.1))
    elif name in OFTEN_SWUNG and rng.random() < 0.5:
        swing = float(rng.uniform(1.05, 1.35))
    duration_s = float(rng.uniform(9, 26))
    start_s, hits = _play(STYLES[name].bars, bpm, duration_s, swing, rng)
    return Pattern(name, bpm, start_s, hits, _render(hits, duration_s, sr, _sounds(sr, rng)))


def _play(
    bars: Sequence[Bar], bpm: float, duration_s: float, swing: float, rng: np.random.Generator
) -> tuple[float, list[Hit]]:
    """Repeat bars from a second on; swing is the ratio of the first eighth of a beat to the second."""
    jitter_s, dropped, start_s = rng.uniform(0, 0.009), rng.uniform(0, 0.06), rng.uniform(0, 2)
    hits = []
    for n in range(int(np.ceil(duration_s * bpm / 240))):
        for sound, steps in bars[n % len(bars)].items():
            for step, mark in enumerate(steps):
                if mark == "." or rng.random() < dropped:
                    continue
                eighth, sixteenth = divmod(step, 2)
                beat = 4 * n + eighth // 2 + (swing / (1 + swing) if eighth % 2 else 0) + 0.25 * sixteenth
                time_s = start_s + beat * 60 / bpm + rng.normal(0, jitter_s)
                hits.append(Hit(time_s, sound, GAIN_OF_MARK[mark] * rng.uniform(0.8, 1.2)))
    return float(start_s), hits


def _sounds(sr: int, rng: np.random.Generator) -> dict[str, Doubles]:
    """A kit: a falling sine, two sines with noise, and noise without its lows, short and long."""
    t = np.arange(int(0.4 * sr)) / sr
    fade = np.minimum(1, (t[-1] - t) / 0.02)
    noise = rng.standard_normal((4, t.size))
    pitch = rng.uniform(40, 60) + rng.uniform(60, 160) * np.exp(-t / rng.uniform(0.015, 0.04))
    kick = np.sin(2 * np.pi * np.cumsum(pitch) / sr) * np.exp(-t / rng.uniform(0.06, 0.16))
    click = int(0.004 * sr)
    kick[:click] += rng.uniform(0.1, 0.5) * noise[0, :click]
    low_hz = rng.uniform(160, 240)
    snare = rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * low_hz * t) * np.exp(-t / rng.uniform(0.04, 0.1))
    snare += rng.uniform(0.2, 0.7) * np.sin(2 * np.pi * 1.78 * low_hz * t) * np.exp(-t / 0.04)
    snare += 0.7 * rng.uniform(0.4, 1) * np.diff(noise[1], append=0) * np.exp(-t / rng.uniform(0.05, 0.14))
    closed = 0.25 * np.diff(noise[2], n=2, append=[0, 0]) * np.exp(-t / rng.uniform(0.015, 0.05))
    opened = 0.2 * np.diff(noise[3], n=2, append=[0, 0]) * np.exp(-t / 0.12)
    return {"k": kick * fade, "s": 0.7 * snare * fade, "h": 0.6 * closed * fade, "o": opened * fade}


def _render(hits: Sequence[Hit], duration_s: float, sr: int, sounds: Mapping[str, Doubles]) -> Samples:
    """Add up the sounds."""
    n = int(duration_s * sr)
    y = np.zeros(n + sr)
    for hit in hits:
        start, sound = round(hit.time_s * sr), sounds[hit.sound]
        if 0 <= start < n:
            y[start : start + sound.size] += hit.gain * sound
    return (0.3 * y[:n]).astype(np.float32)
