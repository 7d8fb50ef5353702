"""Training mixes made where the network learns: drawn by numpy, cut, played, mixed and transformed by the backend.

`separation.training.mixing` makes the same kind of mixes on the processor, which a GPU would have to wait for.
All stems lie in the device's memory, 16 bits a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation.backend import jitted, usable_cores
from separation.bands import Bands
from separation.errors import ConfigInvalid
from separation.frontend import COMPRESSION
from separation.spectrogram import Stft
from separation.training.config import TrainConfig
from separation.training.mixing import ACTIVE_FLOOR, Mixer, equaliser
from separation.training.sources import Song

Tensor = Any

BLOCK = 256
"""Samples whose positions are counted from one exact position: 32-bit numbers would lose fractions of a sample."""
MOST_SAMPLES = 2**31 - 1
"""Of one stem: they are counted by 32-bit numbers. 13.5 hours at 44.1 kHz."""
TAPS = 8
"""Samples that a position between samples is made of, by a windowed sinc."""
_ENERGY_BLOCK = 256


@dataclass(slots=True)
class Takes:
    """What numpy decided of one batch; shapes begin with ``(batch, n_stems)``.

    Parameters
    ----------
    first, length
        Where the recording lies in the pool, in samples.
    position, fraction
        ``(…, n_blocks)`` where each block begins in the recording: whole sample, and what is left, from 0 to 1.
    speed
        Samples of the recording that a sample of the mix takes.
    panning
        ``(…, 2, 2)`` matrix from the recording's channels to the mix's: gain, swap and width in one.
    equaliser
        ``(…, n_bins)`` gain of each bin.
    """

    first: NDArray[np.int32]
    length: NDArray[np.int32]
    position: NDArray[np.int32]
    fraction: NDArray[np.float32]
    speed: NDArray[np.float32]
    panning: NDArray[np.float32]
    equaliser: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Change:
    """Where in a recording a stretch lies (0 to 1), how fast it is played, how wide, and whether turned around."""

    where: float
    speed: float
    width: float
    swap: bool

    def panning(self) -> NDArray[np.float64]:
        """Matrix from the recording's channels to the mix's."""
        middle = np.full((2, 2), 0.5)
        straight = middle + self.width * (np.eye(2) - middle)
        return straight[::-1] if self.swap else straight


class TensorMixer:
    """Draws as `Mixer` does (without tempo and rooms), and computes on the backend's device.

    Parameters
    ----------
    songs
        What there is to draw from.
    config
        The run's configuration.
    """

    def __init__(self, songs: Sequence[Song], config: TrainConfig) -> None:
        from keras import ops

        self.config = config
        self._chances = Mixer(songs, config)
        self.stft = self._chances.stft
        self.n_samples = self.stft.span(config.frames)
        self._n_blocks = -(-self.n_samples // BLOCK)
        self._place: dict[tuple[int, str], tuple[int, int]] = {}
        self._energy: dict[tuple[int, str], NDArray[np.float64]] = {}
        self._pools = [ops.convert_to_tensor(self._lay_out(songs, stem)) for stem in config.stems]
        self._make = jitted(maker(config.bands, self.stft, config.frames))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Features and targets of step `step`, each with a leading batch axis; the same on every machine."""
        from keras import ops

        takes = self.draw(step)
        given = [ops.convert_to_tensor(getattr(takes, name)) for name in Takes.__slots__]
        features, target = self._make(self._pools, *given)
        return features, target

    def draw(self, step: int) -> Takes:
        """Decide what step `step` is made of."""
        shape = (self.config.batch_size, len(self.config.stems))
        takes = Takes(
            np.zeros(shape, np.int32),
            np.zeros(shape, np.int32),
            np.zeros((*shape, self._n_blocks), np.int32),
            np.zeros((*shape, self._n_blocks), np.float32),
            np.ones(shape, np.float32),
            np.zeros((*shape, 2, 2), np.float32),
            np.ones((*shape, self.config.bands.n_bins), np.float32),
        )
        for index in range(self.config.batch_size):
            self._mix(takes, index, np.random.default_rng([self.config.seed, step, index]))
        return takes

    def _mix(self, takes: Takes, index: int, rng: np.random.Generator) -> None:
        config, chances = self.config, self._chances
        if chances.bands is None or rng.random() < config.augment.remix:
            for number, stem in enumerate(config.stems):
                self._lone(takes, (index, number), stem, rng)
            return
        songs, probabilities = chances.bands
        song = songs[rng.choice(len(songs), p=probabilities)]
        change = self._change(rng)
        for number, stem in enumerate(config.stems):
            if stem in song.stems:
                gain_db = rng.normal(0.0, config.augment.gain_db / 2.0)
                self._take(takes, (index, number), song, stem, change, gain_db, rng)
            else:
                self._lone(takes, (index, number), stem, rng)

    def _lone(self, takes: Takes, at: tuple[int, int], stem: str, rng: np.random.Generator) -> None:
        augment, chances = self.config.augment, self._chances
        if stem not in chances.by_stem or rng.random() < augment.silence:
            return
        songs, probabilities = chances.by_stem[stem]
        for _ in range(3):  # a stretch that sounds, if three draws find one
            song, change = songs[rng.choice(len(songs), p=probabilities)], self._change(rng)
            if self._rms(song, stem, change) > ACTIVE_FLOOR:
                break
        self._take(takes, at, song, stem, change, rng.normal(0.0, augment.gain_db), rng)

    def _change(self, rng: np.random.Generator) -> _Change:
        """How a stretch is played: a third at its own speed, half as wide as it is."""
        augment = self.config.augment
        speed = 1.0 if rng.random() < 1.0 / 3.0 else float(rng.uniform(1.0 - augment.speed, 1.0 + augment.speed))
        width = 1.0 if rng.random() < 1.0 / 2.0 else float(rng.uniform(1.0 - augment.width, 1.0 + augment.width))
        return _Change(rng.random(), speed, width, rng.random() < augment.swap_channels)

    def _take(
        self,
        takes: Takes,
        at: tuple[int, int],
        song: Song,
        stem: str,
        change: _Change,
        gain_db: float,
        rng: np.random.Generator,
    ) -> None:
        rms = self._rms(song, stem, change)
        if not self.config.sources[song.source].natural_levels and rms > ACTIVE_FLOOR:
            gain_db += rng.choice(self._chances.levels[stem]) - 20.0 * np.log10(rms)
        begin = self._begin(song, stem, change) + change.speed * BLOCK * np.arange(self._n_blocks)
        whole = np.floor(begin)
        takes.first[at], takes.length[at] = self._place[id(song), stem]
        takes.position[at], takes.fraction[at], takes.speed[at] = whole, begin - whole, change.speed
        takes.panning[at] = change.panning() * 10.0 ** (gain_db / 20.0)
        if self.config.augment.equaliser_db:
            gains = equaliser(rng, self.config.augment.equaliser_db, self.stft.n_bins)
            takes.equaliser[at] = gains[: self.config.bands.n_bins]

    def _begin(self, song: Song, stem: str, change: _Change) -> int:
        """Sample of a recording at which the mix begins; before its first, if it is short."""
        _, length = self._place[id(song), stem]
        return int(np.floor((length - self.n_samples * change.speed) * change.where))

    def _rms(self, song: Song, stem: str, change: _Change) -> float:
        """Of a stretch, as it lies in a mix, to the nearest blocks."""
        begin = self._begin(song, stem, change)
        ends = np.array([begin, begin + self.n_samples * change.speed])
        energy = self._energy[id(song), stem]
        first, last = energy[np.clip(np.rint(ends / _ENERGY_BLOCK).astype(int), 0, energy.size - 1)]
        return float(np.sqrt(max(last - first, 0.0) / (2 * self.n_samples * change.speed)))

    def _lay_out(self, songs: Sequence[Song], stem: str) -> NDArray[np.float16]:
        """All recordings of a stem one after another, ``(n_samples, 2)``; notes where each lies and how loud it is."""
        found = [song for song in songs if stem in song.stems]
        lengths = [song.stems[stem].shape[-1] for song in found]
        starts = [0, *accumulate(lengths)]
        if starts[-1] > MOST_SAMPLES:
            hours, most = (n / self.config.sr / 3600.0 for n in (starts[-1], MOST_SAMPLES))
            raise ConfigInvalid(
                f'mixing = "tensor" holds {most:.1f} hours of a stem, here are {hours:.1f} of {stem}: use "numpy"'
            )
        pool = np.zeros((max(1, starts[-1]), 2), np.float16)

        def put(song: Song, start: int, length: int) -> None:
            part = pool[start : start + length]
            part[:] = song.stems[stem].T
            song.stems[stem] = part.T  # the same samples: those they were copied from need no memory any more
            self._place[id(song), stem] = start, length
            self._energy[id(song), stem] = _energy(part)

        with ThreadPoolExecutor(usable_cores()) as threads:
            list(threads.map(put, found, starts, lengths))
        return pool


def _energy(y: NDArray[np.float16]) -> NDArray[np.float64]:
    """Energy of ``(n_samples, 2)`` up to the end of each whole block, 0 first."""
    n = len(y) // _ENERGY_BLOCK
    blocks = y[: n * _ENERGY_BLOCK].reshape(n, -1)
    energy = [np.einsum("ij,ij->i", part, part) for part in _widened(blocks)]
    return np.concatenate([[0.0], np.cumsum(np.concatenate(energy), dtype=np.float64)]) if n else np.zeros(1)


def _widened(blocks: NDArray[np.float16], at_once: int = 256) -> Iterator[NDArray[np.float32]]:
    """Few blocks at a time, as 32-bit numbers."""
    for start in range(0, len(blocks), at_once):
        yield blocks[start : start + at_once].astype(np.float32)


def maker(bands: Bands, stft: Stft, n_frames: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the function ``(pools, *takes) → (features, target)``, as `mixing.make_example` lays them out."""
    from keras import ops

    n_samples = stft.span(n_frames)
    window = stft.window()

    def make(
        pools: Sequence[Tensor],
        first: Tensor,
        length: Tensor,
        position: Tensor,
        fraction: Tensor,
        speed: Tensor,
        panning: Tensor,
        equaliser: Tensor,
    ) -> tuple[Tensor, Tensor]:
        where = [ops.unstack(each, axis=1) for each in (first, length, position, fraction, speed)]
        y = ops.stack([played(*each, n_samples=n_samples) for each in zip(pools, *where, strict=True)], axis=1)
        left, right = y[..., 0], y[..., 1]
        channels = [panning[..., c, 0, None] * left + panning[..., c, 1, None] * right for c in (0, 1)]
        re, im = _spectra(ops.stack(channels, axis=2), window, stft, n_frames, bands.n_bins)
        gain = equaliser[:, :, None, None, :]
        re, im = re * gain, im * gain  # (batch, n_stems, 2, n_frames, n_bins)
        mix_re, mix_im = ops.sum(re, axis=1), ops.sum(im, axis=1)
        mixture = _banded(mix_re**2 + mix_im**2, bands)  # (batch, 2, n_frames, n_bands)
        shared = _banded(re * mix_re[:, None] + im * mix_im[:, None], bands)
        own = _banded(re**2 + im**2, bands)
        level = ops.sqrt(ops.mean(mixture, axis=(1, 2, 3), keepdims=True)) + 1e-7
        both = [mixture[:, 0], mixture[:, 1]]
        for sign in (1.0, -1.0):
            part_re, part_im = ((m[:, 0] + sign * m[:, 1]) * 0.5 for m in (mix_re, mix_im))
            both.append(_banded(part_re**2 + part_im**2, bands))
        features = ops.log1p(ops.sqrt(ops.stack(both, axis=-1)) * (COMPRESSION / level))
        shape = (-1, n_frames, bands.n_bands, 2 * len(pools))
        planes = [ops.transpose(mixture, (0, 2, 3, 1))]
        planes += [ops.reshape(ops.transpose(part, (0, 3, 4, 2, 1)), shape) for part in (shared, own)]
        return features, ops.concatenate(planes, axis=-1) / level**2

    return make


def played(
    pool: Tensor,
    first: Tensor,
    length: Tensor,
    position: Tensor,
    fraction: Tensor,
    speed: Tensor,
    *,
    n_samples: int,
) -> Tensor:
    """Samples ``(batch, n_samples, 2)`` of recordings at their speeds; silence outside of them."""
    from keras import ops

    within = ops.arange(BLOCK, dtype="float32")
    ahead = fraction[..., None] + speed[:, None, None] * within
    whole = ops.floor(ahead)
    shape = (position.shape[0], -1)
    rest = ops.reshape(ahead - whole, shape)[..., :n_samples]
    at = ops.reshape(position[..., None] + ops.cast(whole, "int32"), shape)[..., :n_samples]
    sine = ops.sin(np.pi * rest) / np.pi
    out = 0.0
    for tap in range(1 - TAPS // 2, TAPS // 2 + 1):
        distance = rest - float(tap)
        sinc = ops.where(ops.abs(distance) < 1e-4, 1.0, (-1.0) ** tap * sine / ops.where(distance == 0, 1.0, distance))
        hann = 0.5 + 0.5 * ops.cos(distance * (2.0 * np.pi / TAPS))
        index = at + tap
        inside = ops.logical_and(index >= 0, index < length[:, None])
        index = first[:, None] + ops.clip(index, 0, ops.maximum(length[:, None] - 1, 0))
        weight = ops.where(inside, sinc * hann, 0.0)
        out = out + ops.cast(ops.take(pool, index, axis=0), "float32") * weight[..., None]
    return out


def _spectra(y: Tensor, window: NDArray[np.float32], stft: Stft, n_frames: int, n_bins: int) -> tuple[Tensor, Tensor]:
    """Real and imaginary parts of `Stft.forward_frames`, the lowest `n_bins` of them."""
    from keras import ops

    hop, n_parts = stft.hop_length, stft.n_fft // stft.hop_length
    hops = ops.reshape(y, (*y.shape[:3], -1, hop))
    frames = ops.concatenate([hops[..., part : part + n_frames, :] for part in range(n_parts)], axis=-1)
    re, im = ops.rfft(frames * ops.convert_to_tensor(window))
    return re[..., :n_bins], im[..., :n_bins]


def _banded(power: Tensor, bands: Bands) -> Tensor:
    """See `Bands.sum`."""
    from keras import ops

    single, grouped = power[..., : bands.n_single], power[..., bands.n_single : bands.n_bins]
    grouped = ops.reshape(grouped, (*power.shape[:-1], bands.n_grouped, bands.group))
    return ops.concatenate([single, ops.sum(grouped, axis=-1)], axis=-1)
