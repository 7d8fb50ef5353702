"""Tunes for invented singers: scales, phrases with a shape, words that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mir.demo.voice import Singer, Syllable

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
}

# Lengths in beats of one-bar cells (4 beats); a negative length is a rest.
_CELLS: tuple[tuple[float, ...], ...] = (
    (0.5, 0.5, 1.0, 0.5, 0.5, 1.0),
    (1.0, 0.5, 0.5, 1.0, 1.0),
    (0.75, 0.75, 0.5, 1.0, 1.0),
    (-0.5, 0.5, 0.5, 0.5, 1.0, 1.0),
    (1.5, 0.5, 0.5, 0.5, 1.0),
)
_ENDINGS: tuple[tuple[float, ...], ...] = (
    (0.5, 0.5, 2.0, -1.0),
    (1.0, 2.0, -1.0),
    (0.5, 0.5, 0.5, 1.5, -1.0),
    (2.5, -1.5),
)
_VOWELS = ("a", "ae", "e", "i", "o", "u", "er", "uh")
_LONG_VOWELS = ("a", "e", "o", "i", "uh", "u")
_CONSONANTS = ("", "", "m", "n", "l", "l", "s", "sh", "f", "t", "k", "p", "h", "s", "t")


def write_line(
    singer: Singer,
    tonic: int,
    scale: str,
    chords: Sequence[Sequence[int]],
    beat_s: float,
    n_bars: int,
    first_bar: int,
    rng: np.random.Generator,
) -> list[Syllable]:
    """Write a sung line over a song.

    Parameters
    ----------
    singer
        Whose range it must lie in.
    tonic, scale
        Key: pitch class 0 … 11 and a name of `SCALES`.
    chords
        Pitch classes of the chord of each bar.
    beat_s
        Length of one sung beat in seconds.
    n_bars, first_bar
        Bars of the song in sung beats, and the bar in which the singing starts.
    rng
        Makes the choices.
    """
    ladder = [note for note in range(singer.low, singer.high + 1) if (note - tonic) % 12 in SCALES[scale]]
    position = len(ladder) // 2
    syllables: list[Syllable] = []
    motif = [_CELLS[i] for i in rng.choice(len(_CELLS), 2, replace=False)]
    for bar in range(first_bar, n_bars):
        ending = (bar - first_bar) % 2 == 1 or bar == n_bars - 1
        cell = _ENDINGS[rng.integers(len(_ENDINGS))] if ending else motif[(bar // 2) % 2]
        beat, begins = 0.0, not ending or bar == first_bar
        for index, length in enumerate(cell):
            if length > 0.0:
                last = ending and index >= len(cell) - 2
                position = _step(position, ladder, chords[bar % len(chords)], strong=beat % 2 == 0 or last, rng=rng)
                vowel = str(rng.choice(_LONG_VOWELS if length >= 1.0 else _VOWELS))
                syllables.append(
                    Syllable(
                        start_s=(bar * 4 + beat) * beat_s + float(rng.normal(0.01, 0.008)),
                        duration_s=length * beat_s * (0.93 if length < 1.5 else 0.97),
                        midi=float(ladder[position]),
                        vowel=vowel,
                        consonant=str(rng.choice(_CONSONANTS)),
                        velocity=float(np.clip(0.78 + 0.12 * (beat % 2 == 0) + rng.normal(0.0, 0.05), 0.5, 1.0)),
                        first=begins,
                    )
                )
                begins = False
            beat += abs(length)
    return syllables


def _step(position: int, ladder: Sequence[int], chord: Sequence[int], *, strong: bool, rng: np.random.Generator) -> int:
    """Next rung: small steps, drawn to the middle of the range; strong beats sit on notes of the chord."""
    pull = -(position - (len(ladder) - 1) / 2.0) / len(ladder) * 2.2
    wanted = int(np.clip(position + np.rint(rng.normal(pull, 1.6)), 0, len(ladder) - 1))
    if not strong:
        return wanted
    rungs = [rung for rung, note in enumerate(ladder) if note % 12 in {pitch % 12 for pitch in chord}]
    return min(rungs, key=lambda rung: abs(rung - wanted), default=wanted)
