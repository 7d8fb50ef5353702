from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from separation import Separator
from separation.audio import load, save
from separation.errors import AudioInvalid, ModelUnknown, PrecisionUnsupported, WeightsDamaged, WeightsMissing
from separation.models import available, find, source_id, verify
from separation.source import open_source


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


@pytest.mark.parametrize("sr", [8000, 11_025, 16_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_file_in_a_stream_is_the_whole_file(separator: Separator, tmp_path: Path, sr: int, channels: int) -> None:
    y = noise(channels, 41_234)
    save(tmp_path / "a.wav", y, sr, subtype="FLOAT")
    whole = separator.separate(y, sr)
    with (tmp_path / "a.wav").open("rb") as file:
        for source in (tmp_path / "a.wav", str(tmp_path / "a.wav"), file):
            chunks = list(separator.stream(source))
            assert len(chunks) > 1
            for stem in separator.stems:
                streamed = np.concatenate([chunk[stem] for chunk in chunks], axis=1)
                assert streamed.shape == y.shape
                np.testing.assert_allclose(streamed, whole[stem], atol=1e-5)


def test_a_part_of_a_file_and_another_rate(separator: Separator, tmp_path: Path) -> None:
    y = noise(2, 40_000)
    save(tmp_path / "a.flac", y, 8000)
    part = separator.separate(load(tmp_path / "a.flac", offset_s=1.5, duration_s=2.0)[0], 8000)
    chunks = list(separator.stream(tmp_path / "a.flac", offset_s=1.5, duration_s=2.0, stems=("bass",)))
    assert all(tuple(chunk) == ("bass",) for chunk in chunks)
    # alone it is synthesised, among all of them it may be what the others leave
    np.testing.assert_allclose(np.concatenate([c["bass"] for c in chunks], axis=1), part["bass"], atol=1e-5)
    there = [chunk["bass"] for chunk in separator.stream(tmp_path / "a.flac", sr_out=22_050, stems=("bass",))]
    assert sum(y.shape[1] for y in there) == round(40_000 * 22_050 / 8000)


def test_the_mixture_comes_beside_its_stems(separator: Separator) -> None:
    y = noise(2, 30_000)
    with open_source([y], sr=12_000) as audio:
        chunks = list(separator.run(audio, with_mixture=True))
    assert all(chunk["mixture"].shape == chunk["drums"].shape for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate([chunk["mixture"] for chunk in chunks], axis=1), y)


def test_arrays_need_their_rate(separator: Separator) -> None:
    with pytest.raises(AudioInvalid, match="give it as sr"):
        next(separator.stream([noise(2, 100)]))


def test_a_stream_left_early_leaves_no_thread(separator: Separator) -> None:
    before = threading.active_count()
    stream = separator.stream((noise(2, 5000) for _ in range(1000)), sr=8000)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_what_goes_wrong_upstream_comes_through(separator: Separator) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield noise(2, 30_000)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(separator.stream(broken(), sr=8000))


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_the_number_of_workers_changes_nothing(separator: Separator, n_workers: int) -> None:
    y = noise(2, 60_000)
    with patch.object(separator, "_n_workers", n_workers):
        stems = separator.separate(y, 8000)
    for stem, samples in separator.separate(y, 8000).items():
        np.testing.assert_allclose(stems[stem], samples, atol=1e-6)


def test_precision_is_checked_not_imitated(tiny_weights: Path, separator: Separator, monkeypatch) -> None:
    monkeypatch.setattr("separation.backend.processor_flags", lambda: frozenset({"avx2"}))
    with pytest.raises(PrecisionUnsupported, match="avx512_bf16"):
        Separator("tiny", tiny_weights, precision="bfloat16")
    with pytest.raises(PrecisionUnsupported, match="float32, bfloat16"):
        Separator("tiny", tiny_weights, precision="float8")
    monkeypatch.setattr("separation.backend.processor_flags", lambda: frozenset({"avx512_bf16"}))
    coarse = Separator("tiny", tiny_weights, precision="bfloat16")
    assert coarse.source_id.endswith(":bfloat16")
    y = noise(2, 20_000)
    for stem, samples in coarse.separate(y, 8000).items():
        assert samples.dtype == np.float32
        exact = separator.separate(y, 8000)[stem]
        assert 0 < np.linalg.norm(samples - exact) < 0.05 * np.linalg.norm(exact)


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
