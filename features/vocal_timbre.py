"""Who sings: the vocal tract's envelope, the voice's source, and how notes are shaped, from the sung frames alone."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features import notes
from features.base import Column, Description, Extractor, Stems
from features.vocal_columns import LTAS_BANDS_HZ, VOCAL_COLUMNS
from features.voice import N_CEPSTRUM, Voice, listen

Floats = NDArray[np.float32]

_NEUTRAL = {
    "f0_range_semitones": 8.0,
    "vibrato_extent_cents": 0.0,
    "note_length_median_s": 0.2,
    "f1_hz": 550.0,
    "f2_hz": 1500.0,
    "f3_hz": 2650.0,
    "f4_hz": 3700.0,
}
"""What a descriptor holds where a column could not be measured: no vibrato, else the middle of what voices have."""

_SCALED = (
    ("log2_f0_median", "f0_median_hz"),
    ("f0_range_semitones", "f0_range_semitones"),
    ("vibrato_extent_cents", "vibrato_extent_cents"),
    ("log2_note_length", "note_length_median_s"),
    ("harmonics_to_noise_db", "harmonics_to_noise_db"),
    ("cepstral_peak_prominence_db", "cepstral_peak_prominence_db"),
    ("h1_h2_db", "h1_h2_db"),
    ("breathiness", "breathiness"),
    ("log2_f1", "f1_hz"),
    ("log2_f2", "f2_hz"),
    ("log2_f3", "f3_hz"),
    ("log2_f4", "f4_hz"),
)
"""Descriptor names beside the cepstra, and the columns that they come from."""


class VocalTimbre(Extractor):
    """Timbre and manner of a singing voice.

    The descriptor holds the mean mel cepstra (without c0) of two pitch-independent envelopes, one smooth and one drawn
    from harmonic to harmonic, and the source measures and formants; spectra of unsung frames are bleed and stay out.
    """

    space: ClassVar[str] = "vocal_timbre"
    instrument: ClassVar[str] = "vocals"
    version: ClassVar[int] = 2
    stems: ClassVar[tuple[str, ...]] = ("vocals", "mixture")
    columns: ClassVar[tuple[Column, ...]] = VOCAL_COLUMNS
    descriptor_names: ClassVar[tuple[str, ...]] = (
        *(f"envelope_cepstrum_{i + 1}" for i in range(N_CEPSTRUM)),
        *(f"harmonic_cepstrum_{i + 1}" for i in range(N_CEPSTRUM)),
        *(name for name, _ in _SCALED),
    )

    def describe(self, stems: Stems) -> Description:
        """Measure the voice.

        Raises
        ------
        StemSilent
            Where less than 0.8 s is sung.
        TooShort
            Where the track is shorter than half a second.
        """
        voice = listen(stems, self.stems[0])
        values = {**_melody(voice), **_source(voice), **_tract(voice)}
        scaled = []
        for name, column in _SCALED:
            value = values[column] if np.isfinite(values[column]) else _NEUTRAL[column]
            scaled.append(np.log2(value) if name.startswith("log2_") else value)
        parts = (voice.cepstra.mean(axis=0), voice.harmonic_cepstra.mean(axis=0), np.array(scaled))
        return Description(values, np.concatenate(parts).astype(np.float32))


def _melody(voice: Voice) -> dict[str, float]:
    """Columns on pitch, vibrato and notes."""
    f0 = voice.pitch.f0_hz[voice.pitch.voiced]
    low, quarter, median, three_quarters, high = (float(x) for x in np.percentile(f0, (5, 25, 50, 75, 95)))
    runs = notes.voiced_runs(voice.pitch)
    vibrato = notes.vibrato(voice.pitch, runs)
    sung_s = f0.size * voice.pitch.hop_s
    lengths = notes.note_lengths_s(voice.pitch, runs)
    attacks = notes.attack_times_s(voice.level_db, voice.pitch, runs)
    quiet, loud = np.percentile(voice.spectrum_level_db, (10, 95))
    return {
        "f0_median_hz": median,
        "f0_low_hz": low,
        "f0_high_hz": high,
        "f0_range_semitones": 12 * float(np.log2(high / low)),
        "f0_median_midi": 69 + 12 * float(np.log2(median / 440)),
        "tessitura_low_hz": quarter,
        "tessitura_high_hz": three_quarters,
        "tessitura_semitones": 12 * float(np.log2(three_quarters / quarter)),
        "voiced_ratio": float(voice.pitch.voiced.mean()),
        "vibrato_rate_hz": vibrato.rate_hz,
        "vibrato_extent_cents": vibrato.extent_cents,
        "vibrato_ratio": vibrato.share,
        "note_length_median_s": float(np.median(lengths)) if lengths.size else np.nan,
        "note_rate_hz": lengths.size / sung_s,
        "melisma_rate_hz": notes.melisma_steps(voice.pitch, runs) / sung_s,
        "attack_time_s": float(np.median(attacks)) if attacks.size else np.nan,
        "level_range_db": float(loud - quiet),
    }


def _source(voice: Voice) -> dict[str, float]:
    """Columns on the vocal folds."""
    return {
        "harmonics_to_noise_db": float(np.median(voice.harmonics_to_noise_db)),
        "cepstral_peak_prominence_db": float(np.mean(voice.cepstral_peak_prominence_db)),
        "h1_h2_db": float(np.median(voice.h1_h2_db)),
        "breathiness": float(np.median(voice.breath_share)),
        "jitter_percent": voice.perturbation.jitter_percent,
        "shimmer_percent": voice.perturbation.shimmer_percent,
    }


def _tract(voice: Voice) -> dict[str, float]:
    """Columns on the spectrum of the sung frames."""
    frequency, power = voice.frequencies_hz, voice.mean_spectrum
    level = 10 * np.log10(np.maximum(power, 1e-12))
    centres = np.geomspace(200, 8000, 17)
    slope = np.polyfit(np.log2(centres), np.interp(centres, frequency, level), 1)[0]
    ring = (frequency >= 2000) & (frequency <= 4000)
    body = (frequency >= 60) & (frequency < 2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a formant that no frame shows stays NaN
        middle: Floats = np.nanmedian(voice.formants_hz, axis=0)
    return {
        "spectral_tilt_db_per_octave": float(slope),
        "singers_formant_db": float(level[ring].max() - level[body].max()),
        "spectral_centroid_hz": float(frequency @ power),
        **{f"f{i + 1}_hz": float(hz) for i, hz in enumerate(middle)},
        **_third_octaves(frequency, power),
    }


def _third_octaves(frequencies_hz: Floats, power: Floats) -> dict[str, float]:
    """Level of each third octave of a spectrum against the whole, dB; bins on an edge are shared out."""
    bin_hz = float(frequencies_hz[1])
    below = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    edges = 1000 * 2 ** ((np.arange(len(LTAS_BANDS_HZ) + 1) - LTAS_BANDS_HZ.index(1000) - 0.5) / 3)
    reached = np.interp(edges, (np.arange(below.size) - 0.5) * bin_hz, below)
    level = 10 * np.log10(np.maximum(np.diff(reached) / below[-1], 1e-11))
    return {f"ltas_{hz}_hz_db": float(each) for hz, each in zip(LTAS_BANDS_HZ, level, strict=True)}
