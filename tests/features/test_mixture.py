"""The mixture's numbers against signals whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.base import Description, Stems
from features.mixture import Mixture

SR = 44100


def describe(y: np.ndarray, sr: int = SR) -> Description:
    return Mixture().extract(Stems({"mixture": np.atleast_2d(y).astype(np.float32)}, sr))


def sine(hz: float, duration_s: float = 4.0, sr: int = SR, gain: float = 0.5) -> np.ndarray:
    return gain * np.sin(2 * np.pi * hz * np.arange(round(duration_s * sr)) / sr)


def noise(duration_s: float = 4.0, seed: int = 0, sr: int = SR) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * sr))


def music(seed: int = 0) -> np.ndarray:
    """Chords over a noise pulse, in stereo."""
    rng = np.random.default_rng(seed)
    t = np.arange(6 * SR) / SR
    chord = sum(np.sin(2 * np.pi * hz * t) / (i + 1) for i, hz in enumerate(110 * 2 ** (rng.integers(0, 36, 5) / 12)))
    pulse = rng.standard_normal(t.size) * np.exp(-(t % 0.5) / 0.05)
    return np.stack([0.1 * chord + 0.1 * pulse, 0.1 * chord + 0.05 * pulse])


def test_a_sine() -> None:
    values = describe(sine(1000.0)).values
    assert values["loudness_lufs"] == pytest.approx(-9.03, abs=0.1)
    assert values["crest_factor_db"] == pytest.approx(3.01, abs=0.02)
    assert values["sample_peak_dbfs"] == pytest.approx(-6.02, abs=0.01)
    assert values["spectral_centroid_hz"] == pytest.approx(1000, rel=0.02)
    assert values["spectral_rolloff_hz"] == pytest.approx(1000, rel=0.05)
    assert values["mid_energy_ratio"] == pytest.approx(1, abs=0.01)
    assert values["dynamic_complexity_db"] == pytest.approx(0, abs=0.01)
    assert values["stereo_width"] == 0


def test_noise_is_flat_and_its_energy_lies_high() -> None:
    values = describe(noise()).values
    assert values["spectral_flatness_db"] == pytest.approx(-2.5, abs=0.5)  # that of one periodogram of white noise
    assert values["spectral_centroid_hz"] == pytest.approx(8000, rel=0.05)
    assert values["high_energy_ratio"] == pytest.approx(0.75, abs=0.02)
    assert describe(sine(1000.0)).values["spectral_flatness_db"] < -30


def test_balance() -> None:
    y = sine(80.0) + sine(1000.0) + sine(8000.0)
    values = describe(y).values
    for name in ("low_energy_ratio", "mid_energy_ratio", "high_energy_ratio"):
        assert values[name] == pytest.approx(1 / 3, abs=0.02)


def test_stereo_width() -> None:
    same, other = noise(seed=0), noise(seed=1)
    assert describe(np.stack([same, same])).values["stereo_width"] == pytest.approx(0, abs=1e-6)
    assert describe(np.stack([same, other])).values["stereo_width"] == pytest.approx(0.5, abs=0.02)


def test_dynamics() -> None:
    steps = np.repeat([1.0, 0.1] * 4, SR)
    values = describe(noise(8.0) * steps).values
    assert values["dynamic_complexity_db"] == pytest.approx(10, abs=0.5)
    assert values["crest_factor_db"] > 12


def test_loudness_range_is_the_step_between_two_levels() -> None:
    y = np.concatenate([sine(1000.0, 20.0, 16000, gain) for gain in (0.1, 0.1 * 10 ** (-15 / 20))])
    assert describe(np.stack([y, y]), 16000).values["loudness_range_lu"] == pytest.approx(15, abs=1)  # Tech 3342


def test_onset_rate() -> None:
    t = np.arange(6 * SR) / SR
    values = describe(noise(6.0) * np.exp(-(t % 0.5) / 0.04)).values
    assert values["onset_rate_hz"] == pytest.approx(2, rel=0.1)


def test_gain_polarity_and_mono_change_nothing_but_the_level() -> None:
    y = music()
    reference = describe(y)
    for changed in (y * 10, y * 0.1, -y, y.mean(axis=0)):
        assert np.abs(describe(changed).descriptor - reference.descriptor).max() < 0.05
    louder = describe(y * 10).values
    assert louder["loudness_lufs"] - reference.values["loudness_lufs"] == pytest.approx(20, abs=0.05)
    assert np.abs(describe(music(3)).descriptor - reference.descriptor).max() > 0.2


def test_the_rate_changes_little() -> None:
    import soxr

    y = music()
    reference = describe(y).descriptor
    assert np.abs(describe(soxr.resample(y.T, SR, 48000).T, 48000).descriptor - reference).max() < 0.1


@pytest.mark.parametrize("sr", [8000, 16000, 192000])
def test_other_rates(sr: int) -> None:
    values = describe(sine(440.0, 3.0, sr), sr).values
    assert values["spectral_centroid_hz"] == pytest.approx(440, rel=0.05)


def test_six_channels() -> None:
    assert np.isfinite(describe(np.stack([noise(seed=i) for i in range(6)])).values["loudness_lufs"])


def test_range_is_unknown_below_three_seconds() -> None:
    assert math.isnan(describe(noise(2.0)).values["loudness_range_lu"])


def test_values_stay_within_their_declared_ranges() -> None:
    for y in (music(), noise(), sine(100.0)):
        values = describe(y).values
        for column in Mixture.columns:
            assert column.low <= values[column.name] <= column.high, column.name
