"""Vocal timbre on voices whose answers are known: additive source–filter vowels."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal

from features.base import Description, Stems
from features.errors import StemSilent, TooShort
from features.vocal_columns import LTAS_BANDS_HZ
from features.vocal_timbre import VocalTimbre
from features.voice_source import cepstral_peak_prominence_db

SR = 22050
AH = (700.0, 1220.0, 2600.0, 3500.0)
EE = (300.0, 2200.0, 2950.0, 3700.0)
WIDTHS_HZ = (80.0, 100.0, 140.0, 200.0, 250.0)


def gain(f: np.ndarray, formants: tuple[float, ...]) -> np.ndarray:
    """Magnitude of resonators over a −12 dB/octave source with +6 dB/octave of radiation."""
    s = 2j * np.pi * f
    response = 1 / (1 + f / 150)
    for centre, width in zip(formants, WIDTHS_HZ, strict=False):
        pole = -np.pi * width + 2j * np.pi * centre
        response = response * np.abs(pole) ** 2 / ((s - pole) * (s - np.conj(pole)))
    return np.abs(response)


def sung(f0_hz: np.ndarray, formants: tuple[float, ...] = AH, sr: int = SR) -> np.ndarray:
    """A vowel along a pitch curve, shape (n,), peak about 0.3."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / sr
    y = np.zeros_like(phase)
    coarse, every = f0_hz[::64], np.arange(f0_hz.size)
    for k in range(1, int(10000 / f0_hz.mean()) + 1):
        y += np.interp(every, every[::64], gain(k * coarse, formants)) * np.cos(k * phase + k * k)
    return (0.3 * y / np.abs(y).max()).astype(np.float32)


def held(f0_hz: float, seconds: float = 2.0, vibrato_hz: float = 0.0, cents: float = 0.0, sr: int = SR) -> np.ndarray:
    t = np.arange(int(seconds * sr)) / sr
    return f0_hz * 2 ** (cents / 1200 * np.sin(2 * np.pi * vibrato_hz * t))


def describe(vocals: np.ndarray, mixture: np.ndarray | None = None, sr: int = SR) -> Description:
    return VocalTimbre().extract(
        Stems({"vocals": vocals[None], "mixture": (vocals if mixture is None else mixture)[None]}, sr)
    )


def noise(n: int, rms: float, seed: int = 0) -> np.ndarray:
    return (rms * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("f0_hz", [82.4, 110.0, 233.1, 440.0, 932.3])
def test_pitch_to_ten_cents(f0_hz: float) -> None:
    values = describe(sung(held(f0_hz)) + noise(2 * SR, 1e-3)).values
    assert abs(1200 * np.log2(values["f0_median_hz"] / f0_hz)) < 10
    assert values["voiced_ratio"] > 0.95
    assert values["f0_range_semitones"] < 0.3


def test_range_and_tessitura_of_a_glide() -> None:
    t = np.linspace(0, 1, 6 * SR)
    values = describe(sung(150 * 2**t)).values
    assert values["f0_low_hz"] == pytest.approx(150 * 2**0.05, rel=0.01)
    assert values["f0_high_hz"] == pytest.approx(150 * 2**0.95, rel=0.01)
    assert values["f0_range_semitones"] == pytest.approx(0.9 * 12, abs=0.2)


@pytest.mark.parametrize(("rate_hz", "cents"), [(4.5, 40.0), (5.5, 60.0), (6.8, 90.0)])
@pytest.mark.parametrize("f0_hz", [180.0, 390.0])
def test_vibrato(rate_hz: float, cents: float, f0_hz: float) -> None:
    values = describe(sung(held(f0_hz, 3.0, rate_hz, cents))).values
    assert values["vibrato_rate_hz"] == pytest.approx(rate_hz, abs=0.2)
    assert values["vibrato_extent_cents"] == pytest.approx(cents, rel=0.15)
    assert values["vibrato_ratio"] > 0.9


def test_a_straight_tone_has_no_vibrato() -> None:
    values = describe(sung(held(220.0)) + noise(2 * SR, 1e-3)).values
    assert values["vibrato_ratio"] == 0
    assert np.isnan(values["vibrato_rate_hz"])


@pytest.mark.parametrize(("formants", "f0_hz"), [(AH, 98.0), (AH, 131.0), (AH, 233.0), (EE, 98.0), (EE, 131.0)])
def test_formants_to_a_tenth(formants: tuple[float, ...], f0_hz: float) -> None:
    # A slight glide, so that the harmonics sample the envelope in more than one place.
    t = np.linspace(-0.5, 0.5, 2 * SR)
    values = describe(sung(f0_hz * 2 ** (t / 4), formants)).values
    found = [values[f"f{i}_hz"] for i in range(1, 5)]
    assert found == pytest.approx(formants, rel=0.1)


@pytest.mark.parametrize("ratio_db", [5.0, 15.0])
def test_harmonics_to_noise(ratio_db: float) -> None:
    y = sung(held(200.0))
    # Noise with the voice's own spectrum, so that the ratio is the same at every frequency.
    rng = np.random.default_rng(3)
    spectrum = np.fft.rfft(rng.standard_normal(y.size)) * gain(np.fft.rfftfreq(y.size, 1 / SR) + 1, AH)
    hiss = np.fft.irfft(spectrum, y.size)
    hiss *= np.sqrt(np.mean(y**2) / np.mean(hiss**2)) * 10 ** (-ratio_db / 20)
    values = describe((y + hiss).astype(np.float32)).values
    assert values["harmonics_to_noise_db"] == pytest.approx(ratio_db, abs=1.5)
    frequency = np.fft.rfftfreq(y.size, 1 / SR)
    band = (frequency > 2000) & (frequency < 5000)
    tone_energy, hiss_energy = (np.sum(np.abs(np.fft.rfft(x)[band]) ** 2) for x in (y, hiss))
    assert values["breathiness"] == pytest.approx(hiss_energy / (hiss_energy + tone_energy), abs=0.05)


def test_cepstral_peak_falls_with_noise() -> None:
    y = sung(held(200.0))
    clear, hoarse = (describe(y + noise(y.size, rms)).values for rms in (1e-4, 2e-2))
    assert clear["cepstral_peak_prominence_db"] > hoarse["cepstral_peak_prominence_db"] + 3


def test_first_over_second_harmonic() -> None:
    phase = 2 * np.pi * np.cumsum(held(250.0)) / SR
    y = sum(10 ** (level / 20) * np.cos(k * phase) for k, level in ((1, 0), (2, -9), (3, -12), (4, -20)))
    assert describe((0.1 * y).astype(np.float32)).values["h1_h2_db"] == pytest.approx(9, abs=0.5)


def test_spectral_tilt_and_centroid() -> None:
    phase = 2 * np.pi * np.cumsum(held(200.0)) / SR
    slopes = {}
    for slope in (-6.0, -12.0):
        y = sum(10 ** (slope * np.log2(k) / 20) * np.cos(k * phase + k * k) for k in range(1, 50))
        slopes[slope] = describe((0.05 * y).astype(np.float32)).values
        assert slopes[slope]["spectral_tilt_db_per_octave"] == pytest.approx(slope, abs=0.7)
    assert slopes[-6.0]["spectral_centroid_hz"] > slopes[-12.0]["spectral_centroid_hz"] + 100


def test_singers_formant() -> None:
    ring = describe(sung(held(130.0), (600.0, 1000.0, 2700.0, 2950.0))).values["singers_formant_db"]
    plain = describe(sung(held(130.0), (600.0, 1000.0, 2500.0, 3800.0))).values["singers_formant_db"]
    assert ring > plain + 6


def harmonics(f0_hz: np.ndarray, level_db: Callable[[float], float], n: int) -> np.ndarray:
    """Harmonics whose level in dB is a function of their frequency over the mean pitch."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / SR
    y = sum(10 ** (level_db(k) / 20) * np.cos(k * phase + k * k) for k in range(1, n + 1))
    return (0.05 * y).astype(np.float32)


def test_centroid_of_two_harmonics_and_of_a_slope() -> None:
    # Powers 1 and 10^−1.2: the centre lies at their weighted mean.
    y = harmonics(held(400.0), lambda k: 0.0 if k == 1 else -12.0, 2)
    share = 10**-1.2 / (1 + 10**-1.2)
    assert describe(y).values["spectral_centroid_hz"] == pytest.approx(400 * (1 + share), rel=0.02)


@pytest.mark.parametrize("ring_db", [-30.0, -12.0])
def test_singers_formant_is_the_ring_s_level(ring_db: float) -> None:
    # Harmonics of 150 Hz: up to 1.5 kHz at 0 dB, from 2.4 to 3.6 kHz at the ring's level, else next to nothing.
    def level(k: float) -> float:
        return 0.0 if k <= 10 else ring_db if 16 <= k <= 24 else -70.0

    assert describe(harmonics(held(150.0), level, 40)).values["singers_formant_db"] == pytest.approx(ring_db, abs=1)


def test_third_octaves_of_a_falling_spectrum() -> None:
    # Powers of dense harmonics falling 6 dB an octave; a third octave is a third of an octave wide, so bands fall 3.
    y = harmonics(held(100.0), lambda k: -6 * np.log2(k), 100)
    values = describe(y).values
    bands = (500, 630, 800, 1000, 1250, 1600, 2000, 2500, 3150, 4000)
    edges = 1000 * 2 ** ((np.arange(-3, 8) - 0.5) / 3)
    lines = 100.0 * np.arange(1, 101)
    for hz, low, high in zip(bands, edges[:-1], edges[1:], strict=True):
        power = (1 / low - 1 / high) * 100 / np.sum((100 / lines) ** 2)
        assert values[f"ltas_{hz}_hz_db"] == pytest.approx(10 * np.log10(power), abs=1), hz


def test_third_octaves_of_a_flat_spectrum() -> None:
    values = describe(harmonics(held(90.0), lambda _: 0.0, 115)).values
    for i, hz in enumerate(LTAS_BANDS_HZ):
        width = 1000 * (2 ** ((i - 8.5) / 3) - 2 ** ((i - 9.5) / 3))
        assert values[f"ltas_{hz}_hz_db"] == pytest.approx(10 * np.log10(width / (115 * 90)), abs=1), hz


def test_ripples_ten_times_as_deep_have_a_prominence_20_db_higher() -> None:
    f = np.arange(1025) * (SR / 2048)
    f0 = np.array([210.0], np.float32)

    def prominence(depth_db: float) -> float:
        texture = np.random.default_rng(2).normal(0, 0.05, f.size)
        level = -30 * f / 11025 + depth_db * np.cos(2 * np.pi * f / 210) + texture
        return float(cepstral_peak_prominence_db((10 ** (level / 10)).astype(np.float32)[None], f0, SR)[0])

    assert prominence(10.0) - prominence(1.0) == pytest.approx(20, abs=1)


def test_pitch_and_tessitura_in_semitones() -> None:
    t = np.linspace(0, 1, 6 * SR)
    values = describe(sung(220 * 2 ** (t - 0.5))).values
    assert values["f0_median_midi"] == pytest.approx(57, abs=0.1)
    assert values["tessitura_low_hz"] == pytest.approx(220 * 2**-0.25, rel=0.01)
    assert values["tessitura_high_hz"] == pytest.approx(220 * 2**0.25, rel=0.01)
    assert values["tessitura_semitones"] == pytest.approx(6, abs=0.15)


def test_fifth_formant() -> None:
    t = np.linspace(-0.5, 0.5, 2 * SR)
    values = describe(sung(110 * 2 ** (t / 4), (*AH, 4500.0))).values
    assert [values[f"f{i}_hz"] for i in range(1, 6)] == pytest.approx((*AH, 4500.0), rel=0.1)


def test_melisma() -> None:
    # Four sounds of three notes each, and four of one: two steps in each of the first, none in the others.
    melody = np.concatenate([held(f, 0.25) for f in (220.0, 262.0, 294.0)])
    rest = np.zeros(int(0.2 * SR), np.float32)
    parts = [part for _ in range(4) for part in (sung(melody), rest, sung(held(247.0, 0.5)), rest)]
    values = describe(np.concatenate(parts)).values
    assert values["melisma_rate_hz"] == pytest.approx(8 / (4 * 1.25), rel=0.1)
    syllabic = [part for f in (220.0, 262.0, 294.0, 247.0) for part in (sung(held(f, 0.4)), rest)]
    assert describe(np.concatenate(syllabic)).values["melisma_rate_hz"] == 0


def uneven(f0_hz: np.ndarray | float, jitter: float, shimmer: float, seed: int = 4) -> tuple[np.ndarray, float, float]:
    """A vowel whose periods and their amplitudes vary, and both three-point quotients in percent."""
    rng = np.random.default_rng(seed)
    n, rate = 600, 8 * SR
    periods = rate / (f0_hz * np.ones(n)) * (1 + jitter * rng.standard_normal(n))
    at = np.cumsum(np.round(periods).astype(int))
    amplitudes = 1 + shimmer * rng.standard_normal(n)
    pulses = np.zeros(at[-1] + rate // 50)
    pulses[at] = amplitudes
    for centre, width in ((700, 300.0), (1220, 300.0), (2600, 350.0)):
        radius, angle = np.exp(-np.pi * width / rate), 2 * np.pi * centre / rate
        pulses = scipy.signal.lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    y = scipy.signal.resample_poly(pulses, 1, 8)

    def quotient(x: np.ndarray) -> float:
        return 100 * float(np.mean(np.abs(x[1:-1] - (x[:-2] + x[1:-1] + x[2:]) / 3)) / x.mean())

    return (0.3 * y / np.abs(y).max()).astype(np.float32), quotient(np.diff(at).astype(float)), quotient(amplitudes)


@pytest.mark.parametrize("f0_hz", [120.0, 220.0])
@pytest.mark.parametrize(("jitter", "shimmer"), [(0.01, 0.0), (0.02, 0.0), (0.0, 0.05), (0.0, 0.15)])
def test_jitter_and_shimmer(f0_hz: float, jitter: float, shimmer: float) -> None:
    y, jitter_percent, shimmer_percent = uneven(f0_hz, jitter, shimmer)
    values = describe(y).values
    assert values["jitter_percent"] == pytest.approx(jitter_percent, rel=0.15, abs=0.05)
    if not jitter:
        assert values["shimmer_percent"] == pytest.approx(shimmer_percent, rel=0.1)


def test_vibrato_is_no_jitter() -> None:
    t = np.arange(600) / 220
    vibrating = uneven(220 * 2 ** (60 / 1200 * np.sin(2 * np.pi * 5.5 * t)), 0, 0)[0]
    assert describe(vibrating).values["jitter_percent"] < 0.2


def test_notes_attacks_and_levels() -> None:
    pitches = [220.0, 247.0, 262.0, 294.0] * 2
    parts = []
    for i, f0 in enumerate(pitches):
        y = sung(held(f0, 0.4))
        ramp = np.minimum(1, np.arange(y.size) / (0.1 * SR))
        parts += [y * ramp * (0.1 if i % 2 else 1.0), np.zeros(int(0.3 * SR), np.float32)]
    values = describe(np.concatenate(parts).astype(np.float32)).values
    assert values["note_length_median_s"] == pytest.approx(0.4, abs=0.06)
    assert values["note_rate_hz"] == pytest.approx(1 / 0.4, abs=0.4)
    # A straight ramp passes −20 dB after a tenth and −3 dB after seven tenths of its 0.1 s.
    assert values["attack_time_s"] == pytest.approx(0.06, abs=0.03)
    assert values["level_range_db"] == pytest.approx(20, abs=4)


def test_legato_notes_are_parted() -> None:
    f0 = np.concatenate([held(f, 0.3) for f in (220.0, 262.0, 294.0, 262.0, 330.0, 294.0)])
    values = describe(sung(f0)).values
    assert values["note_length_median_s"] == pytest.approx(0.3, abs=0.05)
    assert values["note_rate_hz"] == pytest.approx(1 / 0.3, abs=0.4)


def test_the_envelope_forgets_the_pitch() -> None:
    t = np.linspace(-0.5, 0.5, 2 * SR)

    def cepstra(f0_hz: float, formants: tuple[float, ...]) -> np.ndarray:
        return describe(sung(f0_hz * 2 ** (t / 6), formants)).descriptor[:24]

    low, high, other = cepstra(120.0, AH), cepstra(190.0, AH), cepstra(120.0, EE)
    assert np.linalg.norm(low - high) < 0.5 * np.linalg.norm(low - other)


def test_bleed_between_the_phrases_changes_little() -> None:
    voice = np.concatenate([sung(held(220.0)), np.zeros(2 * SR, np.float32)])
    rng = np.random.default_rng(5)
    mixture = voice + (0.05 * rng.standard_normal(voice.size)).astype(np.float32)
    clean, bled = (describe(vocals, mixture) for vocals in (voice, voice + noise(voice.size, 0.001)))
    assert bled.values["voiced_ratio"] == pytest.approx(0.5, abs=0.03)
    assert bled.values["f0_median_hz"] == pytest.approx(clean.values["f0_median_hz"], rel=1e-3)


def test_noise_is_no_voice() -> None:
    with pytest.raises(StemSilent, match="no voice"):
        describe(noise(3 * SR, 0.1))


def test_a_fifth_of_a_second_is_too_short() -> None:
    with pytest.raises(TooShort, match=r"0\.20 s"):
        describe(sung(held(220.0, 0.2)))


@pytest.mark.parametrize("sr", [8000, 16000, 44100, 48000])
def test_any_sample_rate(sr: int) -> None:
    values = (
        describe(sung(held(220.0, 2.0, sr=sr), sr=sr), sr=sr).values
        if sr > 20000
        else describe(
            (0.2 * np.sin(2 * np.pi * np.cumsum(held(220.0, 2.0, sr=sr)) / sr)).astype(np.float32), sr=sr
        ).values
    )
    assert values["f0_median_hz"] == pytest.approx(220, rel=0.003)
