"""The backends that put samples into a file: our own WAV, libsndfile for FLAC and Ogg Vorbis, FFmpeg for the rest.

A sink takes finite samples within full scale, block by block, and holds no more than one block. What the system
refuses comes out as the OSError it is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from separation.errors import AudioInvalid
from separation.resampling import StreamResampler
from separation.samples import Samples

if TYPE_CHECKING:
    import av

RIFF_LIMIT = (1 << 32) - (1 << 24)
"""Bytes up to which a WAV is RIFF, RF64 from there on; tags of up to 16 MiB still fit behind."""

_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_UNKNOWN = 0xFFFFFFFF
_PCM, _IEEE_FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_SPEAKERS = {1: 0x4, 2: 0x3}  # front centre; front left and right; of more channels we do not know the places


class Sink(Protocol):
    """A file being written."""

    def write(self, y: Samples) -> None:
        """Add a block, `(n_channels, n)`."""
        ...

    def finish(self) -> None:
        """Write what is still held back, and whatever a header has to say of the whole."""
        ...

    def close(self) -> None:
        """Let go of the file, finished or not."""
        ...


class WavSink:
    """WAV by our own hand: RIFF, or RF64 where it grew past `RIFF_LIMIT`, which only the end can tell.

    References
    ----------
    EBU Tech 3306, MBWF / RF64: an extended file format for audio, 2009 (a JUNK chunk keeps the place of `ds64`).
    """

    def __init__(self, path: Path, sr: int, n_channels: int, subtype: str) -> None:
        self._format = (sr, n_channels, subtype)
        self._n_samples = 0
        self._file = path.open("wb")
        self._file.write(wav_header(*self._format, n_samples=0))

    def write(self, y: Samples) -> None:
        """See `Sink.write`."""
        steps = interleaved(y, self._format[2])
        if self._format[2] == "PCM_24":
            steps = np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 4)[:, 1:])
        self._file.write(steps.data)
        self._n_samples += y.shape[1]

    def finish(self) -> None:
        """See `Sink.finish`."""
        if self._file.tell() % 2:
            self._file.write(b"\0")
        self._file.seek(0)
        self._file.write(wav_header(*self._format, n_samples=self._n_samples))
        self._file.close()

    def close(self) -> None:
        """See `Sink.close`."""
        with suppress(OSError):  # it failed before, and is about to be removed
            self._file.close()


def wav_header(sr: int, n_channels: int, subtype: str, *, n_samples: int) -> bytes:
    """Everything that stands before the samples of a WAV; its length does not depend on `n_samples`.

    More than two channels, or integers of more than 16 bits, make it a `WAVE_FORMAT_EXTENSIBLE`, as Microsoft asks.
    """
    bits = sample_bits(subtype)
    tag = _IEEE_FLOAT if subtype == "FLOAT" else _PCM
    frame_bytes = n_channels * bits // 8
    extensible = n_channels > 2 or (tag == _PCM and bits > 16)
    byte_rate = min(sr * frame_bytes, _UNKNOWN)
    layout = struct.pack("<HHIIHH", _EXTENSIBLE if extensible else tag, n_channels, sr, byte_rate, frame_bytes, bits)
    if extensible:
        layout += struct.pack("<HHIH14s", 22, bits, _SPEAKERS.get(n_channels, 0), tag, _GUID_TAIL)
    elif tag == _IEEE_FLOAT:
        layout += struct.pack("<H", 0)
    chunks = _chunk(b"fmt ", layout)
    if tag == _IEEE_FLOAT:
        chunks += _chunk(b"fact", struct.pack("<I", min(n_samples, _UNKNOWN)))
    n_bytes = n_samples * frame_bytes
    riff_bytes = len(b"WAVE") + len(_chunk(b"ds64", bytes(28))) + len(chunks) + 8 + n_bytes + n_bytes % 2
    if riff_bytes > RIFF_LIMIT:
        name, first = b"RF64", _chunk(b"ds64", struct.pack("<QQQI", riff_bytes, n_bytes, n_samples, 0))
        riff_bytes = n_bytes = _UNKNOWN
    else:
        name, first = b"RIFF", _chunk(b"JUNK", bytes(28))
    return name + struct.pack("<I", riff_bytes) + b"WAVE" + first + chunks + b"data" + struct.pack("<I", n_bytes)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


class SndfileSink:
    """FLAC or Ogg Vorbis through libsndfile.

    It has a thread of its own: libsndfile calls back into Python to write, in the main thread a Ctrl-C would arrive
    there, and no exception passes through C.

    Parameters
    ----------
    compression_level
        libsndfile's, 0 to 1 (of Vorbis: 1 - quality); None is its default.
    """

    def __init__(
        self, path: Path, sr: int, n_channels: int, codec: str, subtype: str, compression_level: float | None
    ) -> None:
        import soundfile

        self._subtype = subtype
        self._file = _Patient(path)
        self._thread = ThreadPoolExecutor(1)
        self._sound: Any = None
        try:
            self._sound = self._run(
                soundfile.SoundFile,
                self._file,
                "w",
                samplerate=sr,
                channels=n_channels,
                format=codec.upper(),
                subtype=subtype,
                compression_level=compression_level,
            )
        except soundfile.LibsndfileError as error:
            raise AudioInvalid(f"{codec} cannot hold {n_channels} channels at {sr} Hz: {error.error_string}") from error
        finally:
            if self._sound is None:
                self.close()

    def write(self, y: Samples) -> None:
        """See `Sink.write`; libsndfile's Vorbis overflows its stack on one big write."""
        self._run(self._sound.write, interleaved(y, self._subtype))

    def finish(self) -> None:
        """See `Sink.finish`."""
        self._run(self._sound.close)
        self._file.close()

    def close(self) -> None:
        """See `Sink.close`."""
        if self._sound is not None:
            self._thread.submit(self._sound.close)
        self._thread.shutdown()
        self._file.close()

    def _run(self, work: Callable[..., Any], *arguments: object, **options: object) -> Any:  # noqa: ANN401
        try:
            return self._thread.submit(work, *arguments, **options).result()
        finally:
            self._file.settle()


class _Patient:
    """A file for libsndfile to write to, which keeps an error for `settle` to raise."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._error: OSError | None = None
        self.seek = self._file.seek
        self.tell = self._file.tell
        self.close = self._file.close

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        try:
            while left and self._error is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._error = error
        return len(data)

    def settle(self) -> None:
        if self._error is not None:
            raise self._error


class AvTrack:
    """One encoded stream of an open container; takes samples of any rate and resamples them on the way.

    Parameters
    ----------
    sr, rate
        Rate of what is written and of what is encoded, Hz.
    sample_format
        The encoder's, in FFmpeg's words; None is its first choice.
    """

    def __init__(
        self,
        container: av.container.OutputContainer,
        codec: str,
        sr: int,
        rate: int,
        n_channels: int,
        bit_rate: int,
        sample_format: str | None = None,
    ) -> None:
        self._container = container
        self._rate = rate
        self._layout = _LAYOUTS[n_channels]
        self._stream = container.add_stream(codec, rate=rate, layout=self._layout, bit_rate=bit_rate)
        if sample_format is not None:
            self._stream.codec_context.format = sample_format
        self._resampler = StreamResampler(sr, rate, n_channels)
        self._position = 0

    def write(self, y: Samples) -> None:
        """Encode a block, `(n_channels, n)`."""
        self._encode(self._resampler.push(y))

    def finish(self) -> None:
        """Encode what the resampler and the encoder still hold back."""
        self._encode(self._resampler.finish())
        self._container.mux(self._stream.encode(None))

    def _encode(self, y: Samples) -> None:
        import av

        if not y.shape[1]:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(y), format="fltp", layout=self._layout)
        frame.sample_rate = self._rate
        frame.pts = self._position
        self._position += y.shape[1]
        self._container.mux(self._stream.encode(frame))


class AvSink:
    """A container of FFmpeg's with one track."""

    _FORMATS: Mapping[str, tuple[str, str]] = {
        "m4a": ("ipod", "aac"),
        "mp3": ("mp3", "libmp3lame"),
        "opus": ("ogg", "libopus"),
    }

    def __init__(self, path: Path, sr: int, rate: int, n_channels: int, codec: str, bit_rate: int) -> None:
        import av

        container_format, encoder = self._FORMATS[codec]
        # MP4 counts its end in milliseconds unless told to count in samples
        options = {"movflags": "+faststart", "movie_timescale": str(rate)} if codec == "m4a" else {}
        self._container = open_output(path, container_format, options)
        try:
            self._track = AvTrack(self._container, encoder, sr, rate, n_channels, bit_rate)
            self._container.start_encoding()
        except av.FFmpegError as error:
            self.close()
            if isinstance(error, OSError):
                raise
            raise AudioInvalid(
                f"{codec} cannot hold {n_channels} channels at {rate} Hz and {bit_rate} bits/s: {error.strerror}"
            ) from error

    def write(self, y: Samples) -> None:
        """See `Sink.write`."""
        self._track.write(y)

    def finish(self) -> None:
        """See `Sink.finish`."""
        self._track.finish()
        self._container.close()

    def close(self) -> None:
        """See `Sink.close`."""
        abandon(self._container)


def open_output(path: Path, container_format: str, options: Mapping[str, str]) -> av.container.OutputContainer:
    """Open a container of FFmpeg's for writing, quietly."""
    import av

    av.logging.set_level(None)
    return av.open(str(path.absolute()), "w", format=container_format, options=dict(options))


def abandon(container: av.container.OutputContainer) -> None:
    """Close a container that may be finished already, or past finishing."""
    import av

    with suppress(av.FFmpegError):
        container.close()


def sample_bits(subtype: str) -> int:
    """Bits of one sample of a subtype."""
    return 32 if subtype == "FLOAT" else int(subtype.removeprefix("PCM_"))


def interleaved(y: Samples, subtype: str) -> NDArray[Any]:
    """Samples in the order and the numbers that a file holds, `(n, n_channels)`, little-endian.

    Integer steps are ours: libsndfile would scale by 32767 on writing and by 32768 on reading. Integer full scale is
    one step below +1; that step is no clipping worth a warning. 24 bits are the upper ones of 32.
    """
    frames = np.ascontiguousarray(y.T, dtype="<f4")
    if not subtype.startswith("PCM_"):
        return frames
    bits = sample_bits(subtype)
    full_scale = 1 << (bits - 1)
    steps = np.rint(frames * (np.float64 if bits > 24 else np.float32)(full_scale))
    np.minimum(steps, full_scale - 1, out=steps)
    return steps.astype("<i2") if bits == 16 else steps.astype("<i4") << (32 - bits)
