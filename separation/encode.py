"""From samples to a file, block by block and of any length: all of it or nothing."""

from __future__ import annotations

import errno
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from separation.errors import AudioInvalid, WriteFailed
from separation.publishing import unfinished_name
from separation.samples import BLOCK_VALUES, MOST_CHANNELS, Samples, check_rate, check_samples
from separation.writers import AvSink, Sink, SndfileSink, WavSink

logger = logging.getLogger(__name__)

CODECS = ("wav", "flac", "ogg", "m4a", "mp3", "opus")
"""What `Encoding` knows."""

SAVE_SUFFIXES = frozenset(f".{codec}" for codec in CODECS)
"""Suffixes `save` knows."""

_SUBTYPES = {"wav": ("PCM_16", "PCM_24", "PCM_32", "FLOAT"), "flac": ("PCM_16", "PCM_24")}
_MOST_CHANNELS = {"wav": MOST_CHANNELS, "flac": 8, "ogg": 2, "m4a": 8, "mp3": 2, "opus": 8}
_RATES = {
    "m4a": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    "opus": (48000,),
}
_BIT_RATES_A_CHANNEL = {"m4a": 128_000, "mp3": 128_000, "opus": 96_000, "ogg": 96_000}
_VORBIS_BIT_RATES = (32_000, 40_000, 48_000, 56_000, 64_000, 80_000, 96_000, 112_000, 128_000, 160_000, 250_000)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How an audio file is written.

    Parameters
    ----------
    codec
        `wav` (RF64 where it grows past 4 GiB), `flac`, `ogg` (Vorbis), `m4a` (AAC), `mp3` or `opus`. m4a, mp3 and opus
        are resampled to the next rate they allow (opus: always 48 kHz).
    subtype
        Sample format of wav and flac: `PCM_16`, `PCM_24`, for wav also `PCM_32` and `FLOAT`.
    bit_rate
        Of the lossy codecs, bits per second, all channels together. None is 128,000 a channel for m4a and mp3 and
        96,000 for opus and ogg, or the most that a low sample rate allows. Of ogg it is the average that Vorbis'
        quality setting has for stereo music at 44.1 kHz: what comes out depends on the music.

    Raises
    ------
    AudioInvalid
        No such codec, or a subtype or bit rate that it does not have.
    """

    codec: str = "wav"
    subtype: str = "PCM_16"
    bit_rate: int | None = None

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise AudioInvalid(f"unknown codec {self.codec!r}: choose from {', '.join(CODECS)}")
        subtypes = _SUBTYPES.get(self.codec)
        if subtypes is None and self.subtype != "PCM_16":
            raise AudioInvalid(f"{self.codec} has no {self.subtype}: sample formats are for wav and flac")
        if subtypes is not None and self.subtype not in subtypes:
            raise AudioInvalid(f"{self.codec} cannot hold {self.subtype!r}: use one of {', '.join(subtypes)}")
        if subtypes is not None and self.bit_rate is not None:
            raise AudioInvalid(f"{self.codec} is lossless and has no bit rate: leave it out, or choose another codec")


class Metered:
    """What writers have in common: samples that are no numbers are refused, those beyond full scale clipped, counted.

    Parameters
    ----------
    target
        The file's final name, for messages.
    clamp
        Clip to full scale.
    """

    def __init__(self, target: Path, *, clamp: bool) -> None:
        self._target = target
        self._clamp = clamp
        self._n_values = 0
        self._n_clipped = 0
        self._peak = 0.0

    @property
    def n_clipped(self) -> int:
        """Samples clipped so far, of all channels."""
        return self._n_clipped

    @property
    def peak(self) -> float:
        """Largest magnitude so far, before clipping; full scale is 1."""
        return self._peak

    def _checked(self, y: Samples) -> Samples:
        y = check_samples(y)
        peak = max(float(y.max()), -float(y.min()))
        if not math.isfinite(peak):
            raise AudioInvalid(
                f"cannot write {self._target.name!r}: it has samples that are no numbers (NaN, infinite)"
            )
        self._n_values += y.size
        self._peak = max(self._peak, peak)
        if peak <= 1.0 or not self._clamp:
            return y
        self._n_clipped += int((np.abs(y) > 1.0).sum())
        return y.clip(-1.0, 1.0)

    def _end(self) -> None:
        if not self._n_values:
            raise AudioInvalid(f"cannot write {self._target.name!r}: no sample was given to it")
        if self._n_clipped:
            logger.warning(
                "%s: %d of %d samples clipped to full scale (peak %.2f)",
                self._target, self._n_clipped, self._n_values, self._peak,
            )  # fmt: skip


class AudioWriter(Metered):
    """An audio file in the making; `open_writer` gives it."""

    def __init__(self, target: Path, sink: Sink, n_channels: int, *, clamp: bool) -> None:
        super().__init__(target, clamp=clamp)
        self._sink = sink
        self._n_channels = n_channels

    def write(self, y: Samples) -> None:
        """Add samples.

        Parameters
        ----------
        y : float32, (n_channels, n_samples)
            Any number of them, none too; full scale is ±1; left unchanged.

        Raises
        ------
        AudioInvalid
            Another number of channels, or samples that are no numbers.
        WriteFailed
            The system refuses: the disk is full.
        """
        if y.ndim != 2 or y.shape[0] != self._n_channels:
            raise AudioInvalid(f"{self._target.name!r} takes float32 ({self._n_channels}, n_samples): got {y.shape}")
        step = BLOCK_VALUES // self._n_channels
        for start in range(0, y.shape[1], step):
            block = self._checked(y[:, start : start + step])
            with telling(self._target):
                self._sink.write(block)

    def _finish(self) -> None:
        self._end()
        with telling(self._target):
            self._sink.finish()


@contextmanager
def open_writer(
    path: str | Path,
    sr: int,
    n_channels: int,
    encoding: Encoding,
    *,
    clamp: bool = True,
    before_publish: Callable[[Path], None] | None = None,
) -> Iterator[AudioWriter]:
    """Open an audio file for writing in blocks; memory does not grow with its length.

    The file appears under its name when the block ends, complete, and replaces an older one; an exception, Ctrl-C
    too, leaves what was there before. The folder is made where missing. Clipped samples are counted in one logged
    warning.

    Parameters
    ----------
    path
        Its name; the codec does not depend on it.
    sr
        Rate of the samples, Hz.
    n_channels
        Their channels.
    encoding
        How the file is written.
    clamp
        Clip to full scale; False, of FLOAT only, keeps every sample.
    before_publish
        Called with the complete file, which has a temporary name yet: the place to add tags.

    Raises
    ------
    AudioInvalid
        More channels than the codec holds, a rate or bit rate that it does not allow, no clipping without FLOAT; on
        leaving: not one sample was given.
    WriteFailed
        The system refuses: no such folder can be made, the disk is full.
    """
    target = Path(path)
    open_sink = _sink(sr, n_channels, encoding)
    if not clamp and encoding.subtype != "FLOAT":
        raise AudioInvalid(f"{encoding.codec} {encoding.subtype} always clips: clamp=False needs the subtype FLOAT")
    with publishing(target, before_publish) as unfinished:
        with telling(target):
            sink = open_sink(unfinished)
        with closing(sink):
            writer = AudioWriter(target, sink, n_channels, clamp=clamp)
            yield writer
            writer._finish()


def save(path: str | Path, y: Samples, sr: int, *, subtype: str = "PCM_16") -> None:
    """Write audio; the suffix chooses the codec: wav, flac, ogg (Vorbis), m4a (AAC), mp3 or opus.

    The file appears under its name when it is complete, replacing an older one; the folder is made where missing.
    Samples beyond full scale are clipped, with a logged warning that counts them. m4a, mp3 and opus are resampled to
    the next rate they allow (opus: always 48 kHz).

    Parameters
    ----------
    y : float32, (n_channels, n_samples)
        Samples, full scale ±1; left unchanged.
    sr
        Their rate, Hz.
    subtype
        Sample format of wav and flac: `PCM_16`, `PCM_24`, for wav also `PCM_32` and `FLOAT` (which never clips).

    Raises
    ------
    AudioInvalid
        No audio, no such codec or subtype, or more channels than the codec holds.
    WriteFailed
        The system refuses: the disk is full.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    y = check_samples(y)
    if suffix not in SAVE_SUFFIXES:
        raise AudioInvalid(
            f"cannot write {target.name!r}: the suffix must be one of {', '.join(sorted(SAVE_SUFFIXES))}"
        )
    encoding = Encoding(suffix[1:], subtype)
    with open_writer(target, sr, y.shape[0], encoding, clamp=subtype != "FLOAT") as writer:
        writer.write(y)


@contextmanager
def publishing(target: Path, before_publish: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Give a hidden name beside `target`; what was written there takes the name when the block ends well.

    Otherwise nothing is left of it, and `target` is as it was.

    Raises
    ------
    WriteFailed
        The folder cannot be made, or a folder has the name already.
    """
    unfinished = unfinished_name(target)
    with telling(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder has this name")
    try:
        yield unfinished
        if before_publish is not None:
            before_publish(unfinished)
        with telling(target):
            os.replace(unfinished, target)  # noqa: PTH105 - the one call that replaces on every system
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def telling(target: Path) -> Iterator[None]:
    """Raise what the system refuses as an error that names the file.

    Raises
    ------
    WriteFailed
        For every OSError; it keeps its number.
    """
    try:
        yield
    except OSError as error:
        raise WriteFailed(
            error.errno, f"cannot write {target}: {error.strerror or error}; nothing is left of it"
        ) from error


def bit_rate_range(codec: str, sr: int, n_channels: int) -> tuple[int, int]:
    """Lowest and highest bit rate of a lossy codec, bits/s, for sound that it encodes at `sr` Hz."""
    if codec == "ogg":
        return _VORBIS_BIT_RATES[0] * n_channels, _VORBIS_BIT_RATES[-1] * n_channels
    if codec == "m4a":  # at most 6144 bits a channel in a frame of 1024 samples
        return 16_000 * n_channels, 6 * sr * n_channels
    if codec == "opus":
        return 6_000 * n_channels, 256_000 * n_channels
    if sr >= 32_000:
        return 32_000, 320_000
    return 8_000, 160_000 if sr >= 16_000 else 64_000


def chosen_bit_rate(codec: str, sr: int, n_channels: int, wanted: int | None) -> int:
    """Bit rate to encode with, bits/s: the wanted one, or our default.

    Raises
    ------
    AudioInvalid
        The codec does not go so low or so high.
    """
    lowest, highest = bit_rate_range(codec, sr, n_channels)
    if wanted is None:
        return min(max(_BIT_RATES_A_CHANNEL[codec] * n_channels, lowest), highest)
    if not lowest <= wanted <= highest:
        raise AudioInvalid(
            f"{codec} with {n_channels} channels at {sr} Hz takes {lowest} to {highest} bits/s: got {wanted}"
        )
    return wanted


def _sink(sr: int, n_channels: int, encoding: Encoding) -> Callable[[Path], Sink]:
    """Check everything that can be checked before a file is made; then what makes it."""
    codec, subtype = encoding.codec, encoding.subtype
    if not 1 <= n_channels <= _MOST_CHANNELS[codec]:
        raise AudioInvalid(
            f"{codec} holds at most {_MOST_CHANNELS[codec]} channels, these are {n_channels}: choose wav or flac"
        )
    check_rate(sr)
    if codec == "wav":
        return lambda path: WavSink(path, sr, n_channels, subtype)
    if codec == "flac":
        return lambda path: SndfileSink(path, sr, n_channels, codec, subtype, None)
    if codec == "ogg":
        a_channel = chosen_bit_rate(codec, sr, n_channels, encoding.bit_rate) / n_channels
        quality = float(np.interp(a_channel, _VORBIS_BIT_RATES, np.linspace(0.0, 1.0, len(_VORBIS_BIT_RATES))))
        return lambda path: SndfileSink(path, sr, n_channels, codec, "VORBIS", 1.0 - quality)
    rate = next((allowed for allowed in _RATES[codec] if allowed >= sr), _RATES[codec][-1])
    bit_rate = chosen_bit_rate(codec, rate, n_channels, encoding.bit_rate)
    return lambda path: AvSink(path, sr, rate, n_channels, codec, bit_rate)
