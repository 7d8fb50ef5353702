"""Audio as a stream in bounded memory: from a path, a file object, or arrays that arrive one after the other."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeGuard

import numpy as np

from separation.decode import Reader, SndfileReader, open_audio
from separation.errors import AudioInvalid, AudioUnreadable
from separation.files import AudioFile, open_file
from separation.samples import BLOCK_VALUES, MOST_CHANNELS, Samples, check_rate, check_samples

logger = logging.getLogger(__name__)

LOUDEST = float(1 << 31)
"""Largest magnitude that counts as a sample: full scale of files that keep integers as floats."""
_FOR_EVER_S = 1e9


@dataclass(frozen=True, slots=True)
class AudioSource:
    """Audio that arrives block by block."""

    sr: int
    """Sample rate, Hz."""
    n_channels: int
    n_samples_hint: int | None
    """How many samples will come, as far as the source says so; a damaged file may lie."""
    blocks: Generator[Samples, None, None]
    """Consecutive stretches of the signal, float32 `(n_channels, n)`, finite, at least one and none empty."""


@contextmanager
def open_source(
    source: str | Path | BinaryIO | Iterable[Samples],
    *,
    sr: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
    stream: int = 0,
) -> Iterator[AudioSource]:
    """Open audio to read it once, in blocks and in bounded memory, however long it is.

    Of a damaged file comes what can be decoded, with a logged warning when the end is reached. Samples that are no
    numbers (NaN, infinite, or beyond `LOUDEST`) become 0, with a logged warning that counts them.

    Parameters
    ----------
    source
        A path; or a binary file object, read from its beginning (one that cannot seek, such as a pipe, is copied to
        a temporary file first); or an array, or arrays one after the other, `(n_channels, n)` each.
    sr
        Rate of the arrays, Hz. A file knows its own: None.
    offset_s, duration_s
        Part to read, in seconds; None reads to the end.
    stream
        Number among a file's audio streams: of a `.stem.mp4` 0 is the mixture, 1 to 4 are the stems.

    Raises
    ------
    AudioMissing
        There is no such file.
    AudioUnreadable
        Nothing in it can be decoded, or it ends before `offset_s`.
    AudioInvalid
        An impossible argument, or (at any block) an array that does not go on with the signal.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 44100), dtype=np.float32)
    >>> with open_source([noise, noise], sr=44100, offset_s=0.5) as audio:
    ...     sum(block.shape[1] for block in audio.blocks)
    66150
    """
    if not 0 <= offset_s < float("inf") or (duration_s is not None and not duration_s > 0):
        raise AudioInvalid(f"offset_s={offset_s}, duration_s={duration_s}: needs offset_s >= 0 and duration_s > 0")
    with ExitStack() as stack:
        nothing: type[AudioUnreadable | AudioInvalid]
        if _is_file(source):
            if sr is not None:
                raise AudioInvalid(f"sr={sr} is for arrays, a file knows its own rate: leave sr out")
            file = stack.enter_context(open_file(source))
            reader = stack.enter_context(open_audio(file, stream))
            name, rate, nothing = file.name, reader.info.sample_rate_hz, AudioUnreadable
            part = _Part.of(offset_s, duration_s, rate)
            n_samples_hint = part.length(round(reader.info.duration_s * rate))
            blocks = _gathered(part.until_its_end(_file_blocks(file, reader, part.start)))
        else:
            name, rate, nothing = "the array", _rate_of_arrays(sr), AudioInvalid
            part = _Part.of(offset_s, duration_s, rate)
            n_samples_hint = None
            blocks = part.until_its_end(part.from_its_start(_array_blocks(source)))
        finite_blocks = stack.enter_context(closing(_finite(blocks, name)))
        first = next(finite_blocks, None)
        if first is None:
            raise nothing(
                f"{name} ends before {offset_s:g} s, where reading was to start, or is damaged before it"
                if part.start
                else f"{name} holds no audio that can be decoded (damaged, or without a single sample)"
            )
        yield AudioSource(rate, first.shape[0], n_samples_hint, _again(first, finite_blocks))


@dataclass(frozen=True, slots=True)
class _Part:
    """The samples of a signal that are wanted: `n` from number `start` on, None for all."""

    start: int
    n: int | None

    @classmethod
    def of(cls, offset_s: float, duration_s: float | None, sr: int) -> _Part:
        start, n = (round(min(seconds, _FOR_EVER_S) * sr) for seconds in (offset_s, duration_s or _FOR_EVER_S))
        return cls(start, None if duration_s is None else max(1, n))

    def length(self, n_samples: int) -> int | None:
        """How many samples of `n_samples` these are; None where that is unknown (0)."""
        if not n_samples:
            return None
        left = max(0, n_samples - self.start)
        return left if self.n is None else min(left, self.n)

    def from_its_start(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        position = 0
        for block in blocks:
            skipped = max(0, self.start - position)
            position += block.shape[1]
            if position > self.start:
                yield block[:, skipped:]

    def until_its_end(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield blocks that begin at `start`; nothing more is asked for once all is there."""
        n = 0
        for block in blocks:
            n += block.shape[1]
            if self.n is None or n < self.n:
                yield block
            else:
                yield block[:, : block.shape[1] - (n - self.n)]
                return


def _file_blocks(file: AudioFile, reader: Reader, start: int) -> Iterator[Samples]:
    """Samples from number `start` on; libsndfile stops at the first damage, FFmpeg goes on from there."""
    n = 0
    for block in reader.blocks(start):
        n += block.shape[1]
        yield block
    if not reader.damaged:
        return
    if isinstance(reader, SndfileReader):
        with suppress(AudioUnreadable), open_audio(file, exact=False) as further:
            if further.info.sample_rate_hz == reader.info.sample_rate_hz:
                for block in further.blocks(start + n):
                    n += block.shape[1]
                    yield block
    if n:
        logger.warning(
            "%s is damaged or cut off: going on with the %.1f s that could be decoded",
            file.name,
            n / reader.info.sample_rate_hz,
        )


def _gathered(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Join short blocks (an MP3 frame has 1152 samples): each one that is passed on costs something."""
    waiting: list[Samples] = []
    n_values = 0
    for block in blocks:
        waiting.append(block)
        n_values += block.size
        if n_values > BLOCK_VALUES // 2:
            yield np.concatenate(waiting, axis=1)
            waiting.clear()
            n_values = 0
    if waiting:
        yield np.concatenate(waiting, axis=1)


def _finite(blocks: Iterable[Samples], name: str) -> Generator[Samples, None, None]:
    """Put 0 where a sample is no number; tell how many there were once the end is reached, or reading stopped."""
    n_bad = 0
    try:
        for block in blocks:
            if not block.size:
                continue
            if block.min() >= -LOUDEST and block.max() <= LOUDEST:  # a NaN makes both comparisons false
                yield block
                continue
            good = np.abs(block) <= LOUDEST
            n_bad += int((~good).sum())
            yield np.where(good, block, np.float32(0.0))
    finally:
        if n_bad:
            logger.warning(
                "%s has %d samples that are no numbers (NaN, infinite or absurdly large): they count as 0", name, n_bad
            )


def _again(first: Samples, blocks: Generator[Samples, None, None]) -> Generator[Samples, None, None]:
    yield first
    yield from blocks


def _is_file(source: object) -> TypeGuard[str | Path | BinaryIO]:
    return isinstance(source, (str, os.PathLike)) or hasattr(source, "read")


def _rate_of_arrays(sr: int | None) -> int:
    if sr is None:
        raise AudioInvalid("arrays do not tell their sample rate: give it as sr, in Hz")
    check_rate(sr)
    return sr


def _array_blocks(source: object) -> Iterator[Samples]:
    if isinstance(source, (bytes, bytearray)) or not isinstance(source, Iterable):
        raise AudioInvalid(
            "audio comes from a path, a binary file object (bytes: io.BytesIO of them) or arrays: "
            f"got {type(source).__name__}"
        )
    n_channels = None
    for number, block in enumerate([source] if isinstance(source, np.ndarray) else source):
        if np.ndim(block) == 2 and not np.shape(block)[1]:
            continue
        samples = check_samples(block)
        n_channels = n_channels or samples.shape[0]
        if samples.shape[0] != n_channels:
            raise AudioInvalid(
                f"array {number} has {samples.shape[0]} channels, those before it {n_channels}: a signal keeps its own"
            )
        if n_channels > MOST_CHANNELS:
            raise AudioInvalid(
                f"{n_channels} channels of {samples.shape[1]} samples look transposed: audio is (n_channels, n_samples)"
            )
        yield samples
