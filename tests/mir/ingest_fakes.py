"""Stand-ins for what is slow in an ingest: a separator that cuts by frequency, and measurements that cost nothing."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog.records import SpaceResult, StemRow
from mir.ingest import SeparatorSource

Samples = NDArray[np.float32]
SR = 44_100
BANDS_HZ = {"bass": (0, 200), "vocals": (200, 2000), "other": (2000, 6000), "drums": (6000, 1e9)}


@dataclass
class BandSplitter:
    """Four stems that sum to the mixture; every call is one line in `log` (a checksum of what it heard)."""

    log: Path

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        with self.log.open("a") as file:
            file.write(checksum(y) + "\n")
        if float(np.abs(y).max()) > 0.95:
            raise ValueError("this model hates loud music")
        spectrum, hz = np.fft.rfft(y), np.fft.rfftfreq(y.shape[1], 1 / sr)
        return {
            stem: np.fft.irfft(spectrum * ((low <= hz) & (hz < high)), y.shape[1]).astype(np.float32)
            for stem, (low, high) in BANDS_HZ.items()
        }


def checksum(y: Samples) -> str:
    return hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest()


def fake_source(log: Path, name: str = "fake:1") -> SeparatorSource:
    log.touch()
    return SeparatorSource(source_id=name, load=lambda: BandSplitter(log))


def calls(log: Path) -> list[str]:
    return log.read_text().split()


def cheap_describe(
    signals: Mapping[str, Samples], sr: int, source_id: str, wanted: Sequence[str]
) -> tuple[list[StemRow], list[SpaceResult]]:
    """Declared shapes with made-up numbers; silence where there is silence; the worker dies of a 666 Hz tone."""
    mixture = signals["mixture"]
    spectrum = np.abs(np.fft.rfft(mixture[0]))
    peak_hz = float(np.argmax(spectrum)) * sr / mixture.shape[1]
    if abs(peak_hz - 666) < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    rows = [StemRow(stem, source_id, -20.0, 0.5) for stem in signals if stem != "mixture"]
    results = []
    for space in wanted:
        one = EXTRACTORS[space]
        heard = signals[one.stems[0]]
        if float(np.abs(heard).max()) < 1e-4:
            results.append(SpaceResult(space, one.version, source_id, "silent", f"{one.stems[0]} is silent"))
        elif mixture.shape[1] < sr:
            results.append(SpaceResult(space, one.version, source_id, "failed", "too short to measure"))
        else:
            values = {column.name: min(max(1.0, column.low), column.high) for column in one.columns}
            descriptor = np.random.default_rng(len(results)).normal(size=one.embedding_size).astype(np.float32)
            results.append(SpaceResult(space, one.version, source_id, "ok", values=values, descriptor=descriptor))
    return rows, results


def write_tone(
    path: Path, hz: float = 440.0, seconds: float = 1.5, sr: int = SR, level: float = 0.2, n_channels: int = 1
) -> Path:
    """A tone with a little of everything, so that every stem sounds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(seconds * sr)) / sr
    y = level * np.sin(2 * np.pi * hz * t)
    for partial in (100.0, 3000.0, 8000.0):
        y += 0.1 * level * np.sin(2 * np.pi * partial * t)
    soundfile.write(path, np.repeat(y[:, None], n_channels, axis=1), sr)
    return path
