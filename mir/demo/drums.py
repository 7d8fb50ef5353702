"""Drum kits from sines and noise, and the patterns that bands play on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mir.demo.room import add, pan

Signal = NDArray[np.float32]

PANS = {
    "kick": 0.0,
    "snare": 0.0,
    "clap": 0.05,
    "rim": -0.2,
    "closed": 0.25,
    "open": 0.25,
    "ride": -0.35,
    "crash": -0.3,
}

_VELOCITIES = {"X": 1.0, "x": 0.8, "o": 0.5, ".": 0.28}

Pattern = Mapping[str, str]
"""Instrument → a character a sixteenth: ``X`` loud, ``x`` normal, ``o`` soft, ``.`` ghost, ``-`` nothing."""

GROOVES: dict[str, tuple[Pattern, ...]] = {
    "House": (
        {
            "kick": "X---X---X---X---",
            "clap": "----X-------X---",
            "closed": "o-.oo-.oo-.oo-.o",
            "open": "--x---x---x---x-",
        },
        {
            "kick": "X---X---X---X--.",
            "clap": "----X-------X-o-",
            "closed": ".o-.o.-..o-.o.-o",
            "open": "--x---x---x---x-",
        },
    ),
    "Drum & Bass": (
        {
            "kick": "X---------x-----",
            "snare": "----X--.-.--X--.",
            "closed": "x-o-x-o-x-o-x-o-",
            "ride": "----------------",
        },
        {
            "kick": "X-x-------x--o--",
            "snare": "----X--.-o--X---",
            "closed": "x-o-x-oox-o-x-o-",
            "ride": "----------------",
        },
        {
            "kick": "X---------xx----",
            "snare": "----X-.--.--X-.o",
            "closed": "x-o-x-o-x-o-xoo-",
            "ride": "----------------",
        },
    ),
    "Rock": (
        {
            "kick": "X-------X-x-----",
            "snare": "----X-------X---",
            "closed": "x-o-x-o-x-o-x-o-",
            "crash": "----------------",
        },
        {
            "kick": "X-----x-X-------",
            "snare": "----X-------X---",
            "closed": "x-o-x-o-x-o-x---",
            "open": "--------------x-",
        },
        {
            "kick": "X-x-----X-x---x-",
            "snare": "----X-------X--o",
            "closed": "x-o-x-o-x-o-x-o-",
            "crash": "----------------",
        },
    ),
    "Hip Hop": (
        {
            "kick": "X------x--X-----",
            "snare": "----X-------X---",
            "closed": "x-o-x-o-x-o-x-oo",
            "rim": "---------------.",
        },
        {
            "kick": "X--x------X--x--",
            "snare": "----X--.----X---",
            "closed": "x-o-x-o-x-o-x-o-",
            "open": "--------------o-",
        },
        {
            "kick": "X------x-xX-----",
            "snare": "----X-------X-.-",
            "closed": "x-oox-o-x-o-x-o-",
            "rim": "-------.--------",
        },
    ),
}

FILLS: dict[str, Pattern] = {
    "House": {
        "kick": "X---X---X---X---",
        "clap": "----X-------X-xx",
        "closed": "oooooooooooooooo",
        "open": "--x---x---x---x-",
    },
    "Drum & Bass": {"kick": "X---------x-----", "snare": "----X--x-.x-X-xX", "closed": "x-o-x-o-x-o-x-o-"},
    "Rock": {"kick": "X-------X-------", "snare": "----X---X-xxX.xX", "closed": "x-o-x-o---------"},
    "Hip Hop": {"kick": "X------x--X-----", "snare": "----X-------X-xX", "closed": "x-o-x-o-x-o-x---"},
}


@dataclass(frozen=True, slots=True)
class Kit:
    """How a band's drums are built; frequencies in Hz, times in seconds until −60 dB."""

    kick_from: float
    kick_to: float
    kick_decay: float
    kick_click: float
    snare_tone: float
    snare_wires: float
    snare_decay: float
    hat_pitch: float
    hat_decay: float
    drive: float
    room_decay_s: float
    room: float


def hits(kit: Kit, sr: int, rng: np.random.Generator) -> dict[str, Signal]:
    """Render one hit of each instrument, peak 1, mono."""
    return {
        "kick": _kick(kit, sr, rng),
        "snare": _snare(kit, sr, rng),
        "clap": _clap(kit, sr, rng),
        "rim": _rim(kit, sr),
        "closed": _metal(kit.hat_pitch, kit.hat_decay, sr, rng),
        "open": _metal(kit.hat_pitch, kit.hat_decay * 5.0, sr, rng),
        "ride": _metal(kit.hat_pitch * 0.7, 1.1, sr, rng, bell=0.5),
        "crash": _metal(kit.hat_pitch * 0.55, 1.6, sr, rng),
    }


def play(
    kit: Kit,
    style: str,
    tempo_bpm: float,
    swing: float,
    n_bars: int,
    n_samples: int,
    sr: int,
    rng: np.random.Generator,
) -> Signal:
    """Play a style's patterns for some bars.

    Parameters
    ----------
    kit, style
        What is played on, and a name of `GROOVES`.
    tempo_bpm
        Quarter notes a minute, four to the bar.
    swing
        Where the second sixteenth of each pair falls: 0.5 is straight, 0.67 a triplet.
    n_bars, n_samples
        How much is played, and how long the answer is.
    sr, rng
        Sample rate in Hz; what makes the playing human.

    Returns
    -------
    Stereo samples, shape ``(2, n_samples)``.
    """
    sounds = hits(kit, sr, rng)
    grooves = GROOVES[style]
    order = [int(i) for i in rng.integers(len(grooves), size=4)]
    sixteenth = 60.0 / tempo_bpm / 4.0
    lines = {name: np.zeros(n_samples, np.float32) for name in sounds}
    for bar in range(n_bars):
        pattern = FILLS[style] if bar % 4 == 3 else grooves[order[bar % 4]]
        for name, steps in pattern.items():
            for step, mark in enumerate(steps):
                if mark not in _VELOCITIES:
                    continue
                late = (swing - 0.5) * 2.0 * sixteenth if step % 2 else 0.0
                time = (bar * 16 + step) * sixteenth + late + rng.normal(0.0, 0.0025)
                velocity = _VELOCITIES[mark] * (1.0 + rng.normal(0.0, 0.06))
                add(lines[name], sounds[name] * np.float32(velocity), round(time * sr))
        if bar % 4 == 0 and style in ("Rock", "Drum & Bass"):
            add(lines["crash"], sounds["crash"] * np.float32(0.45), round(bar * 16 * sixteenth * sr))
    levels = {
        "kick": 1.0,
        "snare": 0.75,
        "clap": 0.6,
        "rim": 0.3,
        "closed": 0.24,
        "open": 0.26,
        "ride": 0.2,
        "crash": 0.4,
    }
    out = np.sum(
        [pan(line * np.float32(levels[name]), PANS[name]) for name, line in lines.items() if line.any()],
        axis=0,
    )
    return np.tanh(out * np.float32(kit.drive)).astype(np.float32) / np.float32(kit.drive)


def _kick(kit: Kit, sr: int, rng: np.random.Generator) -> Signal:
    t = _times(kit.kick_decay, sr)
    sweep = kit.kick_to + (kit.kick_from - kit.kick_to) * np.exp(-t / 0.028)
    body = np.sin(2.0 * np.pi * np.cumsum(sweep) / sr) * _decay(t, kit.kick_decay)
    click = rng.standard_normal(t.size) * np.exp(-t / 0.0025) * kit.kick_click
    return _peak(body + click)


def _snare(kit: Kit, sr: int, rng: np.random.Generator) -> Signal:
    t = _times(kit.snare_decay, sr)
    bend = kit.snare_tone * (1.0 + 0.25 * np.exp(-t / 0.012))
    phase = 2.0 * np.pi * np.cumsum(bend) / sr
    tone = (np.sin(phase) + 0.6 * np.sin(1.59 * phase)) * _decay(t, kit.snare_decay * 0.55)
    wires = _band(rng.standard_normal(t.size), 1400.0, 11_000.0, sr) * _decay(t, kit.snare_decay)
    return _peak(0.7 * tone + kit.snare_wires * wires)


def _clap(kit: Kit, sr: int, rng: np.random.Generator) -> Signal:
    t = _times(0.3, sr)
    envelope = sum(np.where(t >= late, np.exp(-(t - late) / 0.006), 0.0) for late in (0.0, 0.011, 0.021))
    envelope = envelope + np.where(t >= 0.03, 0.8 * 10.0 ** (-3.0 * (t - 0.03) / (kit.snare_decay * 1.2)), 0.0)
    return _peak(_band(rng.standard_normal(t.size), 900.0, 5200.0, sr) * envelope)


def _rim(kit: Kit, sr: int) -> Signal:
    t = _times(0.08, sr)
    return _peak(np.sin(2 * np.pi * 1750.0 * t) * _decay(t, 0.05) + np.sin(2 * np.pi * 520.0 * t) * _decay(t, 0.08))


def _metal(pitch_hz: float, decay_s: float, sr: int, rng: np.random.Generator, bell: float = 0.0) -> Signal:
    """Six square waves that do not fit each other, and noise, above a high corner."""
    t = _times(decay_s, sr)
    ratios = (1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523)
    squares = np.sum([np.sign(np.sin(2.0 * np.pi * pitch_hz * ratio * t)) for ratio in ratios], axis=0)
    noise = _band(0.5 * squares + 1.6 * rng.standard_normal(t.size), 6200.0, 17_000.0, sr)
    ping = bell * np.sin(2.0 * np.pi * 5.3 * pitch_hz * t)
    return _peak((noise / np.abs(noise).max() + ping) * np.minimum(t / 0.0006, 1.0) * _decay(t, decay_s))


def _band(noise: NDArray[np.float64], low_hz: float, high_hz: float, sr: int) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(noise.size, 1.0 / sr)
    shape = 1.0 / (1.0 + (low_hz / np.maximum(frequencies, 1.0)) ** 4) / (1.0 + (frequencies / high_hz) ** 4)
    return np.fft.irfft(spectrum * shape, noise.size)


def _times(decay_s: float, sr: int) -> NDArray[np.float64]:
    return np.arange(int(decay_s * sr)) / sr


def _decay(t: NDArray[np.float64], to_60_db_s: float) -> NDArray[np.float64]:
    return 10.0 ** (-3.0 * t / to_60_db_s)


def _peak(y: NDArray[np.float64]) -> Signal:
    return (y / np.abs(y).max()).astype(np.float32)
