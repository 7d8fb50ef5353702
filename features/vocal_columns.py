"""What `features.vocal_timbre` declares: its columns, and the bands of its long-term average spectrum."""

from __future__ import annotations

from features.base import Column

LTAS_BANDS_HZ = (
    125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000, 5000, 6300, 8000,
)  # fmt: skip
"""Nominal centres of the third octaves; the exact ones are 1000 · 2^(n/3) Hz."""

_BOERSMA = "Boersma, Accurate short-term analysis of the fundamental frequency, IFA Proceedings 17, 1993"
_HERRERA = "Herrera and Bonada, Vibrato extraction and parameterization, DAFX 1998"
_TONY = "after Mauch et al., Computer-aided melody note transcription (Tony), TENOR 2015"
_HILLENBRAND = "Hillenbrand, Cleveland and Erickson, Acoustic correlates of breathy vocal quality, JSHR 37, 1994"
_MARKEL = "linear prediction: Markel and Gray, Linear Prediction of Speech, 1976"
_OMORI = "Omori et al., Singing power ratio, Journal of Voice 10, 1996"
_OURS = "this project"
_TITZE = "after Titze, Quantifying tessitura in a song, Journal of Singing 65, 2008"
_KOIKE = (
    "Koike, Takahashi and Calcaterra, Acoustic measures for detecting laryngeal pathology, Acta Otolaryngol. 84, 1977"
)
_LTAS = (
    "Löfqvist and Mandersson, Long-time average spectrum of speech, Folia Phoniatrica 39, 1987; bands of IEC 61260-1"
)

VOCAL_COLUMNS = (
    Column("f0_median_hz", "Hz", 65, 1150, "Median pitch of the sung frames: large is a high voice.", _BOERSMA),
    Column("f0_low_hz", "Hz", 65, 1150, "5th percentile of the pitch: the lowest notes.", _BOERSMA),
    Column("f0_high_hz", "Hz", 65, 1150, "95th percentile of the pitch: the highest notes.", _BOERSMA),
    Column("f0_range_semitones", "semitones", 0, 50, "Distance of those two: large is a wide melody.", _BOERSMA),
    Column("f0_median_midi", "semitones", 35, 86, "Median pitch as a MIDI number: 69 is A4, 60 middle C.", _BOERSMA),
    Column(
        "tessitura_low_hz", "Hz", 65, 1150, "25th percentile of the pitch: half is sung from here to the 75th.", _TITZE
    ),
    Column("tessitura_high_hz", "Hz", 65, 1150, "75th percentile of the pitch.", _TITZE),
    Column("tessitura_semitones", "semitones", 0, 50, "Distance of those two.", _TITZE),
    Column("voiced_ratio", "ratio", 0, 1, "Share of the track that is sung with a pitch.", _BOERSMA),
    Column("vibrato_rate_hz", "Hz", 3.5, 8.5, "Turns of the vibrato a second; empty without vibrato.", _HERRERA),
    Column("vibrato_extent_cents", "cents", 15, 250, "Half the height of the vibrato, middle to crest.", _HERRERA),
    Column("vibrato_ratio", "ratio", 0, 1, "Share of the held notes' time that vibrates.", _HERRERA),
    Column("note_length_median_s", "s", 0.07, 600, "Median length of a note: large is a held line.", _TONY),
    Column("note_rate_hz", "Hz", 0, 15, "Notes in a second of singing: large is fast.", _TONY),
    Column(
        "melisma_rate_hz", "Hz", 0, 15, "Steps to another note within one unbroken sound, a second of singing.", _TONY
    ),
    Column("attack_time_s", "s", 0, 0.6, "Time from −20 to −3 dB at notes out of quiet: small is sharp.", _OURS),
    Column("level_range_db", "dB", 0, 60, "P95 − P10 of the sung frames' level: large is dynamic.", _OURS),
    Column("harmonics_to_noise_db", "dB", -10, 40, "Periodic over other energy: large is a clear voice.", _BOERSMA),
    Column("cepstral_peak_prominence_db", "dB", -20, 80, "How far the pitch stands out of the cepstrum.", _HILLENBRAND),
    Column("h1_h2_db", "dB", -60, 60, "First harmonic over the second: large is breathy.", _HILLENBRAND),
    Column("breathiness", "ratio", 0, 1, "Share of noise in 2–5 kHz: large is breathy or hoarse.", _BOERSMA),
    Column("jitter_percent", "%", 0, 22, "A period against the mean of three: large is rough, or bleed.", _KOIKE),
    Column("shimmer_percent", "%", 0, 200, "The same of the periods' amplitudes.", _KOIKE),
    Column("spectral_tilt_db_per_octave", "dB/octave", -40, 20, "Slope, 200 Hz to 8 kHz: higher is brighter.", _OURS),
    Column("singers_formant_db", "dB", -80, 40, "Highest level in 2–4 kHz over that under 2 kHz.", _OMORI),
    Column("spectral_centroid_hz", "Hz", 0, 11025, "Centre of the sung spectrum: large is bright.", _OURS),
    Column("f1_hz", "Hz", 200, 1200, "Median first formant: large is open vowels or a short tract.", _MARKEL),
    Column("f2_hz", "Hz", 650, 2900, "Median second formant: large is front vowels or a short tract.", _MARKEL),
    Column("f3_hz", "Hz", 1600, 3900, "Median third formant.", _MARKEL),
    Column("f4_hz", "Hz", 2700, 5000, "Median fourth formant: falls with the tract's length.", _MARKEL),
    Column("f5_hz", "Hz", 3600, 5400, "Median fifth formant: bleed reaches it first.", _MARKEL),
    *(
        Column(f"ltas_{hz}_hz_db", "dB", -110, 0, f"Level of the third octave at {hz} Hz in the sung sound's.", _LTAS)
        for hz in LTAS_BANDS_HZ
    ),
)
