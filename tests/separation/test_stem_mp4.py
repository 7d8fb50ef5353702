"""`.stem.mp4`: five streams that align, a box that names them, and a reader that no damage harms."""

from __future__ import annotations

import json
import logging
import shutil
import struct
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from full_disk import files_no_larger_than
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from separation import audio
from separation.encode import Encoding, open_writer
from separation.errors import AudioInvalid, AudioMissing, AudioUnreadable, WriteFailed
from separation.stem_mp4 import open_stem_writer, read_stem_box

STEMS = ("vocals", "drums", "bass", "other")
IN_FILE = ("drums", "bass", "other", "vocals")
SR = 44100


def tones(n_channels: int, n_samples: int, sr: int) -> dict[str, np.ndarray]:
    """Stems that anybody can tell apart: noise under a moving filter, another one each."""
    stems = {}
    for number, stem in enumerate(STEMS):
        white = np.random.default_rng(number).standard_normal((n_channels, n_samples))
        spectrum = np.fft.rfft(white) * np.exp(-((np.fft.rfftfreq(n_samples, 1 / sr) / 3000) ** 2))
        y = np.fft.irfft(spectrum, n=n_samples)
        stems[stem] = (0.05 * y / y.std()).astype(np.float32)
    return stems


def write(path: Path, stems: dict[str, np.ndarray], sr: int, *, block: int = 20_011, **more: object) -> np.ndarray:
    mixture = sum(stems.values())
    with open_stem_writer(path, sr, list(stems), **more) as writer:
        for start in range(0, mixture.shape[1], block):
            writer.write(
                mixture[:, start : start + block], {stem: y[:, start : start + block] for stem, y in stems.items()}
            )
    return mixture


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[np.ndarray]]:
    """A stem file of two seconds, and the five signals in it."""
    path = tmp_path_factory.mktemp("stems") / "song.stem.mp4"
    stems = tones(2, 2 * SR + 123, SR)
    mixture = write(path, stems, SR)
    return path, [mixture, *(stems[stem] for stem in IN_FILE)]


@pytest.mark.parametrize("codec", ["aac", "alac"])
@pytest.mark.parametrize(("sr", "n_channels"), [(SR, 2), (SR, 1), (48000, 2), (16000, 1)])
def test_five_streams_come_back_aligned_and_of_one_length(tmp_path, codec, sr, n_channels):
    stems = tones(n_channels, sr + 123, sr)
    path = tmp_path / "song.stem.mp4"
    mixture = write(path, stems, sr, codec=codec)
    for number, y in enumerate([mixture, *(stems[stem] for stem in IN_FILE)]):
        expected = np.repeat(audio.resample(y, sr, SR), 2 // n_channels, axis=0)
        back, back_sr = audio.load(path, stream=number)
        assert (back.shape, back_sr) == (expected.shape, SR)
        if codec == "alac":
            np.testing.assert_allclose(back, expected, atol=0.51 / 32768)
        correlation = [np.corrcoef(np.roll(back, lag, axis=1).ravel(), expected.ravel())[0, 1] for lag in (-1, 0, 1)]
        assert correlation[1] > 0.99
        assert int(np.argmax(correlation)) == 1
    with pytest.raises(AudioUnreadable, match="it has 5"):
        audio.load(path, stream=5)


def test_the_mixture_alone_is_the_default_track(written):
    path, _ = written
    with av.open(str(path)) as container:
        default = [bool(stream.disposition & av.stream.Disposition.default) for stream in container.streams]
        codecs = [(stream.type, stream.codec_context.name, stream.sample_rate) for stream in container.streams]
    assert default == [True, False, False, False, False]
    assert codecs == [("audio", "aac", SR)] * 5
    content = path.read_bytes()
    places = [i for i in range(len(content)) if content.startswith(b"tkhd", i)]
    enabled = [
        content[place + 7] & 1 for place in places
    ]  # version, then 24 bits of flags; the lowest is track_enabled
    assert enabled == [1, 0, 0, 0, 0]


def test_the_box_names_the_stems_in_the_order_of_the_streams(written):
    box = read_stem_box(written[0])
    assert box["stems"] == [
        {"name": "Drums", "color": "#009E73"},
        {"name": "Bass", "color": "#D55E00"},
        {"name": "Other", "color": "#CC79A7"},
        {"name": "Vocals", "color": "#56B4E9"},
    ]
    assert box["version"] == 1
    assert {name: effect["enabled"] for name, effect in box["mastering_dsp"].items()} == {
        "compressor": False,
        "limiter": False,
    }


def test_names_colours_and_other_stems_can_be_chosen(tmp_path):
    stems = dict(zip(("piano", "vocals", "guitar", "drums"), tones(1, 5000, SR).values(), strict=True))
    write(tmp_path / "x", stems, SR, names={"vocals": "Vox"}, colours={"piano": "#00ff00"})
    assert read_stem_box(tmp_path / "x")["stems"] == [
        {"name": "Drums", "color": "#009E73"},
        {"name": "Vox", "color": "#D55E00"},
        {"name": "Piano", "color": "#00ff00"},
        {"name": "Guitar", "color": "#56B4E9"},
    ]
    back = audio.load(tmp_path / "x", stream=3)[0][0]
    assert np.corrcoef(back, stems["piano"][0])[0, 1] > 0.9


def test_every_box_of_the_file_fits_into_its_parent(written):
    content = written[0].read_bytes()

    def kinds(start: int, end: int) -> list[bytes]:
        found = []
        while start < end:
            size, kind = struct.unpack(">I4s", content[start : start + 8])
            assert start + 8 <= start + size <= end
            found.append(kind)
            if kind in (b"moov", b"udta", b"trak", b"mdia", b"minf", b"stbl"):
                found += kinds(start + 8, start + size)
            start += size
        assert start == end
        return found

    found = kinds(0, len(content))
    assert (found.count(b"trak"), found.count(b"stem"), found.count(b"meta")) == (5, 1, 1)
    assert b"tkhd" in found


@pytest.fixture(scope="module")
def stempeg() -> ModuleType:
    """The reference reader, which does not even load without its programs."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("stempeg needs the programs ffmpeg and ffprobe")
    return pytest.importorskip("stempeg", reason="needs stempeg")


def test_stempeg_reads_it(written, stempeg):
    path, signals = written
    read, sr = stempeg.read_stems(str(path))
    n = signals[0].shape[1]
    assert sr == SR
    assert read.shape[0] == 5
    assert read.shape[2] == 2
    assert 0 <= read.shape[1] - n < 1024  # an older ffmpeg leaves the last frame whole
    for back, y in zip(read, signals, strict=True):
        assert np.corrcoef(back[:n].T.ravel(), y.ravel())[0, 1] > 0.99


def test_the_one_that_native_instruments_made_is_read(stempeg):
    box = read_stem_box(stempeg.example_stem_path())
    assert [stem["name"] for stem in box["stems"]] == ["Drums", "Bass", "Other", "Vox"]


def test_clipping_is_told_once_for_all_streams(tmp_path, caplog):
    loud = {stem: np.full((2, 3000), 0.5, dtype=np.float32) for stem in STEMS}
    with caplog.at_level(logging.WARNING):
        write(tmp_path / "x", loud, SR, block=1000)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'x'}: 6000 of 30000 samples clipped to full scale (peak 2.00)"
    ]


@pytest.mark.parametrize(
    ("stems", "more", "says"),
    [
        (("vocals", "accompaniment"), {}, "exactly four stems: got vocals, accompaniment"),
        (("vocals", "vocals", "drums", "bass"), {}, "exactly four stems"),
        (STEMS, {"codec": "mp3"}, "no codec 'mp3': choose from aac, alac"),
        (STEMS, {"codec": "alac", "bit_rate": 256_000}, "alac is lossless"),
        (STEMS, {"bit_rate": 1_000_000}, "takes 32000 to 529200 bits/s: got 1000000"),
        (STEMS, {"colours": {"bass": "red"}}, "the colour of bass is #RRGGBB: got 'red'"),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_file(tmp_path, stems, more, says):
    with pytest.raises(AudioInvalid, match=says), open_stem_writer(tmp_path / "x", SR, stems, **more):
        pytest.fail("the writer was opened")
    with pytest.raises(AudioInvalid, match="above 0: got 0"), open_stem_writer(tmp_path / "x", 0, STEMS):
        pytest.fail("the writer was opened")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reason", ["names", "lengths", "channels", "nan", "nothing", "interrupt", "before_publish"])
def test_whatever_fails_leaves_the_old_file_and_nothing_else(tmp_path, reason):
    path = tmp_path / "x.stem.mp4"
    path.write_bytes(b"old")
    stems = tones(2, 50_000, SR)
    wrong = {
        "names": {**{stem: stems[stem] for stem in STEMS[1:]}, "piano": stems["vocals"]},
        "lengths": {**stems, "bass": stems["bass"][:, 1:]},
        "channels": {stem: np.repeat(y, 2, axis=0) for stem, y in stems.items()},
        "nan": {**stems, "bass": np.full((2, 50_000), np.nan, dtype=np.float32)},
    }

    def refuse(unfinished: Path) -> None:
        assert read_stem_box(unfinished)["version"] == 1
        raise RuntimeError("no tags today")

    expected = {"interrupt": KeyboardInterrupt, "before_publish": RuntimeError}.get(reason, AudioInvalid)
    publish = refuse if reason == "before_publish" else None
    with pytest.raises(expected), open_stem_writer(path, SR, STEMS, before_publish=publish) as writer:  # noqa: PT012
        if reason != "nothing":
            writer.write(stems["drums"], stems)
        if reason in wrong:
            writer.write(next(iter(wrong[reason].values())), wrong[reason])
        if reason == "interrupt":
            raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("missing", ["half", "the box"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, written, missing):
    path, signals = written
    size = path.stat().st_size
    stems = dict(zip(IN_FILE, signals[1:], strict=True))
    limit = {"half": size // 2, "the box": size - 100}[missing]
    with pytest.raises(WriteFailed, match=r"cannot write .+; nothing is left"), files_no_larger_than(limit):
        write(tmp_path / "x.stem.mp4", stems, SR)
    assert list(tmp_path.iterdir()) == []


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def stem_file(payload: bytes) -> bytes:
    return box(b"ftyp", b"M4A ") + box(b"moov", box(b"mvhd", b"") + box(b"udta", box(b"stem", payload)))


GOOD = json.dumps({"version": 1, "stems": [{"name": "Drums"}]}).encode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no box moov/udta/stem"),
        (box(b"ftyp", b"M4A "), "has no box moov/udta/stem"),
        (box(b"moov", box(b"trak", box(b"udta", box(b"stem", GOOD)))), "has no box"),
        (stem_file(b""), "damaged"),
        (stem_file(b"\xff\xfe"), "damaged"),
        (stem_file(b"{"), "damaged"),
        (stem_file(b"[" * 200_000), "damaged"),
        (stem_file(b'"' + b"x" * (1 << 20) + b'"'), "1048578 bytes of JSON"),
        (stem_file(b"[1, 2]"), "lists no stems"),
        (stem_file(b'{"stems": {}}'), "lists no stems"),
        (stem_file(b'{"stems": [1]}'), "lists no stems"),
        (struct.pack(">I4s", 3, b"moov"), "a box of 3 bytes at 0 does not fit"),
        (struct.pack(">I4s", 2**32 - 1, b"moov"), "does not fit"),
        (struct.pack(">I4sQ", 1, b"moov", 2**63), "does not fit"),
        (struct.pack(">I4s", 1, b"moov"), "does not fit"),
        (box(b"free", b"") * 20_000, "more than 10000 boxes"),
        (b"RIFF" + bytes(100), "does not fit"),
    ],
)
def test_a_damaged_box_is_told(tmp_path, content, says):
    path = tmp_path / "x.stem.mp4"
    path.write_bytes(content)
    with pytest.raises(AudioUnreadable, match=says):
        read_stem_box(path)


def test_boxes_of_every_way_to_give_a_size_are_read(tmp_path):
    path = tmp_path / "x.stem.mp4"
    stem = struct.pack(">I4s", 0, b"stem") + GOOD  # to the end of what it lies in
    udta = struct.pack(">I4sQ", 1, b"udta", 16 + len(stem)) + stem
    path.write_bytes(struct.pack(">I4sQ", 1, b"free", 20) + bytes(4) + struct.pack(">I4s", 0, b"moov") + udta)
    assert read_stem_box(path) == json.loads(GOOD)


def test_a_file_without_the_box_says_so(tmp_path):
    with open_writer(tmp_path / "x.m4a", SR, 1, Encoding("m4a")) as writer:
        writer.write(np.zeros((1, 5000), dtype=np.float32))
    with pytest.raises(AudioUnreadable, match="has no box moov/udta/stem"):
        read_stem_box(tmp_path / "x.m4a")
    with pytest.raises(AudioMissing, match="no such audio file"):
        read_stem_box(tmp_path / "y.m4a")
    with pytest.raises(AudioUnreadable, match="cannot be opened"):
        read_stem_box(tmp_path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 130), st.integers(0, 255)), min_size=1, max_size=4), cut=st.integers(0, 130)
)
def test_no_damage_does_worse_than_an_error(tmp_path, flips, cut):
    content = bytearray(stem_file(GOOD))
    for place, value in flips:
        content[place % len(content)] = value
    path = tmp_path / "x.stem.mp4"
    path.write_bytes(content[: len(content) - cut] if cut < len(content) else b"")
    with suppress(AudioUnreadable):
        assert isinstance(read_stem_box(path)["stems"], list)
