"""Score a separator on tracks whose stems are known.

What is separated is the sum of the true stems. Scores are BSS Eval v4, the median over one-second frames and then
over tracks, as the field reports them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from separation.errors import AudioInvalid, ModelUnknown
from separation.musdb import STEMS, Track, find_tracks, mixture
from separation.samples import Samples
from separation.scores import METRICS, Evaluation, Failure, TrackScore
from separation.scoring import FAILURES, Scorers, Separated, reason, score

__all__ = [
    "BASELINES",
    "METRICS",
    "Evaluation",
    "Failure",
    "Scorers",
    "Separates",
    "Track",
    "TrackScore",
    "baseline",
    "comparable",
    "evaluate",
    "find_tracks",
    "results",
    "score_track",
]

BASELINES = ("mixture", "hpss", "equaliser", "oracle")


class Separates(Protocol):
    """Anything that takes audio apart."""

    @property
    def stems(self) -> Sequence[str]:
        """Names of its stems."""
        ...

    def separate(self, y: Samples, sr: int) -> Mapping[str, Samples]:
        """Stems of `y`, each of its length; of its channels too, though from one channel they may have several."""
        ...


@runtime_checkable
class Informed(Protocol):
    """A separator that is told the true stems before each track."""

    def knowing(self, truth: Mapping[str, Samples]) -> Separates:
        """The separator for the track with these stems."""
        ...


def evaluate(
    separator: Separates,
    tracks: Sequence[Track],
    *,
    model: str,
    stems: Collection[str] | None = None,
    scorers: Scorers | None = None,
    dither: bool = False,
) -> Evaluation:
    """Separate and score tracks; `model` names the separator in the report. See `results` for the rest.

    Returns
    -------
    Evaluation
        Scores in the order of `tracks`.
    """
    found = {result.track: result for result in results(separator, tracks, stems=stems, scorers=scorers, dither=dither)}
    return Evaluation.of(model, [found[track.name] for track in tracks])


def results(
    separator: Separates,
    tracks: Iterable[Track],
    *,
    stems: Collection[str] | None = None,
    scorers: Scorers | None = None,
    dither: bool = False,
) -> Iterator[TrackScore | Failure]:
    """Separate tracks in this process, and yield scores as they are ready.

    Parameters
    ----------
    separator
        Anything with `stems` and `separate(y, sr)`.
    tracks
        From `find_tracks`.
    stems
        Stems of the separator that this one is to be compared with: both are scored on the same; see `comparable`.
    scorers
        Processes to score in; None scores in this one. The figures are the same.
    dither
        Add faint noise to stems of a lossy format before scoring, see `separation.scoring.Separated.dithered`.

    Yields
    ------
    TrackScore or Failure
        A track that cannot be read, separated or scored is a failure, and the others go on.

    Raises
    ------
    ScorersUnavailable
        The processes to score in do not start.
    """
    attempts = (_attempt(separator, track, stems) for track in tracks)
    if dither:
        attempts = (each.dithered() if isinstance(each, Separated) else each for each in attempts)
    return (scorers or Scorers(1)).score(attempts)


def score_track(separator: Separates, track: Track, *, stems: Collection[str] | None = None) -> TrackScore:
    """Separate and score one track; see `evaluate`.

    Raises
    ------
    AudioMissing, AudioUnreadable
        The track cannot be read.
    AudioInvalid
        The separator gives no stem that can be compared with the true ones, or one of another shape.
    """
    return score(_separate(separator, track, stems))


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


def comparable(truth: Collection[str], given: Collection[str]) -> tuple[str, ...]:
    """Names under which true stems and a separator's can be compared without losing a sample of either.

    The same names on both sides, whatever they are, can be. `accompaniment` on one side is everything but the vocals on
    the other. A stem that only one side has (`piano`) counts as part of `other`.

    Raises
    ------
    AudioInvalid
        There are none: drums, say, that are only on one side.

    Examples
    --------
    >>> comparable(("vocals", "drums", "bass", "other"), ("vocals", "piano", "drums", "bass", "other"))
    ('vocals', 'drums', 'bass', 'other')
    >>> comparable(("vocals", "drums", "bass", "other"), ("vocals", "accompaniment"))
    ('vocals', 'accompaniment')
    """
    if set(truth) == set(given):
        return tuple(truth)
    if "accompaniment" in truth or "accompaniment" in given:
        names: tuple[str, ...] = ("vocals", "accompaniment")
        possible = "vocals" in truth and "vocals" in given
    else:
        names = tuple(stem for stem in truth if stem in given)
        lonely = {*truth} ^ {*given}
        possible = not lonely or ("other" in names and lonely.isdisjoint(STEMS))
    if not possible:
        raise AudioInvalid(
            f"the true stems are {', '.join(truth)} and the separator gives {', '.join(given)}: scoring needs "
            f"{', '.join(STEMS)} on both sides, or vocals and accompaniment, or the same names of one's own"
        )
    return names


def _attempt(separator: Separates, track: Track, stems: Collection[str] | None) -> Separated | Failure:
    try:
        return _separate(separator, track, stems)
    except FAILURES as error:
        return Failure(track.name, reason(error))


def _separate(separator: Separates, track: Track, stems: Collection[str] | None) -> Separated:
    truth, sr = track.load()
    if stems is not None:
        names = comparable(tuple(truth), stems)
        truth = dict(zip(names, _stacked(truth, names), strict=True))
    if isinstance(separator, Informed):
        separator = separator.knowing(truth)
    names = comparable(tuple(truth), separator.stems)
    y = mixture(truth)
    references = _stacked(truth, names)
    del truth  # a track of some minutes has hundreds of megabytes
    started = time.perf_counter()
    given = separator.separate(y, sr)
    separate_s = time.perf_counter() - started
    estimates = _stacked({stem: _as_heard(stem, part, y) for stem, part in given.items()}, names)
    return Separated(track.name, names, references, estimates, sr, separate_s)


def _as_heard(stem: str, estimate: Samples, y: Samples) -> Samples:
    """Return the estimate with the mixture's channels: of one channel some separators make two."""
    if y.shape[0] == 1 and estimate.shape[0] > 1:
        estimate = estimate.mean(axis=0, keepdims=True)
    if estimate.shape != y.shape:
        raise AudioInvalid(f"stem {stem!r} has shape {estimate.shape}, the mixture {y.shape}: they must be equal")
    return estimate


def _stacked(stems: Mapping[str, Samples], names: Sequence[str]) -> Samples:
    """Stems by these names, `(n_names, n_channels, n_samples)`; others are added to `accompaniment` or `other`."""
    rest = "accompaniment" if "accompaniment" in names else "other"
    out = np.zeros((len(names), *next(iter(stems.values())).shape), np.float32)
    for stem, y in stems.items():
        out[names.index(stem if stem in names else rest)] += y
    return out
