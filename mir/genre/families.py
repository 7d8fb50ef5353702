"""What the descriptors' numbers are that no column shows, in an analyst's words.

A descriptor is what similarity is computed from, and a classifier learns from it beside the columns. Its numbers come
in families (``kick_step_01`` … ``kick_step_16``); which of them say the same as a column, `feature_of` knows.
"""

from __future__ import annotations

_SCALE = "shape of the rhythm at any tempo: the scale transform of how strokes repeat"
_CEPSTRUM = "shape of the sound's spectrum, from coarse to fine: mel cepstrum"

FAMILIES: dict[str, dict[str, str]] = {
    "vocal_timbre": {
        "envelope_cepstrum": "shape of the voice's spectrum, from coarse to fine: mel cepstrum of its envelope",
        "harmonic_cepstrum": "the same, measured on the harmonics alone",
    },
    "drum_rhythm": {
        "kick_step": "how often the kick falls on each of the bar's sixteen steps",
        "snare_step": "how often the snare falls on each of the bar's sixteen steps",
        "hats_step": "how often hats and cymbals fall on each of the bar's sixteen steps",
        "onset_lag": "how regularly strokes come back after a quarter of a beat, a third, … four beats",
        "kick_lag": "how regularly the kick comes back after a quarter of a beat, a third, … four beats",
        "scale": _SCALE,
        "band": "how the energy is spread over six bands, from the kick's to the cymbals'",
    },
    "bass_line": {
        "interval": "how often the bass moves by each interval, from an octave down to an octave up",
        "pitch_class": "how long it stays on each of the twelve notes, counted from its main one",
        "register": "how long it stays in each part of its range",
        "length": "how long its notes are: shares of six lengths",
        "scale": "shape of its rhythm at any tempo: the scale transform of how notes repeat",
        "tone": "how the energy is spread over six bands, from dark to bright",
    },
    "harmony": {
        "tonic_chroma": "how much each of the twelve notes sounds, counted from the tonic",
        "interval": "how often two notes of each interval sound together",
        "cepstrum_mean": _CEPSTRUM,
        "cepstrum_std": "how much that shape changes over time",
    },
    "mixture": {
        "mfcc_mean": _CEPSTRUM,
        "mfcc_std": "how much that shape changes over time",
    },
}
"""By space and family; whatever is not listed is described as numbers of the descriptor."""


def family_description(space: str, family: str) -> str:
    """Say what a family's numbers are."""
    return FAMILIES.get(space, {}).get(family, f"numbers of the {space} descriptor that no column shows")
