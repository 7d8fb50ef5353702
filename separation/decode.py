"""From an open file to blocks of samples: libsndfile where it is exact, FFmpeg's libraries for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from separation.errors import AudioUnreadable
from separation.ffmpeg import AvReader, open_container
from separation.files import AudioFile, AudioInfo
from separation.interrupts import interrupt_held
from separation.samples import BLOCK_VALUES, HIGHEST_HZ, MOST_CHANNELS, Samples

__all__ = ["AudioInfo", "Reader", "Samples", "SndfileReader", "open_audio"]

_LOWEST_HZ = 1000  # below, it is a damaged header, or no music
_UNKNOWN_FRAMES = (1 << 63) - 1
_OGG_LAST_PAGE = 0x04


class Reader(Protocol):
    """One audio stream of one open file."""

    info: AudioInfo
    damaged: bool
    """Whether something was found missing or broken; complete only once all blocks were read."""

    def blocks(self, start: int = 0) -> Iterator[Samples]:
        """Yield the samples from number `start` on, `(n_channels, n)` each, until the end or the first damage."""
        ...


@contextmanager
def open_audio(file: AudioFile, stream: int = 0, *, exact: bool = True) -> Iterator[Reader]:
    """Open audio stream number `stream` (counting audio streams only) of an open file.

    Parameters
    ----------
    file
        Any file; what it is decides its content, not its name.
    stream
        0 is the first audio stream; of a `.stem.mp4` that is the mixture.
    exact
        Prefer libsndfile for WAV, FLAC, AIFF and Ogg Vorbis. FFmpeg's decoders get further into broken ones.

    Raises
    ------
    AudioUnreadable
        It is no audio, has no such stream, or a header that cannot be true.
    """
    file.seek(0)
    head = file.read(64)
    if exact and stream == 0 and _is_sndfile(head):
        reader = _open_sndfile(file, head)
        if reader is not None:
            try:
                _check_header(file, reader.info)
                yield reader
            finally:
                reader.close()
            return
    cut = _is_cut_ogg(file, head)
    with open_container(file) as container:
        av_reader = AvReader(file, container, stream, cut=cut)
        _check_header(file, av_reader.info)
        yield av_reader


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

        step = max(1, BLOCK_VALUES // self.info.n_channels)
        try:
            with interrupt_held():
                missing = self._sound.frames - self._sound.seek(min(start, self._sound.frames))
            while missing > 0:
                with interrupt_held():
                    block = self._sound.read(min(step, missing), dtype="float32", always_2d=True)
                if not len(block):
                    break
                missing -= len(block)
                yield block.T
            self.damaged = self.damaged or missing > 0
        except soundfile.LibsndfileError:
            self.damaged = True

    def close(self) -> None:
        """Let go of libsndfile's handle."""
        self._sound.close()


def _check_header(file: AudioFile, info: AudioInfo) -> None:
    if not _LOWEST_HZ <= info.sample_rate_hz <= HIGHEST_HZ:
        raise AudioUnreadable(
            f"{file.name} claims a sample rate of {info.sample_rate_hz} Hz, music has {_LOWEST_HZ} at least and "
            f"{HIGHEST_HZ} at most: its header is damaged"
        )
    if info.n_channels > MOST_CHANNELS:
        raise AudioUnreadable(
            f"{file.name} claims {info.n_channels} channels, more than {MOST_CHANNELS}: its header is damaged"
        )


def _is_sndfile(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RF64", b"fLaC", b"FORM", b"caff", b"riff") or (
        head[:4] == b"OggS" and b"\x01vorbis" in head
    )


def _open_sndfile(file: AudioFile, head: bytes) -> SndfileReader | None:
    """Reader of libsndfile, None where FFmpeg knows better: a RIFF may hold MP3, a header need not say the length."""
    import soundfile

    file.seek(0)
    try:
        with interrupt_held():
            sound = soundfile.SoundFile(file)
    except soundfile.LibsndfileError:
        return None
    if sound.frames in (0, _UNKNOWN_FRAMES):
        sound.close()
        return None
    shorter = re.search(r"data\s*:\s*(\d+) \(should be \d+\)", sound.extra_info)
    # programs that write to a pipe leave the largest number there, which means unknown
    cut = shorter is not None and int(shorter.group(1)) < 0xFFFF0000
    return SndfileReader(sound, damaged=cut or _is_cut_ogg(file, head))


def _is_cut_ogg(file: AudioFile, head: bytes) -> bool:
    """Whether an Ogg file lacks the page that ends a stream; leaves the position as it was."""
    if head[:4] != b"OggS":
        return False
    position = file.tell()
    size = file.seek(0, 2)
    file.seek(max(0, size - (1 << 17)))  # a page has at most 65,307 bytes
    tail = file.read()
    file.seek(position)
    page = tail.rfind(b"OggS")
    return page < 0 or page + 5 >= len(tail) or not tail[page + 5] & _OGG_LAST_PAGE
