from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from separation import Separator
from separation.errors import AudioInvalid, ModelUnknown, WeightsDamaged, WeightsMissing
from separation.models import available, find, source_id, verify


@pytest.fixture(scope="module")
def separator(tiny_weights: Path) -> Separator:
    return Separator("tiny", weights=tiny_weights)


def noise(channels: int, n: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((channels, n)) * 0.1).astype(np.float32)


@pytest.mark.parametrize("n", [1, 127, 1600, 8000, 8191, 40_001])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_stems_add_up_to_the_mixture(separator: Separator, channels: int, n: int) -> None:
    y = noise(channels, n)
    kept = y.copy()
    stems = separator.separate(y, 8000)
    assert tuple(stems) == separator.stems
    assert all(stem.shape == y.shape and stem.dtype == np.float32 for stem in stems.values())
    residual = sum(stems.values()) - y
    assert np.mean(residual**2) < 1e-10 * np.mean(y**2)  # −100 dB
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("cut", [37, 1000, 12_345])
def test_what_comes_out_does_not_depend_on_the_blocks(separator: Separator, cut: int) -> None:
    y = noise(2, 30_000)
    whole = separator.separate(y, 8000)
    chunks = list(separator.stream((y[:, i : i + cut] for i in range(0, 30_000, cut)), sr=8000))
    for stem in separator.stems:
        np.testing.assert_allclose(np.concatenate([c[stem] for c in chunks], axis=1), whole[stem], atol=1e-5)


def test_stems_differ_and_follow_the_gain(separator: Separator) -> None:
    y = noise(2, 20_000)
    loud, quiet = separator.separate(y, 8000), separator.separate(y * 0.01, 8000)
    np.testing.assert_allclose(quiet["vocals"] * 100, loud["vocals"], atol=2e-3)
    assert not np.allclose(loud["vocals"], loud["drums"], atol=1e-3)


def test_other_rates_come_back_at_their_own(separator: Separator) -> None:
    t = np.arange(44_100) / 44_100
    y = np.stack([np.sin(2 * np.pi * 440 * t), np.cos(2 * np.pi * 330 * t)]).astype(np.float32)
    stems = separator.separate(y, 44_100)
    assert all(stem.shape == y.shape for stem in stems.values())
    middle = slice(2000, -2000)
    np.testing.assert_allclose(sum(stems.values())[:, middle], y[:, middle], atol=1e-3)


def test_silence_stays_silent(separator: Separator) -> None:
    stems = separator.separate(np.zeros((2, 9000), np.float32), 8000)
    assert all(np.all(stem == 0) for stem in stems.values())


@pytest.mark.parametrize("shape", [(0, 10), (2, 0), (10,), (2, 3, 4), (48_000, 2)])
def test_what_is_no_audio_is_refused(separator: Separator, shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioInvalid, match=r"shape|transposed"):
        separator.separate(np.zeros(shape, np.float32), 8000)


def test_unknown_and_damaged_models_are_refused(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="mir-4s"):
        Separator("no-such-model")
    with pytest.raises(ModelUnknown, match="plain word"):
        find("../tiny", tiny_weights)
    for name in ("tiny.json", "tiny.npz"):
        (tmp_path / name).write_bytes((tiny_weights / name).read_bytes())
    assert verify("tiny", tmp_path) in (tmp_path / "tiny.json").read_text()
    weights = bytearray((tmp_path / "tiny.npz").read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "tiny.npz").write_bytes(weights)
    with pytest.raises(WeightsDamaged, match="SHA-256"):
        Separator("tiny", weights=tmp_path)
    (tmp_path / "tiny.npz").unlink()
    with pytest.raises(WeightsMissing, match="missing"):
        Separator("tiny", weights=tmp_path)


def test_the_shipped_model_is_whole_and_small() -> None:
    assert "mir-4s" in available()
    assert len(verify("mir-4s")) == 64
    assert find("mir-4s").with_suffix(".npz").stat().st_size <= 12_000_000
    assert source_id("mir-4s").startswith("mir-4s:")


def test_the_shipped_model_hears_drums_as_drums() -> None:
    """Noise bursts over a low sine: each goes where it belongs, by more than 6 dB."""
    sr = 44_100
    t = np.arange(8 * sr) / sr
    rng = np.random.default_rng(0)
    hits = rng.standard_normal(t.size) * np.exp(-30 * (t % 0.5)) * 0.3
    bass = 0.3 * np.sin(2 * np.pi * 55 * t) + 0.1 * np.sin(2 * np.pi * 110 * t)
    y = np.repeat((hits + bass)[None], 2, axis=0).astype(np.float32)
    stems = Separator("mir-4s").separate(y, sr)
    for stem, truth, other in (("drums", hits, bass), ("bass", bass, hits)):
        own = np.dot(stems[stem][0], truth) / np.dot(truth, truth)
        wrong = np.dot(stems[stem][0], other) / np.dot(other, other)
        assert own > 0.5
        assert own > 2 * abs(wrong)
