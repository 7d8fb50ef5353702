"""A voice frame by frame: which frames are sung, and what each of them looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features import envelope, formants, voice_source
from features.base import Stems
from features.errors import StemSilent, TooShort
from features.frames import Framing
from features.notes import voiced_runs
from features.perturbation import Perturbation, perturbation
from features.pitch import PitchTrack, track

Floats = NDArray[np.float32]

ANALYSIS_SR = 22050
"""Sample rate in Hz at which voices are described, whatever the file's: voices of different files stay comparable."""

FRAME_S = 0.043
"""Three periods of the lowest pitch searched."""

HOP_S = 0.01
SPECTRUM_EVERY = 2
"""Each second voiced frame gets a spectrum, each fourth its formants: they change slower than the pitch."""

QUIET_DB = -35.0
"""Frames this far under the stem's loud level are not searched for a pitch."""

SUNG_DB = -25.0
"""Frames this far under the stem's loud level, or under the mixture at the same moment, do not count as sung: bleed."""

LOUD_PERCENTILE = 98.0
SHORTEST_S = 0.5
SHORTEST_RUN_S = 0.06
LEAST_VOICED_S = 0.8

N_BANDS = 40
LOW_HZ, HIGH_HZ = 60.0, 10500.0
N_CEPSTRUM = 24
N_FORMANT_POINTS = 257
LOWEST_HARMONIC_POINT_HZ = 100.0


@dataclass(frozen=True, slots=True)
class Voice:
    """What was measured on each frame of a voice.

    Parameters
    ----------
    pitch
        Pitch of every frame; only sung frames have one.
    level_db
        Level of every frame, dB re full scale.
    f0_hz, spectrum_level_db
        Of the frames below, shape ``(n,)``.
    cepstra, harmonic_cepstra
        Mel cepstra without c0 of the smooth and of the harmonic envelope, shape ``(n, 24)``, dB.
    mean_spectrum
        Mean power spectrum of the sung frames, each brought to the same level first, shape ``(n_bins,)``, unit sum.
    frequencies_hz
        Of its bins.
    formants_hz
        F1 to F5 of every second of the frames, shape ``(m, 5)``, NaN where there is none.
    harmonics_to_noise_db, cepstral_peak_prominence_db, h1_h2_db, breath_share
        Source measures, shape ``(n,)``.
    perturbation
        Jitter and shimmer of the whole track.
    """

    pitch: PitchTrack
    level_db: Floats
    f0_hz: Floats
    spectrum_level_db: Floats
    cepstra: Floats
    harmonic_cepstra: Floats
    mean_spectrum: Floats
    frequencies_hz: Floats
    formants_hz: Floats
    harmonics_to_noise_db: Floats
    cepstral_peak_prominence_db: Floats
    h1_h2_db: Floats
    breath_share: Floats
    perturbation: Perturbation


def listen(stems: Stems, stem: str) -> Voice:
    """Find the sung frames of a stem and measure them.

    Raises
    ------
    TooShort
        Where the track is shorter than half a second.
    StemSilent
        Where less than 0.8 s of it is sung.
    """
    y = stems.mono(stem, ANALYSIS_SR)
    if y.size < SHORTEST_S * ANALYSIS_SR:
        raise TooShort(f"{stem}: {y.size / ANALYSIS_SR:.2f} s, and a voice needs {SHORTEST_S} s to be described")
    framing = Framing(y, ANALYSIS_SR, FRAME_S, HOP_S)
    level = framing.level_db()
    loud = float(np.percentile(level, LOUD_PERCENTILE))
    found = track(framing, level > loud + QUIET_DB)
    mixture = Framing(stems.mono("mixture", ANALYSIS_SR), ANALYSIS_SR, FRAME_S, HOP_S).level_db()
    sung = long_runs(found, found.voiced & (level > np.maximum(loud, mixture) + SUNG_DB))
    voiced_s = float(sung.sum()) * framing.hop_s
    if voiced_s < LEAST_VOICED_S:
        raise StemSilent(f"no voice: {voiced_s:.1f} s of {stem} have a pitch, and {LEAST_VOICED_S} s are needed")
    pitch = PitchTrack(
        np.where(sung, found.f0_hz, np.nan).astype(np.float32),
        np.where(sung, found.strength, 0).astype(np.float32),
        found.hop_s,
    )
    uneven = perturbation(y, ANALYSIS_SR, pitch)
    return _measure(framing, pitch, level, uneven, np.flatnonzero(sung)[::SPECTRUM_EVERY])


def long_runs(pitch: PitchTrack, frames: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the frames whose pitch holds together for 60 ms; chance and bleed jump about."""
    kept = np.zeros_like(frames)
    masked = PitchTrack(np.where(frames, pitch.f0_hz, np.nan).astype(np.float32), pitch.strength, pitch.hop_s)
    for start, stop in voiced_runs(masked):
        if (stop - start) * pitch.hop_s >= SHORTEST_RUN_S:
            kept[start:stop] = True
    return kept


def _measure(
    framing: Framing, pitch: PitchTrack, level: Floats, uneven: Perturbation, frames: NDArray[np.intp]
) -> Voice:
    """Measure the spectra of some sung frames, block by block."""
    frequencies = framing.frequencies_hz
    bin_hz = float(frequencies[1])
    bands = envelope.mel_filters(frequencies, N_BANDS, LOW_HZ, HIGH_HZ).T
    points = envelope.mel_points(N_BANDS, LOWEST_HARMONIC_POINT_HZ, HIGH_HZ)
    formant_grid = np.linspace(0, formants.TOP_HZ, N_FORMANT_POINTS, dtype=np.float32)
    parts: dict[str, list[Floats]] = {name: [] for name in ("smooth", "harmonic", "formants", "cpp", "h1_h2", "breath")}
    total = np.zeros(frequencies.size)
    for where, power in framing.power_blocks(frames):
        f0 = pitch.f0_hz[where]
        smooth = envelope.smooth_envelope(power, f0, framing.sr)
        parts["smooth"].append(10 * np.log10(smooth @ bands))
        parts["harmonic"].append(envelope.harmonic_envelope_db(power, f0, bin_hz, points))
        tops = envelope.harmonic_envelope_db(power[::2], f0[::2], bin_hz, formant_grid)
        parts["formants"].append(formants.formants_hz(np.power(np.float32(10), tops / 10), formant_grid))
        parts["cpp"].append(voice_source.cepstral_peak_prominence_db(power, f0, framing.sr))
        parts["h1_h2"].append(voice_source.first_to_second_harmonic_db(power, f0, bin_hz))
        parts["breath"].append(voice_source.breath_share(framing, power, f0))
        total += np.sum(smooth / smooth.sum(axis=1, keepdims=True), axis=0, dtype=np.float64)
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    return Voice(
        pitch=pitch,
        level_db=level,
        f0_hz=pitch.f0_hz[frames],
        spectrum_level_db=level[frames],
        cepstra=envelope.cepstrum(whole["smooth"], N_CEPSTRUM),
        harmonic_cepstra=envelope.cepstrum(whole["harmonic"], N_CEPSTRUM),
        mean_spectrum=(total / total.sum()).astype(np.float32),
        frequencies_hz=frequencies,
        formants_hz=whole["formants"],
        harmonics_to_noise_db=voice_source.harmonics_to_noise_db(pitch.strength[frames]),
        cepstral_peak_prominence_db=whole["cpp"],
        h1_h2_db=whole["h1_h2"],
        breath_share=whole["breath"],
        perturbation=uneven,
    )
