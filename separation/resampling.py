"""Other sample rates: of a whole signal, or of one that arrives piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from separation.errors import AudioInvalid
from separation.samples import BLOCK_VALUES, Samples, check_rate, check_samples

_HIGHEST_RATIO = 10_000  # soxr takes for ever to plan a filter for far more


class StreamResampler:
    """`resample` for a signal that arrives piece by piece: the same samples, wherever it was cut.

    Parameters
    ----------
    sr_from, sr_to
        Rates, Hz; where they are equal, the samples pass through.
    n_channels
        Channels of every piece.

    Raises
    ------
    AudioInvalid
        A rate is impossible, or one is more than 10,000 times the other.

    Examples
    --------
    >>> resampler = StreamResampler(44100, 48000, n_channels=1)
    >>> pieces = [resampler.push(np.ones((1, n), dtype=np.float32)) for n in (441, 1, 8378)]
    >>> sum(piece.shape[1] for piece in (*pieces, resampler.finish()))
    9600
    """

    def __init__(self, sr_from: int, sr_to: int, n_channels: int) -> None:
        check_rate(sr_from)
        check_rate(sr_to)
        if not 1 / _HIGHEST_RATIO <= sr_to / sr_from <= _HIGHEST_RATIO:
            raise AudioInvalid(f"cannot resample from {sr_from} to {sr_to} Hz: at most by a factor of {_HIGHEST_RATIO}")
        if n_channels < 1:
            raise AudioInvalid(f"audio has at least one channel: got n_channels={n_channels}")
        import soxr

        self._sr_from, self._sr_to, self._n_channels = sr_from, sr_to, n_channels
        self._n_in = self._n_out = 0
        # one mono resampler a channel is faster than one of interleaved channels
        n_streams = n_channels if sr_from != sr_to else 0
        self._streams = [soxr.ResampleStream(sr_from, sr_to, 1, quality="HQ") for _ in range(n_streams)]

    def push(self, y: Samples) -> Samples:
        """Take samples in, give those out that are ready.

        Parameters
        ----------
        y : float32, (n_channels, n)
            The next samples, any number of them.

        Returns
        -------
        float32, (n_channels, m)
            The next samples at `sr_to`; m may be 0, since the filter looks some milliseconds ahead.

        Raises
        ------
        AudioInvalid
            `y` has other channels than were announced.
        """
        if y.ndim != 2 or y.shape[0] != self._n_channels:
            raise AudioInvalid(f"audio of {self._n_channels} channels is ({self._n_channels}, n): got {y.shape}")
        self._n_in += y.shape[1]
        return self._resampled(y, last=False)

    def finish(self) -> Samples:
        """Samples that were still held back, `(n_channels, m)`; all together are then round(n * sr_to / sr_from)."""
        missing = resampled_length(self._n_in, self._sr_from, self._sr_to) - self._n_out
        rest = self._resampled(np.zeros((self._n_channels, 0), dtype=np.float32), last=True)[:, :missing]
        return np.pad(rest, ((0, 0), (0, missing - rest.shape[1])))

    def _resampled(self, y: Samples, *, last: bool) -> Samples:
        if self._streams:
            channels = zip(self._streams, y, strict=True)
            y = np.stack([stream.resample_chunk(np.ascontiguousarray(mono), last=last) for stream, mono in channels])
        self._n_out += y.shape[1]
        return y


def resampled_length(n_samples: int, sr_from: int, sr_to: int) -> int:
    """Samples that `n_samples` at `sr_from` Hz become at `sr_to` Hz: the nearest number, at least 1 of any."""
    return max(min(n_samples, 1), round(n_samples * sr_to / sr_from))


def resample_blocks(blocks: Iterable[Samples], sr_from: int, sr_to: int) -> Iterator[Samples]:
    """Resample a signal block by block, in bounded memory.

    Parameters
    ----------
    blocks
        Consecutive stretches of one signal at `sr_from` Hz, float32 `(n_channels, n)` each.

    Yields
    ------
    float32, (n_channels, m)
        Consecutive stretches of the signal at `sr_to` Hz; put together they are `resample` of the whole.

    Raises
    ------
    AudioInvalid
        See `StreamResampler`.
    """
    resampler: StreamResampler | None = None
    for block in blocks:
        resampler = resampler or StreamResampler(sr_from, sr_to, block.shape[0])
        step = max(1, BLOCK_VALUES * min(sr_from, sr_to) // (block.shape[0] * sr_to))
        for start in range(0, block.shape[1], step):
            resampled = resampler.push(block[:, start : start + step])
            if resampled.size:
                yield resampled
    if resampler is not None:
        rest = resampler.finish()
        if rest.size:
            yield rest


def resample(y: Samples, sr_from: int, sr_to: int) -> Samples:
    """Resample with soxr (HQ: flat to 0.913 of the lower Nyquist frequency, images below −120 dB).

    Parameters
    ----------
    y : float32, (n_channels, n_samples)
        Samples at `sr_from` Hz; left unchanged.

    Returns
    -------
    float32, (n_channels, round(n_samples * sr_to / sr_from))
        Samples at `sr_to` Hz; at least one.

    Raises
    ------
    AudioInvalid
        `y` is no audio, or a rate is impossible.
    """
    y = check_samples(y)
    check_rate(sr_from)
    check_rate(sr_to)
    resampled: Samples = np.empty((y.shape[0], resampled_length(y.shape[1], sr_from, sr_to)), dtype=np.float32)
    at = 0
    for block in resample_blocks([y], sr_from, sr_to):
        resampled[:, at : at + block.shape[1]] = block
        at += block.shape[1]
    return resampled
