"""Score a separator on tracks whose stems are known.

What is separated is the sum of the true stems. Scores are BSS Eval v4, the median over one-second frames and then
over tracks, as the field reports them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from separation.bss_eval import bss_eval
from separation.decode import Samples
from separation.errors import AudioInvalid, ModelUnknown
from separation.musdb import STEMS, Track, find_tracks, mixture

__all__ = [
    "BASELINES",
    "METRICS",
    "Evaluation",
    "Separates",
    "Track",
    "TrackScore",
    "baseline",
    "evaluate",
    "find_tracks",
    "score_track",
]

METRICS = ("sdr", "isr", "sir", "sar")
BASELINES = ("mixture", "hpss", "oracle", "equaliser")

_N_BOOTSTRAP = 2000


class Separates(Protocol):
    """Anything that takes audio apart."""

    @property
    def stems(self) -> Sequence[str]:
        """Names of its stems."""
        ...

    def separate(self, y: Samples, sr: int) -> Mapping[str, Samples]:
        """Stems of `y`, each of its shape."""
        ...


@runtime_checkable
class Oracle(Protocol):
    """A separator that is told the truth before each track."""

    def knowing(self, truth: Mapping[str, Samples], sr: int) -> Separates:
        """The separator for the track with these stems."""
        ...


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Scores of one track: metric → stem → median over its frames, dB; NaN where a stem is silent throughout."""

    track: str
    duration_s: float
    separate_s: float
    scores: Mapping[str, Mapping[str, float]]

    def as_dict(self) -> dict[str, Any]:
        """Row of the report, ready for JSON."""
        times = {"duration_s": round(self.duration_s, 3), "separate_s": round(self.separate_s, 3)}
        return {"track": self.track, **times, **{metric: _numbers(stems) for metric, stems in self.scores.items()}}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one separator over tracks."""

    model: str
    stems: tuple[str, ...]
    tracks: tuple[TrackScore, ...]

    def median(self, metric: str) -> dict[str, float]:
        """Median over tracks for each stem, dB; tracks without a score do not count."""
        table = self._table(metric)
        return dict(zip(self.stems, _nanmedian(table).tolist(), strict=True))

    @property
    def mean_sdr(self) -> float:
        """Mean over the stems of their median SDR, dB."""
        return float(np.mean(list(self.median("sdr").values())))

    def mean_sdr_interval(self, *, seed: int = 0) -> tuple[float, float]:
        """95 % bootstrap interval of `mean_sdr`, drawing tracks with replacement; dB."""
        table = self._table("sdr")
        rng = np.random.default_rng(seed)
        draws = rng.integers(0, len(table), size=(_N_BOOTSTRAP, len(table)))
        means = np.array([_nanmedian(table[draw]).mean() for draw in draws])
        means = means[np.isfinite(means)]
        if not means.size:
            return math.nan, math.nan
        low, high = np.quantile(means, [0.025, 0.975])
        return float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """Report, ready for JSON: scores that are no number (a stem silent everywhere) are None."""
        return {
            "model": self.model,
            "tracks": len(self.tracks),
            **{metric: _numbers(self.median(metric)) for metric in METRICS},
            "mean_sdr": _number(self.mean_sdr),
            "mean_sdr_interval_95": [_number(bound) for bound in self.mean_sdr_interval()],
            "duration_s": round(sum(score.duration_s for score in self.tracks), 3),
            "separate_s": round(sum(score.separate_s for score in self.tracks), 3),
            "protocol": "BSS Eval v4; median over 1-s frames, then over tracks; mixture = sum of stems",
            "per_track": [score.as_dict() for score in self.tracks],
        }

    def _table(self, metric: str) -> NDArray[np.float64]:
        """Scores `(n_tracks, n_stems)`, dB."""
        return np.array([[score.scores[metric][stem] for stem in self.stems] for score in self.tracks])


def evaluate(
    separator: Separates,
    tracks: Sequence[Track],
    *,
    model: str,
    on_track: Callable[[TrackScore], None] | None = None,
) -> Evaluation:
    """Separate and score tracks one after the other.

    Parameters
    ----------
    separator
        Anything with `stems` and `separate(y, sr)`. `accompaniment` is scored against everything but the vocals; a stem
        without a true counterpart (`piano`) counts as part of `other`.
    tracks
        From `find_tracks`.
    model
        Name for the report.
    on_track
        Called after each track.

    Raises
    ------
    AudioInvalid
        No tracks, a separator without a stem that can be scored, or one that returns another shape than it was given.
    """
    if not tracks:
        raise AudioInvalid("there is no track to evaluate on")
    scores = []
    for track in tracks:
        scores.append(score_track(separator, track))
        if on_track is not None:
            on_track(scores[-1])
    return Evaluation(model=model, stems=tuple(scores[0].scores["sdr"]), tracks=tuple(scores))


def score_track(separator: Separates, track: Track) -> TrackScore:
    """Separate and score one track; see `evaluate`."""
    truth, sr = track.load()
    y = mixture(truth)
    if isinstance(separator, Oracle):
        separator = separator.knowing(truth, sr)
    started = time.perf_counter()
    estimates = separator.separate(y, sr)
    separate_s = time.perf_counter() - started
    for stem, estimate in estimates.items():
        if estimate.shape != y.shape:
            raise AudioInvalid(f"stem {stem!r} has shape {estimate.shape}, the mixture {y.shape}: they must be equal")
    truth, estimates = _matched(truth, estimates)
    result = bss_eval(np.stack(list(truth.values())), np.stack([estimates[stem] for stem in truth]), window=sr, hop=sr)
    medians = {metric: _nanmedian(getattr(result, metric).T).tolist() for metric in METRICS}
    return TrackScore(
        track=track.name,
        duration_s=y.shape[1] / sr,
        separate_s=separate_s,
        scores={metric: dict(zip(truth, values, strict=True)) for metric, values in medians.items()},
    )


def baseline(name: str, folder: str | Path, *, on_track: Callable[[Track], None] | None = None) -> Separates:
    """Make a baseline by its name; the equaliser is fitted on the folder's `train` split.

    Raises
    ------
    ModelUnknown
        No such baseline.
    AudioMissing
        The equaliser finds nothing to learn from.
    """
    from separation.baselines import Equaliser, HarmonicPercussive, Mixture, OracleMask

    if name == "equaliser":
        return Equaliser.fit(find_tracks(folder, split="train"), on_track=on_track)
    simple: dict[str, Callable[[], Separates]] = {
        "mixture": Mixture, "hpss": HarmonicPercussive, "oracle": OracleMask,
    }  # fmt: skip
    if name not in simple:
        raise ModelUnknown(f"no baseline {name!r}: there are {', '.join(BASELINES)}")
    return simple[name]()


def _matched(
    truth: Mapping[str, Samples], estimates: Mapping[str, Samples]
) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Bring the true stems and a model's own to the same names, without losing a sample of either."""
    estimates = dict(estimates)
    if "accompaniment" in estimates:
        rest = [y for stem, y in truth.items() if stem != "vocals"]
        true = {"vocals": truth["vocals"], "accompaniment": _total(rest)}
    else:
        true = dict(truth)
    extra = [stem for stem in estimates if stem not in true]
    if extra and "other" in estimates:
        estimates["other"] = _total([estimates["other"], *(estimates[stem] for stem in extra)])
    missing = [stem for stem in true if stem not in estimates]
    if missing:
        raise AudioInvalid(
            f"the separator gives {', '.join(estimates)}: scoring needs {', '.join(STEMS)}, or vocals and accompaniment"
        )
    return true, estimates


def _total(parts: Iterable[Samples]) -> Samples:
    total: Samples = np.sum(list(parts), axis=0, dtype=np.float32)
    return total


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _nanmedian(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median down each column over what is a number; NaN, without a warning, where there is none."""
    return np.array([np.median(kept) if (kept := column[~np.isnan(column)]).size else np.nan for column in table.T])
