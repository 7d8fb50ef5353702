"""Loading, saving and resampling: what comes back is what went in, and every kind of file has one length."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from separation import audio, writers
from separation.errors import AudioInvalid

CODECS = ("wav", "flac", "ogg", "m4a", "mp3", "opus")


def smooth_noise(n_channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise below a quarter of the Nyquist frequency, which every lossy codec keeps."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, n_samples)))
    frequency = np.linspace(0.0, 1.0, spectrum.shape[1])
    y = np.fft.irfft(spectrum * np.exp(-((frequency / 0.08) ** 2)), n=n_samples)
    return (0.2 * y / y.std()).clip(-0.99, 0.99).astype(np.float32)


def write_two_streams(path: Path, first: np.ndarray, second: np.ndarray, sr: int) -> None:
    """An MP4 like a stem file: a picture stream in front, then two audio streams."""
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("mpeg4", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        streams = [container.add_stream("aac", rate=sr, layout="stereo") for _ in range(2)]
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for stream, y in zip(streams, (first, second), strict=True):
            stream.bit_rate = 256_000
            sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(y), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = sr, 0
            container.mux(stream.encode(sound))
            container.mux(stream.encode(None))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("sr", [44100, 48000])
def test_a_saved_file_comes_back_aligned_and_of_one_length(tmp_path, codec, n_channels, sr):
    y = smooth_noise(n_channels, sr + 1234)
    path = tmp_path / f"sound.{codec}"
    audio.save(path, y, sr)
    loaded, loaded_sr = audio.load(path)
    assert loaded.dtype == np.float32
    assert loaded_sr == (48000 if codec == "opus" else sr)
    back = audio.resample(loaded, loaded_sr, sr)
    assert back.shape == y.shape
    floor_db = -75 if codec in ("wav", "flac") else -8
    error_db = 10 * np.log10(np.mean((back - y) ** 2) / np.mean(y**2))
    assert error_db < floor_db
    lags = range(-40, 41)
    middle = slice(5000, 20000)
    match = [float(np.vdot(np.roll(back, lag, axis=1)[:, middle], y[:, middle])) for lag in lags]
    assert lags[int(np.argmax(match))] == 0
    info = audio.probe(path)
    assert info.duration_s == pytest.approx(y.shape[1] / sr, abs=2e-3)
    assert (info.n_channels, info.sample_rate_hz) == (n_channels, loaded_sr)


def test_wav_of_16_bits_returns_every_representable_sample(tmp_path):
    steps = np.array([[-32768, -32767, -1, 0, 1, 12345, 32767]], dtype=np.int16)
    y = (steps / 32768).astype(np.float32)
    for codec in ("wav", "flac"):
        audio.save(tmp_path / f"x.{codec}", y, 44100)
        np.testing.assert_array_equal(audio.load(tmp_path / f"x.{codec}")[0], y)


@pytest.mark.parametrize(
    ("codec", "subtype", "step"), [("wav", "PCM_24", 2**-23), ("flac", "PCM_24", 2**-23), ("wav", "FLOAT", 0)]
)
def test_finer_subtypes_are_finer(tmp_path, codec, subtype, step):
    y = smooth_noise(2, 5000)
    path = tmp_path / f"x.{codec}"
    audio.save(path, y, 44100, subtype=subtype)
    assert soundfile.info(path).subtype == subtype
    np.testing.assert_allclose(audio.load(path)[0], y, atol=step * 0.51, rtol=0)


def test_streams_of_one_file_are_counted_without_the_picture_and_align(tmp_path):
    first, second = smooth_noise(2, 30000, seed=1), smooth_noise(2, 30000, seed=2)
    path = tmp_path / "song.stem.mp4"
    write_two_streams(path, first, second, 44100)
    for number, expected in ((0, first), (1, second)):
        loaded, sr = audio.load(path, stream=number)
        assert sr == 44100
        n = min(loaded.shape[1], expected.shape[1])
        assert abs(loaded.shape[1] - expected.shape[1]) < 64  # MP4's clock ticks in milliseconds by default
        correlation = np.corrcoef(loaded[0, 4000:n], expected[0, 4000:n])[0, 1]
        assert correlation > 0.95
    assert audio.load(path, stream=0)[0].shape == audio.load(path, stream=1)[0].shape
    with pytest.raises(ValueError, match="no audio stream 2: it has 2, numbered from 0 to 1"):
        audio.load(path, stream=2)


@pytest.mark.parametrize("codec", CODECS)
def test_a_part_is_the_same_samples_as_in_the_whole(tmp_path, codec):
    sr = 48000
    path = tmp_path / f"x.{codec}"
    audio.save(path, smooth_noise(2, 2 * sr), sr)
    whole, _ = audio.load(path)
    part, _ = audio.load(path, offset_s=0.75, duration_s=0.5)
    np.testing.assert_array_equal(part, whole[:, 36000:60000])
    tail, _ = audio.load(path, offset_s=1.9, duration_s=5.0)
    np.testing.assert_array_equal(tail, whole[:, 91200:])


def test_offset_past_the_end_says_so(tmp_path):
    audio.save(tmp_path / "x.wav", smooth_noise(1, 8000), 8000)
    with pytest.raises(ValueError, match="ends before 3 s"):
        audio.load(tmp_path / "x.wav", offset_s=3.0)


def test_resampling_keeps_a_tone_and_its_length():
    t = np.arange(44100) / 44100
    y = np.stack([np.sin(2 * np.pi * 440 * t), np.cos(2 * np.pi * 1000 * t)]).astype(np.float32)
    for rate in (8000, 22050, 48000, 192000):
        z = audio.resample(y, 44100, rate)
        assert z.shape == (2, rate)
        u = np.arange(rate) / rate
        expected = np.stack([np.sin(2 * np.pi * 440 * u), np.cos(2 * np.pi * 1000 * u)])
        inner = slice(rate // 10, -rate // 10)
        np.testing.assert_allclose(z[:, inner], expected[:, inner], atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 3000),
    sr_from=st.sampled_from([8000, 22050, 44100, 48000, 192000]),
    sr_to=st.sampled_from([8000, 22050, 44100, 48000, 192000]),
)
def test_resampled_length_is_the_nearest(n, sr_from, sr_to):
    z = audio.resample(np.ones((1, n), np.float32), sr_from, sr_to)
    assert z.shape == (1, max(1, round(n * sr_to / sr_from)))
    assert np.isfinite(z).all()


def test_resampling_at_the_same_rate_gives_a_copy():
    y = smooth_noise(2, 100)
    z = audio.resample(y, 44100, 44100)
    np.testing.assert_array_equal(z, y)
    assert not np.shares_memory(z, y)


@pytest.mark.parametrize(
    "bad", [np.zeros(100, np.float32), np.zeros((0, 10), np.float32), np.zeros((2, 0), np.float32)]
)
def test_arrays_that_are_no_audio_are_refused(tmp_path, bad):
    with pytest.raises(AudioInvalid, match=r"\(n_channels, n_samples\)"):
        audio.resample(bad, 44100, 48000)
    with pytest.raises(AudioInvalid, match=r"\(n_channels, n_samples\)"):
        audio.save(tmp_path / "x.wav", bad, 44100)
    assert list(tmp_path.iterdir()) == []


def test_impossible_arguments_are_refused(tmp_path):
    y = smooth_noise(1, 100)
    audio.save(tmp_path / "x.wav", y, 44100)
    with pytest.raises(AudioInvalid, match="above 0: got -1"):
        audio.load(tmp_path / "x.wav", sr=-1)
    with pytest.raises(AudioInvalid, match="duration_s > 0"):
        audio.load(tmp_path / "x.wav", duration_s=0.0)
    with pytest.raises(AudioInvalid, match="suffix must be one of"):
        audio.save(tmp_path / "x.wma", y, 44100)
    with pytest.raises(AudioInvalid, match="at most 2 channels, these are 6"):
        audio.save(tmp_path / "x.mp3", np.zeros((6, 100), np.float32), 44100)
    with pytest.raises(AudioInvalid, match="flac cannot hold 'FLOAT': use one of PCM_16, PCM_24"):
        audio.save(tmp_path / "x.flac", y, 44100, subtype="FLOAT")
    with pytest.raises(AudioInvalid, match="no numbers"):
        audio.save(tmp_path / "x.wav", np.full((1, 9), np.nan, np.float32), 44100)


def test_clipping_is_counted_and_the_array_left_alone(tmp_path, caplog):
    y = np.array([[0.5, 1.5, -2.0, 1.0, -1.0]], dtype=np.float32)
    before = y.copy()
    with caplog.at_level(logging.WARNING):
        audio.save(tmp_path / "x.wav", y, 44100)
    assert "2 of 5 samples clipped to full scale (peak 2.00)" in caplog.text
    np.testing.assert_array_equal(y, before)
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav")[0], y.clip(-1, 1), atol=1 / 32768)
    caplog.clear()
    audio.save(tmp_path / "x.wav", y, 44100, subtype="FLOAT")
    assert caplog.text == ""
    np.testing.assert_array_equal(audio.load(tmp_path / "x.wav")[0], y)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.wav"
    audio.save(path, smooth_noise(1, 1000), 44100)
    old = path.read_bytes()

    def fail(sink: writers.WavSink) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr(writers.WavSink, "finish", fail)
    with pytest.raises(OSError, match=r"cannot write .*x\.wav: disk full"):
        audio.save(path, smooth_noise(1, 1000, seed=1), 44100)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_save_makes_its_folder(tmp_path):
    audio.save(tmp_path / "a" / "b" / "x.flac", smooth_noise(1, 1000), 44100)
    assert (tmp_path / "a" / "b" / "x.flac").is_file()


@pytest.mark.shared
def test_the_five_streams_of_a_stem_file_align_and_add_up(shared_data):
    path = sorted((shared_data / "musdb18-7s" / "train").glob("*.stem.mp4"))[0]
    streams = [audio.load(path, stream=number)[0] for number in range(5)]
    assert {y.shape for y in streams} == {(2, 299880)}
    residual = streams[0] - sum(streams[1:])
    assert 10 * np.log10(np.mean(streams[0] ** 2) / np.mean(residual**2)) > 15
