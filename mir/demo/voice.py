"""Singers made of a glottal source and a vocal tract.

References
----------
G. Fant: "Acoustic Theory of Speech Production", Mouton, 1960 (source and filter).
D. Klatt: "Software for a cascade/parallel formant synthesizer", JASA 67, 1980 (resonators, noise sources).
G. Peterson, H. Barney: "Control methods used in a study of the vowels", JASA 24, 1952 (formants).
J. Sundberg: "The Science of the Singing Voice", Northern Illinois University Press, 1987 (vibrato).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mir.demo.glottis import phonate

Signal = NDArray[np.float32]

VOWELS: dict[str, tuple[float, float, float]] = {
    "a": (730.0, 1090.0, 2440.0),
    "ae": (660.0, 1720.0, 2410.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (280.0, 2250.0, 2950.0),
    "o": (560.0, 860.0, 2410.0),
    "u": (320.0, 880.0, 2240.0),
    "er": (490.0, 1350.0, 1690.0),
    "uh": (630.0, 1180.0, 2390.0),
}
"""First three formants in Hz of a man with a tract of 17.5 cm."""

DIPHTHONGS = {"a": "i", "e": "i", "o": "u", "er": "uh", "uh": "u"}
"""Where a held vowel turns to before it ends."""

NASAL = (270.0, 1200.0, 2300.0)
LIQUID = (360.0, 1150.0, 2600.0)
_REFERENCE_TRACT_CM = 17.5
_HOP, _FRAME, _N_FFT = 512, 1024, 2048
_CONTROL_S = 0.002


@dataclass(frozen=True, slots=True)
class Singer:
    """What makes one voice differ from another.

    Parameters
    ----------
    name
        Who it is.
    low, high
        Range as MIDI notes.
    tract_cm
        Length from folds to lips; formants scale with its inverse.
    rd
        Glottal shape when loud and when soft, see `mir.demo.glottis.pulse`.
    breath
        Aspiration relative to the voiced source.
    vibrato_hz, vibrato_semitones, vibrato_delay_s
        Rate, extent (peak) and how long a note is held straight.
    glide_s
        Time from one note to the next.
    bandwidth
        Width of the formants, 1 is typical.
    ring_db
        Strength of the singer's formant near 3 kHz.
    shape
        Factors on formants 1 to 5: the individual part of a tract, beside its length.
    nasality
        0 … 1, how open the way to the nose stays in vowels.
    sibilance_hz
        Centre of this singer's s.
    """

    name: str
    low: int
    high: int
    tract_cm: float
    rd: tuple[float, float]
    breath: float
    vibrato_hz: float
    vibrato_semitones: float
    vibrato_delay_s: float
    glide_s: float
    bandwidth: float
    ring_db: float
    shape: tuple[float, float, float, float, float]
    nasality: float
    sibilance_hz: float


@dataclass(frozen=True, slots=True)
class Syllable:
    """One sung syllable: a consonant, then a vowel on a note."""

    start_s: float
    duration_s: float
    midi: float
    vowel: str
    consonant: str
    velocity: float
    first: bool


def sing(singer: Singer, syllables: Sequence[Syllable], n_samples: int, sr: int, rng: np.random.Generator) -> Signal:
    """Sing a line.

    Returns
    -------
    Mono samples of shape ``(n_samples,)``, peak about 1, silent between phrases.
    """
    if not syllables:
        return np.zeros(n_samples, np.float32)
    control = np.arange(0.0, n_samples / sr + _CONTROL_S, _CONTROL_S)
    seconds = np.arange(n_samples) / sr
    loudness = _loudness(syllables, control)
    f0_hz = np.interp(seconds, control, _pitch(singer, syllables, control, rng))
    gate = np.interp(seconds, control, loudness).astype(np.float32)

    source, opening = phonate(f0_hz, np.minimum(gate * 1.1, 1.0), singer.rd, sr)
    breath = rng.standard_normal(n_samples, dtype=np.float32)
    excitation = source * gate + singer.breath * breath * (0.35 + 0.65 * opening) * np.sqrt(gate)
    excitation += 0.05 * breath * np.interp(seconds, control, _inhaling(syllables, control)).astype(np.float32)

    voice = _tract(singer, excitation, _formants(singer, syllables, f0_hz[::_HOP], sr), sr)
    voice /= max(float(np.abs(voice).max()), 1e-9)
    voice += _consonants(singer, syllables, n_samples, sr, rng)
    return voice


def _pitch(
    singer: Singer, syllables: Sequence[Syllable], control: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Fundamental frequency in Hz over control time: notes, glides, scoops, vibrato and slow drift."""
    starts = np.array([s.start_s for s in syllables])
    notes = np.array([s.midi for s in syllables])
    where = np.clip(np.searchsorted(starts, control + 0.4 * singer.glide_s, side="right") - 1, 0, None)
    midi = notes[where].astype(float)
    since = control - starts[where]
    first = np.array([s.first for s in syllables])[where]
    midi -= np.where(first, 2.0, 0.5) * np.exp(-np.maximum(since, 0.0) / 0.06)
    midi = _smooth(midi, singer.glide_s)

    depth = np.clip((since - singer.vibrato_delay_s) / 0.25, 0.0, 1.0) * singer.vibrato_semitones
    wander = _smooth(rng.standard_normal(control.size), 0.25) * np.sqrt(0.25 / _CONTROL_S)
    rate = singer.vibrato_hz * (1.0 + 0.03 * wander)
    vibrato = _smooth(depth, 0.1) * np.sin(2.0 * np.pi * np.cumsum(rate) * _CONTROL_S + rng.uniform(0.0, 6.0))
    drift = 0.08 * _smooth(rng.standard_normal(control.size), 0.12) * np.sqrt(0.12 / _CONTROL_S)
    return 440.0 * 2.0 ** ((midi + vibrato + drift - 69.0) / 12.0)


def _loudness(syllables: Sequence[Syllable], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strength of the voiced source over control time, 0 … 1."""
    loudness = np.zeros(control.size)
    for syllable in syllables:
        gap = {"": 0.0, "m": 0.0, "n": 0.0, "l": 0.0}.get(syllable.consonant, 0.06)
        begin, end = syllable.start_s + gap, syllable.start_s + syllable.duration_s
        inside = slice(*np.searchsorted(control, (begin, end)))
        t = control[inside] - begin
        swell = 0.82 + 0.18 * np.sin(np.pi * np.clip(t / max(end - begin, 0.1), 0.0, 1.0))
        loudness[inside] = syllable.velocity * swell
        if syllable.consonant in ("m", "n", "l"):
            loudness[inside] *= np.where(t < 0.07, 0.45, 1.0)
    return np.clip(_smooth(loudness, 0.035), 0.0, 1.0)


def _inhaling(syllables: Sequence[Syllable], control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Strength of the breath that is taken before a phrase, over control time, 0 … 1."""
    breath = np.zeros(control.size)
    for syllable in (s for s in syllables if s.first):
        t = (control - (syllable.start_s - 0.38)) / 0.30
        breath += np.where((t > 0.0) & (t < 1.0), np.sin(np.pi * np.clip(t, 0.0, 1.0)) ** 2, 0.0)
    return np.clip(breath, 0.0, 1.0)


def _formants(
    singer: Singer, syllables: Sequence[Syllable], f0_hz: NDArray[np.float64], sr: int
) -> NDArray[np.float64]:
    """Frequencies of five formants over frames, shape ``(n_frames, 5)``, in Hz."""
    times = np.arange(f0_hz.size) * _HOP / sr
    targets = np.tile(np.array(VOWELS["uh"]), (times.size, 1))
    for syllable in syllables:
        begin, end = np.searchsorted(times, (syllable.start_s - 0.01, syllable.start_s + syllable.duration_s + 0.05))
        goal = np.array(VOWELS[syllable.vowel])
        turned = np.array(VOWELS[DIPHTHONGS.get(syllable.vowel, syllable.vowel)])
        way = np.clip(np.linspace(-0.5, 0.7, end - begin), 0.0, 0.6)[:, None]
        targets[begin:end] = goal + way * (turned - goal)
        if syllable.consonant in ("m", "n", "l"):
            onset = np.searchsorted(times, syllable.start_s + 0.07)
            targets[begin:onset] = LIQUID if syllable.consonant == "l" else NASAL
    scale = _REFERENCE_TRACT_CM / singer.tract_cm
    high = np.array([3500.0, 4450.0])
    formants = np.concatenate([targets, np.tile(high, (times.size, 1))], axis=1) * scale * np.array(singer.shape)
    formants = np.stack([_smooth(column, 0.045, step_s=_HOP / sr) for column in formants.T], axis=1)
    # A singer opens the jaw rather than let the pitch rise above the first formant.
    formants[:, 0] = np.maximum(formants[:, 0], 1.04 * f0_hz)
    return formants


def _tract(singer: Singer, excitation: Signal, formants_hz: NDArray[np.float64], sr: int) -> Signal:
    """Filter an excitation by a changing cascade of resonators, frame by frame, overlapped and added."""
    z1 = np.exp(-2j * np.pi * np.arange(_N_FFT // 2 + 1) / _N_FFT).astype(np.complex64)
    window = np.hanning(_FRAME + 1)[:_FRAME].astype(np.float32)
    n_frames = formants_hz.shape[0]
    padded = np.concatenate([np.zeros(_FRAME // 2, np.float32), excitation, np.zeros(_N_FFT, np.float32)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[: n_frames * _HOP : _HOP][:n_frames]
    sounding = np.flatnonzero(np.abs(frames).max(axis=1) > 1e-4)

    spectrum = np.fft.rfft(frames[sounding] * window, _N_FFT, axis=1).astype(np.complex64)
    bandwidths = singer.bandwidth * np.array([70.0 + 110.0 * singer.nasality, 85.0, 120.0, 170.0, 250.0])
    chosen = formants_hz[sounding]
    denominator = np.ones_like(spectrum)
    gain = np.ones(sounding.size)
    for k in range(5):
        radius = np.exp(-np.pi * bandwidths[k] / sr)
        b = 2.0 * radius * np.cos(2.0 * np.pi * chosen[:, k] / sr)
        gain *= 1.0 - b + radius**2
        denominator *= 1.0 - b.astype(np.complex64)[:, None] * z1 + np.complex64(radius**2) * z1 * z1
    spectrum *= (gain.astype(np.float32)[:, None] * _upper_tract(singer, sr).astype(np.complex64)) / denominator

    waves = np.fft.irfft(spectrum, _N_FFT, axis=1).astype(np.float32)
    out = np.zeros(n_frames * _HOP + _N_FFT, np.float32)
    hops = np.zeros((n_frames, _N_FFT), np.float32)
    hops[sounding] = waves
    for part in range(_N_FFT // _HOP):
        block = hops[:, part * _HOP : (part + 1) * _HOP].reshape(-1)
        out[part * _HOP : part * _HOP + block.size] += block
    return out[_FRAME // 2 : _FRAME // 2 + excitation.size]


def _upper_tract(singer: Singer, sr: int) -> NDArray[np.complex128]:
    """Return what does not change with the vowel: higher resonances, the singer's formant and the nose."""
    frequencies = np.arange(_N_FFT // 2 + 1) * sr / _N_FFT
    z1 = np.exp(-2j * np.pi * frequencies / sr)
    spacing = 34_300.0 / (2.0 * singer.tract_cm)
    response = np.ones(z1.size, np.complex128)
    for number in range(6, 15):
        centre = spacing * (number - 0.5)
        if centre < 0.45 * sr:
            response *= _resonance(centre, 90.0 + 0.055 * centre, z1, sr)
    ring = 2950.0 * (_REFERENCE_TRACT_CM / singer.tract_cm) ** 0.5
    response *= 1.0 + (10.0 ** (singer.ring_db / 20.0) - 1.0) * np.exp(-0.5 * ((frequencies - ring) / 420.0) ** 2)
    dip = 1.0 - 0.75 * singer.nasality * np.exp(-0.5 * ((frequencies - 850.0) / 260.0) ** 2)
    bump = 1.0 + 0.9 * singer.nasality * np.exp(-0.5 * ((frequencies - 300.0) / 120.0) ** 2)
    # What a mixing desk adds so that words carry.
    presence = 1.0 + 3.2 / (1.0 + (3000.0 / np.maximum(frequencies, 1.0)) ** 3)
    presence *= 1.0 + 2.5 / (1.0 + (5500.0 / np.maximum(frequencies, 1.0)) ** 4)
    return np.asarray(response * dip * bump * presence, np.complex128)


def _resonance(centre_hz: float, bandwidth_hz: float, z1: NDArray[np.complex128], sr: int) -> NDArray[np.complex128]:
    radius = np.exp(-np.pi * bandwidth_hz / sr)
    b = 2.0 * radius * np.cos(2.0 * np.pi * centre_hz / sr)
    response = (1.0 - b + radius**2) / (1.0 - b * z1 + radius**2 * z1**2)
    return np.asarray(response, np.complex128)


_NOISE_BANDS = {
    "s": (1.0, 0.35, 0.12),
    "sh": (0.55, 0.4, 0.12),
    "f": (0.9, 0.9, 0.04),
    "h": (0.25, 0.8, 0.05),
    "t": (0.75, 0.5, 0.14),
    "k": (0.32, 0.35, 0.14),
    "p": (0.14, 0.8, 0.10),
}
"""Of each noisy consonant: centre relative to the singer's s, relative width, level."""


def _consonants(
    singer: Singer, syllables: Sequence[Syllable], n_samples: int, sr: int, rng: np.random.Generator
) -> Signal:
    """Noise of fricatives and bursts of plosives, shape ``(n_samples,)``."""
    out = np.zeros(n_samples, np.float32)
    length = int(0.13 * sr)
    frequencies = np.fft.rfftfreq(length, 1.0 / sr)
    for syllable in syllables:
        if syllable.consonant not in _NOISE_BANDS:
            continue
        place, width, level = _NOISE_BANDS[syllable.consonant]
        centre = place * singer.sibilance_hz
        spectrum = np.fft.rfft(rng.standard_normal(length))
        spectrum *= np.exp(-0.5 * ((frequencies - centre) / (width * centre)) ** 2) * np.minimum(
            1.0, frequencies / 300.0
        )
        noise = np.fft.irfft(spectrum, length)
        noise /= np.sqrt(np.mean(noise**2))
        t = np.arange(length) / sr
        plosive = syllable.consonant in ("t", "k", "p")
        envelope = (
            np.minimum(t / 0.001, 1.0) * np.exp(-t / 0.012)
            if plosive
            else np.sin(np.pi * np.minimum(t / 0.125, 1.0)) ** 1.3
        )
        begin = int((syllable.start_s + (0.045 if plosive else -0.055)) * sr)
        _add(out, noise * envelope * level * syllable.velocity, begin)
    return out


def _add(out: Signal, piece: NDArray[np.floating], begin: int) -> None:
    """Add a piece in place at a sample, clipped to the ends."""
    first, last = max(begin, 0), min(begin + piece.size, out.size)
    if last > first:
        out[first:last] += piece[first - begin : last - begin].astype(np.float32)


def _smooth(values: NDArray[np.float64], time_s: float, step_s: float = _CONTROL_S) -> NDArray[np.float64]:
    """Average under a Hann window of twice `time_s`, ends held."""
    half = max(round(time_s / step_s), 1)
    kernel = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
