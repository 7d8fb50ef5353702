"""Everything that FFmpeg's libraries decode (PyAV; no program has to be installed).

They get an open file, not a name: a name with a colon is no protocol to them then, and a playlist posing as music
reaches no other file and no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from separation.errors import AudioUnreadable
from separation.files import AudioFile, AudioInfo
from separation.interrupts import interrupt_held
from separation.samples import Samples

if TYPE_CHECKING:
    import av

_MAX_PADDING_SAMPLES = 4096  # an AAC track may end up to two frames (HE-AAC: 2048 samples each) after its music
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}
_MOST_PLANES = 7  # PyAV reads past the end of its list of planes from the eighth on
_GREATEST_CHANGE = 64  # of the rate, within one stream; else one flipped bit makes hours of a frame


@contextmanager
def open_container(file: AudioFile) -> Iterator[av.container.InputContainer]:
    """Open a file with FFmpeg's demuxers, quietly and without leave to open anything else.

    Raises
    ------
    AudioUnreadable
        FFmpeg does not know the format.
    """
    import av

    av.logging.set_level(None)
    file.seek(0)
    try:
        with interrupt_held():
            container = av.open(file, buffer_size=1 << 18, options={"protocol_whitelist": "none"}, **_metadata_option())
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioUnreadable(_no_audio(file)) from error
    try:
        yield container
    finally:
        container.close()


def audio_stream(file: AudioFile, container: av.container.InputContainer, stream: int) -> av.AudioStream:
    """Audio stream number `stream` of an open container.

    Raises
    ------
    AudioUnreadable
        The container has no such stream.
    """
    streams = container.streams.audio
    if not streams:
        raise AudioUnreadable(_no_audio(file))
    if not 0 <= stream < len(streams):
        raise AudioUnreadable(
            f"{file.name} has no audio stream {stream}: it has {len(streams)}, numbered from 0 to {len(streams) - 1}"
        )
    chosen = streams[stream]
    if chosen.codec_context is None:
        raise AudioUnreadable(
            f"{file.name} holds audio in a format that cannot be decoded here: convert it to FLAC or WAV"
        )
    return chosen


def packets(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.Packet]:
    """Yield a stream's packets as they lie in the file.

    Raises
    ------
    av.FFmpegError, OSError
        The file ends early, or is damaged.
    """
    coming = container.demux(stream)
    while True:
        with interrupt_held():
            packet = next(coming, None)
        if packet is None:
            return
        yield packet


class AvReader:
    """One audio stream of an open container, see `separation.decode.Reader`."""

    def __init__(
        self, file: AudioFile, container: av.container.InputContainer, stream: int, *, cut: bool = False
    ) -> None:
        self._container = container
        self._stream = audio_stream(file, container, stream)
        codec = self._stream.codec_context
        if not codec.sample_rate or not codec.channels:
            raise AudioUnreadable(_no_audio(file))
        self.damaged = cut
        if self._stream.duration is not None:
            duration_s = float(self._stream.duration * self._stream.time_base)
        else:
            duration_s = (container.duration or 0) / 1_000_000
        if codec.name == "opus":  # counts the encoder's delay, which is never heard
            duration_s -= codec.delay / codec.sample_rate
        self.info = AudioInfo(
            duration_s=max(0.0, duration_s),
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
        position, held = 0, []
        for block in self._decoded():
            position += block.shape[1]
            excess = position - declared
            if 0 < excess <= _MAX_PADDING_SAMPLES:
                held.append(block)
                continue
            yield from held  # far more than padding: the container is wrong about the end
            held.clear()
            yield block
        if held:
            last = np.concatenate(held, axis=1)
            yield last[:, : last.shape[1] - excess]

    def _decoded(self) -> Iterator[Samples]:
        import av

        converter = _Converter(self._stream.codec_context.layout, self.info.sample_rate_hz)
        for frame in self._frames():
            if self._is_plain(frame):
                yield _floats(frame)
                continue
            try:
                converted = converter.floats(frame)
            except (av.FFmpegError, ValueError):
                self.damaged = True
                continue
            yield from converted

    def _is_plain(self, frame: av.AudioFrame) -> bool:
        """Whether numpy can read the frame as it is, and it has the stream's first rate and channels."""
        n_channels = frame.layout.nb_channels
        return bool(
            (frame.sample_rate, n_channels) == (self.info.sample_rate_hz, self.info.n_channels)
            and not (frame.format.is_planar and n_channels > _MOST_PLANES)
            and frame.format.name not in ("s64", "s64p")
        )

    def _frames(self) -> Iterator[av.AudioFrame]:
        import av

        for packet in self._packets():
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.damaged = True

    def _packets(self) -> Iterator[av.Packet]:
        import av

        try:
            yield from packets(self._container, self._stream)
        except (av.FFmpegError, OSError):
            self.damaged = True


class _Converter:
    """Frames of another kind than the stream's first, as its floats.

    A stream that changes rate or channels midway (chained radio recordings) keeps its first ones.
    """

    def __init__(self, layout: av.AudioLayout, sr: int) -> None:
        self._layout, self._sr = layout, sr
        self._kind: tuple[int, str, str] | None = None
        self._resampler: av.AudioResampler

    def floats(self, frame: av.AudioFrame) -> list[Samples]:
        """Samples of the next frame, `(n_channels, n)` each.

        Raises
        ------
        av.FFmpegError, ValueError
            There is no way from that kind of frame to the first.
        """
        import av

        if not self._sr <= frame.sample_rate * _GREATEST_CHANGE <= self._sr * _GREATEST_CHANGE**2:
            raise ValueError(f"a stream of {self._sr} Hz goes on at {frame.sample_rate} Hz")
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._kind:
            self._kind = kind
            self._resampler = av.AudioResampler(format="flt", layout=self._layout, rate=self._sr)
        return [_floats(converted) for converted in self._resampler.resample(frame)]


def _floats(frame: av.AudioFrame) -> Samples:
    """Samples of one decoded frame, `(n_channels, n)`."""
    block = frame.to_ndarray()
    if not frame.format.is_planar:
        block = block.reshape(-1, frame.layout.nb_channels).T
    kind = block.dtype.str[1:]
    if kind == "f4":
        return block
    if kind == "f8":
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            return block.astype(np.float32)
    floats = block.astype(np.float32) if kind != "i4" else block.astype(np.float64)
    if kind == "u1":
        floats -= 128.0
    return (floats / _FULL_SCALE[kind]).astype(np.float32, copy=False)


def _metadata_option() -> dict[str, str]:
    """Tags in a broken encoding are no reason to fail; from its version 19 on, PyAV thinks so too and has no option."""
    import av

    return {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


def _no_audio(file: AudioFile) -> str:
    return f"{file.name} holds no audio that can be decoded (not an audio file, or damaged from its start)"
