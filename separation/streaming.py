"""Samples in, stems out, in bounded memory: chunks are cut at fixed frames and worked on by every core at a time.

What comes out does not depend on where the blocks that came in were cut, nor on how many cores there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from separation.decode import Samples
from separation.spectrogram import BLOCK, Spectrum, Stft

Masks = NDArray[np.float32]


class Masker(Protocol):
    """A loaded model, as streaming sees it: what it hears at a time, and its masks for that."""

    overlap: int
    """Frames in which two neighbouring chunks' masks are cross-faded."""
    looks_back: bool
    """Whether the last chunk begins earlier so as to be full; otherwise it is filled up with zeros."""
    duplicates_mono: bool
    """Whether a mono signal comes back as stereo."""

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of its stems, in the order of its masks."""
        ...

    @property
    def stft(self) -> Stft:
        """Its transform."""
        ...

    @property
    def n_frames(self) -> int:
        """Frames in a chunk."""
        ...

    @property
    def complementary(self) -> bool:
        """Whether its masks add up to one in every bin, so that the stems add up to the mixture."""
        ...

    def masks(self, D: Spectrum) -> Masks:
        """Masks of one stereo chunk ``(2, n, n_bins)``: ``(n_stems, 2, n, n_bands)``.

        `n` is `n_frames`; of a masker that does not look back, the last chunk may have fewer.
        """
        ...

    def apply(self, mask: Masks, D: Spectrum) -> Spectrum:
        """Mask a spectrum ``(n_channels, n, n_bins)`` by masks ``(n_channels, n, n_bands)``, or one channel for all."""
        ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """One network input's worth of a signal.

    Parameters
    ----------
    y
        Samples under its frames, ``(n_channels, n_samples)``.
    n_before
        Frames at its start that were given out already and are there to be heard only.
    n_given
        Frames after those that are to be given out.
    """

    y: Samples
    n_before: int
    n_given: int


class _Cutter:
    """Cuts a signal into chunks at fixed frames, keeping just the samples that chunks to come will hear.

    Chunks start every ``n_frames − overlap`` frames. The last one is as long as what is left; a masker that looks back
    also hears what came before it, so that it never sees less than a full chunk.
    """

    def __init__(self, masker: Masker, n_channels: int) -> None:
        self._masker = masker
        self._stft = masker.stft
        self._blocks: list[Samples] = [np.zeros((n_channels, self._stft.lead), np.float32)]
        self._n_waiting = self._stft.lead
        self._past = 0  # frames at the start of the waiting samples that were given out already

    def push(self, block: Samples) -> Iterator[Chunk]:
        """Take samples in; yields a chunk whenever one is full and not the last."""
        self._blocks.append(block.astype(np.float32, copy=False))
        self._n_waiting += block.shape[-1]
        n_frames, overlap = self._masker.n_frames, self._masker.overlap
        while self._n_waiting >= self._stft.span(self._past + n_frames + overlap):
            yield self._give(n_frames - overlap, n_frames)

    def finish(self) -> Iterator[Chunk]:
        """Yield what is left."""
        hop, n_frames = self._stft.hop_length, self._masker.n_frames
        tail = self._stft.n_fft - hop
        n_left = -(-(self._n_waiting - tail) // hop) + tail // hop - self._past  # frames that cover every sample
        missing = self._stft.span(self._past + n_left) - self._n_waiting
        self._blocks.append(np.zeros((self._blocks[0].shape[0], missing), np.float32))
        while n_left > 0:
            n_given = n_left if n_left <= n_frames else n_frames - self._masker.overlap
            yield self._give(n_given, min(n_left, n_frames))
            n_left -= n_given

    def _give(self, n_given: int, n_heard: int) -> Chunk:
        """Make a chunk of the next `n_heard` frames, of which `n_given` are done with then."""
        hop, looks_back = self._stft.hop_length, self._masker.looks_back
        y = np.concatenate(self._blocks, axis=-1)
        n_before = min(self._past, self._masker.n_frames - n_heard) if looks_back else 0
        start = (self._past - n_before) * hop
        chunk = Chunk(y[:, start : start + self._stft.span(n_before + n_heard)], n_before, n_given)
        done = self._past + n_given
        self._past = min(done, self._masker.n_frames) if looks_back else 0
        y = y[:, (done - self._past) * hop :]
        self._blocks, self._n_waiting = [y], y.shape[-1]
        return chunk


class _Joint:
    """Joins chunks: tails of one are added to the start of the next, padding before the first sample is left out."""

    def __init__(self, stft: Stft, *, by_difference: bool) -> None:
        self._stft, self._by_difference = stft, by_difference
        self._tail: Samples | None = None
        self._skip = stft.lead
        self._n_given = 0

    def add(self, y: Samples, n_frames: int, n_samples: int) -> Samples:
        """Samples that are complete with `y`, ``(n_stems, n_channels, n)``, of a signal `n_samples` long so far."""
        if self._tail is not None:
            y[..., : self._tail.shape[-1]] += self._tail
        whole = n_frames * self._stft.hop_length
        self._tail = y[..., whole:].copy()
        skip = min(self._skip, whole)
        self._skip -= skip
        y = y[..., skip : min(whole, skip + n_samples - self._n_given)]
        self._n_given += y.shape[-1]
        if self._by_difference:
            y[-1] -= y[:-1].sum(axis=0)
        return y


class Separation:
    """Runs one signal through a model: analysis and masks of some chunks, synthesis of others, at the same time.

    Parameters
    ----------
    masker
        The model.
    wanted
        Stems to synthesise; others cost no inverse transform.
    n_workers
        Chunks worked on at a time.
    """

    def __init__(self, masker: Masker, wanted: Sequence[str], n_workers: int) -> None:
        self._masker = masker
        self.n_workers, self.overlap = n_workers, masker.overlap
        self._stft = masker.stft
        self._rows = [masker.stems.index(stem) for stem in wanted]
        # masks that add up to one leave the last stem to be what the others leave of the mixture
        self._by_difference = masker.complementary and len(self._rows) == len(masker.stems) > 1

    def run(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield stretches ``(n_wanted, n_channels, n)`` that put together are as long as all blocks together."""
        cutter: _Cutter | None = None
        joint = _Joint(self._stft, by_difference=self._by_difference)
        n_samples = 0
        with ThreadPoolExecutor(self.n_workers, thread_name_prefix="separation") as pool:
            line = _Line(self, pool)
            try:
                for block in blocks:
                    cutter = cutter or _Cutter(self._masker, block.shape[0])
                    n_samples += block.shape[-1]
                    for chunk in cutter.push(block):
                        for y, n_frames in line.add(chunk):
                            yield joint.add(y, n_frames, n_samples)
                if cutter is not None and n_samples:
                    for chunk in cutter.finish():
                        for y, n_frames in line.add(chunk):
                            yield joint.add(y, n_frames, n_samples)
                for y, n_frames in line.finish():
                    yield joint.add(y, n_frames, n_samples)
            finally:
                line.cancel()

    def analyse(self, chunk: Chunk) -> tuple[Spectrum, Masks]:
        """Spectrum and masks of a chunk, both of its own number of frames."""
        D = self._stft.forward_frames(chunk.y)
        n = D.shape[1]
        missing = self._masker.n_frames - n
        heard = D if D.shape[0] == 2 else np.repeat(D.mean(axis=0, keepdims=True), 2, axis=0)
        if missing and self._masker.looks_back:
            # a signal shorter than a chunk is heard again and again, as level and rhythm expect
            heard = np.pad(heard, ((0, 0), (missing, 0), (0, 0)), mode="wrap")
        masks = self._masker.masks(heard)[:, :, -n:]
        if D.shape[0] != 2:
            masks = masks.mean(axis=1, keepdims=True)
        return D, masks

    def synthesise(self, D: Spectrum, masks: Masks, faded: Masks | None, chunk: Chunk) -> Samples:
        """Samples of a chunk's own frames, ``(n_wanted, n_channels, n)``, before its neighbours' are added."""
        overlap = min(self._masker.overlap, D.shape[1])
        if faded is not None and overlap:
            fade = np.linspace(0.0, 1.0, self._masker.overlap + 2, dtype=np.float32)[1 : overlap + 1, None]
            masks = masks.copy()
            masks[:, :, :overlap] += (faded[:, :, :overlap] - masks[:, :, :overlap]) * (1.0 - fade)
        n_frames = D.shape[1]
        rows = self._rows[:-1] if self._by_difference else self._rows
        y = np.zeros((len(self._rows), D.shape[0], self._stft.span(n_frames)), np.float32)
        for start in range(0, n_frames, BLOCK):
            block = slice(start, start + BLOCK)
            for index, row in enumerate(rows):
                masked = self._masker.apply(masks[row, :, block], D[:, block])
                self._stft.overlap_add(self._stft.inverse_frames(masked), y[index], start)
        if self._by_difference:
            hop = self._stft.hop_length
            mixture = chunk.y[:, chunk.n_before * hop : (chunk.n_before + n_frames) * hop]
            y[-1, :, : mixture.shape[-1]] = mixture
        return y


class _Line:
    """Chunks under way, in order: some being analysed, some, whose neighbours' masks are known, synthesised."""

    def __init__(self, separation: Separation, pool: ThreadPoolExecutor) -> None:
        self._separation, self._pool = separation, pool
        self._analysed: deque[tuple[Chunk, Future[tuple[Spectrum, Masks]]]] = deque()
        self._synthesised: deque[tuple[Chunk, Future[Samples]]] = deque()
        self._faded: Masks | None = None

    def add(self, chunk: Chunk) -> Iterator[tuple[Samples, int]]:
        """Put a chunk on the line; yields samples and number of frames of the chunks that fall off its end."""
        self._analysed.append((chunk, self._pool.submit(self._separation.analyse, chunk)))
        if len(self._analysed) > self._separation.n_workers:
            self._advance()
        if len(self._synthesised) > self._separation.n_workers:
            yield self._take()

    def finish(self) -> Iterator[tuple[Samples, int]]:
        """Yield what is still on the line."""
        while self._analysed:
            self._advance()
        while self._synthesised:
            yield self._take()

    def cancel(self) -> None:
        """Drop what has not begun."""
        for _, analysis in self._analysed:
            analysis.cancel()
        for _, synthesis in self._synthesised:
            synthesis.cancel()

    def _advance(self) -> None:
        chunk, future = self._analysed.popleft()
        D, masks = future.result()
        end = chunk.n_before + chunk.n_given
        given = slice(chunk.n_before, end)
        job = self._pool.submit(self._separation.synthesise, D[:, given], masks[:, :, given], self._faded, chunk)
        self._faded = masks[:, :, end : end + self._separation.overlap]
        self._synthesised.append((chunk, job))

    def _take(self) -> tuple[Samples, int]:
        chunk, future = self._synthesised.popleft()
        return future.result(), chunk.n_given
