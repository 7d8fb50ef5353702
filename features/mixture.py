"""How the whole sounds: loudness, dynamics, spectrum, width."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import Column, Description, Extractor, Samples, Stems
from features.envelope import mel_filters
from features.frames import Framing
from features.loudness import loudness_and_range
from features.onsets import ONSET_SR, find_onsets, onset_curves

Doubles = NDArray[np.float64]

N_MELS = 40
N_MFCC = 20
HIGHEST_HZ = 16000.0
"""Nothing above is looked at: lossy codecs remove it, and it would tell bit rates apart instead of music."""
_MEL_RANGE_HZ = (40.0, 11000.0)
_FRAME_S, _HOP_S = 0.046, 0.036
_HEARD_DB = -50.0
_BALANCE_HZ = (200.0, 4000.0)
_DYNAMIC_STEP_S = 0.2
_OWN = "features.mixture"

_COLUMNS = (
    Column("loudness_lufs", "LUFS", -70, 10, "Integrated loudness.", "EBU R 128; ITU-R BS.1770-4"),
    Column("loudness_range_lu", "LU", 0, 60, "Large where loud and soft passages alternate.", "EBU Tech 3342"),
    Column("sample_peak_dbfs", "dBFS", -100, 40, "Largest sample.", "ITU-R BS.1770-4, without oversampling"),
    Column("crest_factor_db", "dB", 0, 60, "Peak over root mean square: small where heavily limited.", _OWN),
    Column(
        "dynamic_complexity_db", "dB", 0, 60, "Mean distance of the level from its own mean.",
        "Streich, Music complexity, Universitat Pompeu Fabra, 2006",
    ),
    Column("spectral_centroid_hz", "Hz", 0, 16000, "Large for a bright sound.", "Peeters, CUIDADO report, IRCAM, 2004"),
    Column("spectral_rolloff_hz", "Hz", 0, 16000, "85 % of the energy lies under it.", "Peeters, 2004"),
    Column("spectral_flatness_db", "dB", -100, 0, "0 for noise, strongly negative for tones.", "Peeters, 2004"),
    Column("low_energy_ratio", "ratio", 0, 1, "Share of the energy under 200 Hz.", _OWN),
    Column("mid_energy_ratio", "ratio", 0, 1, "Share of the energy from 200 Hz to 4 kHz.", _OWN),
    Column("high_energy_ratio", "ratio", 0, 1, "Share of the energy over 4 kHz.", _OWN),
    Column("stereo_width", "ratio", 0, 1, "Share of the energy in the difference of left and right; 0 for mono.", _OWN),
    Column("onset_rate_hz", "Hz", 0, 35, "Onsets a second.", "Bello et al., IEEE TSAP 2005"),
)  # fmt: skip

_DESCRIPTOR = (
    *(f"mfcc_{i}_mean" for i in range(1, N_MFCC)),
    *(f"mfcc_{i}_std" for i in range(1, N_MFCC)),
    "centroid", "rolloff", "flatness", "low", "mid", "high", "crest", "dynamics", "onset_rate",
)  # fmt: skip


class Mixture(Extractor):
    """How the whole sounds: loudness, dynamics, spectrum, width."""

    space: ClassVar[str] = "mixture"
    instrument: ClassVar[str] = "mix"
    version: ClassVar[int] = 1
    stems: ClassVar[tuple[str, ...]] = ("mixture",)
    columns: ClassVar[tuple[Column, ...]] = _COLUMNS
    descriptor_names: ClassVar[tuple[str, ...]] = _DESCRIPTOR

    def describe(self, stems: Stems) -> Description:
        """Measure the mixture."""
        y, sr = stems["mixture"], stems.sr
        curves = onset_curves(stems.mono("mixture", ONSET_SR))
        # A narrow file is brought to the common rate: its empty upper bands are a fact about it, not a missing number.
        analysis_sr = max(sr, ONSET_SR)
        spectrum, mfcc = _spectra(stems.mono("mixture", analysis_sr), analysis_sr)
        values = {
            **_levels(y, sr),
            **spectrum,
            "stereo_width": _stereo_width(y),
            "onset_rate_hz": len(find_onsets(curves)) / stems.duration_s,
        }
        return Description(values, _descriptor(values, mfcc, _crest_factor_db(stems.mono("mixture"))))


def _levels(y: Samples, sr: int) -> dict[str, float]:
    """Loudness and dynamics."""
    loudness, loudness_range = loudness_and_range(y, sr)
    peak = max(float(np.abs(y).max()), 1e-10)
    size = round(_DYNAMIC_STEP_S * sr)
    steps = y[:, : y.shape[1] // size * size].reshape(y.shape[0], -1, size)
    power = np.einsum("cns,cns->n", steps, steps).astype(np.float64) / (size * y.shape[0])
    mean = max(float(power.mean()), 1e-20)
    level = 10 * np.log10(np.maximum(power, mean * 1e-6))  # passages 60 dB down are silence, however far down
    return {
        "loudness_lufs": loudness if math.isfinite(loudness) else math.nan,
        "loudness_range_lu": loudness_range,
        "sample_peak_dbfs": 20 * math.log10(peak),
        "crest_factor_db": _crest_factor_db(y),
        "dynamic_complexity_db": float(np.abs(level - level.mean()).mean()),
    }


def _crest_factor_db(y: Samples) -> float:
    """Peak over root mean square in dB, over all channels."""
    peak, power = float(np.abs(y).max()), float(np.mean(np.square(y, dtype=np.float64)))
    return 20 * math.log10(max(peak, 1e-10)) - 10 * math.log10(max(power, 1e-20))


def _spectra(y: Samples, sr: int) -> tuple[dict[str, float], Doubles]:
    """Columns about the spectrum, and the cepstral coefficients of the heard frames, shape ``(n_heard, N_MFCC)``."""
    from scipy.fft import dct

    framing = Framing(y, sr, _FRAME_S, _HOP_S)
    level = framing.level_db()
    heard = np.flatnonzero(level > level.max() + _HEARD_DB)
    hz = framing.frequencies_hz[framing.frequencies_hz <= HIGHEST_HZ]
    filters = mel_filters(framing.frequencies_hz, N_MELS, _MEL_RANGE_HZ[0], _MEL_RANGE_HZ[1])
    borders = np.searchsorted(hz, _BALANCE_HZ)
    centroid, rolloff, flatness, mels = [], [], [], []
    balance = np.zeros(3)
    for _, power in framing.power_blocks(heard):
        power = power[:, : hz.size]
        total = power.sum(axis=1)
        centroid.append(power @ hz / total)
        cumulated = np.cumsum(power, axis=1)
        rolloff.append(hz[(cumulated < 0.85 * total[:, None]).sum(axis=1).clip(max=hz.size - 1)])
        floored = np.maximum(power, (total / hz.size * 1e-8)[:, None])
        flatness.append(10 * (np.log10(floored).mean(axis=1) - np.log10(floored.mean(axis=1))))
        mels.append(power @ filters[:, : hz.size].T)
        balance += [part.sum() for part in np.split(power, borders, axis=1)]
    mel = np.concatenate(mels).astype(np.float64)
    mel_db = 10 * np.log10(mel + mel.mean() * 1e-7)
    balance /= balance.sum()
    columns = {
        "spectral_centroid_hz": float(np.concatenate(centroid).mean()),
        "spectral_rolloff_hz": float(np.concatenate(rolloff).mean()),
        "spectral_flatness_db": float(np.concatenate(flatness).mean()),
        "low_energy_ratio": float(balance[0]),
        "mid_energy_ratio": float(balance[1]),
        "high_energy_ratio": float(balance[2]),
    }
    return columns, dct(mel_db, type=2, axis=1, norm="ortho")[:, :N_MFCC]


def _stereo_width(y: Samples) -> float:
    """Energy of half the difference of the first two channels over that of half the difference and half the sum."""
    if y.shape[0] < 2:
        return 0.0
    left, right = y[0], y[1]
    side = float(np.mean(np.square(left - right, dtype=np.float64)))
    both = side + float(np.mean(np.square(left + right, dtype=np.float64)))
    return side / both if both > 0 else 0.0


def _descriptor(values: dict[str, float], mfcc: Doubles, mono_crest_db: float) -> NDArray[np.float32]:
    """What mixtures are compared by: no loudness, no width, so that a gain or a fold to mono changes nothing."""
    return np.concatenate(
        [
            mfcc[:, 1:].mean(axis=0) / 20,
            mfcc[:, 1:].std(axis=0) / 20,
            [
                math.log2(max(values["spectral_centroid_hz"], 20) / 1000),
                math.log2(max(values["spectral_rolloff_hz"], 20) / 2000),
                values["spectral_flatness_db"] / 20,
                *(math.log10(values[f"{part}_energy_ratio"] + 1e-4) for part in ("low", "mid", "high")),
                mono_crest_db / 20,
                values["dynamic_complexity_db"] / 10,
                math.log2(1 + values["onset_rate_hz"]) / 3,
            ],
        ]
    ).astype(np.float32)
