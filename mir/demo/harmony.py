"""Chords and what plays them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mir.demo.room import add, pan

Signal = NDArray[np.float32]

PROGRESSIONS: dict[str, tuple[tuple[tuple[int, str], ...], ...]] = {
    "House": (((0, "m7"), (8, "M7"), (3, "M7"), (10, "M")), ((0, "m7"), (5, "m7"), (10, "M"), (3, "M7"))),
    "Drum & Bass": (
        ((0, "m9"), (8, "M7"), (5, "m7"), (10, "M")),
        ((0, "m9"), (3, "M7"), (8, "M7"), (7, "m7")),
    ),
    "Rock": (
        ((0, "M"), (7, "M"), (9, "m"), (5, "M")),
        ((0, "M"), (5, "M"), (0, "M"), (7, "M")),
        ((0, "M"), (9, "m"), (5, "M"), (7, "M")),
    ),
    "Hip Hop": (((0, "m9"), (5, "m7"), (0, "m9"), (10, "M7")), ((0, "m9"), (3, "M7"), (5, "m7"), (7, "m7"))),
}
"""Four bars of each style: semitones above the tonic, and a name of `_QUALITIES`."""

SCALE_OF = {"House": "minor", "Drum & Bass": "minor", "Rock": "major", "Hip Hop": "dorian"}

_QUALITIES = {"M": (0, 4, 7), "m": (0, 3, 7), "M7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "m9": (0, 3, 10, 14)}

_RHYTHMS: dict[str, tuple[tuple[float, float], ...]] = {
    "pad": ((0.0, 4.0),),
    "stabs": ((0.5, 0.35), (1.25, 0.3), (2.5, 0.35), (3.25, 0.3)),
    "strum": ((0.0, 0.9), (1.0, 0.45), (1.5, 0.45), (2.0, 0.9), (3.0, 0.45), (3.5, 0.45)),
    "keys": ((0.0, 1.4), (1.75, 0.6), (2.5, 1.3)),
    "arpeggio": (),
}


def chords(style: str, tonic: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Pitch classes of four bars, root first."""
    progression = PROGRESSIONS[style][int(rng.integers(len(PROGRESSIONS[style])))]
    return [tuple((tonic + degree + step) % 12 for step in _QUALITIES[quality]) for degree, quality in progression]


def play(
    sound: str,
    rhythm: str,
    bars: Sequence[Sequence[int]],
    octave: int,
    beat_s: float,
    n_bars: int,
    n_samples: int,
    sr: int,
    rng: np.random.Generator,
) -> Signal:
    """Play chords.

    Parameters
    ----------
    sound, rhythm
        Names of `SOUNDS` and of `_RHYTHMS`.
    bars
        Pitch classes of each bar's chord; repeated as needed.
    octave
        MIDI note above which the chord is spread.
    beat_s, n_bars, n_samples, sr
        Length of a beat in seconds, bars, samples of the answer, sample rate in Hz.
    rng
        Humanisation.

    Returns
    -------
    Stereo samples, shape ``(2, n_samples)``.
    """
    out = np.zeros((2, n_samples), np.float32)
    known: dict[tuple[int, float], Signal] = {}
    for bar in range(n_bars):
        which = bar % len(bars)
        notes = [octave + (pitch - octave) % 12 for pitch in bars[which]]
        if rhythm == "arpeggio":
            events = [(0.5 * i, 0.9, [notes[i % len(notes)] + 12 * (i % 8 >= len(notes))]) for i in range(8)]
        else:
            events = [(beat, length, notes) for beat, length in _RHYTHMS[rhythm]]
        for number, (beat, length, chosen) in enumerate(events):
            key = (which * 100 + (number if rhythm == "arpeggio" else 0), length)
            if key not in known:
                known[key] = _chord(sound, chosen, length * beat_s, rhythm == "strum", sr, rng)
            velocity = np.float32((1.0 if beat == int(beat) else 0.8) * (1.0 + rng.normal(0.0, 0.06)))
            add(
                out,
                known[key] * velocity,
                round(((bar * 4 + beat) * beat_s + float(rng.normal(0.0, 0.003))) * sr),
            )
    return out


def _chord(
    sound: str, notes: Sequence[int], duration_s: float, strummed: bool, sr: int, rng: np.random.Generator
) -> Signal:
    spread = np.linspace(-0.55, 0.55, len(notes)) if len(notes) > 1 else np.zeros(1)
    voices = [SOUNDS[sound](440.0 * 2.0 ** ((note - 69) / 12.0), duration_s, sr, rng) for note in notes]
    delay = int(0.014 * sr) if strummed else 0
    out = np.zeros((2, max(v.size for v in voices) + delay * len(voices)), np.float32)
    for number, (voice, where) in enumerate(zip(voices, spread, strict=True)):
        add(out, pan(voice, float(where)), number * delay)
    return out


def _electric_piano(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Two FM pairs: a warm tone and a tine that dies quickly.

    References
    ----------
    J. Chowning: "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation", JAES 21, 1973.
    """
    t, envelope = _note(duration_s, 0.003, 0.12, sr)
    phase = 2.0 * np.pi * f0_hz * t
    body = np.sin(phase + (0.9 * np.exp(-t / 0.5)) * np.sin(phase))
    tine = 0.25 * np.exp(-t / 0.25) * np.sin(phase + np.exp(-t / 0.06) * np.sin(14.0 * phase))
    tremolo = 1.0 + 0.18 * np.sin(2.0 * np.pi * 4.6 * t + rng.uniform(0.0, 6.0))
    return np.asarray((body + tine) * np.exp(-t / 1.1) * tremolo * envelope, np.float32)


def _organ(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Drawbars with a key click."""
    t, envelope = _note(duration_s, 0.006, 0.04, sr)
    bars = ((0.5, 0.7), (1.0, 1.0), (1.5, 0.45), (2.0, 0.6), (3.0, 0.3), (4.0, 0.22), (6.0, 0.1), (8.0, 0.08))
    y = sum(gain * np.sin(2.0 * np.pi * ratio * f0_hz * t + rng.uniform(0.0, 6.0)) for ratio, gain in bars)
    return np.asarray((y + 0.3 * rng.standard_normal(t.size) * np.exp(-t / 0.003)) * envelope, np.float32)


def _pad(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Three slightly mistuned saws, softened; slow to come and to go."""
    t, envelope = _note(duration_s, min(0.25, 0.3 * duration_s), 0.2, sr)
    y = np.zeros(t.size)
    for cents in (-9.0, 2.0, 8.0):
        frequency = f0_hz * 2.0 ** (cents / 1200.0)
        y += ((frequency * t + rng.uniform()) % 1.0) * 2.0 - 1.0
    from scipy.signal import lfilter

    pole = np.exp(-2.0 * np.pi * 1100.0 / sr)
    return np.asarray(lfilter([(1.0 - pole) ** 2], [1.0, -2.0 * pole, pole**2], y) * envelope, np.float32)


def _string(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Pluck a string: a burst of noise that goes round a damped delay line, one period at a time.

    References
    ----------
    K. Karplus, A. Strong: "Digital Synthesis of Plucked-String and Drum Timbres", CMJ 7, 1983.
    """
    period = max(round(sr / f0_hz - 0.5), 2)
    t, envelope = _note(duration_s, 0.001, 0.06, sr)
    rounds = -(-t.size // period)
    burst = rng.uniform(-1.0, 1.0, period)
    # Going round n times is the loop's filter to the power n: all rounds at once in the frequency domain.
    frequencies = np.arange(period // 2 + 1) / period
    loop = 0.9975 * np.cos(np.pi * frequencies)
    turns = np.arange(rounds)[:, None]
    # A soft pick: the burst is darker than white noise.
    pick = np.fft.rfft(burst - burst.mean()) / (1.0 + (np.arange(period // 2 + 1) / 8.0) ** 2)
    spectra = pick[None, :] * np.abs(loop)[None, :] ** turns
    y = np.fft.irfft(spectra, period, axis=1).reshape(-1)[: t.size]
    return np.asarray(y * envelope, np.float32)


def _drive(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Overdrive a string with its fifth."""
    t, envelope = _note(duration_s, 0.002, 0.05, sr)
    y = np.zeros(t.size)
    for ratio in (1.0, 1.498):
        for n in range(1, 8):
            y += np.sin(2.0 * np.pi * n * ratio * f0_hz * t + rng.uniform(0.0, 6.0)) / n * np.exp(-t * (0.5 + 0.3 * n))
    return np.asarray(np.tanh(2.2 * y) * envelope, np.float32)


def _bell(f0_hz: float, duration_s: float, sr: int, rng: np.random.Generator) -> Signal:
    """Glassy FM with a ratio that does not fit."""
    t, envelope = _note(duration_s, 0.002, 0.3, sr)
    phase = 2.0 * np.pi * f0_hz * t
    return np.asarray(
        np.sin(phase + 1.4 * np.exp(-t / 0.35) * np.sin(3.51 * phase)) * np.exp(-t / 0.6) * envelope,
        np.float32,
    )


def _note(
    duration_s: float, attack_s: float, release_s: float, sr: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    t = np.arange(int((duration_s + release_s) * sr)) / sr
    return t, np.minimum(t / attack_s, 1.0) * np.clip((duration_s + release_s - t) / release_s, 0.0, 1.0)


SOUNDS: dict[str, Callable[[float, float, int, np.random.Generator], Signal]] = {
    "electric piano": _electric_piano,
    "organ": _organ,
    "pad": _pad,
    "string": _string,
    "drive": _drive,
    "bell": _bell,
}
