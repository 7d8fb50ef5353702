"""What every extractor declares before it computes, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.errors import StemMissing, StemSilent, TooShort

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Column:
    """One named, measured number of a space.

    Parameters
    ----------
    name
        Column name with its unit as suffix where it has one (``f0_median_hz``).
    unit
        Unit as an analyst reads it: ``Hz``, ``semitones``, ``dB``, ``ratio``, ``1`` for plain numbers.
    low, high
        Range that values can take (inclusive).
    description
        One sentence: what a large value means.
    source
        Where the definition comes from: authors, title, venue, year, or the library's own name.
    """

    name: str
    unit: str
    low: float
    high: float
    description: str
    source: str


@dataclass(frozen=True, slots=True)
class Description:
    """What an extractor measured on one track.

    Parameters
    ----------
    values
        Exactly the declared columns, in their declared units; NaN where a number cannot be measured.
    descriptor
        What similarity is computed from, before any transform: shape ``(embedding_size,)``, float32, finite.
    """

    values: dict[str, float]
    descriptor: NDArray[np.float32]


class Stems:
    """The stems of one track and its mixture, with what several extractors need of them computed once.

    Parameters
    ----------
    signals
        ``{"mixture", "vocals", "drums", "bass", "other"}`` → float32 of shape ``(n_channels, n_samples)``,
        all of one length. Some stems may be absent.
    sr
        Sample rate in Hz, the same for all.
    """

    def __init__(self, signals: Mapping[str, Samples], sr: int) -> None:
        self._signals = dict(signals)
        self.sr = sr
        self._mono: dict[tuple[str, int], Samples] = {}

    def __contains__(self, stem: str) -> bool:
        return stem in self._signals

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stems that are here."""
        return tuple(self._signals)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return max((y.shape[-1] for y in self._signals.values()), default=0) / self.sr

    def __getitem__(self, stem: str) -> Samples:
        try:
            return self._signals[stem]
        except KeyError:
            raise StemMissing(f"stem {stem!r} was not given; there are {', '.join(self._signals)}") from None

    def mono(self, stem: str, sr: int | None = None) -> Samples:
        """Mean of the channels, shape ``(n_samples,)``, resampled to `sr` Hz where that is given; cached."""
        target = self.sr if sr is None else sr
        key = (stem, target)
        if key not in self._mono:
            y = np.ascontiguousarray(self[stem].mean(axis=0, dtype=np.float32))
            if target != self.sr:
                import soxr

                y = soxr.resample(y, self.sr, target, quality="HQ").astype(np.float32, copy=False)
            self._mono[key] = y
        return self._mono[key]


class Extractor(ABC):
    """A space's first half: from stems to named numbers and a raw descriptor.

    A subclass declares everything in class variables; `extract` checks what it was given and what comes out.
    """

    space: ClassVar[str]
    instrument: ClassVar[str]
    version: ClassVar[int]
    stems: ClassVar[tuple[str, ...]]
    if_there: ClassVar[tuple[str, ...]] = ()
    """Stems that some columns read where they are there: without them those are NaN, and nothing else changes."""
    columns: ClassVar[tuple[Column, ...]]
    descriptor_names: ClassVar[tuple[str, ...]]
    shortest_s: ClassVar[float] = 1.0
    """Seconds of sound below which nothing is measured."""

    @property
    def embedding_size(self) -> int:
        """Length of the raw descriptor."""
        return len(self.descriptor_names)

    def extract(self, stems: Stems) -> Description:
        """Describe one track.

        Raises
        ------
        StemMissing
            Where a declared stem is absent.
        StemSilent
            Where the first declared stem does not sound, relative to the mixture.
        TooShort
            Where there is too little sound to measure.
        """
        from features.activity import is_silent

        for stem in self.stems:
            stems[stem]
        if stems.duration_s < self.shortest_s:
            raise TooShort(f"{stems.duration_s:.2f} s of sound; {self.space} needs {self.shortest_s:g} s")
        if is_silent(stems, self.stems[0]):
            raise StemSilent(f"{self.stems[0]} is silent in this track")
        description = self.describe(stems)
        expected = {column.name for column in self.columns}
        if set(description.values) != expected:
            odd = set(description.values) ^ expected
            raise RuntimeError(f"{self.space} broke its declaration: columns {sorted(odd)}")
        descriptor = description.descriptor
        if descriptor.shape != (self.embedding_size,) or not np.isfinite(descriptor).all():
            raise RuntimeError(f"{self.space} broke its declaration: descriptor of shape {descriptor.shape}")
        return description

    @abstractmethod
    def describe(self, stems: Stems) -> Description:
        """Measure; the stems are there and the first one sounds."""
