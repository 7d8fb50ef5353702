"""Loudness against the answers that the standards give."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.errors import TooShort
from features.loudness import integrated_loudness_lufs, k_weighting, loudness_range_lu


def sine(level_dbfs: float, duration_s: float, sr: int, hz: float = 1000.0) -> np.ndarray:
    t = np.arange(round(duration_s * sr)) / sr
    return (10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def stereo(*parts: np.ndarray) -> np.ndarray:
    y = np.concatenate(parts)
    return np.stack([y, y])


def test_coefficients_at_48_khz_are_those_of_the_standard() -> None:
    shelf, high_pass = k_weighting(48000)
    np.testing.assert_allclose(shelf[:3], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-7)
    np.testing.assert_allclose(shelf[3:], [1, -1.69065929318241, 0.73248077421585], atol=1e-7)
    np.testing.assert_allclose(high_pass, [1, -2, 1, 1, -1.99004745483398, 0.99007225036621], atol=1e-7)


@pytest.mark.parametrize("sr", [22050, 44100, 48000, 96000])
def test_full_scale_sine_in_one_channel_is_minus_3_01(sr: int) -> None:
    y = np.stack([sine(0, 4, sr, 997.0), np.zeros(4 * sr, np.float32)])
    assert integrated_loudness_lufs(y, sr) == pytest.approx(-3.01, abs=0.05)


def test_8_khz_is_measured_as_well() -> None:
    assert integrated_loudness_lufs(sine(-20, 4, 8000, 440.0)[None], 8000) == pytest.approx(-23.7, abs=0.6)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),  # Tech 3341 case 1
        ([(-33, 20)], -33.0),  # case 2
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),  # case 3: the relative gate
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),  # case 4: both gates
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),  # case 5
    ],
)
def test_ebu_tech_3341(parts: list[tuple[float, float]], expected: float) -> None:
    sr = 24000
    y = stereo(*(sine(level, duration, sr) for level, duration in parts))
    assert integrated_loudness_lufs(y, sr) == pytest.approx(expected, abs=0.1)


def test_ebu_tech_3341_case_6_surround() -> None:
    sr = 24000
    levels = [-28.0, -28.0, -24.0, 0.0, -30.0, -30.0]
    y = np.stack([sine(level, 20, sr) for level in levels])  # the loud fourth channel is LFE and must not count
    assert integrated_loudness_lufs(y, sr) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [([-20, -30], 10.0), ([-20, -15], 5.0), ([-40, -20], 20.0), ([-50, -35, -20, -35, -50], 15.0)],
)
def test_ebu_tech_3342(levels: list[float], expected: float) -> None:
    sr = 16000
    y = stereo(*(sine(level, 20, sr) for level in levels))
    assert loudness_range_lu(y, sr) == pytest.approx(expected, abs=1.0)


def test_gain_moves_loudness_by_itself_and_the_range_not_at_all() -> None:
    rng = np.random.default_rng(0)
    envelope = np.repeat([0.1, 0.3, 0.05, 0.2], 3 * 16000)
    y = (rng.standard_normal((2, envelope.size)) * envelope * 0.3).astype(np.float32)
    quiet = (y * 0.5).astype(np.float32)
    assert integrated_loudness_lufs(y, 16000) - integrated_loudness_lufs(quiet, 16000) == pytest.approx(6.02, abs=0.01)
    assert loudness_range_lu(quiet, 16000) == pytest.approx(loudness_range_lu(y, 16000), abs=0.01)


def test_silence_is_minus_infinity() -> None:
    assert integrated_loudness_lufs(np.zeros((2, 44100), np.float32), 44100) == -math.inf
    assert integrated_loudness_lufs(np.zeros((2, 0), np.float32), 44100) == -math.inf
    assert loudness_range_lu(np.zeros((1, 4 * 44100), np.float32), 44100) == 0


def test_short_sound_has_a_loudness_and_no_range() -> None:
    y = stereo(sine(-23, 0.2, 44100))
    assert integrated_loudness_lufs(y, 44100) == pytest.approx(-23, abs=0.7)
    with pytest.raises(TooShort, match="3 s"):
        loudness_range_lu(y, 44100)


def test_wrong_shape_is_said() -> None:
    with pytest.raises(ValueError, match="n_channels"):
        integrated_loudness_lufs(np.zeros(44100, np.float32), 44100)
