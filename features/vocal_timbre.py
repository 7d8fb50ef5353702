"""Who sings: the vocal tract's envelope, the voice's source, and how notes are shaped, from the sung frames alone."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features import notes
from features.base import Column, Description, Extractor, Stems
from features.voice import N_CEPSTRUM, Voice, listen

_BOERSMA = "Boersma, Accurate short-term analysis of the fundamental frequency, IFA Proceedings 17, 1993"
_HERRERA = "Herrera and Bonada, Vibrato extraction and parameterization, DAFX 1998"
_TONY = "after Mauch et al., Computer-aided melody note transcription (Tony), TENOR 2015"
_HILLENBRAND = "Hillenbrand, Cleveland and Erickson, Acoustic correlates of breathy vocal quality, JSHR 37, 1994"
_MARKEL = "linear prediction: Markel and Gray, Linear Prediction of Speech, 1976"
_OMORI = "Omori et al., Singing power ratio, Journal of Voice 10, 1996"
_OURS = "this project"

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
    version: ClassVar[int] = 1
    stems: ClassVar[tuple[str, ...]] = ("vocals", "mixture")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("f0_median_hz", "Hz", 65, 1150, "Median pitch of the sung frames: large is a high voice.", _BOERSMA),
        Column("f0_low_hz", "Hz", 65, 1150, "5th percentile of the pitch, the tessitura's lower end.", _BOERSMA),
        Column("f0_high_hz", "Hz", 65, 1150, "95th percentile of the pitch, the tessitura's upper end.", _BOERSMA),
        Column("f0_range_semitones", "semitones", 0, 50, "Distance of those two: large is a wide melody.", _BOERSMA),
        Column("voiced_ratio", "ratio", 0, 1, "Share of the track that is sung with a pitch.", _BOERSMA),
        Column("vibrato_rate_hz", "Hz", 3.5, 8.5, "Turns of the vibrato a second; empty without vibrato.", _HERRERA),
        Column("vibrato_extent_cents", "cents", 15, 250, "Half the height of the vibrato, middle to crest.", _HERRERA),
        Column("vibrato_ratio", "ratio", 0, 1, "Share of the held notes' time that vibrates.", _HERRERA),
        Column("note_length_median_s", "s", 0.07, 600, "Median length of a note: large is a held line.", _TONY),
        Column("note_rate_hz", "Hz", 0, 15, "Notes in a second of singing: large is melismatic or fast.", _TONY),
        Column("attack_time_s", "s", 0, 0.6, "Time from −20 to −3 dB at notes out of quiet: small is sharp.", _OURS),
        Column("level_range_db", "dB", 0, 60, "P95 − P10 of the sung frames' level: large is dynamic.", _OURS),
        Column("harmonics_to_noise_db", "dB", -10, 40, "Periodic over other energy: large is a clear voice.", _BOERSMA),
        Column(
            "cepstral_peak_prominence_db", "dB", -20, 80, "How far the pitch stands out of the cepstrum.", _HILLENBRAND
        ),
        Column("h1_h2_db", "dB", -60, 60, "First harmonic over the second: large is breathy.", _HILLENBRAND),
        Column("breathiness", "ratio", 0, 1, "Share of noise in 2–5 kHz: large is breathy or hoarse.", _BOERSMA),
        Column(
            "spectral_tilt_db_per_octave", "dB/octave", -40, 20, "Slope, 200 Hz to 8 kHz: higher is brighter.", _OURS
        ),
        Column("singers_formant_db", "dB", -80, 40, "Highest level in 2–4 kHz over that under 2 kHz.", _OMORI),
        Column("spectral_centroid_hz", "Hz", 0, 11025, "Centre of the sung spectrum: large is bright.", _OURS),
        Column("f1_hz", "Hz", 200, 1200, "Median first formant: large is open vowels or a short tract.", _MARKEL),
        Column("f2_hz", "Hz", 650, 2900, "Median second formant: large is front vowels or a short tract.", _MARKEL),
        Column("f3_hz", "Hz", 1600, 3900, "Median third formant.", _MARKEL),
        Column("f4_hz", "Hz", 2700, 5000, "Median fourth formant: falls with the tract's length.", _MARKEL),
    )
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
    low, median, high = (float(x) for x in np.percentile(f0, (5, 50, 95)))
    runs = notes.voiced_runs(voice.pitch)
    vibrato = notes.vibrato(voice.pitch, runs)
    lengths = notes.note_lengths_s(voice.pitch, runs)
    attacks = notes.attack_times_s(voice.level_db, voice.pitch, runs)
    quiet, loud = np.percentile(voice.spectrum_level_db, (10, 95))
    return {
        "f0_median_hz": median,
        "f0_low_hz": low,
        "f0_high_hz": high,
        "f0_range_semitones": 12 * float(np.log2(high / low)),
        "voiced_ratio": float(voice.pitch.voiced.mean()),
        "vibrato_rate_hz": vibrato.rate_hz,
        "vibrato_extent_cents": vibrato.extent_cents,
        "vibrato_ratio": vibrato.share,
        "note_length_median_s": float(np.median(lengths)) if lengths.size else np.nan,
        "note_rate_hz": lengths.size / (f0.size * voice.pitch.hop_s),
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
        middle: NDArray[np.float32] = np.nanmedian(voice.formants_hz, axis=0)
    return {
        "spectral_tilt_db_per_octave": float(slope),
        "singers_formant_db": float(level[ring].max() - level[body].max()),
        "spectral_centroid_hz": float(frequency @ power),
        **{f"f{i + 1}_hz": float(middle[i]) for i in range(4)},
    }
