"""Stems: what extractors are handed."""

import numpy as np
import pytest

import features
from features.base import Stems
from features.errors import SpaceUnknown, StemMissing

SR = 44100


def test_mono_is_the_mean_of_the_channels() -> None:
    stems = Stems({"vocals": np.array([[1.0, 0.5], [0.0, 0.5]], np.float32)}, SR)
    assert stems.mono("vocals").tolist() == [0.5, 0.5]


def test_mono_resamples_a_tone_to_the_same_pitch() -> None:
    t = np.arange(SR) / SR
    stems = Stems({"vocals": np.sin(2 * np.pi * 440 * t, dtype=np.float32)[None]}, SR)
    y = stems.mono("vocals", 22050)
    assert abs(y.size - 22050) <= 1
    assert np.argmax(np.abs(np.fft.rfft(y))) == pytest.approx(440, abs=1)


def test_mono_is_cached_and_leaves_the_signal_alone() -> None:
    y = np.ones((2, 100), np.float32)
    stems = Stems({"vocals": y}, SR)
    assert stems.mono("vocals") is stems.mono("vocals")
    stems.mono("vocals")[:] = 0
    assert (y == 1).all()


def test_a_missing_stem_is_named_with_those_there_are() -> None:
    stems = Stems({"vocals": np.zeros((1, 10), np.float32)}, SR)
    assert "drums" not in stems
    with pytest.raises(StemMissing, match=r"drums.*vocals"):
        stems["drums"]


def test_duration() -> None:
    assert Stems({"mixture": np.zeros((2, 8000), np.float32)}, 8000).duration_s == 1.0
    assert Stems({}, 8000).duration_s == 0.0


def test_an_unknown_space_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SpaceUnknown, match="vocal_timbre"):
        features.extractor("cowbell")


def test_instruments_answer_with_their_spaces() -> None:
    assert features.INSTRUMENTS == {
        "vocals": "vocal_timbre",
        "drums": "drum_rhythm",
        "bass": "bass_line",
        "other": "harmony",
        "mix": "mixture",
    }
