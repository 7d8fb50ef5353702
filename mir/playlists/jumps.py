"""How far it is from one track to the next: in tempo, key, loudness and sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mir.keys import fifths
from mir.playlists.entries import Entry

Matrix = NDArray[np.float64]

LOUDNESS_STEP_LU: Final = 12.0
"""A step in loudness that is as bad as any."""

OCTAVE_CHANGE: Final = 0.1
"""What it costs to go on at twice or half the tempo, on the scale from 0 to 1."""

MODE_CHANGE: Final = 0.5
"""What it costs to go from major to minor, in steps on the circle of fifths."""


@dataclass(frozen=True, slots=True)
class Jumps:
    """Means over the neighbours of a list; None where nothing was measured on both sides of any of them.

    Parameters
    ----------
    jump
        Sum of the four below, each on a scale from 0 to 1; 0 for a single track.
    tempo_percent
        Change of tempo, in percent of the slower, taking double and half for the same.
    key_fifths
        Steps on the circle of fifths, 0 to 6, half a step more for a change of mode.
    loudness_lu
        Change of loudness, in loudness units.
    cosine
        Cosine in the chosen spaces, mean by weight.
    """

    jump: float
    tempo_percent: float | None
    key_fifths: float | None
    loudness_lu: float | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Distances:
    """Between every two tracks of a list: shape ``(n, n)`` each, NaN where unknown; `jump` is never NaN.

    Parameters
    ----------
    jump
        What an order makes small.
    octaves, fifths, loudness_lu, cosine
        What it is made of: change of tempo within an octave (0 to 0.5), steps on the circle of fifths, change of
        loudness, and cosine.
    """

    jump: Matrix
    octaves: Matrix
    fifths: Matrix
    loudness_lu: Matrix
    cosine: Matrix

    def along(self, order: Sequence[int]) -> Jumps:
        """Return the means over the neighbours of an order."""
        at = (np.array(order[:-1], np.intp), np.array(order[1:], np.intp))
        octaves = _mean(self.octaves[at])
        return Jumps(
            jump=float(self.jump[at].mean()) if len(order) > 1 else 0.0,
            tempo_percent=None if octaves is None else 100.0 * (2.0**octaves - 1.0),
            key_fifths=_mean(self.fifths[at]),
            loudness_lu=_mean(self.loudness_lu[at]),
            cosine=_mean(self.cosine[at]),
        )


def distances(entries: Sequence[Entry], cosine: Matrix) -> Distances:
    """Measure every jump between two tracks.

    A jump is the sum of four parts, each from 0 to 1: tempo, 2·|Δ log₂| within the octave (0.1 for the octave
    itself); key, steps on the circle of fifths / 6, times the smaller key strength; loudness, |ΔLUFS| / 12, at
    most 1; sound, (1 − cosine) / 2. A part that is unknown of two tracks counts as the mean of the known ones.

    Parameters
    ----------
    entries
        n tracks.
    cosine
        Of their vectors in the chosen spaces, shape ``(n, n)``, NaN where one lacks them.
    """
    octaves, whole = _octaves(_column(entries, "tempo_bpm"))
    steps = _fifths(_column(entries, "key_pitch_class"), _column(entries, "mode_is_major"))
    loudness = _column(entries, "loudness_lufs")
    louder = np.abs(loudness[:, None] - loudness[None, :])
    strength = np.clip(_column(entries, "key_strength"), 0.0, 1.0)
    parts = (
        2.0 * octaves + OCTAVE_CHANGE * np.minimum(whole, 1.0),
        steps / 6.0 * np.minimum(strength[:, None], strength[None, :]),
        np.minimum(louder / LOUDNESS_STEP_LU, 1.0),
        (1.0 - cosine) / 2.0,
    )
    return Distances(np.sum([_filled(part) for part in parts], axis=0), octaves, steps, louder, cosine)


def _column(entries: Sequence[Entry], name: str) -> Matrix:
    values = [getattr(entry, name) for entry in entries]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _octaves(tempo_bpm: Matrix) -> tuple[Matrix, Matrix]:
    """Return the change of tempo within the octave, 0 to 0.5, and how many octaves were taken out of it."""
    log2 = np.log2(np.where(tempo_bpm > 0, tempo_bpm, np.nan))
    change = np.abs(log2[:, None] - log2[None, :])
    whole = np.round(change)
    return np.abs(change - whole), whole


def _fifths(pitch_class: Matrix, is_major: Matrix) -> Matrix:
    """Return steps on the circle of fifths; a minor key stands where its relative major does."""
    place = np.array(
        [
            np.nan if np.isnan(tonic + mode) else fifths(tonic, is_major=mode > 0.5)
            for tonic, mode in zip(pitch_class, is_major, strict=True)
        ]
    )
    around = np.abs(place[:, None] - place[None, :])
    return np.minimum(around, 12.0 - around) + MODE_CHANGE * np.abs(is_major[:, None] - is_major[None, :])


def _filled(part: Matrix) -> Matrix:
    """Put the mean of two different tracks where nothing is known; it neither draws nor repels."""
    known = part[~np.isnan(part) & ~np.eye(len(part), dtype=bool)]
    return np.where(np.isnan(part), known.mean() if len(known) else 0.0, part)


def _mean(values: Matrix) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
