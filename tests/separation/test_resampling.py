"""A signal resampled piece by piece is the signal resampled whole."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from separation.errors import AudioInvalid
from separation.resampling import StreamResampler, resample, resample_blocks, resampled_length
from separation.samples import BLOCK_VALUES

RATES = [8000, 11025, 22050, 44100, 44101, 48000, 192000]


def noise(n_channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n_channels, n_samples), dtype=np.float32)


def cut(y: np.ndarray, lengths: list[int]) -> list[np.ndarray]:
    return np.split(y, np.cumsum(lengths), axis=1)


@settings(max_examples=60, deadline=None)
@example(n=1, lengths=[], sr_from=44100, sr_to=8000, n_channels=1)
@given(
    n=st.integers(1, 30_000),
    lengths=st.lists(st.integers(0, 9000), max_size=8),
    sr_from=st.sampled_from(RATES),
    sr_to=st.sampled_from(RATES),
    n_channels=st.integers(1, 3),
)
def test_pieces_put_together_are_the_whole(n, lengths, sr_from, sr_to, n_channels):
    y = noise(n_channels, n)
    resampler = StreamResampler(sr_from, sr_to, n_channels)
    pieces = [resampler.push(piece) for piece in cut(y, lengths)]
    z = np.concatenate([*pieces, resampler.finish()], axis=1)
    whole = resample(y, sr_from, sr_to)
    assert z.dtype == whole.dtype == np.float32
    assert z.shape == whole.shape == (n_channels, max(1, round(n * sr_to / sr_from)))
    np.testing.assert_allclose(z, whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("sr_from", "sr_to"), [(44100, 48000), (48000, 44100), (96000, 8000)])
def test_the_whole_is_what_soxr_makes_of_it(sr_from, sr_to):
    y = noise(2, 3 * BLOCK_VALUES)
    before = y.copy()
    expected = np.stack([soxr.resample(mono, sr_from, sr_to, quality="HQ") for mono in y])
    n = resampled_length(y.shape[1], sr_from, sr_to)
    np.testing.assert_allclose(resample(y, sr_from, sr_to), expected[:, :n], atol=1e-6, rtol=0)
    np.testing.assert_array_equal(y, before)


def test_one_sample_at_a_time():
    y = noise(1, 2000)
    resampler = StreamResampler(44100, 16000, 1)
    pieces = [resampler.push(y[:, at : at + 1]) for at in range(2000)]
    np.testing.assert_allclose(
        np.concatenate([*pieces, resampler.finish()], axis=1), resample(y, 44100, 16000), atol=1e-6, rtol=0
    )


def test_equal_rates_pass_through_at_once():
    y = noise(2, 100)
    resampler = StreamResampler(44100, 44100, 2)
    np.testing.assert_array_equal(resampler.push(y), y)
    assert resampler.finish().shape == (2, 0)


def test_nothing_in_nothing_out():
    assert StreamResampler(44100, 48000, 2).finish().shape == (2, 0)
    assert list(resample_blocks([], 44100, 48000)) == []


def test_a_block_that_grows_comes_out_in_pieces():
    pieces = list(resample_blocks([noise(2, BLOCK_VALUES)], 1000, 100_000))
    assert sum(piece.shape[1] for piece in pieces) == 100 * BLOCK_VALUES
    assert max(piece.size for piece in pieces) < 2 * BLOCK_VALUES


def test_what_cannot_be_is_refused():
    with pytest.raises(AudioInvalid, match="above 0: got 0"):
        StreamResampler(0, 44100, 2)
    with pytest.raises(AudioInvalid, match="from 1 to 10000000 Hz"):  # soxr would not come back
        StreamResampler(1, 10_000_000, 2)
    with pytest.raises(AudioInvalid, match="n_channels=0"):
        StreamResampler(44100, 48000, 0)
    with pytest.raises(AudioInvalid, match=r"audio of 2 channels is \(2, n\): got \(3, 10\)"):
        StreamResampler(44100, 48000, 2).push(noise(3, 10))
