"""One stream of blocks, whatever it comes from: path, file object, pipe, arrays."""

from __future__ import annotations

import io
import logging
import os
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from damaged import N_SAMPLES, SR, WRITERS, signal
from hypothesis import given, settings
from hypothesis import strategies as st

from separation import audio
from separation.background import prefetched
from separation.errors import AudioInvalid, AudioMissing, AudioUnreadable
from separation.samples import BLOCK_VALUES
from separation.source import open_source


def read(source: object, **part: object) -> np.ndarray:
    with open_source(source, **part) as opened:
        blocks = list(opened.blocks)
    assert all(block.dtype == np.float32 and block.shape[0] == opened.n_channels for block in blocks)
    assert all(block.shape[1] for block in blocks)
    return np.concatenate(blocks, axis=1)


def feed(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(content)


@pytest.fixture
def y() -> np.ndarray:
    return signal()


@pytest.mark.parametrize("name", ["wav16", "flac", "ogg", "mp3", "m4a", "stems"])
def test_path_file_object_and_pipe_give_what_load_gives(tmp_path, y, name):
    path = tmp_path / ("x" + (".mp4" if name == "stems" else ".wav" if name == "wav16" else f".{name}"))
    WRITERS[name](path, y)
    loaded, sr = audio.load(path)
    np.testing.assert_array_equal(read(path), loaded)
    np.testing.assert_array_equal(read(str(path)), loaded)
    with path.open("rb") as file:
        file.seek(1000)  # wherever it stands
        np.testing.assert_array_equal(read(file), loaded)
        assert not file.closed
    np.testing.assert_array_equal(read(io.BytesIO(path.read_bytes()), offset_s=0.5), loaded[:, sr // 2 :])
    reading, writing = os.pipe()
    feeder = threading.Thread(target=feed, args=(writing, path.read_bytes()))
    feeder.start()
    with os.fdopen(reading, "rb") as pipe:
        np.testing.assert_array_equal(read(pipe, duration_s=0.5), loaded[:, : sr // 2])
    feeder.join()


def test_what_is_known_beforehand(tmp_path, y):
    path = tmp_path / "x.flac"
    audio.save(path, y, SR)
    for part, n in (({}, N_SAMPLES), ({"offset_s": 1.0}, N_SAMPLES - SR), ({"offset_s": 1, "duration_s": 0.1}, 4410)):
        with open_source(path, **part) as source:
            assert (source.sr, source.n_channels, source.n_samples_hint) == (SR, 2, n)
    with open_source([y], sr=8000) as source:
        assert (source.sr, source.n_channels, source.n_samples_hint) == (8000, 2, None)


def test_a_stem_is_a_stream_of_its_own(tmp_path, y):
    path = tmp_path / "x.stem.mp4"
    WRITERS["stems"](path, y)
    assert read(path, stream=4).shape == read(path).shape
    with pytest.raises(AudioUnreadable, match="no audio stream 5: it has 5"):
        read(path, stream=5)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=6), start=st.integers(0, 4999), n=st.integers(1, 6000))
def test_a_part_of_arrays_is_a_slice_wherever_they_are_cut(cuts, start, n):
    whole = np.random.default_rng(1).standard_normal((3, 5000), dtype=np.float32)
    arrays = np.split(whole, sorted(cuts), axis=1)
    part = read(iter(arrays), sr=1000, offset_s=start / 1000, duration_s=n / 1000)
    np.testing.assert_array_equal(part, whole[:, start : start + n])


def test_no_more_is_asked_for_than_the_part_needs():
    asked = []

    def arrays() -> Iterator[np.ndarray]:
        for number in range(1000):
            asked.append(number)
            yield np.zeros((1, 100), np.float32)

    assert read(arrays(), sr=1000, offset_s=0.25, duration_s=0.3).shape == (1, 300)
    assert len(asked) == 6


def test_arrays_of_other_types_are_taken_as_they_are():
    np.testing.assert_array_equal(read([np.array([[1, -2]]), np.array([[0.5]])], sr=SR), [[1.0, -2.0, 0.5]])
    np.testing.assert_array_equal(read(np.ones((2, 3)), sr=SR), np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(read([[[0.5, 0.25]]], sr=SR), [[0.5, 0.25]])


@pytest.mark.parametrize(
    ("source", "sr", "said"),
    [
        ([np.zeros((1, 9))], None, "give it as sr"),
        ([np.zeros((1, 9))], 0, "above 0: got 0"),
        ([np.zeros(9)], SR, r"one channel is y\[None, :\]"),
        ([np.zeros((2, 9)), np.zeros((1, 9))], SR, "array 1 has 1 channels, those before it 2"),
        ([np.zeros((44100, 2))], SR, "44100 channels of 2 samples look transposed"),
        ([np.zeros((2, 9), np.complex64)], SR, "got complex64"),
        ([np.zeros((0, 9))], SR, "at least 1 × 1"),
        ([], SR, "the array holds no audio"),
        ([np.zeros((2, 0))], SR, "the array holds no audio"),
        (b"RIFF", SR, "io.BytesIO of them"),
        (None, SR, "got NoneType"),
    ],
)
def test_arrays_that_are_no_signal_are_refused(source, sr, said):
    with pytest.raises(AudioInvalid, match=said):
        read(source, sr=sr)


def test_arguments_that_cannot_be(tmp_path, y):
    path = tmp_path / "x.wav"
    audio.save(path, y, SR)
    with pytest.raises(AudioInvalid, match="a file knows its own rate"):
        read(path, sr=SR)
    for part in ({"offset_s": -1}, {"offset_s": float("nan")}, {"duration_s": 0}, {"duration_s": float("nan")}):
        with pytest.raises(AudioInvalid, match="needs offset_s >= 0 and duration_s > 0"):
            read(path, **part)
    with pytest.raises(AudioUnreadable, match=r"x\.wav ends before 1e\+300 s"):
        read(path, offset_s=1e300)
    with pytest.raises(AudioInvalid, match="the array ends before 1 s"):
        read([y[:, :SR]], sr=SR, offset_s=1)
    assert read(path, duration_s=float("inf")).shape == y.shape
    with pytest.raises(AudioMissing):
        read(tmp_path / "no\0where.wav")


def test_file_objects_that_are_none(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("words")
    with path.open() as file, pytest.raises(AudioInvalid, match=r"x\.txt is open as text: open it with mode 'rb'"):
        read(file)
    with pytest.raises(AudioInvalid, match=r"x\.txt is closed"):
        read(file)
    with pytest.raises(AudioUnreadable, match="the given file object is empty"):
        read(io.BytesIO())
    with pytest.raises(AudioUnreadable, match="the given file object holds no audio"):
        read(io.BytesIO(b"words"))


def test_a_medium_that_fails_midway_is_a_file_cut_off_there(tmp_path, y, caplog, capfd):
    class Failing(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() >= 50_000:
                raise OSError(5, "Input/output error")
            return super().read(min(size, 50_000 - self.tell()))

    for name in ("wav16", "flac"):
        path = tmp_path / f"x.{name.removesuffix('16')}"
        WRITERS[name](path, y)
        failing = Failing(path.read_bytes())
        failing.name = f"{name} on a broken disk"
        part = read(failing)
        np.testing.assert_array_equal(part, y[:, : part.shape[1]])
        assert 8000 < part.shape[1] < N_SAMPLES
        assert f"{name} on a broken disk is damaged or cut off" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_what_is_no_number_becomes_zero_and_is_counted_once(y, caplog):
    given_arrays = [y.copy() for _ in range(3)]
    given_arrays[0][0, 5] = np.nan
    given_arrays[2][1, 7:9] = np.inf, -np.inf
    given_arrays[2][1, 9] = 1e12
    expected = np.concatenate([y, y, y], axis=1)
    expected[0, 5] = 0
    expected[1, 2 * N_SAMPLES + 7 : 2 * N_SAMPLES + 10] = 0
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read(given_arrays, sr=SR), expected)
    assert [record.getMessage().split(" that are")[0] for record in caplog.records] == ["the array has 4 samples"]
    assert np.isnan(given_arrays[0][0, 5])  # the caller's own
    assert np.isposinf(read([np.array([[1e300, 1.0]])], sr=SR)).sum() == 0


def test_small_frames_come_in_large_blocks(tmp_path):
    path = tmp_path / "x.mp3"
    audio.save(path, np.tile(signal(), 4), SR)
    with open_source(path) as source:
        sizes = [block.size for block in source.blocks]
    assert min(sizes[:-1]) > BLOCK_VALUES // 2
    assert max(sizes) <= BLOCK_VALUES


@pytest.mark.parametrize("n_channels", [2, 40])
def test_memory_does_not_grow_with_the_file(tmp_path, n_channels):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((1000, n_channels)), SR, subtype="PCM_16")
    header = path.stat().st_size - 1000 * n_channels * 2
    os.truncate(path, 100_000_000)  # 100 MB that take no room on the disk
    with path.open("r+b") as file:
        file.seek(header - 4)
        file.write((100_000_000 - header).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with open_source(path) as source, closing(prefetched(source.blocks)) as blocks:
            n = sum(block.shape[1] for block in blocks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n == (100_000_000 - header) // (2 * n_channels)
    assert peak < 12_000_000


def test_memory_does_not_grow_where_an_mp4_lies_about_its_end(tmp_path):
    path = tmp_path / "x.m4a"
    audio.save(path, np.tile(signal(), 12), SR)
    content = bytearray(path.read_bytes())
    length = content.index(b"mdhd") + 4 + 16
    content[length : length + 4] = (2000).to_bytes(4, "big")
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with open_source(path) as source:
            n = sum(block.shape[1] for block in source.blocks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n == pytest.approx(12 * N_SAMPLES, abs=2048)
    assert peak < 3_000_000


def test_damage_in_the_middle_costs_one_frame_and_says_so(tmp_path, caplog):
    y = np.tile(signal(), 8)
    path = tmp_path / "x.flac"
    audio.save(path, y, SR)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    z = read(path)
    assert z.shape == y.shape
    wrong = np.flatnonzero((z != y).any(axis=0))
    assert wrong.size > 0
    assert wrong[-1] - wrong[0] < 4608
    assert caplog.text.count("x.flac is damaged or cut off: going on with the 10.9 s") == 1
    np.testing.assert_array_equal(read(path, offset_s=9.0, duration_s=0.5), z[:, 9 * SR : 9 * SR + SR // 2])
    np.testing.assert_array_equal(read(path, offset_s=3.0), z[:, 3 * SR :])


def test_a_flac_need_not_say_how_long_it_is(tmp_path, caplog):
    path = tmp_path / "x.flac"
    audio.save(path, signal(), SR)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with open_source(path) as source:
        assert source.n_samples_hint is None
    np.testing.assert_array_equal(read(path), signal())
    assert audio.probe(path).duration_s == 0
    assert caplog.text == ""


def test_nothing_is_said_of_what_was_not_read(tmp_path, caplog):
    path = tmp_path / "x.wav"
    audio.save(path, signal(), SR)
    path.write_bytes(path.read_bytes()[:200_000])
    read(path, duration_s=0.5)
    with open_source(path) as source:
        next(source.blocks)
    assert caplog.text == ""


def write_aac(path: Path, y: np.ndarray, sr: int, layout: str) -> bytes:
    with av.open(str(path), "w", format="adts") as container:
        stream = container.add_stream("aac", rate=sr, layout=layout)
        interleaved = np.ascontiguousarray(y.T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
        frame.sample_rate, frame.pts = sr, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_a_stream_that_changes_again_and_again_keeps_its_first_rate_and_channels(tmp_path):
    def tone(sr: int) -> np.ndarray:
        return 0.3 * np.sin(2 * np.pi * 1000 * np.arange(sr)[None] / sr).astype(np.float32)

    path = tmp_path / "x.aac"
    first, mono, stereo = (
        write_aac(path, y, sr, layout)
        for y, sr, layout in (
            (signal(), SR, "stereo"),
            (tone(22050), 22050, "mono"),
            (np.repeat(tone(32000), 2, axis=0), 32000, "stereo"),
        )
    )
    path.write_bytes(first + mono + stereo + first)
    z = read(path)
    assert z.shape[0] == 2
    assert z.shape[1] == pytest.approx(2 * (N_SAMPLES + SR), abs=4 * 3 * 1024)  # an encoder adds some frames
    for start in (N_SAMPLES + 10_000, N_SAMPLES + SR + 15_000):
        spectrum = np.abs(np.fft.rfft(z[:, start : start + SR // 2]))
        assert spectrum.argmax(axis=1).tolist() == [500, 500]


@pytest.mark.parametrize(("layout", "n_channels"), [("7.1", 8), ("hexadecagonal", 16)])
def test_eight_channels_and_more_come_each_in_its_place(tmp_path, layout, n_channels):
    t = np.arange(SR) / SR
    tones = np.stack([0.2 * np.sin(2 * np.pi * (60 + 10 * c) * t) for c in range(n_channels)]).astype(np.float32)
    write_aac(tmp_path / "x.aac", tones, SR, layout)
    z = read(tmp_path / "x.aac")
    assert z.shape[0] == n_channels
    spectrum = np.abs(np.fft.rfft(z[:, :SR]))
    assert spectrum.argmax(axis=1).tolist() == [60 + 10 * c for c in range(n_channels)]


def test_read_in_the_background_it_is_the_same(tmp_path):
    path = tmp_path / "x.mp3"
    audio.save(path, np.tile(signal(), 4), SR)
    with open_source(path) as source, closing(prefetched(source.blocks)) as blocks:
        z = np.concatenate(list(blocks), axis=1)
    np.testing.assert_array_equal(z, audio.load(path)[0])
    with open_source(path) as source, closing(prefetched(source.blocks)) as blocks:
        next(blocks)  # and no more
    assert threading.active_count() == 1 or all(t.name != "prefetched" for t in threading.enumerate())
