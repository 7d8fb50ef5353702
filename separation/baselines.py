"""What a separator has to beat, and what it cannot: references for every score.

Each has the face of a separator (`stems`, `separate(y, sr)`), and its stems sum to the mixture, `Mixture` aside. Those
with `knowing` take a track's own stems, whichever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from separation.errors import AudioInvalid, TrainingDataMissing
from separation.musdb import STEMS, Track, mixture
from separation.samples import Samples
from separation.spectrogram import Stft

_SMALLEST_POWER = 1e-12


class Mixture:
    """Every stem is the mixture: what listening without separating scores."""

    def __init__(self, stems: Sequence[str] = STEMS) -> None:
        self.stems = stems

    def knowing(self, truth: Mapping[str, Samples]) -> Mixture:
        """Return the same for the names of these stems."""
        return Mixture(tuple(truth))

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        """Return the mixture for each stem; `y` is `(n_channels, n_samples)`."""
        return {stem: y.copy() for stem in self.stems}


class HarmonicPercussive:
    """Median filtering: the percussive part is the drums; each other stem has an equal share of the harmonic part.

    Of two stems, the accompaniment has the drums and its share.

    References
    ----------
    D. FitzGerald: Harmonic/percussive separation using median filtering. DAFx, 2010.
    """

    def __init__(self, stems: Sequence[str] = STEMS) -> None:
        self.stems = stems

    def knowing(self, truth: Mapping[str, Samples]) -> HarmonicPercussive:
        """Return the same for the names of these stems."""
        return HarmonicPercussive(tuple(truth))

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        """Separate `y`, `(n_channels, n_samples)`."""
        from librosa.decompose import hpss

        stft = Stft()
        D = stft.forward(y)
        _, percussive_mask = hpss(np.abs(D).swapaxes(-1, -2), mask=True)
        drums = stft.inverse(D * percussive_mask.swapaxes(-1, -2), y.shape[1])
        pitched = [stem for stem in self.stems if stem != "drums"]
        share = (y - drums) / np.float32(len(pitched))
        stems = {stem: drums if stem == "drums" else share.copy() for stem in self.stems}
        if "drums" not in stems:
            stems[pitched[-1]] += drums
        return stems


class OracleMask:
    """Ideal ratio mask: the shares |S| of the true stems, the best that magnitude masks of their kind can do."""

    def __init__(self, truth: Mapping[str, Samples] | None = None) -> None:
        self.stems: Sequence[str] = STEMS if truth is None else tuple(truth)
        self._truth = truth

    def knowing(self, truth: Mapping[str, Samples]) -> OracleMask:
        """Return the same oracle with the true stems of one track, `(n_channels, n_samples)` each, before it."""
        return OracleMask(truth)

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        """Separate the mixture of the stems it knows.

        Raises
        ------
        AudioInvalid
            It was told no stems, or stems of another length.
        """
        if self._truth is None or any(self._truth[stem].shape != y.shape for stem in self.stems):
            raise AudioInvalid("the oracle separates the sum of stems that it was given with knowing(truth)")
        stft = Stft()
        shares = {stem: np.abs(stft.forward(self._truth[stem])) for stem in self.stems}
        total = sum(shares.values(), np.float32(_SMALLEST_POWER))
        D = stft.forward(y)
        return {stem: stft.inverse(D * (share / total), y.shape[1]) for stem, share in shares.items()}


class Equaliser:
    """One fixed gain a stem and frequency, learned from tracks with known stems.

    It hears no track's content; the score of a separator above this one is what it understood.

    Parameters
    ----------
    gains
        A stem's gain at each frequency of the transform, `(n_bins,)`.
    sr
        Rate at which the gains were learned, Hz.
    """

    def __init__(self, gains: Mapping[str, NDArray[np.float32]], sr: int) -> None:
        self.stems: Sequence[str] = tuple(gains)
        self._gains = dict(gains)
        self._sr = sr

    @classmethod
    def fit(
        cls, tracks: Iterable[Track], *, on_track: Callable[[Track], None] | None = None, stft: Stft | None = None
    ) -> Equaliser:
        """Learn the gains that minimise the squared error, g(f) = Σ Re(X̄ S) / Σ |X|², over the tracks.

        Each track counts alike, whatever its level and length.

        Raises
        ------
        TrainingDataMissing
            There are no tracks.
        AudioInvalid
            The tracks differ in sample rate, or in their stems.
        """
        stft = stft or Stft()
        rates: set[int] = set()
        match: dict[str, NDArray[np.float64]] = {}
        power = np.zeros(stft.n_bins)
        for track in tracks:
            truth, sr = track.load()
            rates.add(sr)
            match = match or {stem: np.zeros(stft.n_bins) for stem in truth}
            if match.keys() != truth.keys():
                raise AudioInvalid(f"the equaliser's tracks have the same stems: {track.name} has {', '.join(truth)}")
            D = stft.forward(mixture(truth))
            track_power = np.sum(D.real**2 + D.imag**2, axis=(0, 1), dtype=np.float64)
            weight = 1.0 / max(float(track_power.sum()), _SMALLEST_POWER)
            power += weight * track_power
            for stem, y in truth.items():
                S = stft.forward(y)
                match[stem] += weight * np.sum(D.real * S.real + D.imag * S.imag, axis=(0, 1), dtype=np.float64)
            if on_track is not None:
                on_track(track)
        if not rates:
            raise TrainingDataMissing("the equaliser needs tracks to learn from: there are none of split 'train'")
        if len(rates) > 1:
            raise AudioInvalid(f"the equaliser's tracks have one sample rate: got {sorted(rates)} Hz")
        audible = power > _SMALLEST_POWER * power.max()
        share = 1.0 / len(match)  # where nothing was ever heard the stems share what comes
        gains = {
            stem: np.where(audible, values / np.where(audible, power, 1.0), share).astype(np.float32)
            for stem, values in match.items()
        }
        return cls(gains, rates.pop())

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        """Separate `y`, `(n_channels, n_samples)`.

        Raises
        ------
        AudioInvalid
            `sr` is not the rate that the gains were learned at.
        """
        if sr != self._sr:
            raise AudioInvalid(f"the equaliser was learned at {self._sr} Hz: got audio at {sr} Hz")
        n_fft = 2 * (len(next(iter(self._gains.values()))) - 1)
        stft = Stft(n_fft, n_fft // 4)
        D = stft.forward(y)
        return {stem: stft.inverse(D * gain, y.shape[1]) for stem, gain in self._gains.items()}
