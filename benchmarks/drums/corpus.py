"""What the weights are fitted on, heard: rendered performances and synthetic patterns, turned into onsets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.groove import DRUM_KEYS, Performance, beats, for_other_kits
from benchmarks.drums.machine import DRUM_OF_SOUND, STYLES, random_pattern
from benchmarks.drums.midi import Stroke
from benchmarks.drums.render import load_mono, rendered
from features.base import Samples
from features.drum_rhythm import HIGH_BANDS
from features.drum_voices import stroke_evidence
from features.onsets import ONSET_SR, Floats, OnsetCurves, Onsets, find_onsets, onset_curves, times_in_bands

SYNTHETIC = "synthetic"
N_BEATS, N_OTHER_KITS, N_VOICE_PATTERNS, N_TEMPO_PATTERNS = 403, 84, 120, 220
OTHER_KIT_WEIGHT, PATTERN_WEIGHT = 3.0, 2.0
"""What is heard of other kits and of synthetic patterns is less than of the beats: each counts more. Tempi weigh the
patterns likewise; at 1, drum and bass at 174 beats a minute is sometimes heard at half that."""
VOICE_S = 30.0
WHOLE_S = 1200.0
"""Longer tracks are described from excerpts (`mir ingest`)."""
_SAME_S = 0.03  # an onset is a stroke's within 30 ms
_ONSET_LATE_S = 0.002
_NEVER = np.array([-9.0])

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Take:
    """One piece of drumming whose tempo is known.

    Parameters
    ----------
    name
        Unique.
    player
        The drummer, or `SYNTHETIC`.
    style, bpm
        What is played, how fast.
    curves
        With all bands in one: their mean rise, as `OnsetCurves.total` has it.
    onsets
        In those curves.
    fine_s
        Their times in the upper bands, as `features.onsets.times_in_bands` has them.
    first_bar_s
        When the first bar begins, as `Performance.first_bar_s` has it.
    """

    name: str
    player: str
    style: str
    bpm: float
    curves: OnsetCurves
    onsets: Onsets
    fine_s: NDArray[np.float64]
    first_bar_s: float | None


@dataclass(frozen=True, slots=True)
class Strokes:
    """Onsets whose drums are known.

    Parameters
    ----------
    evidence
        From `features.drum_voices.stroke_evidence`, shape ``(n_onsets, n_evidence)``.
    begins
        Whether each of `features.drum_voices.DRUMS` begins there, shape ``(n_onsets, n_drums)``.
    player
        The drummer, or `SYNTHETIC`.
    weight
        How much each counts.
    """

    evidence: Floats
    begins: NDArray[np.bool_]
    player: str
    weight: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything the fits need; `takes` begin with the beats, in the order of `benchmarks.drums.groove.beats`."""

    takes: Sequence[Take]
    strokes: Sequence[Strokes]


@dataclass(frozen=True, slots=True)
class Scores:
    """Where performances lie and where their renderings are kept.

    Parameters
    ----------
    root
        Folder of the Groove MIDI Dataset.
    renders
        Folder for rendered audio, which exists.
    """

    root: Path
    renders: Path

    def audio(self, performance: Performance, kit: int = 0) -> Path:
        """Render the first minute of a performance, unless it is there."""
        return rendered(self.renders / f"{performance.name}@{kit}.flac", performance.strokes(self.root), kit)

    def whole(self, performance: Performance) -> Path:
        """Render all of a performance, up to 20 minutes, unless it is there."""
        path = self.renders / f"{performance.name}@0-whole.flac"
        return rendered(path, performance.strokes(self.root), longest_s=WHOLE_S)


def hear_corpus(scores: Scores, limit: int | None = None, jobs: int = 1) -> Corpus:
    """Render, synthesise and listen.

    Parameters
    ----------
    scores
        The performances.
    limit
        How many beats at most; the rest of the corpus shrinks with them.
    jobs
        Processes. How many there are changes nothing but the time.
    """
    chosen = beats(scores.root, limit)
    share = min(1.0, len(chosen) / N_BEATS)
    n_others, n_voices, n_tempo = (max(1, round(share * n)) for n in (N_OTHER_KITS, N_VOICE_PATTERNS, N_TEMPO_PATTERNS))
    others = for_other_kits(scores.root, n_others)
    heard = in_parallel(partial(_hear_beat, scores), list(enumerate(chosen)), jobs)
    strokes = [each for _, beat_strokes in heard for each in beat_strokes]
    for others_strokes in in_parallel(partial(_hear_other_kit, scores), list(enumerate(others)), jobs):
        strokes.extend(others_strokes)
    for pattern_strokes in in_parallel(_hear_pattern_strokes, range(n_voices), jobs):
        strokes.extend(pattern_strokes)
    patterns = in_parallel(_hear_pattern, range(n_tempo), jobs)
    return Corpus([take for take, _ in heard] + patterns, strokes)


def in_parallel(work: Callable[[In], Out], items: Iterable[In], jobs: int) -> list[Out]:
    """Map in `jobs` processes, results in the order of the items."""
    if jobs <= 1:
        return [work(item) for item in items]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, items))


def _hear_beat(scores: Scores, numbered: tuple[int, Performance]) -> tuple[Take, list[Strokes]]:
    """A beat with the standard kit; every other one also teaches strokes."""
    number, beat = numbered
    y = load_mono(scores.audio(beat), ONSET_SR)
    strokes = []
    if number % 2 == 0:
        known = _times_of_drums(beat.strokes(scores.root))
        strokes = _strokes(y, known, beat.drummer, 1.0, np.random.default_rng([0, number]))
    return _take(beat.name, beat.drummer, beat.style, beat.bpm, beat.first_bar_s(scores.root), y), strokes


def _hear_other_kit(scores: Scores, numbered: tuple[int, tuple[Performance, int]]) -> list[Strokes]:
    number, (performance, kit) = numbered
    y = load_mono(scores.audio(performance, kit), ONSET_SR)
    known = _times_of_drums(performance.strokes(scores.root))
    return _strokes(y, known, performance.drummer, OTHER_KIT_WEIGHT, np.random.default_rng([1, number]))


def _hear_pattern_strokes(number: int) -> list[Strokes]:
    rng = np.random.default_rng([2, number])
    pattern = random_pattern(rng, ONSET_SR)
    known = [
        np.array([hit.time_s for hit in pattern.hits if DRUM_OF_SOUND[hit.sound] == drum])
        for drum in range(len(DRUM_KEYS))
    ]
    return _strokes(pattern.y, known, SYNTHETIC, PATTERN_WEIGHT, rng)


def _hear_pattern(number: int) -> Take:
    style = list(STYLES)[number % len(STYLES)]
    pattern = random_pattern(np.random.default_rng([3, number]), ONSET_SR, style)
    return _take(f"{style} {number}", SYNTHETIC, style, pattern.bpm, pattern.start_s, pattern.y)


def _take(name: str, player: str, style: str, bpm: float, first_bar_s: float | None, y: Samples) -> Take:
    curves = onset_curves(y)
    onsets = find_onsets(curves)
    fine_s = times_in_bands(curves, onsets, HIGH_BANDS)
    total = curves.total[None]
    # Only the total is weighed later; with one band that is their mean, a minute is 50 kB instead of 2.6 MB.
    return Take(name, player, style, bpm, OnsetCurves(total, total, total), onsets, fine_s, first_bar_s)


def _times_of_drums(strokes: Sequence[Stroke]) -> list[NDArray[np.float64]]:
    """When each drum is struck, in seconds."""
    return [np.array([stroke.time_s for stroke in strokes if stroke.note in keys]) for keys in DRUM_KEYS]


def _strokes(
    y: Samples, known: Sequence[NDArray[np.float64]], player: str, weight: float, rng: np.random.Generator
) -> list[Strokes]:
    """Onsets of a signal as it is, and of it through a random equaliser, with the drums that begin at each."""
    y = y[: int(VOICE_S * ONSET_SR)]
    out = []
    for heard in (y, _coloured(y, rng)):
        onsets = find_onsets(onset_curves(heard))
        times_s = onsets.times_s - _ONSET_LATE_S
        begins = [
            np.abs(times_s[:, None] - (drum_s if drum_s.size else _NEVER)).min(axis=1) < _SAME_S for drum_s in known
        ]
        out.append(Strokes(stroke_evidence(onsets), np.stack(begins, axis=1), player, weight))
    return out


def _coloured(y: Samples, rng: np.random.Generator) -> Samples:
    """Through an equaliser of up to 6 dB at four corners over 9 octaves, with noise 45 to 80 dB under the peak."""
    octaves = np.log2(np.maximum(np.fft.rfftfreq(y.size, 1 / ONSET_SR), 20) / 20)
    gain_db = np.interp(octaves, [0, 3, 6, 9.1], rng.uniform(-6, 6, 4))
    coloured = np.fft.irfft(np.fft.rfft(y) * 10 ** (gain_db / 20), y.size)
    noise = 10 ** (-rng.uniform(45, 80) / 20) * np.abs(coloured).max() * rng.standard_normal(y.size)
    mixed: Samples = (coloured + noise).astype(np.float32)
    return mixed
