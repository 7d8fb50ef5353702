"""Pitch classes: tuning, chroma, key and chords of an accompaniment.

References
----------
Gómez, Tonal description of polyphonic audio for music content processing, INFORMS Journal on Computing 18, 2006
(harmonic pitch class profile from spectral peaks).
Albrecht and Shanahan, The use of large corpora to train a new type of key-finding algorithm, Music Perception 31, 2013.
Bello and Pickens, A robust mid-level representation for harmonic content in music signals, ISMIR 2005 (chord paths).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.frames import Framing

Floats = NDArray[np.float32]

LOW_HZ, HIGH_HZ = 60.0, 2100.0
"""Where notes and their first overtones lie; higher, the overtones are out of tune with the pitch classes."""

PEAK_RANGE_DB = -40.0
"""Peaks further under the frame's strongest are noise."""

QUIET_DB = -40.0
"""Frames further under the loud ones have no chroma."""

A4_HZ = 440.0
CHORD_CHANGE_COST = 0.25
"""What a change of chord costs in the path's score, in units of a frame's cosine."""

NO_CHORD = 0.6
"""Cosine that "no chord" scores; a triad has to fit better."""

MAJOR_PROFILE = np.array([0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081])
MINOR_PROFILE = np.array([0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052])


@dataclass(frozen=True, slots=True)
class Chroma:
    """Pitch classes over time.

    Parameters
    ----------
    frames
        Shape ``(n_frames, 12)``, each of unit sum, C first; zeros where nothing tonal sounds.
    tuning_cents
        Offset from A4 = 440 Hz, −50 to 50.
    hop_s
        Seconds between frames.
    """

    frames: Floats
    tuning_cents: float
    hop_s: float

    @property
    def mean(self) -> Floats:
        """Mean over the tonal frames, shape ``(12,)``, unit sum."""
        total = self.frames.sum(axis=0)
        return (total / max(float(total.sum()), 1e-12)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Key:
    """Key of a piece.

    Parameters
    ----------
    pitch_class
        Tonic, 0 = C to 11 = B.
    is_major
        Mode.
    strength
        Correlation of the mean chroma with the key's profile, −1 to 1.
    """

    pitch_class: int
    is_major: bool
    strength: float


def chroma(framing: Framing) -> Chroma:
    """Pitch-class profiles from spectral peaks, freed of the tuning.

    Parameters
    ----------
    framing
        Frames long enough to part neighbouring bass notes: 0.3 s or more.

    Returns
    -------
    Chroma
        As many frames as `framing`.
    """
    level = framing.level_db()
    usable = np.flatnonzero(level > np.percentile(level, 95) + QUIET_DB) if level.size else np.zeros(0, np.intp)
    rows, hz, weight = _peaks(framing, usable)
    semitone = 69 + 12 * np.log2(np.maximum(hz, 1.0) / A4_HZ)
    tuning = _circular_mean(semitone, weight)
    frames = np.zeros((framing.n_frames, 12), np.float32)
    place = semitone - tuning
    nearest = np.rint(place)
    # A peak half-way between two notes belongs to neither: cos² of its distance.
    np.add.at(frames, (rows, nearest.astype(np.intp) % 12), weight * np.square(np.cos(np.pi * (place - nearest))))
    total = frames.sum(axis=1, keepdims=True)
    return Chroma(np.where(total > 0, frames / np.maximum(total, 1e-12), 0), 100 * tuning, framing.hop_s)


def _peaks(framing: Framing, usable: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Spectral peaks: frame number, refined frequency in Hz, and weight (magnitude, 1 at the frame's top)."""
    first, last = (int(np.searchsorted(framing.frequencies_hz, hz)) for hz in (LOW_HZ, HIGH_HZ))
    bin_hz = framing.frequencies_hz[1]
    found: list[tuple[NDArray[np.intp], Floats, Floats]] = []
    for where, power in framing.power_blocks(usable):
        level = 10 * np.log10(np.maximum(power[:, first - 1 : last + 1], 1e-20))
        left, middle, right = level[:, :-2], level[:, 1:-1], level[:, 2:]
        top = middle.max(axis=1, keepdims=True)
        row, column = np.nonzero((middle > left) & (middle >= right) & (middle > top + PEAK_RANGE_DB))
        a, b, c = left[row, column], middle[row, column], right[row, column]
        shift = 0.5 * (a - c) / np.minimum(a - 2 * b + c, -1e-6)
        found.append((where[row], (column + first + shift) * bin_hz, 10 ** ((b - top[row, 0]) / 20)))
    if not found:
        return np.zeros(0, np.intp), np.zeros(0, np.float32), np.zeros(0, np.float32)
    rows, hz, weight = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(hz), np.concatenate(weight)


def _circular_mean(semitone: Floats, weight: Floats) -> float:
    """Offset from the equal-tempered grid in semitones, −0.5 to 0.5."""
    if not weight.size:
        return 0.0
    return float(np.angle(np.sum(weight * np.exp(2j * np.pi * semitone))) / (2 * np.pi))


def key(profile: Floats) -> Key:
    """Key whose profile correlates best with a mean chroma of shape ``(12,)``."""
    best = Key(0, True, -1.0)
    if np.ptp(profile) <= 0:
        return best
    for is_major, template in ((True, MAJOR_PROFILE), (False, MINOR_PROFILE)):
        for tonic in range(12):
            strength = float(np.corrcoef(np.roll(template, tonic), profile)[0, 1])
            if strength > best.strength:
                best = Key(tonic, is_major, strength)
    return best


def chord_path(frames: Floats) -> NDArray[np.intp]:
    """Likeliest chord of each frame: 0–11 major, 12–23 minor triads by root, 24 for none; shape ``(n_frames,)``."""
    triads = np.zeros((24, 12))
    for root in range(12):
        triads[root, [root, (root + 4) % 12, (root + 7) % 12]] = 1
        triads[12 + root, [root, (root + 3) % 12, (root + 7) % 12]] = 1
    norm = np.maximum(np.linalg.norm(frames, axis=1, keepdims=True), 1e-12)
    score = np.concatenate([frames / norm @ triads.T / np.sqrt(3), np.full((len(frames), 1), NO_CHORD)], axis=1)
    came_from = np.zeros(score.shape, np.intp)
    total = np.zeros(score.shape[1])
    stay = np.arange(score.shape[1])
    for i, now in enumerate(score):
        leader = int(total.argmax())
        change = total[leader] - CHORD_CHANGE_COST > total
        came_from[i] = np.where(change, leader, stay)
        total = np.where(change, total[leader] - CHORD_CHANGE_COST, total) + now
    path = np.empty(len(score), np.intp)
    state = int(total.argmax())
    for i in range(len(score) - 1, -1, -1):
        path[i] = state
        state = int(came_from[i, state])
    return path


def interval_content(frames: Floats) -> Floats:
    """How much of each interval sounds together, semitone to tritone, whatever the key: shape ``(6,)``.

    Mean autocorrelation of the frames' chroma over the pitch classes, over its value at unison.
    """
    lags = np.array([np.sum(frames * np.roll(frames, lag, axis=1)) for lag in range(7)])
    return (lags[1:] / max(float(lags[0]), 1e-12)).astype(np.float32)
