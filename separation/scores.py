"""What an evaluation found: dB a frame, medians over frames and tracks, and how sure one may be of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

METRICS = ("sdr", "isr", "sir", "sar")

PROTOCOL = "BSS Eval v4; median over 1-s frames, then over tracks; mixture = sum of stems"
"""How every figure here is made; figures of another protocol do not compare."""

_N_BOOTSTRAP = 2000


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Scores of one track.

    Attributes
    ----------
    frames
        Metric → stem → dB, a number for each second; NaN where a stem is silent, infinite where nothing is wrong.
    duration_s, separate_s
        Length of the track, and time that separating it took.
    """

    track: str
    duration_s: float
    separate_s: float
    frames: Mapping[str, Mapping[str, tuple[float, ...]]]

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems with a score."""
        return tuple(self.frames[METRICS[0]])

    def median(self, metric: str) -> dict[str, float]:
        """Median over the frames of each stem, dB; NaN where it is silent throughout."""
        table = np.array(list(self.frames[metric].values())).T
        return dict(zip(self.stems, _nanmedian(table).tolist(), strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Row of the report, ready for JSON."""
        times = {"duration_s": self.duration_s, "separate_s": self.separate_s}
        return {"track": self.track, **times, **{metric: _numbers(self.median(metric)) for metric in METRICS}}

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON; in `frames` silence is None, and infinity a string."""
        frames = {
            metric: {stem: [_written(value) for value in values] for stem, values in stems.items()}
            for metric, stems in self.frames.items()
        }
        return {**self.as_dict(), "frames": frames}

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> TrackScore:
        """Undo `to_json`."""
        frames = {
            metric: {stem: tuple(_read(value) for value in values) for stem, values in table["frames"][metric].items()}
            for metric in METRICS
        }
        return cls(str(table["track"]), float(table["duration_s"]), float(table["separate_s"]), frames)


@dataclass(frozen=True, slots=True)
class Failure:
    """A track that could not be read, separated or scored, and why."""

    track: str
    error: str

    def as_dict(self) -> dict[str, str]:
        """Row of the report."""
        return {"track": self.track, "error": self.error}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one separator over tracks."""

    model: str
    tracks: tuple[TrackScore, ...]
    failed: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, model: str, results: Iterable[TrackScore | Failure]) -> Evaluation:
        """Put the results of tracks together."""
        each = tuple(results)
        scores = tuple(result for result in each if isinstance(result, TrackScore))
        return cls(model, scores, tuple(result for result in each if isinstance(result, Failure)))

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems that any track has a score of."""
        return tuple(dict.fromkeys(stem for score in self.tracks for stem in score.stems))

    def table(self, metric: str) -> NDArray[np.float64]:
        """Median over the frames of each track, `(n_tracks, n_stems)`, dB; NaN where there is none."""
        rows = [score.median(metric) for score in self.tracks]
        values = [[row.get(stem, math.nan) for stem in self.stems] for row in rows]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(self.stems))

    def median(self, metric: str) -> dict[str, float]:
        """Median over tracks for each stem, dB; tracks without a score do not count."""
        return dict(zip(self.stems, _nanmedian(self.table(metric)).tolist(), strict=True))

    @property
    def mean_sdr(self) -> float:
        """Mean over the stems of their median SDR, dB; NaN without scores."""
        medians = self.median("sdr").values()
        return sum(medians) / len(medians) if medians else math.nan

    def mean_sdr_interval(self, *, seed: int = 0) -> tuple[float, float]:
        """95 % bootstrap interval of `mean_sdr`, drawing tracks with replacement; dB, NaN for fewer than two tracks."""
        table = self.table("sdr")
        if len(table) < 2:
            return math.nan, math.nan
        draws = np.random.default_rng(seed).integers(0, len(table), size=(_N_BOOTSTRAP, len(table)))
        means = _nanmedian(table[draws]).mean(axis=1)
        means = means[np.isfinite(means)]
        if not means.size:
            return math.nan, math.nan
        low, high = np.quantile(means, [0.025, 0.975])
        return float(low), float(high)

    @property
    def statement(self) -> str:
        """The result in one line."""
        tracks = f"{len(self.tracks)} track{'' if len(self.tracks) == 1 else 's'}"
        low, high = self.mean_sdr_interval()
        interval = f" (95 %: {low:.2f} to {high:.2f})" if low <= high else ""
        return f"{self.model} on {tracks}: mean SDR {self.mean_sdr:.2f} dB{interval}"

    def summary(self) -> dict[str, Any]:
        """Figures over all tracks, ready for JSON: what is no number (a stem silent everywhere) is None."""
        return {
            "model": self.model,
            "tracks": len(self.tracks),
            **{metric: _numbers(self.median(metric)) for metric in METRICS},
            "mean_sdr": _number(self.mean_sdr),
            "mean_sdr_interval_95": [_number(bound) for bound in self.mean_sdr_interval()],
            "duration_s": round(sum(score.duration_s for score in self.tracks), 3),
            "separate_s": round(sum(score.separate_s for score in self.tracks), 3),
            "failed": [failure.as_dict() for failure in self.failed],
        }

    def as_dict(self) -> dict[str, Any]:
        """Report, ready for JSON: `summary`, and a row for each track."""
        return {**self.summary(), "protocol": PROTOCOL, "per_track": [score.as_dict() for score in self.tracks]}


def _nanmedian(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median down each column `(…, n_rows, n_columns)` of what is a number; NaN, without a warning, where none is."""
    ordered = np.sort(table, axis=-2)  # NaN last
    count = np.sum(~np.isnan(table), axis=-2, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, axis=-2) for at in (np.maximum(count - 1, 0) // 2, count // 2))
    return ((low + high) / 2).squeeze(axis=-2)


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _written(value: float) -> float | str | None:
    return None if math.isnan(value) else value if math.isfinite(value) else str(value)


def _read(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
