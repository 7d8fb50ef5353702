"""What `features.drum_rhythm` declares: its columns, and the names of its descriptor's numbers."""

from __future__ import annotations

from features.base import Column
from features.drum_voices import DRUMS

N_TEMPO_CODES = 9
N_SCALES = 12
SUBDIVISIONS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 3 / 2, 2, 3, 4)
"""Lags in beats at which the descriptor reads the autocorrelations."""

_OWN = "features.drum_rhythm"

DRUM_COLUMNS = (
    Column(
        "tempo_bpm", "BPM", 40, 240, "Beats a minute, octave resolved.",
        "features.tempo; beats after Ellis, JNMR 2007",
    ),
    Column("tempo_confidence", "1", 0, 1, "Large where no other tempo would do.", "features.tempo"),
    Column(
        "tempo_variation_percent", "%", 0, 50, "Large where the tempo wanders: spread of the bars' lengths.",
        _OWN,
    ),
    Column(
        "pulse_clarity", "1", 0, 1,
        "Large where one pulse is plain: highest autocorrelation of the onsets, 0.25 to 2 s.",
        "Lartillot, Eerola, Toiviainen, Fornari: Multi-feature modeling of pulse clarity, ISMIR 2008",
    ),
    Column("onset_rate_hz", "Hz", 0, 35, "Strokes a second, all drums together.", "Bello et al., IEEE TSAP 2005"),
    Column("kick_rate_hz", "Hz", 0, 35, "Kick strokes a second.", _OWN),
    Column("snare_rate_hz", "Hz", 0, 35, "Snare strokes a second.", _OWN),
    Column("hats_rate_hz", "Hz", 0, 35, "Hi-hat and cymbal strokes a second.", _OWN),
    Column("toms_rate_hz", "Hz", 0, 35, "Tom strokes a second.", _OWN),
    Column("onsets_per_beat", "1", 0, 40, "Strokes a beat: large where the beat is finely divided.", _OWN),
    Column(
        "four_on_the_floor", "1", 0, 1,
        "1 where the kick plays every beat: share of bars with a kick, on the two beats where it is rarest.", _OWN,
    ),
    Column(
        "backbeat_strength", "1", -1, 1, "1 where the snare plays 2 and 4 only, −1 where it plays 1 and 3 only.", _OWN
    ),
    Column("offbeat_hats", "1", -1, 1, "1 where the hats play between the beats only, −1 on the beats only.", _OWN),
    Column(
        "syncopation", "1", 0, 64,
        "Syncopation of kick and snare, points a bar: large where strokes precede stronger steps.",
        "Longuet-Higgins & Lee, Music Perception 1984; Fitch & Rosenfeld, Music Perception 2007",
    ),
    Column(
        "kick_syncopation", "1", 0, 64, "The same of the kick alone.",
        "Longuet-Higgins & Lee, Music Perception 1984",
    ),
    Column("swing_ratio", "ratio", 0.8, 2.5, "First half of the beat over the second: 1 straight, 2 triplets.", _OWN),
    Column("sixteenth_swing_ratio", "ratio", 0.8, 2.5, "The same within half a beat.", _OWN),
    Column("bar_repetition", "1", 0, 1, "1 where each bar is the one before (cosine of their patterns).", _OWN),
    Column("kick_steps_per_bar", "1", 0, 16, "Steps of sixteen that the kick plays.", _OWN),
    Column("snare_steps_per_bar", "1", 0, 16, "Steps of sixteen that the snare plays.", _OWN),
    Column("hats_steps_per_bar", "1", 0, 16, "Steps of sixteen that hats and cymbals play.", _OWN),
    Column(
        "microtiming_deviation_ms", "ms", 0, 150,
        "How unevenly strokes fall: robust spread around the usual place of their step.", _OWN,
    ),
    Column(
        "groove_offset_ms", "ms", 0, 150, "How far the steps' usual places lie from an even grid, swing taken out.",
        _OWN,
    ),
    Column("accent_range_db", "dB", 0, 80, "From the soft strokes to the loud ones: 10th to 90th percentile.", _OWN),
    Column("ghost_note_ratio", "ratio", 0, 1, "Share of snare strokes 12 dB or more under the loud ones.", _OWN),
    Column("low_energy_ratio", "ratio", 0, 1, "Share of the energy under 160 Hz.", _OWN),
    Column("high_energy_ratio", "ratio", 0, 1, "Share of the energy over 2.45 kHz.", _OWN),
    Column(
        "spectral_centroid_hz", "Hz", 45, 9900, "Large for bright drums; from band energies of 32 Hz to 10.8 kHz.",
        _OWN,
    ),
    Column("level_re_mixture_db", "dB", -60, 60, "Level of the drums against the mixture's.", _OWN),
)  # fmt: skip

DRUM_DESCRIPTOR_NAMES = (
    *(f"tempo_{i}" for i in range(N_TEMPO_CODES)),
    *(f"{drum}_step_{i:02d}" for drum in DRUMS[:3] for i in range(1, 17)),
    *(f"{what}_lag_{i}" for what in ("onset", "kick") for i in range(len(SUBDIVISIONS))),
    *(f"scale_{i}" for i in range(1, N_SCALES + 1)),
    "onset_rate", "kick_rate", "snare_rate", "hats_rate", "toms_rate",
    "four_on_the_floor", "backbeat", "offbeat_hats", "syncopation", "kick_syncopation", "swing", "sixteenth_swing",
    "repetition", "pulse_clarity", "microtiming", "accents", "ghost_notes",
    *(f"band_{i}" for i in range(6)),
)  # fmt: skip
