"""What little and much of each column is called, in two or three words: clusters are named with them.

Columns that measure nearly the same share their words, so that no name says a thing twice. Columns without words of
their own (single bands, a key that goes in a circle) are listed too: nothing is forgotten silently.
"""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, tuple[str, str]]

_LOW_HIGH_VOICE = ("low voice", "high voice")
_DARK_BRIGHT_VOICE = ("dark voice", "bright voice")
_VOCAL: Words = {
    "f0_median_hz": _LOW_HIGH_VOICE,
    "f0_low_hz": _LOW_HIGH_VOICE,
    "f0_high_hz": _LOW_HIGH_VOICE,
    "f0_median_midi": _LOW_HIGH_VOICE,
    "tessitura_low_hz": _LOW_HIGH_VOICE,
    "tessitura_high_hz": _LOW_HIGH_VOICE,
    "f0_range_semitones": ("narrow melody", "wide melody"),
    "tessitura_semitones": ("narrow melody", "wide melody"),
    "voiced_ratio": ("little singing", "much singing"),
    "vibrato_rate_hz": ("slow vibrato", "fast vibrato"),
    "vibrato_extent_cents": ("shallow vibrato", "deep vibrato"),
    "vibrato_ratio": ("little vibrato", "much vibrato"),
    "note_length_median_s": ("short notes", "held notes"),
    "note_rate_hz": ("slow singing", "fast singing"),
    "melisma_rate_hz": ("plain melody", "melismatic"),
    "attack_time_s": ("sharp attacks", "soft attacks"),
    "level_range_db": ("even level", "dynamic singing"),
    "harmonics_to_noise_db": ("noisy voice", "clear voice"),
    "cepstral_peak_prominence_db": ("noisy voice", "clear voice"),
    "h1_h2_db": ("pressed voice", "breathy voice"),
    "breathiness": ("little breath", "breathy voice"),
    "jitter_percent": ("smooth voice", "rough voice"),
    "shimmer_percent": ("smooth voice", "rough voice"),
    "spectral_tilt_db_per_octave": _DARK_BRIGHT_VOICE,
    "spectral_centroid_hz": _DARK_BRIGHT_VOICE,
    "singers_formant_db": ("soft-edged voice", "ringing voice"),
    "f1_hz": ("closed vowels", "open vowels"),
    "f2_hz": ("back vowels", "front vowels"),
    "f3_hz": ("long vocal tract", "short vocal tract"),
    "f4_hz": ("long vocal tract", "short vocal tract"),
    "f5_hz": ("long vocal tract", "short vocal tract"),
}

_DRUMS: Words = {
    "tempo_bpm": ("slow", "fast"),
    "tempo_confidence": ("unclear tempo", "clear tempo"),
    "tempo_variation_percent": ("steady tempo", "wandering tempo"),
    "pulse_clarity": ("unclear pulse", "clear pulse"),
    "onset_rate_hz": ("sparse drums", "busy drums"),
    "kick_rate_hz": ("few kicks", "many kicks"),
    "snare_rate_hz": ("few snares", "many snares"),
    "hats_rate_hz": ("few hats", "many hats"),
    "toms_rate_hz": ("few toms", "many toms"),
    "onsets_per_beat": ("undivided beats", "finely divided beats"),
    "four_on_the_floor": ("broken kick", "four on the floor"),
    "backbeat_strength": ("no backbeat", "strong backbeat"),
    "offbeat_hats": ("hats on the beat", "offbeat hats"),
    "syncopation": ("unsyncopated", "syncopated"),
    "kick_syncopation": ("unsyncopated kick", "syncopated kick"),
    "swing_ratio": ("straight", "swung"),
    "sixteenth_swing_ratio": ("straight sixteenths", "swung sixteenths"),
    "bar_repetition": ("changing bars", "repetitive"),
    "kick_steps_per_bar": ("few kicks", "many kicks"),
    "snare_steps_per_bar": ("few snares", "many snares"),
    "hats_steps_per_bar": ("few hats", "many hats"),
    "microtiming_deviation_ms": ("tight", "loose"),
    "groove_offset_ms": ("on the grid", "off the grid"),
    "accent_range_db": ("even strokes", "strong accents"),
    "ghost_note_ratio": ("no ghost notes", "ghost notes"),
    "low_energy_ratio": ("light low drums", "heavy low drums"),
    "high_energy_ratio": ("dull hats", "bright hats"),
    "spectral_centroid_hz": ("dull hats", "bright hats"),
    "level_re_mixture_db": ("quiet drums", "loud drums"),
}

_LOW_HIGH_BASS = ("low bass", "high bass")
_BASS: Words = {
    "f0_median_hz": _LOW_HIGH_BASS,
    "f0_low_hz": _LOW_HIGH_BASS,
    "f0_high_hz": _LOW_HIGH_BASS,
    "register_range_semitones": ("narrow register", "wide register"),
    "voiced_ratio": ("unpitched bass", "pitched bass"),
    "note_rate_hz": ("slow bass", "busy bass"),
    "note_length_ms": ("short bass notes", "long bass notes"),
    "sustain_ratio": ("staccato bass", "sustained bass"),
    "pitch_class_entropy_bits": ("few bass pitches", "many bass pitches"),
    "root_share": ("moving roots", "pedal point"),
    "interval_mean_semitones": ("small bass steps", "wide bass steps"),
    "repeated_note_ratio": ("few repeated notes", "repeated notes"),
    "stepwise_ratio": ("hardly stepwise bass", "stepwise bass"),
    "leap_ratio": ("no leaps", "leaping bass"),
    "octave_ratio": ("no octaves", "octave bass"),
    "fifth_motion_ratio": ("few fifths", "moving in fifths"),
    "slide_ratio": ("no slides", "sliding bass"),
    "pitch_wobble_cents": ("steady bass pitch", "wobbling bass"),
    "onset_rise_db": ("soft-edged bass", "punchy bass"),
    "spectral_tilt_db_per_octave": ("round bass", "bright bass"),
    "spectral_centroid_hz": ("round bass", "bright bass"),
    "level_range_db": ("even bass", "dynamic bass"),
    "kick_lock": ("apart from the kick", "locked to the kick"),
}

_HARMONY: Words = {
    "mode_is_major": ("minor", "major"),
    "key_strength": ("loosely tonal", "plainly tonal"),
    "tuning_cents": ("tuned low", "tuned high"),
    "chroma_entropy": ("few pitch classes", "many pitch classes"),
    "chroma_change_rate_hz": ("still harmony", "busy harmony"),
    "chord_change_rate_hz": ("slow chords", "fast chords"),
    "chord_minor_ratio": ("major chords", "minor chords"),
    "brightness_hz": ("dark accompaniment", "bright accompaniment"),
    "spectral_flatness_db": ("tonal accompaniment", "noisy accompaniment"),
    "spectral_contrast_db": ("blurred tones", "clear tones"),
    "onset_rate_hz": ("sparse playing", "busy playing"),
    "level_range_db": ("even playing", "dynamic playing"),
}

_MIXTURE: Words = {
    "loudness_lufs": ("quiet", "loud"),
    "loudness_range_lu": ("even loudness", "varying loudness"),
    "sample_peak_dbfs": ("low peaks", "high peaks"),
    "crest_factor_db": ("heavily limited", "open dynamics"),
    "dynamic_complexity_db": ("even loudness", "varying loudness"),
    "spectral_centroid_hz": ("dark sound", "bright sound"),
    "spectral_rolloff_hz": ("dark sound", "bright sound"),
    "spectral_flatness_db": ("tonal sound", "noisy sound"),
    "low_energy_ratio": ("light low end", "heavy low end"),
    "mid_energy_ratio": ("scooped mids", "strong mids"),
    "high_energy_ratio": ("soft treble", "crisp treble"),
    "stereo_width": ("narrow stereo", "wide stereo"),
    "onset_rate_hz": ("sparse onsets", "dense onsets"),
}

WORDS: Mapping[str, Words] = {
    "vocal_timbre": _VOCAL,
    "drum_rhythm": _DRUMS,
    "bass_line": _BASS,
    "harmony": _HARMONY,
    "mixture": _MIXTURE,
}
"""Space → column → (little of it, much of it)."""

WORDLESS: Mapping[str, tuple[str, ...]] = {
    "vocal_timbre": ("ltas_",),
    "harmony": ("key_pitch_class",),
}
"""Space → beginnings of the columns that have no words on purpose."""


def words_of(space: str, column: str) -> tuple[str, str] | None:
    """Return what little and much of a column is called; None where it has no words on purpose.

    A column that nobody gave words to (a new extractor's) is called by its own name.

    Examples
    --------
    >>> words_of("drum_rhythm", "tempo_bpm")
    ('slow', 'fast')
    >>> words_of("new_space", "grain_size")
    ('low grain size', 'high grain size')
    """
    if column.startswith(WORDLESS.get(space, ())):
        return None
    plain = column.replace("_", " ")
    return WORDS.get(space, {}).get(column, (f"low {plain}", f"high {plain}"))
