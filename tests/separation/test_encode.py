"""Files written block by block: the same as in one piece, of any length, whole or not there at all."""

from __future__ import annotations

import _thread
import logging
import threading
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from full_disk import files_no_larger_than

from separation import audio, writers
from separation.encode import CODECS, Encoding, bit_rate_range, open_writer
from separation.errors import AudioInvalid, SeparationError, WriteFailed

SR = 44100
SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")


def noise(n_channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise with the extremes of full scale in it."""
    y = np.random.default_rng(seed).uniform(-1, 1, (n_channels, n_samples)).astype(np.float32)
    y[:, :3] = 1.0, -1.0, 0.0
    return y


def write(path: Path, y: np.ndarray, sr: int, encoding: Encoding, *, block: int = 999, **more: object) -> None:
    with open_writer(path, sr, y.shape[0], encoding, **more) as writer:
        for start in range(0, y.shape[1], block):
            writer.write(y[:, start : start + block])


def quantised(y: np.ndarray, subtype: str) -> np.ndarray:
    if subtype == "FLOAT":
        return y.astype(np.float64)
    full_scale = 2.0 ** (int(subtype[4:]) - 1)
    return np.rint(y.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1) / full_scale


def ffmpeg_samples(path: Path) -> np.ndarray:
    """What FFmpeg makes of a file, `(n_channels, n_samples)` of integer steps or floats, scaled to ±1."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    y = np.concatenate([frame.to_ndarray().reshape(-1, frame.layout.nb_channels) for frame in frames]).T
    return y / {"s16": 2.0**15, "s32": 2.0**31, "flt": 1.0}[frames[0].format.name]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("sr", [8000, 44100, 48000])
def test_the_blocks_make_no_difference(tmp_path, codec, sr):
    y = 0.3 * noise(2, 2 * 65536 + 777)
    write(tmp_path / "small", y, sr, Encoding(codec), block=10_007)
    write(tmp_path / "whole", y, sr, Encoding(codec), block=y.shape[1])
    small, rate = audio.load(tmp_path / "small")
    whole, _ = audio.load(tmp_path / "whole")
    start = 256 if codec == "ogg" else 0  # Vorbis guesses what came before, from as much as it is first given
    np.testing.assert_array_equal(small[:, start:], whole[:, start:])
    assert small.shape == (2, round(y.shape[1] * rate / sr))


@pytest.mark.parametrize("limit", [writers.RIFF_LIMIT, 1000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_wav_is_read_back_bit_by_bit(tmp_path, monkeypatch, limit, n_channels, subtype):
    monkeypatch.setattr(writers, "RIFF_LIMIT", limit)
    y = noise(n_channels, 7001)
    path = tmp_path / "x.wav"
    write(path, y, SR, Encoding("wav", subtype), clamp=subtype != "FLOAT")
    with soundfile.SoundFile(path) as sound:
        assert (sound.samplerate, sound.channels, sound.frames, sound.subtype) == (SR, n_channels, 7001, subtype)
        assert (sound.format == "RF64") == (limit == 1000)
        assert "should be)" not in sound.extra_info
        np.testing.assert_array_equal(sound.read(always_2d=True).T, quantised(y, subtype))
    np.testing.assert_array_equal(ffmpeg_samples(path), quantised(y, subtype))
    head = path.read_bytes()
    size = int.from_bytes(head[20:28] if limit == 1000 else head[4:8], "little")
    assert (head[:4], size) == (b"RF64" if limit == 1000 else b"RIFF", len(head) - 8)


@pytest.mark.parametrize("n_samples", [2**30, 2**31 + 5, 2**32 + 3])
def test_wav_past_4_gib_is_rf64(tmp_path, n_samples):
    """A file full of holes: the header as we write it, and one last frame."""
    path = tmp_path / "x.wav"
    header = writers.wav_header(SR, 2, "FLOAT", n_samples=n_samples)
    assert len(header) == len(writers.wav_header(SR, 2, "FLOAT", n_samples=0))
    last = np.array([[0.25, -0.75]], dtype=np.float32)
    with path.open("wb") as file:
        file.write(header)
        file.seek(len(header) + 8 * (n_samples - 1))
        file.write(last.tobytes())
    with soundfile.SoundFile(path) as sound:
        assert (sound.format, sound.frames) == ("RF64", n_samples)
        sound.seek(n_samples - 1)
        np.testing.assert_array_equal(sound.read(dtype="float32"), last)
    assert audio.probe(path).duration_s == n_samples / SR
    with av.open(str(path)) as container:
        assert container.streams.audio[0].duration == n_samples


def test_rf64_begins_where_riff_ends(monkeypatch):
    monkeypatch.setattr(writers, "RIFF_LIMIT", 4 + 36 + 24 + 8 + 2 * 500)
    assert writers.wav_header(SR, 1, "PCM_16", n_samples=500)[:4] == b"RIFF"
    assert writers.wav_header(SR, 1, "PCM_16", n_samples=501)[:4] == b"RF64"


@pytest.mark.parametrize("codec", ["wav", "flac", "m4a", "opus"])
def test_six_channels_keep_their_order(tmp_path, codec):
    t = np.arange(SR) / SR
    # the channel of low frequencies, number 3, has a filter
    y = np.stack([0.3 * np.sin(2 * np.pi * f * t) for f in (500, 900, 1300, 60, 2100, 2500)]).astype(np.float32)
    write(tmp_path / "x", y, SR, Encoding(codec))
    back, sr = audio.load(tmp_path / "x")
    spectrum = np.abs(np.fft.rfft(audio.resample(back, sr, SR)))
    assert spectrum.argmax(axis=1).tolist() == [500, 900, 1300, 60, 2100, 2500]


@pytest.mark.parametrize(
    ("codec", "low", "high"),
    [("ogg", 80_000, 320_000), ("m4a", 64_000, 320_000), ("mp3", 64_000, 320_000), ("opus", 48_000, 256_000)],
)
def test_a_bit_rate_is_kept(tmp_path, codec, low, high):
    y = np.cumsum(np.random.default_rng(0).standard_normal((2, 5 * SR)), axis=1)
    y = (0.1 * np.diff(y, prepend=0) + 0.001 * (y - y.mean())).clip(-1, 1).astype(np.float32)
    for bit_rate in (low, high):
        path = tmp_path / f"{bit_rate}"
        write(path, y, SR, Encoding(codec, bit_rate=bit_rate), block=100_000)
        assert path.stat().st_size * 8 / 5 == pytest.approx(bit_rate, rel=0.3)


@pytest.mark.parametrize("codec", ["ogg", "m4a", "mp3", "opus"])
@pytest.mark.parametrize("sr", [8000, 22050, 48000])
def test_every_bit_rate_of_the_range_can_be_written_and_none_beyond(tmp_path, codec, sr):
    y = 0.3 * noise(1, sr)
    encoded_sr = 48000 if codec == "opus" else sr
    lowest, highest = bit_rate_range(codec, encoded_sr, 1)
    for bit_rate in (lowest, highest, None):
        write(tmp_path / "x", y, sr, Encoding(codec, bit_rate=bit_rate), block=50_000)
        assert audio.load(tmp_path / "x")[0].shape[1] == encoded_sr
    for bit_rate in (lowest - 1, highest + 1):
        with pytest.raises(AudioInvalid, match=f"{codec} .* takes {lowest} to {highest} bits/s: got {bit_rate}"):
            write(tmp_path / "y", y, sr, Encoding(codec, bit_rate=bit_rate))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ({"codec": "wma"}, "unknown codec 'wma': choose from wav, flac"),
        ({"codec": "flac", "subtype": "PCM_32"}, "flac cannot hold 'PCM_32': use one of PCM_16, PCM_24"),
        ({"codec": "wav", "subtype": "DOUBLE"}, "wav cannot hold 'DOUBLE'"),
        ({"codec": "mp3", "subtype": "PCM_24"}, "mp3 has no PCM_24"),
        ({"codec": "flac", "bit_rate": 128_000}, "flac is lossless and has no bit rate"),
    ],
)
def test_impossible_encodings_are_refused(what, says):
    with pytest.raises(AudioInvalid, match=says):
        Encoding(**what)


@pytest.mark.parametrize(
    ("sr", "n_channels", "encoding", "more", "says"),
    [
        (SR, 3, Encoding("mp3"), {}, "mp3 holds at most 2 channels, these are 3"),
        (SR, 3, Encoding("ogg"), {}, "ogg holds at most 2 channels"),
        (SR, 0, Encoding("wav"), {}, "these are 0"),
        (0, 1, Encoding("wav"), {}, "above 0: got 0"),
        (SR, 1, Encoding("wav"), {"clamp": False}, "wav PCM_16 always clips: clamp=False needs the subtype FLOAT"),
        (SR, 1, Encoding("mp3"), {"clamp": False}, "always clips"),
        (3_000_000, 1, Encoding("flac"), {}, "flac cannot hold 1 channels at 3000000 Hz"),
    ],
)
def test_impossible_files_are_refused_before_they_exist(tmp_path, sr, n_channels, encoding, more, says):
    with pytest.raises(AudioInvalid, match=says), open_writer(tmp_path / "x", sr, n_channels, encoding, **more):
        pytest.fail("the writer was opened")
    assert list(tmp_path.iterdir()) == []


def test_clipped_samples_are_counted_over_all_blocks_and_told_once(tmp_path, caplog):
    path = tmp_path / "x.wav"
    with caplog.at_level(logging.WARNING), open_writer(path, SR, 1, Encoding()) as writer:
        writer.write(np.array([[0.5, 1.5, -3.0]], dtype=np.float32))
        writer.write(np.zeros((1, 0), dtype=np.float32))
        writer.write(np.array([[-1.0, 1.0, 1.25]], dtype=np.float32))
        assert (writer.n_clipped, writer.peak, caplog.text) == (3, 3.0, "")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 3 of 6 samples clipped to full scale (peak 3.00)"
    ]
    np.testing.assert_allclose(audio.load(path)[0], [[0.5, 1.0, -1.0, -1.0, 1.0, 1.0]], atol=1 / 32768)


@pytest.mark.parametrize(("clamp", "expected"), [(False, [0.5, 2.0]), (True, [0.5, 1.0])])
def test_float_is_clipped_only_where_asked(tmp_path, clamp, expected):
    write(tmp_path / "x.wav", np.array([[0.5, 2.0]], np.float32), SR, Encoding("wav", "FLOAT"), clamp=clamp)
    np.testing.assert_array_equal(audio.load(tmp_path / "x.wav")[0], [expected])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("reason", ["nan", "shape", "nothing", "interrupt", "before_publish"])
def test_whatever_fails_leaves_the_old_file_and_nothing_else(tmp_path, codec, reason):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def refuse(unfinished: Path) -> None:
        assert unfinished.is_file()
        raise RuntimeError("no tags today")

    expected = {"interrupt": KeyboardInterrupt, "before_publish": RuntimeError}.get(reason, AudioInvalid)
    publish = refuse if reason == "before_publish" else None
    with pytest.raises(expected), open_writer(path, SR, 2, Encoding(codec), before_publish=publish) as writer:  # noqa: PT012
        if reason != "nothing":
            writer.write(0.5 * noise(2, 100_000))
        if reason == "nan":
            writer.write(np.array([[0.1, np.inf], [np.nan, 0.1]], dtype=np.float32))
        if reason == "shape":
            writer.write(noise(1, 10))
        if reason == "interrupt":
            raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("codec", ["wav", "flac", "ogg", "opus"])
def test_ctrl_c_is_not_lost_in_a_codec(tmp_path, codec):
    block = 0.5 * noise(2, 50_000)
    interrupt = threading.Timer(0.05, _thread.interrupt_main)
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "x", SR, 2, Encoding(codec)) as writer:  # noqa: PT012
        interrupt.start()
        for _ in range(1000):
            writer.write(block)
    interrupt.join()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", CODECS)
def test_before_publish_sees_the_complete_file(tmp_path, codec):
    y = 0.5 * noise(2, 30_000)
    seen = []

    def look(unfinished: Path) -> None:
        seen.append(audio.load(unfinished)[0])
        assert not (tmp_path / "x").exists()

    write(tmp_path / "x", y, 48000, Encoding(codec), before_publish=look)
    np.testing.assert_array_equal(seen[0], audio.load(tmp_path / "x")[0])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("missing", ["nearly all", "half", "the last byte"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, codec, missing):
    y = 0.5 * noise(2, 2 * SR)
    path = tmp_path / "x"
    write(path, y, SR, Encoding(codec), block=50_000)
    size = path.stat().st_size
    path.unlink()
    limit = {"nearly all": 100, "half": size // 2, "the last byte": size - 1}[missing]
    with (
        pytest.raises(WriteFailed, match=r"^cannot write .*x: .+; nothing is left") as caught,
        files_no_larger_than(limit),
    ):
        write(path, y, SR, Encoding(codec), block=50_000)
    assert isinstance(caught.value, SeparationError)
    assert isinstance(caught.value, OSError)
    assert caught.value.errno is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "n" * 300, "file/x.wav"])
def test_a_name_that_cannot_be_is_refused_at_once(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailed, match="cannot write"), open_writer(tmp_path / name, SR, 1, Encoding()):
        pytest.fail("the writer was opened")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}


@pytest.mark.parametrize("encoding", [Encoding("wav", "PCM_24"), Encoding("flac"), Encoding("opus")])
def test_memory_does_not_grow_with_the_length(tmp_path, encoding):
    block = 0.5 * noise(2, 1 << 16)

    def peak_bytes(n_blocks: int) -> int:
        tracemalloc.start()
        with open_writer(tmp_path / "x", SR, 2, encoding) as writer:
            for _ in range(n_blocks):
                writer.write(block)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)
    assert peak_bytes(20) < peak_bytes(4) + block.nbytes
