"""Training mixes, made on the fly: the n-th mix of a run is the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from separation.frontend import cross_power, level, network_input, power
from separation.spectrogram import BLOCK, Spectrum, Stft
from separation.training.config import TrainConfig
from separation.training.room import reverberate
from separation.training.sources import Song

ACTIVE_FLOOR = 1e-3
"""A stretch quieter than this (root mean square, −60 dBFS) counts as silence."""


@dataclass(frozen=True, slots=True)
class Example:
    """One network input and what its masks are scored on.

    Parameters
    ----------
    features
        ``(n_frames, n_bands, 4)`` float32, see `separation.frontend.network_input`.
    target
        ``(n_frames, n_bands, 2 + 4·n_stems)`` float32: power of the mixture (left, right), then for each stem
        its cross power with the mixture (left's stems, right's stems), then each stem's power. They give the
        error of any mask exactly: ``|M·X − S|² = M²·|X|² − 2·M·Re(X*·S) + |S|²``, summed within bands.
    """

    features: NDArray[np.float32]
    target: NDArray[np.float32]


Maker = Callable[[NDArray[np.float32], np.random.Generator], Example]


class Mixer:
    """Draws songs, stretches and gains, and turns them into examples.

    Parameters
    ----------
    songs
        What there is to draw from.
    config
        The run's configuration.
    make
        Turns stems ``(n_stems, 2, n_samples)`` into an example, drawing equalisers; `make_example` where it is None.
    """

    def __init__(self, songs: Sequence[Song], config: TrainConfig, make: Maker | None = None) -> None:
        self.config = config
        self._make = make or (lambda stems, rng: make_example(stems, config, self.stft, rng))
        self.stft = Stft(config.n_fft, config.hop_length)
        self.n_samples = self.stft.span(config.frames)
        self.songs = list(songs)
        self.by_stem: dict[str, tuple[list[Song], NDArray[np.float64]]] = {}
        for stem in config.stems:
            having = [song for song in songs if stem in song.stems]
            if having:
                self.by_stem[stem] = (having, _probabilities(having, config))
        bands = [song for song in songs if len(set(config.stems) & set(song.stems)) > 1]
        self.bands = (bands, _probabilities(bands, config)) if bands else None
        self.levels = {stem: self._natural_levels(stem) for stem in self.by_stem}

    def batch(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Features and targets of step `step`, each with a leading batch axis."""
        examples = [self.example(step, index) for index in range(self.config.batch_size)]
        return np.stack([e.features for e in examples]), np.stack([e.target for e in examples])

    def example(self, step: int, index: int) -> Example:
        """Return the `index`-th mix of step `step`; depends on nothing but these and the seed."""
        rng = np.random.default_rng([self.config.seed, step, index])
        augment = self.config.augment
        if self.bands is None or rng.random() < augment.remix:
            stems = [self._lone_stem(stem, rng) for stem in self.config.stems]
        else:
            stems = self._aligned(rng)
        return self._make(np.stack(stems), rng)

    def _lone_stem(self, stem: str, rng: np.random.Generator) -> NDArray[np.float32]:
        augment = self.config.augment
        if stem not in self.by_stem or rng.random() < augment.silence:
            return np.zeros((2, self.n_samples), np.float32)
        songs, probabilities = self.by_stem[stem]
        for _ in range(3):  # a stretch that sounds, if three draws find one
            song = songs[rng.choice(len(songs), p=probabilities)]
            y = self._cut(song.stems[stem], self._change(rng), rng.random())
            if _rms(y) > ACTIVE_FLOOR:
                break
        y = self._levelled(y, stem, song, augment.gain_db, rng)
        if augment.reverb and rng.random() < augment.reverb:
            y = reverberate(y, self.config.sr, rng)
        return y[::-1] if rng.random() < augment.swap_channels else y

    def _aligned(self, rng: np.random.Generator) -> list[NDArray[np.float32]]:
        """Stems of one song, changed alike; what it lacks comes from others."""
        augment = self.config.augment
        songs, probabilities = self.bands  # type: ignore[misc]
        song = songs[rng.choice(len(songs), p=probabilities)]
        change, where, swap = self._change(rng), rng.random(), rng.random() < augment.swap_channels
        out = []
        for stem in self.config.stems:
            if stem in song.stems:
                y = self._cut(song.stems[stem], change, where)
                y = self._levelled(y, stem, song, augment.gain_db / 2.0, rng)
                out.append(y[::-1] if swap else y)
            else:
                out.append(self._lone_stem(stem, rng))
        return out

    def _levelled(
        self, y: NDArray[np.float32], stem: str, song: Song, spread_db: float, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Give a stretch a random gain, and the level of a real mix first where it does not lie at one."""
        gain_db = rng.normal(0.0, spread_db)
        if not self.config.sources[song.source].natural_levels and (rms := _rms(y)) > ACTIVE_FLOOR:
            gain_db += rng.choice(self.levels[stem]) - 20.0 * np.log10(rms)
        return y * np.float32(10.0 ** (gain_db / 20.0))

    def _change(self, rng: np.random.Generator) -> tuple[float, float]:
        """Relative speed (unchanged for a third of the draws) and relative tempo."""
        augment = self.config.augment
        speed = float(rng.uniform(1.0 - augment.speed, 1.0 + augment.speed))
        speed = 1.0 if augment.speed == 0 or rng.random() < 1.0 / 3.0 else speed
        if not augment.tempo_share or rng.random() >= augment.tempo_share:
            return speed, 1.0
        return speed, float(rng.uniform(1.0 - augment.tempo, 1.0 + augment.tempo))

    def _cut(self, y: NDArray[np.float16], change: tuple[float, float], where: float) -> NDArray[np.float32]:
        """Stretch of `n_samples` at a relative position, played faster or slower; short clips lie inside silence."""
        import soxr

        speed, tempo = change
        needed = int(np.ceil(self.n_samples * speed * tempo)) + 8
        room = y.shape[-1] - needed
        start = max(0, int(room * where))
        part = y[:, start : start + needed].astype(np.float32)
        if tempo != 1.0:
            part = _stretched(part, tempo)
        if speed != 1.0:
            part = soxr.resample(part.T, speed, 1.0, quality="LQ").T
        out = np.zeros((2, self.n_samples), np.float32)
        space = self.n_samples - min(part.shape[-1], self.n_samples)
        at = int(space * where)
        part = part[:, : self.n_samples]
        out[:, at : at + part.shape[-1]] = part
        return out

    def _natural_levels(self, stem: str) -> NDArray[np.float64]:
        """Levels in dB at which this stem lies in real mixes; a plain guess where there are none."""
        levels = []
        for song in self.by_stem[stem][0]:
            if self.config.sources[song.source].natural_levels:
                rms = _rms(song.stems[stem].astype(np.float32))
                if rms > ACTIVE_FLOOR:
                    levels.append(20.0 * np.log10(rms))
        return np.array(levels or [-20.0])


def make_example(
    stems: NDArray[np.float32], config: TrainConfig, stft: Stft, rng: np.random.Generator | None = None
) -> Example:
    """Turn stems ``(n_stems, 2, n_samples)`` into an example; `rng` draws equalisers, None leaves them out."""
    bands = config.bands
    S = spectra(stems, config, stft, rng)
    X = S.sum(axis=0)
    n_stems, _, n_frames, _ = S.shape
    target = np.empty((n_frames, bands.n_bands, 2 + 4 * n_stems), np.float32)
    for start in range(0, n_frames, BLOCK):  # what a block needs stays in a core's own cache
        block = slice(start, start + BLOCK)
        x, s = X[:, block], S[:, :, block]
        target[block, :, :2] = np.moveaxis(power(x, bands), 0, -1)
        target[block, :, 2 : 2 + 2 * n_stems] = _stems_last(cross_power(x, s, bands))
        target[block, :, 2 + 2 * n_stems :] = _stems_last(power(s, bands))
    target *= np.float32(1.0) / level(target[..., :2]) ** 2
    return Example(network_input(X, bands), target)


def spectra(stems: NDArray[np.float32], config: TrainConfig, stft: Stft, rng: np.random.Generator | None) -> Spectrum:
    """Spectra of stems, ``(n_stems, 2, n_frames, n_bins)``, each through an equaliser that `rng` draws."""
    S = stft.forward_frames(stems)
    if rng is not None and config.augment.equaliser_db:
        for index in range(S.shape[0]):
            S[index] *= equaliser(rng, config.augment.equaliser_db, stft.n_bins)
    return S


def _stems_last(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(n_stems, 2, n_frames, n_bands)`` → ``(n_frames, n_bands, 2·n_stems)``, left's stems first."""
    n_stems, n_channels, n_frames, n_bands = values.shape
    return values.transpose(2, 3, 1, 0).reshape(n_frames, n_bands, n_channels * n_stems)


def equaliser(rng: np.random.Generator, spread_db: float, n_bins: int) -> NDArray[np.float32]:
    """Smooth random gain over `n_bins` bins: six points along log frequency, joined by straight lines."""
    points = rng.normal(0.0, spread_db, 6)
    position = np.log2(np.arange(n_bins) + 4.0)
    knots = np.linspace(position[0], position[-1], points.size)
    return (10.0 ** (np.interp(position, knots, points) / 20.0)).astype(np.float32)


def _rms(y: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(y**2)))


def _stretched(y: NDArray[np.float32], tempo: float) -> NDArray[np.float32]:
    """Play `y` at another tempo and the same pitch."""
    from librosa.effects import time_stretch

    stretched: NDArray[np.float32] = time_stretch(y, rate=tempo)
    return stretched


def _probabilities(songs: Sequence[Song], config: TrainConfig) -> NDArray[np.float64]:
    """Chance of each song: its source's weight, shared out by length within the source."""
    length = np.array([song.n_samples for song in songs], float)
    source = np.array([song.source for song in songs])
    chance = np.zeros(len(songs))
    for index in np.unique(source):
        mine = source == index
        chance[mine] = config.sources[index].weight * length[mine] / length[mine].sum()
    return chance / chance.sum()
