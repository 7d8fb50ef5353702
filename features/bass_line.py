"""How the bass moves: its register, intervals, note lengths and tone, and how it goes with the kick."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import Column, Description, Extractor, Stems
from features.bass_kick import bass_onsets, kick_lock, kicks_of
from features.bass_notes import HOP_S, PITCH_SR, BassNotes, count_slides, find_notes
from features.onsets import (
    BAND_EDGES_HZ,
    FRAME_RATE_HZ,
    ONSET_SR,
    Floats,
    OnsetCurves,
    Onsets,
    find_onsets,
    onset_curves,
)
from features.tempo import autocorrelation, rhythm_curves, scale_transform

Doubles = NDArray[np.float64]

FEWEST_NOTES = 3
_N_SCALES = 12
_LONGEST_IOI_S = 4.0  # a longer pause parts two phrases: no interval across it
_REGISTER_HZ = np.geomspace(30, 400, 9)
_LENGTHS_S = np.array([0.0, 0.12, 0.2, 0.35, 0.6, 1.2, np.inf])
_EDGES = np.asarray(BAND_EDGES_HZ, dtype=np.float64)
_CENTRES_HZ = np.sqrt(_EDGES[:-1] * _EDGES[1:])
_TONE = slice(1, 13)  # 65 Hz to 3.2 kHz
_TILT = slice(1, 9)  # 65 Hz to 1.05 kHz: above, many basses have nothing but the string's noise
_TILT_FLOOR_DB = 60
_OWN = "features.bass_line"

_COLUMNS = (
    Column("f0_median_hz", "Hz", 30, 400, "Middle of the register, by time.", "Boersma, IFA Proceedings 17, 1993"),
    Column("f0_low_hz", "Hz", 30, 400, "Low end of the register: 5th percentile by time.", "Boersma, 1993"),
    Column("f0_high_hz", "Hz", 30, 400, "High end of the register: 95th percentile by time.", "Boersma, 1993"),
    Column("register_range_semitones", "semitones", 0, 45, "From the low end to the high end.", _OWN),
    Column("voiced_ratio", "ratio", 0, 1, "Share of the sounding time that has a pitch.", _OWN),
    Column("note_rate_hz", "Hz", 0, 20, "Notes a second over the whole track.", _OWN),
    Column("note_length_ms", "ms", 60, 60000, "Median length of a note.", _OWN),
    Column("sustain_ratio", "ratio", 0, 1, "1 where notes are held until the next: median length over distance.", _OWN),
    Column(
        "pitch_class_entropy_bits", "bits", 0, 3.585, "Large where many pitch classes share the time.",
        "Shannon, Bell System Technical Journal, 1948",
    ),
    Column("root_share", "ratio", 0, 1, "Share of the time on the commonest pitch class: 1 for a pedal point.", _OWN),
    Column("interval_mean_semitones", "semitones", 0, 45, "Mean size of the steps from note to note.", _OWN),
    Column("repeated_note_ratio", "ratio", 0, 1, "Share of steps that stay on the note.", _OWN),
    Column("stepwise_ratio", "ratio", 0, 1, "Share of steps of one or two semitones.", _OWN),
    Column("leap_ratio", "ratio", 0, 1, "Share of steps of five semitones or more.", _OWN),
    Column("octave_ratio", "ratio", 0, 1, "Share of steps of an octave.", _OWN),
    Column(
        "fifth_motion_ratio", "ratio", 0, 1, "Share of root motions, repeats left out, by a fourth or a fifth.",
        _OWN,
    ),
    Column("slide_ratio", "ratio", 0, 10, "Glides a note.", _OWN),
    Column("pitch_wobble_cents", "cents", 0, 600, "Median within notes of the pitch's spread.", _OWN),
    Column("onset_rise_db", "dB", -20, 80, "How much louder a note is 60 ms after it begins than just before.", _OWN),
    Column(
        "spectral_tilt_db_per_octave", "dB/octave", -60, 20, "Steeply negative for a round, dark tone; 65 Hz to 1 kHz.",
        _OWN,
    ),
    Column("spectral_centroid_hz", "Hz", 45, 9900, "Large for a bright or noisy tone.", _OWN),
    Column("level_range_db", "dB", 0, 60, "From soft to loud sounding moments: 10th to 90th percentile.", _OWN),
    Column(
        "kick_lock", "1", -1, 1,
        "Share of the attack that comes with a kick, chance taken out: 1 all, 0 chance; empty without drums.",
        "Kistler, Gerstner, van Hemmen, Neural Computation 9, 1997",
    ),
)  # fmt: skip

_DESCRIPTOR = (
    *(f"interval_{i:+d}" for i in range(-12, 13)),
    *(f"pitch_class_{i}" for i in range(12)),
    *(f"register_{i}" for i in range(_REGISTER_HZ.size - 1)),
    *(f"length_{i}" for i in range(_LENGTHS_S.size - 1)),
    *(f"scale_{i}" for i in range(1, _N_SCALES + 1)),
    "note_rate", "sustain", "slides", "wobble", "root_share", "voiced",
    "onset_rise", "tilt", "level_range", *(f"tone_{i}" for i in range(6)),
)  # fmt: skip


class BassLine(Extractor):
    """How the bass moves: register, intervals, note lengths, tone."""

    space: ClassVar[str] = "bass_line"
    instrument: ClassVar[str] = "bass"
    version: ClassVar[int] = 2
    stems: ClassVar[tuple[str, ...]] = ("bass", "mixture")
    if_there: ClassVar[tuple[str, ...]] = ("drums",)
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    descriptor_names: ClassVar[tuple[str, ...]] = _DESCRIPTOR

    def describe(self, stems: Stems) -> Description:
        """Measure the bass stem, and the drums' kick where there are drums.

        Raises
        ------
        TooShort
            Below one second.
        """
        curves = onset_curves(stems.mono("bass", ONSET_SR))
        onsets = find_onsets(curves, threshold=0.06, wait_s=0.06)
        notes = find_notes(stems.mono("bass", PITCH_SR), onsets)
        values = {
            **_register(notes),
            **_line(notes, stems.duration_s),
            **_tone(curves, notes),
            "kick_lock": kick_lock(*bass_onsets(curves), kicks_of(stems), stems.duration_s),
        }
        return Description(values, _descriptor(curves, onsets, notes, values))


def _register(notes: BassNotes) -> dict[str, float]:
    """Columns about where the pitch lies."""
    voiced = notes.pitch[np.isfinite(notes.pitch)]
    heard = int(notes.heard.sum())
    share = voiced.size / heard if heard else math.nan
    if voiced.size == 0:
        return {
            **dict.fromkeys(("f0_median_hz", "f0_low_hz", "f0_high_hz", "register_range_semitones"), math.nan),
            "voiced_ratio": share,
        }
    low, middle, high = np.percentile(voiced, [5, 50, 95])
    hz = [float(440 * 2 ** ((pitch - 69) / 12)) for pitch in (low, middle, high)]
    return {
        "f0_median_hz": hz[1],
        "f0_low_hz": hz[0],
        "f0_high_hz": hz[2],
        "register_range_semitones": float(high - low),
        "voiced_ratio": share,
    }


def _line(notes: BassNotes, duration_s: float) -> dict[str, float]:
    """Columns about notes and the steps between them."""
    names = (
        "note_length_ms", "sustain_ratio", "pitch_class_entropy_bits", "root_share", "interval_mean_semitones",
        "repeated_note_ratio", "stepwise_ratio", "leap_ratio", "octave_ratio", "fifth_motion_ratio", "slide_ratio",
        "pitch_wobble_cents",
    )  # fmt: skip
    values = {"note_rate_hz": len(notes) / duration_s, **dict.fromkeys(names, math.nan)}
    if len(notes) < FEWEST_NOTES:
        return values
    profile = _pitch_classes(notes)
    used = profile[profile > 0]
    first = np.round(notes.start_s / HOP_S).astype(np.intp)
    last = np.round((notes.start_s + notes.length_s) / HOP_S).astype(np.intp)
    # Two frames at each end see the neighbouring note or the attack.
    wobble = [float(np.nanstd(notes.pitch[a + 2 : max(a + 4, b - 2)])) for a, b in zip(first, last, strict=True)]
    values["note_length_ms"] = 1000 * float(np.median(notes.length_s))
    values["pitch_class_entropy_bits"] = max(0.0, float(-(used * np.log2(used)).sum()))
    values["root_share"] = float(profile.max())
    values["slide_ratio"] = count_slides(notes.pitch) / len(notes)
    values["pitch_wobble_cents"] = 100 * float(np.median(wobble))
    steps, distances = _steps(notes)
    if steps.size == 0:
        return values
    follows = np.diff(notes.start_s) < _LONGEST_IOI_S
    size = np.abs(steps)
    moved = size[size > 0] % 12
    values["sustain_ratio"] = float(np.clip(np.median(notes.length_s[:-1][follows] / distances), 0, 1))
    values["interval_mean_semitones"] = float(size.mean())
    values["repeated_note_ratio"] = float(np.mean(size == 0))
    values["stepwise_ratio"] = float(np.mean((size == 1) | (size == 2)))
    values["leap_ratio"] = float(np.mean(size >= 5))
    values["octave_ratio"] = float(np.mean(size == 12))
    values["fifth_motion_ratio"] = float(np.mean((moved == 5) | (moved == 7))) if moved.size else 0.0
    return values


def _tone(curves: OnsetCurves, notes: BassNotes) -> dict[str, float]:
    """Columns about sound."""
    power = curves.power.sum(axis=0).astype(np.float64)
    tiny = np.finfo(np.float32).tiny
    level = 10 * np.log10(np.maximum(power, tiny))
    heard = level > level.max() - 40
    spectrum = curves.power[:, heard].mean(axis=1).astype(np.float64)
    density = 10 * np.log10(np.maximum(spectrum / np.diff(_EDGES), tiny))
    density = np.maximum(density, density.max() - _TILT_FLOOR_DB)
    low, high = np.percentile(level[heard], [10, 90])
    rise = math.nan
    if len(notes) >= FEWEST_NOTES:
        # The analysis window is 46 ms long: 30 ms before is before, 60 ms after is after.
        frame = np.round(notes.start_s * FRAME_RATE_HZ).astype(np.intp)
        at = np.clip(frame[:, None] + np.arange(-14, 19), 0, level.size - 1)
        rise = float(np.clip(np.median(level[at[:, 20:]].max(axis=1) - level[at[:, :10]].min(axis=1)), -20, 80))
    return {
        "onset_rise_db": rise,
        "spectral_tilt_db_per_octave": float(np.polyfit(np.log2(_CENTRES_HZ[_TILT]), density[_TILT], 1)[0]),
        "spectral_centroid_hz": float(spectrum @ _CENTRES_HZ / max(spectrum.sum(), tiny)),
        "level_range_db": float(high - low),
    }


def _steps(notes: BassNotes) -> tuple[NDArray[np.intp], Doubles]:
    """Steps from note to note in whole semitones, and the distances of their beginnings in seconds; pauses left out."""
    distances = np.diff(notes.start_s)
    follows = distances < _LONGEST_IOI_S
    return np.round(np.diff(notes.semitones)).astype(np.intp)[follows], distances[follows]


def _pitch_classes(notes: BassNotes) -> Doubles:
    """Share of the time on each pitch class, the line's own tuning taken out, shape ``(12,)``."""
    turn = np.exp(2j * np.pi * notes.semitones) @ notes.length_s
    tuning = float(np.angle(turn)) / (2 * np.pi)
    classes = np.round(notes.semitones - tuning).astype(np.intp) % 12
    profile = np.bincount(classes, weights=notes.length_s, minlength=12)
    return profile / profile.sum()


def _descriptor(curves: OnsetCurves, onsets: Onsets, notes: BassNotes, values: dict[str, float]) -> Floats:
    """What bass lines are compared by; the order is that of `_DESCRIPTOR`."""

    def number(name: str, otherwise: float) -> float:
        return values[name] if math.isfinite(values[name]) else otherwise

    intervals, classes, lengths = np.zeros(25), np.zeros(12), np.zeros(_LENGTHS_S.size - 1)
    if len(notes) >= FEWEST_NOTES:
        steps, _ = _steps(notes)
        # Wider steps count as their octave's: what matters is the note that is reached.
        folded = np.where(np.abs(steps) > 12, np.sign(steps) * ((np.abs(steps) - 1) % 12 + 1), steps)
        intervals += np.bincount(folded + 12, minlength=25) / max(steps.size, 1)
        classes += _pitch_classes(notes)
        classes = np.roll(classes, -int(classes.argmax()))
        lengths += np.histogram(notes.length_s, bins=_LENGTHS_S)[0] / len(notes)
    voiced = notes.pitch[np.isfinite(notes.pitch)]
    hz = 440 * 2 ** ((voiced - 69) / 12)
    register = np.histogram(np.clip(hz, 30, 399.9), bins=_REGISTER_HZ)[0] / max(voiced.size, 1)
    curve = rhythm_curves(curves, onsets, np.zeros((0, len(onsets)), dtype=np.float32))[0]
    tone = curves.power[_TONE].mean(axis=1).astype(np.float64)
    tone_db = 10 * np.log10(tone.reshape(6, 2).sum(axis=1) / max(float(tone.sum()), 1e-30) + 1e-6)
    return np.concatenate(
        [
            intervals,
            classes,
            register,
            lengths,
            scale_transform(autocorrelation(curve), _N_SCALES),
            [
                math.log2(1 + values["note_rate_hz"]) / 3,
                number("sustain_ratio", 0.5),
                min(number("slide_ratio", 0), 1.0),
                min(number("pitch_wobble_cents", 0) / 50, 2.0),
                number("root_share", 0),
                number("voiced_ratio", 0),
                number("onset_rise_db", 10) / 30,
                values["spectral_tilt_db_per_octave"] / 10,
                values["level_range_db"] / 20,
            ],
            (tone_db - tone_db.mean()) / 30,
        ]
    ).astype(np.float32)
