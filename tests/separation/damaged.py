"""Damaged audio files, made from one short signal and a seed: cut off, bits flipped, headers that lie, no audio at all.

`make_corpus` is for every test that feeds files to something: whatever it does with them, it must not crash, hang,
take memory without end or leave half a result.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import soundfile

from separation import audio

SR = 44100
N_SAMPLES = 60_000
Expectation = Literal["error", "audio", "either"]

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a1c1c"
    "20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f0000010501010101010100"
    "000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d0102030004110512213141061351610722711432"
    "8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a6364656667"
    "68696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4"
    "d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00d2cf20ffd9"
)


@dataclass(frozen=True)
class Damaged:
    """One damaged file and what is right to do with it."""

    path: Path
    kind: str
    expectation: Expectation
    """Whether reading it must be an error, must give audio, or may be either."""
    n_exact: int | None = None
    """Of a lossless file: all that is read equals the start of `signal()`, and is at least so many samples."""


def signal() -> np.ndarray:
    """Two tones and some noise, `(2, N_SAMPLES)` at `SR`, in steps that 16 bits hold exactly."""
    t = np.arange(N_SAMPLES) / SR
    y = np.stack([0.2 * np.sin(2 * np.pi * f * t) for f in (220, 330)])
    y += 0.02 * np.random.default_rng(0).standard_normal(y.shape)
    return (np.rint(y * 32768) / 32768).astype(np.float32)


def make_corpus(folder: Path) -> list[Damaged]:
    """Write the damaged files into `folder`; the undamaged ones stay in its hidden sub-folder ``.whole``."""
    hidden = folder / ".whole"
    hidden.mkdir(parents=True)
    y = signal()
    whole: dict[str, bytes] = {}
    for name, write in WRITERS.items():
        path = hidden / f"whole-{name}{SUFFIXES[name]}"
        write(path, y)
        whole[name] = path.read_bytes()
    made: list[Damaged] = []
    for damaged, content in (*_cuts(whole), *_flips(whole), *_wav_lies(y), *_other_lies(whole), *_no_audio(hidden)):
        path = folder / damaged.path
        path.write_bytes(content)
        made.append(Damaged(path, damaged.kind, damaged.expectation, damaged.n_exact))
    return [*made, *_no_files(folder)]


def _soundfile(subtype: str) -> Callable[[Path, np.ndarray], None]:
    return lambda path, y: soundfile.write(path, y.T, SR, subtype=subtype)


def _save(path: Path, y: np.ndarray) -> None:
    audio.save(path, y, SR)


def _aac_streams(n_streams: int) -> Callable[[Path, np.ndarray], None]:
    def write(path: Path, y: np.ndarray) -> None:
        with av.open(str(path), "w") as container:
            for stream in [container.add_stream("aac", rate=SR, layout="stereo") for _ in range(n_streams)]:
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y), format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = SR, 0
                container.mux(stream.encode(frame))
                container.mux(stream.encode(None))

    return write


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "wav16": _soundfile("PCM_16"),
    "wav24": _soundfile("PCM_24"),
    "wavfloat": _soundfile("FLOAT"),
    "aiff": _soundfile("PCM_16"),
    "w64": _soundfile("PCM_16"),
    "caf": _soundfile("PCM_24"),
    "flac": _soundfile("PCM_16"),
    "ogg": _save,
    "opus": _save,
    "mp3": _save,
    "m4a": _save,
    "aac": _aac_streams(1),
    "stems": _aac_streams(5),
}
SUFFIXES = {name: f".{name}" for name in WRITERS} | {
    "wav16": ".wav", "wav24": ".wav", "wavfloat": ".wav", "stems": ".stem.mp4",
}  # fmt: skip
_BYTES_A_FRAME = {"wav16": 4, "wav24": 6, "wavfloat": 8, "aiff": 4, "w64": 4, "caf": 6}
Content = tuple[Damaged, bytes]


def _file(name: str, kind: str, expectation: Expectation, content: bytes, n_exact: int | None = None) -> Content:
    return Damaged(Path(name), kind, expectation, n_exact), content


def _cuts(whole: dict[str, bytes]) -> Iterator[Content]:
    """Cut off within the header, early and late."""
    for number, (name, content) in enumerate(whole.items()):
        rng = np.random.default_rng(number)
        places = (int(rng.integers(4, 40)), *(int(share * len(content)) for share in rng.uniform((0.1, 0.5), (0.5, 1))))
        for place in places:
            n_exact, expectation = None, "either"
            if place < 40:
                expectation = "error"
            elif name in _BYTES_A_FRAME:
                header = len(content) - N_SAMPLES * _BYTES_A_FRAME[name]
                n_exact, expectation = max(0, place - header) // _BYTES_A_FRAME[name], "audio"
            elif name == "flac":
                n_exact, expectation = max(0, N_SAMPLES * place // len(content) - 2 * 4096), "audio"
            elif name in ("ogg", "mp3", "aac"):
                expectation = "audio"
            yield _file(f"cut-{place}-{name}{SUFFIXES[name]}", "cut off", expectation, content[:place], n_exact)


def _flips(whole: dict[str, bytes]) -> Iterator[Content]:
    """Bits flipped in the first bytes, and all over the rest."""
    for number, (name, content) in enumerate(whole.items()):
        rng = np.random.default_rng(100 + number)
        for where, start, end, n in (("head", 0, 100, 3), ("payload", 400, len(content), 20)):
            flipped = bytearray(content)
            for place in rng.integers(start, end, n):
                flipped[place] ^= 1 << int(rng.integers(8))
            yield _file(f"flipped-{where}-{name}{SUFFIXES[name]}", "bits flipped", "either", bytes(flipped))


def _wav(
    payload: bytes,
    *,
    tag: int = 1,
    n_channels: int = 2,
    sr: int = SR,
    bits: int = 16,
    align: int | None = None,
    data_size: int | None = None,
    riff_size: int | None = None,
    between: bytes = b"",
) -> bytes:
    align = n_channels * bits // 8 if align is None else align
    layout = struct.pack("<HHIIHH", tag, n_channels & 0xFFFF, sr, sr * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(layout)) + layout + between
    body += b"data" + struct.pack("<I", len(payload) if data_size is None else data_size) + payload
    return b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


def _wav_lies(y: np.ndarray) -> Iterator[Content]:
    pcm = np.rint(y.T * 32768).astype("<i2").tobytes()
    n = N_SAMPLES
    yield _file("rate-0.wav", "lying header", "error", _wav(pcm, sr=0))
    yield _file("rate-1.wav", "lying header", "error", _wav(pcm, sr=1))
    yield _file("rate-4e9.wav", "lying header", "error", _wav(pcm, sr=4_000_000_000))
    yield _file("rate-2e9.wav", "lying header", "error", _wav(pcm, sr=2_000_000_000))
    yield _file("channels-0.wav", "zero channels", "error", _wav(pcm, n_channels=0, align=4))
    yield _file("channels-255.wav", "lying header", "audio", _wav(pcm, n_channels=255))
    yield _file("channels-1000.wav", "lying header", "audio", _wav(pcm, n_channels=1000))
    yield _file("channels-65535.wav", "lying header", "error", _wav(pcm, n_channels=65535))
    yield _file("align-0.wav", "lying header", "either", _wav(pcm, align=0))
    yield _file("align-3.wav", "lying header", "either", _wav(pcm, align=3))
    yield _file("bits-0.wav", "lying header", "either", _wav(pcm, bits=0, align=4))
    yield _file("bits-77.wav", "lying header", "error", _wav(pcm, bits=77))
    yield _file("bits-64.wav", "lying header", "either", _wav(pcm, bits=64))
    yield _file("size-unknown.wav", "lying header", "audio", _wav(pcm, data_size=0xFFFFFFFF, riff_size=0xFFFFFFFF), n)
    yield _file("size-2-gb.wav", "lying header", "audio", _wav(pcm, data_size=0x7FFFFFF0, riff_size=0x7FFFFFFF), n)
    yield _file("1-kb-of-2-gb.wav", "lying header", "audio", _wav(pcm[:1000], data_size=0x7FFFFFF0), 250)
    yield _file("size-0.wav", "lying header", "audio", _wav(pcm, data_size=0), n)  # what a recorder leaves that crashed
    yield _file("riff-short.wav", "lying header", "audio", _wav(pcm, riff_size=100), n)
    yield _file("chunk-2-gb.wav", "lying header", "error", _wav(pcm, between=b"junk\xf0\xff\xff\x7f"))
    yield _file("unknown-format.wav", "lying header", "error", _wav(pcm, tag=0x1234))
    yield _file("not-really-mp3.wav", "lying header", "either", _wav(pcm, tag=0x55))
    floats = y.copy()
    floats[0, 1000:1010] = np.nan
    floats[1, 2000], floats[1, 2001] = np.inf, -np.inf
    floats[:, 3000:3010] = 1e38
    yield _file("nan.wav", "no numbers", "audio", _wav(floats.T.tobytes(), tag=3, bits=32))
    yield _file("all-nan.wav", "no numbers", "audio", _wav(np.full((999, 2), np.nan, "<f4").tobytes(), tag=3, bits=32))
    doubles = y.T.astype("<f8")
    doubles[np.abs(doubles) > 0.2] = 1e300
    yield _file("1e300.wav", "no numbers", "audio", _wav(doubles.tobytes(), tag=3, bits=64))
    yield _file("no-samples.wav", "no samples", "error", _wav(b""))


def _other_lies(whole: dict[str, bytes]) -> Iterator[Content]:
    flac = whole["flac"]
    for n_claimed, n_exact in ((0, N_SAMPLES), (1000, 1000), (2 * N_SAMPLES, N_SAMPLES), (2**36 - 1, N_SAMPLES)):
        fields = int.from_bytes(flac[18:26], "big") >> 36 << 36 | n_claimed
        content = flac[:18] + fields.to_bytes(8, "big") + flac[26:]
        yield _file(f"samples-{n_claimed}.flac", "lying header", "audio", content, n_exact)
    yield _file("wrong-md5.flac", "wrong checksum", "audio", flac[:26] + b"\1" * 16 + flac[42:], N_SAMPLES)
    pages = [b"OggS" + page for page in whole["ogg"].split(b"OggS")[1:]]
    middle = len(pages) // 2
    swapped = [*pages[:middle], pages[middle + 1], pages[middle], *pages[middle + 2 :]]
    yield _file("swapped-pages.ogg", "pages swapped", "audio", b"".join(swapped))
    yield _file("missing-page.ogg", "page missing", "audio", b"".join(pages[:middle] + pages[middle + 1 :]))
    mp3 = whole["mp3"]
    yield _file("tag-of-256-mb.mp3", "lying tag", "either", b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + mp3)
    picture = b"ID3\x03\0\0\x7f\x7f\x7f\x7fAPIC\x0f\xff\xff\x00\0\0\0image/jpeg\0\3\0"
    yield _file("picture-of-256-mb.mp3", "lying tag", "either", picture + mp3)
    yield _file("hole.mp3", "hole", "audio", mp3[:9000] + bytes(3000) + mp3[12000:])
    yield _file("mp3-in-junk.mp3", "junk around", "either", b"junk" * 999 + mp3 + b"junk" * 999)
    m4a = whole["m4a"]
    for box, skip, value in (
        ("mdhd", 12, 0),  # ticks a second
        ("mdhd", 16, 0xFFFFFFFF),  # length
        ("stsz", 8, 0x0FFFFFFF),  # number of packets
        ("stts", 8, 0x7FFFFFFF),  # packets of equal length
        ("stco", 8, 0x7FFFFFFF),  # where the first ones lie
        ("stsc", 12, 0x0FFFFFFF),  # packets a chunk
    ):
        at = m4a.index(box.encode()) + 4 + skip
        content = m4a[:at] + struct.pack(">I", value) + m4a[at + 4 :]
        yield _file(f"{box}-{value}.m4a", "lying index", "either", content)
    at = m4a.index(b"mdat") + 4
    yield _file("payload-of-zeros.m4a", "payload lost", "either", m4a[:at] + bytes(len(m4a) - at))


def _no_audio(hidden: Path) -> Iterator[Content]:
    other = hidden / "whole-wav16.wav"  # playlists must not lead to it
    noise = np.random.default_rng(9).integers(0, 256, 50_000, dtype=np.uint8).tobytes()
    archive = hidden / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("notes.txt", "what was in the folder " * 500)
    for name, content in {
        "empty.wav": b"",
        "photo.mp3": JPEG,
        "text.wav": b"Dear diary, today I renamed a file.\n" * 400,
        "zip.flac": archive.read_bytes(),
        "zeros.mp3": bytes(100_000),
        "hls.mp3": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n".encode(),
        "hls-url.mp3": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.mp3\n#EXT-X-ENDLIST\n",
        "m3u.mp3": f"#EXTM3U\n#EXTINF:9,Song\n{other}\n".encode(),
        "concat.wav": f"ffconcat version 1.0\nfile '{other}'\n".encode(),
        "session.wav": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "head-only.wav": b"RIFF\x24\x00\x00\x00WAVE",
        "head-only.ogg": b"OggS",
        "head-only.flac": b"fLaC",
    }.items():
        yield _file(name, "no audio", "error", content)
    for name, head in {"noise.m4a": b"", "noise-after-id3.mp3": b"ID3\x03\0\0\0\0\0\x10" + bytes(16)}.items():
        yield _file(name, "noise", "either", head + noise)
    yield _file("ones.mp3", "noise", "either", b"\xff" * 100_000)  # every byte could begin a frame


def _no_files(folder: Path) -> Iterator[Damaged]:
    (folder / "folder.wav").mkdir()
    yield Damaged(folder / "folder.wav", "a folder", "error")
    os.mkfifo(folder / "pipe.wav")
    yield Damaged(folder / "pipe.wav", "a pipe", "error")
    (folder / "gone.mp3").symlink_to(folder / "nowhere.mp3")
    yield Damaged(folder / "gone.mp3", "a dangling link", "error")
    (folder / "loop.mp3").symlink_to(folder / "loop.mp3")
    yield Damaged(folder / "loop.mp3", "a link to itself", "error")
