"""What the accompaniment plays: key, chords, tuning, and the colour of its sound."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features import chroma as pitch_classes
from features.base import Column, Description, Extractor, Samples, Stems
from features.envelope import cepstrum, mel_filters
from features.frames import Framing
from features.onsets import ONSET_SR, find_onsets, onset_curves

Floats = NDArray[np.float32]

CHROMA_FRAME_S, CHROMA_HOP_S = 0.37, 0.1
COLOUR_FRAME_S, COLOUR_HOP_S = 0.046, 0.03
CHANGE_S = 0.5
"""Distance of the chroma frames that are compared for change."""

N_BANDS, N_CEPSTRUM = 40, 13
LOW_HZ, HIGH_HZ = 60.0, 10500.0
QUIET_DB = -35.0
CONTRAST_EDGES_HZ = (200, 400, 800, 1600, 3200, 6400)

_GOMEZ = "Gómez, Tonal description of polyphonic audio, INFORMS Journal on Computing 18, 2006"
_ALBRECHT = "Albrecht and Shanahan, Music Perception 31, 2013 (key profiles)"
_BELLO = "Bello and Pickens, A robust mid-level representation for harmonic content, ISMIR 2005"
_JIANG = "Jiang et al., Music type classification by spectral contrast feature, ICME 2002"
_ONSETS = "Bello et al., A tutorial on onset detection in music signals, IEEE TSAP 13, 2005"
_PEETERS = "Peeters, A large set of audio features for sound description, IRCAM 2004"
_OURS = "this project"


class Harmony(Extractor):
    """Key, chords and colour of the accompaniment without the drums.

    The descriptor is transposition-invariant: chroma turned so that the tonic comes first, the share of each interval,
    how fast the harmony moves, and the mel cepstrum of the sound.
    """

    space: ClassVar[str] = "harmony"
    instrument: ClassVar[str] = "other"
    version: ClassVar[int] = 1
    stems: ClassVar[tuple[str, ...]] = ("other", "bass", "mixture")
    columns: ClassVar[tuple[Column, ...]] = (
        Column("key_pitch_class", "pitch class", 0, 11, "Tonic, 0 = C, 1 = C sharp … 11 = B.", _ALBRECHT),
        Column("mode_is_major", "0 or 1", 0, 1, "1 where the key is major, 0 where it is minor.", _ALBRECHT),
        Column("key_strength", "correlation", -1, 1, "Fit of the key's profile: large is plainly tonal.", _ALBRECHT),
        Column("tuning_cents", "cents", -50, 50, "Offset of the tuning from A4 = 440 Hz.", _GOMEZ),
        Column("chroma_entropy", "ratio", 0, 1, "Evenness of the pitch classes: 1 is all twelve alike.", _OURS),
        Column("chroma_change_rate_hz", "1/s", 0, 2, "Chroma exchanged in a second: large is busy.", _OURS),
        Column("chord_change_rate_hz", "1/s", 0, 10, "Changes of triad a second.", _BELLO),
        Column("chord_minor_ratio", "ratio", 0, 1, "Share of the triads' time that is minor.", _BELLO),
        Column("brightness_hz", "Hz", 0, 11025, "Median centre of the spectrum.", _PEETERS),
        Column("spectral_flatness_db", "dB", -100, 0, "Geometric over arithmetic mean: low is tonal.", _PEETERS),
        Column("spectral_contrast_db", "dB", 0, 100, "Peaks over valleys in six bands: large is clear tones.", _JIANG),
        Column("onset_rate_hz", "1/s", 0, 40, "Beginnings of notes or chords a second.", _ONSETS),
        Column("level_range_db", "dB", 0, 150, "P95 − P10 of the level: large is dynamic or sparse.", _OURS),
    )
    descriptor_names: ClassVar[tuple[str, ...]] = (
        *(f"tonic_chroma_{i}" for i in range(12)),
        *(f"interval_{i + 1}" for i in range(6)),
        "mode_is_major",
        "key_strength",
        "chroma_entropy",
        "chroma_change_rate_hz",
        "chord_change_rate_hz",
        "chord_minor_ratio",
        "log2_brightness",
        "spectral_flatness_db",
        "spectral_contrast_db",
        "onset_rate_hz",
        *(f"cepstrum_mean_{i + 1}" for i in range(N_CEPSTRUM)),
        *(f"cepstrum_std_{i + 1}" for i in range(N_CEPSTRUM)),
    )

    def describe(self, stems: Stems) -> Description:
        """Measure the accompaniment."""
        other = stems.mono("other", ONSET_SR)
        tonal, tonic_first, intervals = _tonality(other + stems.mono("bass", ONSET_SR))
        colour, means, deviations = _colour(other)
        values = {**tonal, **colour, "onset_rate_hz": len(find_onsets(onset_curves(other))) * ONSET_SR / other.size}
        names = self.descriptor_names[18:28]
        middle = [
            np.log2(max(values["brightness_hz"], 20.0)) if name == "log2_brightness" else values[name] for name in names
        ]
        parts = (tonic_first, intervals, np.array(middle), means, deviations)
        return Description(values, np.concatenate(parts).astype(np.float32))


def _tonality(y: Samples) -> tuple[dict[str, float], Floats, Floats]:
    """Columns on key and chords; mean chroma with the tonic first; shares of the intervals."""
    chroma = pitch_classes.chroma(Framing(y, ONSET_SR, CHROMA_FRAME_S, CHROMA_HOP_S))
    mean = chroma.mean
    key = pitch_classes.key(mean)
    tonal = chroma.frames[chroma.frames.sum(axis=1) > 0]
    path = pitch_classes.chord_path(chroma.frames)
    triads = path[path < 24]
    lag = max(1, round(CHANGE_S / chroma.hop_s))
    moved = 0.5 * np.abs(tonal[lag:] - tonal[:-lag]).sum(axis=1) if len(tonal) > lag else np.zeros(1)
    entropy = -np.sum(mean * np.log(np.maximum(mean, 1e-12))) / np.log(12)
    values = {
        "key_pitch_class": float(key.pitch_class),
        "mode_is_major": float(key.is_major),
        "key_strength": key.strength,
        "tuning_cents": chroma.tuning_cents,
        "chroma_entropy": float(np.clip(entropy, 0, 1)),
        "chroma_change_rate_hz": float(np.clip(moved.mean() / (lag * chroma.hop_s), 0, 2)),
        "chord_change_rate_hz": float(np.count_nonzero(np.diff(triads)) / (len(path) * chroma.hop_s)),
        "chord_minor_ratio": float(np.mean(triads >= 12)) if triads.size else 0.0,
    }
    return values, np.roll(mean, -key.pitch_class), pitch_classes.interval_content(tonal)


def _colour(y: Samples) -> tuple[dict[str, float], Floats, Floats]:
    """Columns on the spectrum; mean and standard deviation of the mel cepstrum without c0."""
    framing = Framing(y, ONSET_SR, COLOUR_FRAME_S, COLOUR_HOP_S)
    level = framing.level_db()
    frames = np.flatnonzero(level > np.percentile(level, 95) + QUIET_DB)
    frequency = framing.frequencies_hz
    bands = mel_filters(frequency, N_BANDS, LOW_HZ, HIGH_HZ).T
    heard = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    edges = np.searchsorted(frequency, (0, *CONTRAST_EDGES_HZ, HIGH_HZ))
    cepstra, centroid, flatness, contrast = [], [], [], []
    for _, power in framing.power_blocks(frames):
        power = np.maximum(power, 1e-8 * power.max(axis=1, keepdims=True))
        log_power = 10 * np.log10(power)
        cepstra.append(cepstrum(10 * np.log10(power @ bands), N_CEPSTRUM))
        total = power[:, heard].sum(axis=1)
        centroid.append(power[:, heard] @ frequency[heard] / total)
        flatness.append(log_power[:, heard].mean(axis=1) - 10 * np.log10(total / heard.sum()))
        contrast.append([_contrast(log_power[:, a:b]) for a, b in pairwise(edges)])
    quiet, loud = np.percentile(np.maximum(level, level.max() - 100), (10, 95))
    whole = np.concatenate(cepstra)
    values = {
        "brightness_hz": float(np.median(np.concatenate(centroid))),
        "spectral_flatness_db": float(np.median(np.concatenate(flatness))),
        "spectral_contrast_db": float(np.mean([np.concatenate(band).mean() for band in zip(*contrast, strict=True)])),
        "level_range_db": float(loud - quiet),
    }
    return values, whole.mean(axis=0), whole.std(axis=0)


def _contrast(log_power: Floats) -> Floats:
    """Mean of the strongest fifth over mean of the weakest fifth of some bins, dB, shape ``(n_frames,)``."""
    n = max(1, log_power.shape[1] // 5)
    ranked = np.partition(log_power, (n - 1, log_power.shape[1] - n), axis=1)
    return ranked[:, -n:].mean(axis=1) - ranked[:, :n].mean(axis=1)
