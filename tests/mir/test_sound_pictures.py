"""Pictures of sound: tones where they belong, peaks that are not lost, and the same in blocks of any length."""

from __future__ import annotations

import io

import numpy as np
import pytest

from mir.sound_pictures import COLUMNS, N_BANDS, band_of, picture, png

SR = 44_100
HOP = 1024


def tone(seconds, hz=1000.0, sr=SR):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * sr)) / sr).astype(np.float32)[None]


def drawn(y, sr=SR):
    return picture([y], sr, y.shape[1])


def split(y, length):
    return [y[:, at : at + length] for at in range(0, y.shape[1], length)]


@pytest.mark.parametrize("hz", [60.0, 1000.0, 9000.0])
def test_a_tone_of_full_scale_has_about_0_db_in_its_band(hz):
    decibels = drawn(tone(3.0, hz)).decibels
    assert decibels.shape == (N_BANDS, 1 + 3 * SR // HOP)
    column = decibels[:, 60]
    assert abs(column.argmax() + 0.5 - band_of(hz)) <= 1.5
    if hz < 500:  # higher bands average over bins without the tone
        assert column.max() == pytest.approx(0.0, abs=1.5)  # Hann: up to 1.4 dB between bins


def test_columns_are_means_of_power():
    """A tone that sounds half of the time has 3 dB less, over many blocks too."""
    y = tone(120.0)
    whole = drawn(y).decibels
    assert whole.shape[1] <= COLUMNS
    gated = np.where(np.arange(y.shape[1]) // HOP % 100 < 50, y, 0).astype(np.float32)
    power = np.mean(10 ** (drawn(gated).decibels.max(axis=0) / 10))
    assert 10 * np.log10(power) == pytest.approx(whole[:, 60].max() - 3, abs=0.5)


@pytest.mark.parametrize("length", [1, 700, 4096, 100_003])
def test_blocks_of_any_length_give_the_same(length):
    y = np.random.default_rng(0).uniform(-1, 1, (2, 6000 if length == 1 else 150_001)).astype(np.float32)
    one, other = drawn(y), picture(split(y, length), SR, y.shape[1])
    assert other.decibels == pytest.approx(one.decibels, abs=1e-3)
    assert np.array_equal(other.lowest, one.lowest)
    assert np.array_equal(other.highest, one.highest)
    assert other.power == pytest.approx(one.power)


def test_an_outline_holds_every_peak_of_every_channel():
    y = np.zeros((2, 24_000), np.float32)
    y[0, 123 * 20 + 7], y[1, 877 * 20] = 0.9, -0.8
    one = picture(split(y, 999), SR, y.shape[1])
    assert len(one.lowest) == len(one.highest) == COLUMNS
    assert (one.highest[123], one.lowest[877]) == (np.float32(0.9), np.float32(-0.8))
    assert np.count_nonzero(one.highest) == np.count_nonzero(one.lowest) == 1
    assert one.power == pytest.approx((0.9**2 + 0.8**2) / 48_000)
    assert len(drawn(y[:, :3]).lowest) == 3


def test_what_a_low_rate_cannot_hold_is_dark():
    one = drawn(np.random.default_rng(0).uniform(-1, 1, (1, 16_000)).astype(np.float32), 8000)
    middle = one.decibels[:, 5]
    assert middle[: int(band_of(3900))].min() > -60
    assert middle[int(band_of(4000)) + 1 :].max() == -120


def test_a_spectrogram_is_a_picture_with_low_bands_below():
    from matplotlib.image import imread

    decibels = np.full((N_BANDS, 7), -200.0, np.float32)
    decibels[0] = 0.0
    pixels = imread(io.BytesIO(png(decibels, 0.0)))
    assert pixels.shape[:2] == (N_BANDS, 7)
    assert pixels[-1, 0, :3].mean() > 0.7 > 0.1 > pixels[0, 0, :3].mean()
