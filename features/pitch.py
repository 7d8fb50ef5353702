"""Fundamental frequency of one voice: autocorrelation candidates, and the likeliest path through them.

References
----------
Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
sound, Proceedings of the Institute of Phonetic Sciences 17, 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.frames import Framing

Floats = NDArray[np.float32]

N_CANDIDATES = 6
LOWEST_PEAK = 0.2
LOWPASS_HZ = 4500.0
"""Above this the spectrum says little about the period, and parabolic interpolation of the peaks needs it gone."""


@dataclass(frozen=True, slots=True)
class PitchSettings:
    """What the search is told; costs in units of autocorrelation.

    Parameters
    ----------
    f0_low_hz, f0_high_hz
        Range of the search.
    voicing_threshold
        Autocorrelation strength, 0 to 1, below which a frame counts as unvoiced.
    octave_cost
        Advantage of each octave upwards: where a period fits, its double fits too, and the shorter one is right.
    jump_cost
        Cost for each octave between neighbouring frames.
    switch_cost
        Cost of going from voiced to unvoiced or back.
    """

    f0_low_hz: float = 70.0
    f0_high_hz: float = 1100.0
    voicing_threshold: float = 0.5
    octave_cost: float = 0.05
    jump_cost: float = 0.5
    switch_cost: float = 0.15


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """One fundamental frequency a frame.

    Parameters
    ----------
    f0_hz
        Shape ``(n_frames,)``, Hz, NaN where unvoiced.
    strength
        Shape ``(n_frames,)``, 0 to 1: height of the autocorrelation peak chosen, which is the periodic share of the
        energy; 0 where unvoiced.
    hop_s
        Seconds between frames.
    """

    f0_hz: Floats
    strength: Floats
    hop_s: float

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Frames that have a pitch, shape ``(n_frames,)``."""
        return np.isfinite(self.f0_hz)


def track(framing: Framing, usable: NDArray[np.bool_], settings: PitchSettings | None = None) -> PitchTrack:
    """Follow the pitch of the one voice that sounds.

    Parameters
    ----------
    framing
        The framed signal; frames at least three periods of the lowest pitch long.
    usable
        Frames loud enough to be looked at, shape ``(n_frames,)``; the others are unvoiced.
    settings
        Range and costs.

    Returns
    -------
    PitchTrack
        As many frames as `usable`.
    """
    settings = settings or PitchSettings()
    frequency, strength = candidates(framing, usable, settings)
    chosen = _best_path(frequency, strength, settings)
    rows = np.arange(len(chosen))
    voiced = chosen >= 0
    f0 = np.where(voiced, frequency[rows, chosen], np.nan).astype(np.float32)
    height = np.where(voiced, np.minimum(strength[rows, chosen], 1.0), 0.0).astype(np.float32)
    return PitchTrack(f0, height, framing.hop_length / framing.sr)


def candidates(framing: Framing, usable: NDArray[np.bool_], settings: PitchSettings) -> tuple[Floats, Floats]:
    """Find the highest peaks of each frame's normalised autocorrelation.

    Returns
    -------
    frequency, strength
        Shape ``(n_frames, N_CANDIDATES)``; Hz (1 where there is no candidate) and peak height (0 where there is none).
    """
    from scipy.fft import irfft

    shortest = max(2, int(framing.sr / settings.f0_high_hz))
    longest = min(int(np.ceil(framing.sr / settings.f0_low_hz)) + 1, framing.frame_length - 2)
    frequency = np.ones((framing.n_frames, N_CANDIDATES), np.float32)
    strength = np.zeros((framing.n_frames, N_CANDIDATES), np.float32)
    keep = _lowpass(framing)
    own = framing.window_autocorrelation[: longest + 2]
    for where, power in framing.power_blocks(np.flatnonzero(usable)):
        acf = irfft(power * keep, axis=-1)[:, : longest + 2]
        acf /= np.maximum(acf[:, :1], np.finfo(np.float32).tiny) * own
        frequency[where], strength[where] = _peaks(acf[:, shortest - 1 :], shortest, framing.sr, settings)
    return frequency, strength


def _lowpass(framing: Framing) -> Floats:
    """Raised-cosine weights from 1 at LOWPASS_HZ / 2 to 0 at LOWPASS_HZ, shape ``(n_bins,)``."""
    position = np.clip((framing.frequencies_hz - LOWPASS_HZ / 2) / (LOWPASS_HZ / 2), 0.0, 1.0)
    return (0.5 + 0.5 * np.cos(np.pi * position)).astype(np.float32)


def _peaks(acf: Floats, shortest: int, sr: int, settings: PitchSettings) -> tuple[Floats, Floats]:
    """Best maxima of autocorrelations from lag `shortest` − 1 on, refined by a parabola; ``(n, N_CANDIDATES)``."""
    left, middle, right = acf[:, :-2], acf[:, 1:-1], acf[:, 2:]
    is_peak = (middle > left) & (middle >= right) & (middle > LOWEST_PEAK)
    # Ranked with the octaves' advantage: a high voice has more multiples of its period than there are places.
    advantage = settings.octave_cost * np.log2(shortest + np.arange(middle.shape[1], dtype=np.float32))
    row, lag = np.nonzero(is_peak)
    order = np.lexsort((advantage[lag] - middle[row, lag], row))
    row, lag = row[order], lag[order]
    place = np.arange(row.size) - np.searchsorted(row, row)
    best = place < N_CANDIDATES
    row, lag, place = row[best], lag[best], place[best]
    a, b, c = left[row, lag], middle[row, lag], right[row, lag]
    curvature = a - 2 * b + c
    flat = curvature > -1e-12
    shift = np.where(flat, 0.0, 0.5 * (a - c) / np.where(flat, 1.0, curvature))
    frequency = np.ones((len(acf), N_CANDIDATES), np.float32)
    height = np.zeros((len(acf), N_CANDIDATES), np.float32)
    frequency[row, place] = sr / (lag + shortest + shift)
    height[row, place] = b - 0.25 * (a - c) * shift
    return frequency, height


def _best_path(frequency: Floats, strength: Floats, settings: PitchSettings) -> NDArray[np.intp]:
    """Viterbi over candidates and silence; the chosen candidate of each frame, −1 for unvoiced."""
    n_frames, n_candidates = frequency.shape
    octave = np.log2(frequency)
    middle = 0.5 * (np.log2(settings.f0_low_hz) + np.log2(settings.f0_high_hz))
    gain = np.where(strength > 0, strength + settings.octave_cost * (octave - middle), -np.inf)
    score = np.concatenate([gain, np.full((n_frames, 1), settings.voicing_threshold)], axis=1)
    jumps = np.full((n_frames, n_candidates + 1, n_candidates + 1), settings.switch_cost)
    jumps[:, -1, -1] = 0.0
    if n_frames > 1:
        jumps[1:, :-1, :-1] = settings.jump_cost * np.abs(octave[1:, None, :] - octave[:-1, :, None])
    came_from = np.zeros((n_frames, n_candidates + 1), np.intp)
    total = score[0] if n_frames else np.zeros(n_candidates + 1)
    for i in range(1, n_frames):
        reach = total[:, None] - jumps[i]
        came_from[i] = reach.argmax(axis=0)
        total = reach.max(axis=0) + score[i]
    path = np.empty(n_frames, np.intp)
    state = int(total.argmax())
    for i in range(n_frames - 1, -1, -1):
        path[i] = state
        state = int(came_from[i, state])
    return np.where(path == n_candidates, -1, path)
