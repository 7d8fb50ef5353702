"""From a bass stem to its notes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.base import Samples
from features.frames import Framing
from features.onsets import Onsets
from features.pitch import PitchSettings, track

Doubles = NDArray[np.float64]

PITCH_SR = 4000
"""Rate in Hz at which bass pitch is followed: enough for ten harmonics of its highest note."""
F0_RANGE_HZ = (30.0, 400.0)
HOP_S = 0.01

_FRAME_S = 0.08
_HEARD_DB = -40.0  # against the loudest frame
_SHORTEST_FRAMES = 6
_STEP_SEMITONES = 0.6
_SETTINGS = PitchSettings(f0_low_hz=F0_RANGE_HZ[0], f0_high_hz=F0_RANGE_HZ[1])


@dataclass(frozen=True, slots=True)
class BassNotes:
    """Pitch and notes of a bass line.

    Parameters
    ----------
    pitch
        Pitch in semitones (MIDI numbers, 69 = 440 Hz) every 10 ms, NaN without, shape ``(n_frames,)``.
    heard
        Frames that are loud enough to be looked at, shape ``(n_frames,)``.
    start_s, length_s, semitones
        Of each note in order of time, shape ``(n_notes,)``.
    """

    pitch: Doubles
    heard: NDArray[np.bool_]
    start_s: Doubles
    length_s: Doubles
    semitones: Doubles

    def __len__(self) -> int:
        return int(self.start_s.size)


def find_notes(y: Samples, onsets: Onsets) -> BassNotes:
    """Follow the pitch and cut it into notes: at every new attack, every step of pitch and every rest.

    Parameters
    ----------
    y
        Mono bass stem at `PITCH_SR`, shape ``(n_samples,)``.
    onsets
        Attacks of the same stem.
    """
    framing = Framing(y, PITCH_SR, _FRAME_S, HOP_S)
    level = framing.level_db()
    heard = level > level.max(initial=-200.0) + _HEARD_DB
    f0 = track(framing, heard, _SETTINGS).f0_hz.astype(np.float64)
    pitch = 69 + 12 * np.log2(f0 / 440)
    attacks = np.round(onsets.times_s / HOP_S).astype(np.intp)
    cuts = np.unique(np.concatenate([[0], _steps(pitch), attacks, [pitch.size]]).clip(0, pitch.size))
    starts, lengths, semitones = [], [], []
    for first, last in pairwise(cuts):
        voiced = first + np.flatnonzero(np.isfinite(pitch[first:last]))
        if voiced.size < _SHORTEST_FRAMES:
            continue
        middle = voiced[voiced.size // 5 : voiced.size - voiced.size // 5]
        starts.append(voiced[0] * HOP_S)
        lengths.append((voiced[-1] + 1 - voiced[0]) * HOP_S)
        semitones.append(float(np.median(pitch[middle])))
    return BassNotes(pitch, heard, np.array(starts), np.array(lengths), np.array(semitones))


def _steps(pitch: Doubles) -> NDArray[np.intp]:
    """Frames at which the pitch has moved by a semitone within 60 ms: one frame for each step, where it moves most."""
    reach = 3
    if pitch.size <= 2 * reach:
        return np.empty(0, dtype=np.intp)
    move = np.zeros(pitch.size)
    move[reach:-reach] = np.nan_to_num(np.abs(pitch[2 * reach :] - pitch[: -2 * reach]))
    moving = np.concatenate([[False], move > _STEP_SEMITONES, [False]])
    edges = np.flatnonzero(np.diff(moving.astype(np.int8)))
    return np.array([(first + last) // 2 for first, last in edges.reshape(-1, 2)], dtype=np.intp)


def count_slides(pitch: Doubles) -> int:
    """Glides: at least 100 ms of steady movement in one direction, by 0.8 semitones or more in all.

    Parameters
    ----------
    pitch
        In semitones every 10 ms, NaN without, shape ``(n_frames,)``.
    """
    reach = 2
    if pitch.size <= 2 * reach:
        return 0
    speed = np.nan_to_num((pitch[2 * reach :] - pitch[: -2 * reach]) / (2 * reach * HOP_S))
    slides = 0
    for direction in (1, -1):
        # 5 to 40 semitones a second: slower is vibrato or drift, faster is a step smeared by the window.
        moving = np.concatenate([[False], (direction * speed > 5) & (direction * speed < 40), [False]])
        edges = np.flatnonzero(np.diff(moving.astype(np.int8))).reshape(-1, 2)
        for first, last in edges:
            travelled = abs(pitch[last - 1 + reach] - pitch[first + reach])
            slides += int(last - first >= 10 and travelled >= 0.8)
    return slides
