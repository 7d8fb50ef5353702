"""BSS Eval of track after track, in spawned processes while the main one separates, or here.

Linear algebra runs on one thread wherever it runs, so a figure does not depend on how many processes there are. The
death of a process is one track's failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from separation.bss_eval import bss_eval
from separation.errors import SeparationError
from separation.processes import Crew, Death, guard_missing, serving
from separation.samples import Samples
from separation.scores import METRICS, Failure, TrackScore

FAILURES = (SeparationError, OSError, MemoryError, np.linalg.LinAlgError)
"""Errors that are one track's: it is listed, and the others go on."""

DITHER_DB = -80.0
"""Level of the noise that `Separated.dithered` adds, dB of full scale."""


class ScorersUnavailable(SeparationError, RuntimeError):
    """Scoring processes end before they have begun."""


@dataclass(frozen=True, slots=True)
class Separated:
    """A track that is separated and waits to be scored.

    Attributes
    ----------
    references, estimates : float32, (n_stems, n_channels, n_samples)
        True and estimated stems, in the order of `stems`.
    sr
        Their rate, Hz; a frame has as many samples.
    """

    track: str
    stems: tuple[str, ...]
    references: Samples
    estimates: Samples
    sr: int
    separate_s: float

    @property
    def duration_s(self) -> float:
        """Length of the track."""
        return self.references.shape[-1] / self.sr

    def dithered(self) -> Separated:
        """Return the same with white noise in every stem and estimate, but where they are silent for a second.

        Stems decoded from a lossy format are empty above some frequency, all of them alike. Filters of 512 taps find
        one stem in the other there, so that SIR and SAR mean nothing. Noise of `DITHER_DB` makes them differ; the
        SDR stays as it was, to 0.01 dB.
        """
        rng = np.random.default_rng(0)
        pair = []
        for stems in (self.references, self.estimates):
            noisy = stems.copy()
            for start in range(0, stems.shape[-1], self.sr):
                second = noisy[..., start : start + self.sr]
                heard = second.any(axis=(1, 2), keepdims=True)
                noise = rng.standard_normal(second.shape, np.float32) * np.float32(10.0 ** (DITHER_DB / 20.0))
                second += noise * heard
            pair.append(noisy)
        return replace(self, references=pair[0], estimates=pair[1])

    def without_signals(self) -> Separated:
        """Return the same without its samples, as long as it was."""
        nothing = np.empty((0, 0, self.references.shape[-1]), np.float32)
        return replace(self, references=nothing, estimates=nothing)

    def scored(self, scores: NDArray[np.float64]) -> TrackScore:
        """Name the numbers: `scores` is `(n_metrics, n_stems, n_frames)`."""
        frames = {
            metric: {stem: tuple(values) for stem, values in zip(self.stems, table.tolist(), strict=True)}
            for metric, table in zip(METRICS, scores, strict=True)
        }
        return TrackScore(self.track, round(self.duration_s, 3), round(self.separate_s, 3), frames)


def score(separated: Separated) -> TrackScore:
    """Score a track in this process.

    Raises
    ------
    AudioInvalid
        As `bss_eval`.
    """
    return separated.scored(_measure(separated.references, separated.estimates, separated.sr))


class Scorers:
    """Processes that score, started as they are needed and kept until the block ends.

    Parameters
    ----------
    n
        At most how many, and so how many tracks are in memory; 1 scores in this process.

    Examples
    --------
    >>> with Scorers(1) as scorers:
    ...     list(scorers.score([Failure("a track", "not readable")]))
    [Failure(track='a track', error='not readable')]
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._crew: Crew[Separated, NDArray[np.float64] | str] = Crew(n, _serve, name="mir-score")

    def __enter__(self) -> Scorers:
        self._have_one_idle()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.__exit__(kind, error, trace)

    def score(self, tracks: Iterable[Separated | Failure]) -> Iterator[TrackScore | Failure]:
        """Score tracks as they come, and yield results as they are ready; a failure passes through.

        Raises
        ------
        ScorersUnavailable
            A process ended before it was ready.
        """
        for track in tracks:
            if isinstance(track, Failure):
                yield track
            elif self._n < 2:
                yield _outcome(track)
            else:
                while not self._crew.free:
                    yield from self._results()
                self._crew.give(track.without_signals(), partial(_send, track))
                del track  # its signals are the process's now
                self._have_one_idle()
                yield from self._results(wait_s=0.0)
        while self._crew.busy:
            yield from self._results()

    def _have_one_idle(self) -> None:
        if self._n > 1:
            self._crew.have_idle(1)

    def _results(self, wait_s: float | None = None) -> Iterator[TrackScore | Failure]:
        """Yield what is finished; without `wait_s`, once something is."""
        for track, answer in self._crew.answers(wait_s):
            if isinstance(answer, Death):
                if not answer.begun:
                    raise ScorersUnavailable(guard_missing("the scoring processes", "evaluates", answer.how))
                yield Failure(track.track, f"the process that scored this track died ({answer.how})")
            elif isinstance(answer, str):
                yield Failure(track.track, answer)
            else:
                yield track.scored(answer)


def _send(track: Separated, connection: Connection) -> None:
    connection.send((track.references.shape, track.sr))
    for signals in (track.references, track.estimates):
        for y in signals.reshape(-1, signals.shape[-1]):
            connection.send_bytes(np.ascontiguousarray(y).data)


def _serve(connection: Connection) -> None:
    """Score what comes until the main process is gone."""
    with serving(connection):
        while True:
            shape, sr = connection.recv()
            signals = np.empty((2, *shape), np.float32)
            for y in signals.reshape(-1, shape[-1]):
                connection.recv_bytes_into(y.data)
            try:
                connection.send(_measure(signals[0], signals[1], sr))
            except FAILURES as error:
                connection.send(reason(error))


def reason(error: BaseException) -> str:
    """Words for an error: its own, or its kind where it has none."""
    return str(error) or type(error).__name__


def _outcome(track: Separated) -> TrackScore | Failure:
    try:
        return score(track)
    except FAILURES as error:
        return Failure(track.track, reason(error))


def _measure(references: Samples, estimates: Samples, sr: int) -> NDArray[np.float64]:
    """Scores `(n_metrics, n_stems, n_frames)` in dB, of one-second frames."""
    import scipy.linalg  # noqa: F401 - the limit holds for libraries that are loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        result = bss_eval(references, estimates, window=sr, hop=sr)
    return np.stack([getattr(result, metric) for metric in METRICS])
