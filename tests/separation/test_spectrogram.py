from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from separation.errors import AudioInvalid
from separation.spectrogram import Stft


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 3000), ratio=st.sampled_from([4, 8]), channels=st.integers(1, 3))
def test_inverse_undoes_forward(n: int, ratio: int, channels: int) -> None:
    stft = Stft(256, 256 // ratio)
    y = np.random.default_rng(n).standard_normal((channels, n)).astype(np.float32)
    D = stft.forward(y)
    assert D.shape == (channels, stft.n_frames(n), 129)
    np.testing.assert_allclose(stft.inverse(D, n), y, atol=2e-6)


def test_a_sine_lies_in_its_bin() -> None:
    stft = Stft(4096, 1024)
    sr, k = 44100, 100
    y = np.sin(2 * np.pi * k * sr / 4096 / sr * np.arange(sr), dtype=np.float64).astype(np.float32)[None]
    S = np.abs(stft.forward(y))[0, 10]
    assert S.argmax() == k
    assert S[k] == pytest.approx(4096 / 4, rel=1e-3)


def test_frames_are_what_librosa_computes() -> None:
    import librosa

    y = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    ours = Stft(1024, 256).forward_frames(y[None])[0]
    theirs = librosa.stft(y, n_fft=1024, hop_length=256, center=False).T
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 256), (512, 100), (512, 0)])
def test_a_hop_that_cannot_be_inverted_is_refused(n_fft: int, hop: int) -> None:
    with pytest.raises(AudioInvalid, match="divide"):
        Stft(n_fft, hop)
