"""From a file to blocks of samples: libsndfile where it is exact, FFmpeg's libraries (PyAV) for everything else.

Both come inside their wheels, so no program has to be installed. Files are opened by us and handed over as
file objects: a name with a colon is no protocol to FFmpeg then, and a playlist posing as music reaches no network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from separation.errors import AudioMissing, AudioUnreadable

if TYPE_CHECKING:
    import av

Samples = NDArray[np.float32]
"""Audio in memory: float32 `(n_channels, n_samples)`, ±1 is full scale; its sample rate travels beside it."""

logger = logging.getLogger(__name__)

_BLOCK_SAMPLES = 1 << 16
_MAX_PADDING_SAMPLES = 4096  # an AAC track may end up to two frames (HE-AAC: 2048 samples each) after its music
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}
_OGG_LAST_PAGE = 0x04


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says about its sound; for some formats (MP3 without a header) the duration is an estimate."""

    duration_s: float
    sample_rate_hz: int
    n_channels: int
    codec: str
    container: str


class Reader(Protocol):
    """One audio stream of one open file."""

    info: AudioInfo
    damaged: bool
    """Whether something was found missing or broken; complete only once all blocks were read."""

    def blocks(self, start: int = 0) -> Iterator[Samples]:
        """Yield the samples from number `start` on, `(n_channels, n)` each, until the end or the first damage."""
        ...


@contextmanager
def open_audio(path: str | Path, stream: int = 0, *, exact: bool = True) -> Iterator[Reader]:
    """Open audio stream number `stream` (counting audio streams only) of `path`.

    Parameters
    ----------
    path
        Any file; what it is decides its content, not its name.
    stream
        0 is the first audio stream; of a `.stem.mp4` that is the mixture.
    exact
        Prefer libsndfile for WAV, FLAC, AIFF and Ogg Vorbis. FFmpeg's decoders get further into broken ones.

    Raises
    ------
    AudioMissing
        There is no such file.
    AudioUnreadable
        It is a folder, empty, no audio, or not ours to read.
    """
    source = Path(path)
    with _open_binary(source) as file:
        head = file.read(64)
        file.seek(0)
        if not head:
            raise AudioUnreadable(f"{source} is empty (0 bytes): copy or download it again")
        if exact and stream == 0 and _is_sndfile(head):
            reader = _open_sndfile(source, file, head)
            if reader is not None:
                try:
                    yield reader
                finally:
                    reader.close()
                return
            file.seek(0)
        with open_container(source, file) as container:
            yield AvReader(source, container, stream, cut=_is_cut_ogg(file, head))


@contextmanager
def open_container(path: Path, file: BinaryIO | None = None) -> Iterator[av.container.InputContainer]:
    """Open `path` with FFmpeg's demuxers, quietly and without leave to open anything else."""
    import av

    av.logging.set_level(None)
    if file is None:
        with _open_binary(path) as opened, open_container(path, opened) as container:
            yield container
        return
    try:
        source = _Seekable(file)
        container = av.open(source, buffer_size=1 << 18, options={"protocol_whitelist": "none"}, **_metadata_option())
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioUnreadable(_no_audio(path)) from error
    try:
        yield container
    finally:
        container.close()


def audio_stream(path: Path, container: av.container.InputContainer, stream: int) -> av.AudioStream:
    """Audio stream number `stream` of an open container.

    Raises
    ------
    AudioUnreadable
        The container has no such stream.
    """
    streams = container.streams.audio
    if not streams:
        raise AudioUnreadable(_no_audio(path))
    if not 0 <= stream < len(streams):
        raise AudioUnreadable(
            f"{path} has no audio stream {stream}: it has {len(streams)}, numbered from 0 to {len(streams) - 1}"
        )
    chosen = streams[stream]
    if chosen.codec_context is None:
        raise AudioUnreadable(f"{path} holds audio in a format that cannot be decoded here: convert it to FLAC or WAV")
    return chosen


class SndfileReader:
    """WAV, FLAC, AIFF, Ogg Vorbis and their kin, through libsndfile."""

    def __init__(self, sound: Any, *, damaged: bool) -> None:  # noqa: ANN401 - soundfile carries no types
        self._sound = sound
        self.damaged = damaged
        self.info = AudioInfo(
            duration_s=sound.frames / sound.samplerate,
            sample_rate_hz=int(sound.samplerate),
            n_channels=int(sound.channels),
            codec=str(sound.subtype).lower(),
            container=str(sound.format).lower(),
        )

    def blocks(self, start: int = 0) -> Iterator[Samples]:
        """See `Reader.blocks`."""
        import soundfile

        try:
            self._sound.seek(min(start, self._sound.frames))
            while True:
                block = self._sound.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if not len(block):
                    return
                yield block.T
        except soundfile.LibsndfileError:
            self.damaged = True

    def close(self) -> None:
        """Let go of libsndfile's handle."""
        self._sound.close()


class AvReader:
    """Everything FFmpeg's libraries decode."""

    def __init__(self, path: Path, container: av.container.InputContainer, stream: int, *, cut: bool = False) -> None:
        self._container = container
        self._stream = audio_stream(path, container, stream)
        codec = self._stream.codec_context
        if not codec.sample_rate or not codec.channels:
            raise AudioUnreadable(_no_audio(path))
        self.damaged = cut
        if self._stream.duration is not None:
            duration_s = float(self._stream.duration * self._stream.time_base)
        else:
            duration_s = (container.duration or 0) / 1_000_000
        if codec.name == "opus":  # counts the encoder's delay, which is never heard
            duration_s = max(0.0, duration_s - codec.delay / codec.sample_rate)
        self.info = AudioInfo(
            duration_s=duration_s,
            sample_rate_hz=int(codec.sample_rate),
            n_channels=int(codec.channels),
            codec=str(codec.name),
            container=str(container.format.name),
        )

    def blocks(self, start: int = 0) -> Iterator[Samples]:
        """See `Reader.blocks`; what lies before `start` is decoded too, so that the position is exact."""
        position = 0
        for block in self._without_padding():
            end = position + block.shape[1]
            if end > start:
                yield block[:, max(0, start - position) :]
            position = end
        missing_s = self.info.duration_s - position / self.info.sample_rate_hz
        if missing_s > max(0.25, 0.02 * self.info.duration_s):  # an estimated duration is seldom nearer
            self.damaged = True

    def _without_padding(self) -> Iterator[Samples]:
        """Drop the silence that fills an MP4 track's last frame: the container says where the music ends.

        MP3 and Opus need nothing here (their decoders are told what to skip), nor does the start of an MP4 (edit list).
        """
        declared = round(self.info.duration_s * self.info.sample_rate_hz)
        if "mp4" not in self.info.container or not declared:
            yield from self._decoded()
            return
        position, tail = 0, []
        for block in self._decoded():
            if position + block.shape[1] <= declared:
                yield block
            else:
                tail.append(block)
            position += block.shape[1]
        if tail:
            last = np.concatenate(tail, axis=1)
            excess = position - declared
            yield last[:, : last.shape[1] - excess] if excess <= _MAX_PADDING_SAMPLES else last

    def _decoded(self) -> Iterator[Samples]:
        import av

        rate, n_channels = self.info.sample_rate_hz, self.info.n_channels
        layout = self._stream.codec_context.layout
        same: av.AudioResampler | None = None
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.damaged = True
                continue
            for frame in frames:
                if frame.sample_rate == rate and frame.layout.nb_channels == n_channels:
                    yield _floats(frame)
                    continue
                # a stream that changes rate or channels midway (chained radio recordings) keeps its first ones
                same = same or av.AudioResampler(format="fltp", layout=layout, rate=rate)
                for converted in same.resample(frame):
                    yield _floats(converted)

    def _packets(self) -> Iterator[av.Packet]:
        import av

        try:
            yield from self._container.demux(self._stream)
        except (av.FFmpegError, OSError):
            self.damaged = True


def _floats(frame: av.AudioFrame) -> Samples:
    """Samples of one decoded frame, `(n_channels, n)`."""
    block = frame.to_ndarray()
    if not frame.format.is_planar:
        block = block.reshape(-1, frame.layout.nb_channels).T
    kind = block.dtype.str[1:]
    if kind in ("f4", "f8"):
        return block.astype(np.float32, copy=False)
    floats = block.astype(np.float32) if kind != "i4" else block.astype(np.float64)
    if kind == "u1":
        floats -= 128.0
    return (floats / _FULL_SCALE[kind]).astype(np.float32, copy=False)


def _metadata_option() -> dict[str, str]:
    """Tags in a broken encoding are no reason to fail; from its version 19 on, PyAV thinks so too and has no option."""
    import av

    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


class _Seekable:
    """A file that answers -1 to an impossible position, as FFmpeg expects, where Python would raise."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.tell = file.tell
        self._file = file

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -1


def _open_binary(path: Path) -> BinaryIO:
    if path.is_dir():
        raise AudioUnreadable(f"{path} is a folder, not an audio file")
    try:
        if path.exists() and not path.is_file():
            raise AudioUnreadable(f"{path} is no regular file (a device or a pipe)")
        return path.open("rb")
    except FileNotFoundError as error:
        raise AudioMissing(f"no such audio file: {path}") from error
    except OSError as error:
        raise AudioUnreadable(f"{path} cannot be opened: {error.strerror or error}") from error


def _is_sndfile(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64", b"fLaC", b"FORM", b"caff", b"riff") or (
        head[:4] == b"OggS" and b"\x01vorbis" in head
    )


def _open_sndfile(path: Path, file: BinaryIO, head: bytes) -> SndfileReader | None:
    """Reader of libsndfile, None where it does not know the format after all (a RIFF may hold MP3)."""
    import soundfile

    try:
        sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError:
        return None
    if not sound.frames:
        sound.close()
        raise AudioUnreadable(f"{path} is an audio file without a single sample")
    shorter = re.search(r"data\s*:\s*(\d+) \(should be \d+\)", sound.extra_info)
    # programs that write to a pipe leave the largest number there, which means unknown
    cut = shorter is not None and int(shorter.group(1)) < 0xFFFF0000
    position = file.tell()
    cut = cut or _is_cut_ogg(file, head)
    file.seek(position)
    return SndfileReader(sound, damaged=cut)


def _is_cut_ogg(file: BinaryIO, head: bytes) -> bool:
    """Whether an Ogg file lacks the page that ends a stream."""
    if head[:4] != b"OggS":
        return False
    position = file.tell()
    size = file.seek(0, 2)
    file.seek(max(0, size - (1 << 17)))  # a page has at most 65,307 bytes
    tail = file.read()
    file.seek(position)
    page = tail.rfind(b"OggS")
    return page < 0 or page + 5 >= len(tail) or not tail[page + 5] & _OGG_LAST_PAGE


def _no_audio(path: Path) -> str:
    return f"{path} holds no audio that can be decoded (not an audio file, or damaged from its start)"
