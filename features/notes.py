"""From a pitch track to notes: how long they are, how they begin, how they vibrate.

References
----------
Herrera and Bonada, Vibrato extraction and parameterization in the spectral modeling synthesis framework, DAFX, 1998.
Mauch et al., Computer-aided melody note transcription using the Tony software, TENOR, 2015 (notes from pitch tracks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.pitch import PitchTrack

Floats = NDArray[np.float32]

LARGEST_STEP_CENTS = 90.0
"""Between two frames 10 ms apart no voice glides further; beyond it a new run begins."""

NEW_NOTE_CENTS = 80.0
SHORTEST_NOTE_S = 0.07
LONGEST_LEAP_S = 0.02
"""A leap to another note may cost the pitch for this long without the voice having stopped."""

VIBRATO_SMOOTHING_S = 0.18
"""About one turn of a vibrato: what is left after this mean is the note, not its ornament."""

VIBRATO_WINDOW_S = 0.64
VIBRATO_HOP_S = 0.16
VIBRATO_RANGE_HZ = (3.5, 8.5)
SMALLEST_VIBRATO_CENTS = 15.0
LARGEST_VIBRATO_CENTS = 250.0
VIBRATO_PURITY = 0.6
"""Share of a window's pitch movement that one sinusoid has to explain."""

ATTACK_SEARCH_S = 0.3
ATTACK_FROM_DB, ATTACK_TO_DB = -20.0, -3.0


@dataclass(frozen=True, slots=True)
class Vibrato:
    """Vibrato of a track.

    Parameters
    ----------
    rate_hz, extent_cents
        Medians over the windows that vibrate, NaN without any: turns a second, and half the way from trough to crest.
    share
        Share of the windows of held voice that vibrate, 0 to 1; NaN where no voice was held.
    """

    rate_hz: float
    extent_cents: float
    share: float


def voiced_runs(pitch: PitchTrack) -> list[tuple[int, int]]:
    """Stretches of frames with a pitch and no leap, as (first frame, frame after the last)."""
    voiced = pitch.voiced
    cents = 1200 * np.log2(np.where(voiced, pitch.f0_hz, 1.0))
    broken = np.abs(np.diff(cents)) > LARGEST_STEP_CENTS * pitch.hop_s / 0.01
    starts = voiced & np.concatenate([[True], ~voiced[:-1] | broken])
    ends = voiced & np.concatenate([~voiced[1:] | broken, [True]])
    return list(zip(np.flatnonzero(starts).tolist(), (np.flatnonzero(ends) + 1).tolist(), strict=True))


def note_lengths_s(pitch: PitchTrack, runs: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Lengths of the notes in seconds, glides shorter than 70 ms left out; shape ``(n_notes,)``."""
    lengths: list[float] = []
    width = max(1, round(VIBRATO_SMOOTHING_S / pitch.hop_s)) | 1
    for start, stop in runs:
        cents = 1200 * np.log2(pitch.f0_hz[start:stop].astype(np.float64))
        if cents.size > width:
            padded = np.pad(cents, width // 2, mode="edge")
            cents = np.convolve(padded, np.full(width, 1 / width), mode="valid")
        first, centre = 0, cents[0]
        for i, now in enumerate(cents):
            if abs(now - centre) > NEW_NOTE_CENTS:
                lengths.append((i - first) * pitch.hop_s)
                first, centre = i, now
            centre += (now - centre) / (i - first + 1)
        lengths.append((cents.size - first) * pitch.hop_s)
    return np.array([length for length in lengths if length >= SHORTEST_NOTE_S])


def melisma_steps(pitch: PitchTrack, runs: list[tuple[int, int]]) -> int:
    """Count the steps from note to note within one breath of voice, which no consonant or rest parts."""
    longest = round(LONGEST_LEAP_S / pitch.hop_s)
    steps, so_far, end = 0, 0, -longest - 1
    for start, stop in runs:
        if start - end > longest:
            so_far = 0
        notes = note_lengths_s(pitch, [(start, stop)]).size
        steps += max(0, min(notes, so_far + notes - 1))
        so_far, end = so_far + notes, stop
    return steps


def vibrato(pitch: PitchTrack, runs: list[tuple[int, int]]) -> Vibrato:
    """Measure vibrato in windows of held voice: the sinusoid that explains most of the pitch's movement."""
    from scipy.fft import rfft

    size = round(VIBRATO_WINDOW_S / pitch.hop_s)
    hop = max(1, round(VIBRATO_HOP_S / pitch.hop_s))
    starts = [i for start, stop in runs for i in range(start, stop - size + 1, hop)]
    if not starts:
        return Vibrato(np.nan, np.nan, np.nan)
    cents = 1200 * np.log2(pitch.f0_hz[np.array(starts)[:, None] + np.arange(size)].astype(np.float64))
    drift = np.polynomial.legendre.legvander(np.linspace(-1, 1, size), 2)
    moving = cents - cents @ np.linalg.pinv(drift).T @ drift.T
    window = np.hanning(size + 2)[1:-1]
    n_fft = 2048
    spectrum = np.abs(rfft(moving * window, n_fft, axis=1)) * (2 / window.sum())
    step = 1 / (n_fft * pitch.hop_s)
    low, high = (round(f / step) for f in VIBRATO_RANGE_HZ)
    peak = spectrum[:, low : high + 1].argmax(axis=1) + low
    rows = np.arange(len(peak))
    extent = spectrum[rows, peak]
    inner = (peak > low) & (peak < high)
    phase = 2 * np.pi * (peak * step)[:, None] * (np.arange(size) * pitch.hop_s)
    # Least squares on one sinusoid: how much of the movement is this vibrato?
    cosine, sine = np.cos(phase), np.sin(phase)
    energy = np.einsum("ij,ij,j->i", moving, moving, window) + 1e-9
    along = np.einsum("ij,ij,j->i", moving, cosine, window), np.einsum("ij,ij,j->i", moving, sine, window)
    purity = 2 * (np.square(along[0]) + np.square(along[1])) / (window.sum() * energy)
    vibrates = inner & (purity > VIBRATO_PURITY)
    vibrates &= (extent > SMALLEST_VIBRATO_CENTS) & (extent < LARGEST_VIBRATO_CENTS)
    if not vibrates.any():
        return Vibrato(np.nan, np.nan, 0.0)
    return Vibrato(float(np.median(peak[vibrates] * step)), float(np.median(extent[vibrates])), float(vibrates.mean()))


def attack_times_s(level_db: Floats, pitch: PitchTrack, runs: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Time in which the voice rises from −20 dB to −3 dB under the note that begins; shape ``(n_onsets,)``.

    Only beginnings out of quiet count: where the voice was not 20 dB lower within the 0.3 s before, there is no attack.
    """
    reach = round(ATTACK_SEARCH_S / pitch.hop_s)
    shortest = round(SHORTEST_NOTE_S / pitch.hop_s)
    times: list[float] = []
    for start, stop in runs:
        if stop - start < shortest:
            continue
        plateau = float(np.percentile(level_db[start : min(stop, start + reach)], 80))
        before = max(0, start - reach)
        stretch = level_db[before : min(stop, start + reach)] - plateau
        arrived = int(np.argmax(stretch >= ATTACK_TO_DB))
        quiet = np.flatnonzero(stretch[:arrived] <= ATTACK_FROM_DB)
        if before + arrived >= start - shortest and quiet.size:
            times.append((arrived - int(quiet[-1])) * pitch.hop_s)
    return np.array(times)
