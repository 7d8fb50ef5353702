"""What `drum_rhythm` measures of beats, with weights that have not heard the drummer; all of it is kept in a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.corpus import Scores, hear_corpus
from benchmarks.drums.groove import beats
from benchmarks.drums.models import fit_all
from benchmarks.drums.render import load_mono
from benchmarks.kept import keep
from features import EXTRACTORS
from features.drum_rhythm import Learned, analyse_drums, describe_rhythm
from features.drum_voices import Voices
from features.metre import Metre
from features.onsets import ONSET_SR

Row = NDArray[np.float64]

PARTS = ("hidden", "output", "tempo", "played", "between", "speed")
"""Names of the arrays of a fit as they are kept."""
_EXTRACTOR = EXTRACTORS["drum_rhythm"]


@dataclass(frozen=True, slots=True)
class Sound:
    """Drums to listen to.

    Parameters
    ----------
    name
        Changes with everything that the sound depends on.
    path
        The file.
    seconds
        How much of it is heard.
    """

    name: str
    path: Path
    seconds: float


def held_out_fits(scores: Scores, cache: Path, limit: int | None, jobs: int) -> dict[str, Learned]:
    """Fit all weights without each drummer in turn, unless that was done.

    Parameters
    ----------
    scores
        The performances.
    cache
        Folder in which fits are kept, for each version of the extractor: delete its ``fits`` when the fitting changes.
    limit, jobs
        As `hear_corpus`.

    Returns
    -------
    dict
        By drummer.
    """
    heard = beats(scores.root, limit)
    folder = cache / "fits" / f"v{_EXTRACTOR.version}-{len(heard)}-beats"
    files = {name: folder / f"{name}.npz" for name in sorted({beat.drummer for beat in heard})}
    lacking = [name for name, path in files.items() if not path.is_file()]
    if lacking:
        corpus = hear_corpus(scores, limit, jobs)
        for name in lacking:
            fit = fit_all(corpus, without=name)
            keep(files[name], **dict(zip(PARTS, _parts(fit), strict=True)))
    return {name: _read_fit(path) for name, path in files.items()}


def described(sound: Sound, fit: Learned, cache: Path) -> Row:
    """Measure one sound, unless that was done.

    Returns
    -------
    Row
        In the order of `mir.genre.dataset.feature_names`, shape ``(n_features,)``; NaN for what is not known, and for
        the level against a mixture, which is no matter of style.
    """
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in _parts(fit))).hexdigest()[:10]
    path = cache / f"described-v{_EXTRACTOR.version}" / digest / f"{sound.name}.npz"
    if not path.is_file():
        y = load_mono(sound.path, ONSET_SR)[: round(sound.seconds * ONSET_SR)]
        keep(path, row=_measured(y, fit))
    with np.load(path, allow_pickle=False) as found:
        row: Row = found["row"]
    return row


def _measured(y: NDArray[np.float32], fit: Learned) -> Row:
    names = [column.name for column in _EXTRACTOR.columns]
    analysis = analyse_drums(y, fit)
    if analysis is None:
        return np.array([np.nan] * len(names) + [0.0] * _EXTRACTOR.embedding_size + [1.0])
    found = describe_rhythm(analysis)
    return np.array([*(found.values.get(name, np.nan) for name in names), *found.descriptor, 1.0], dtype=np.float64)


def _parts(fit: Learned) -> tuple[NDArray[np.generic], ...]:
    return fit.voices.hidden, fit.voices.output, fit.tempo, fit.metre.played, fit.metre.between, fit.metre.speed


def _read_fit(path: Path) -> Learned:
    with np.load(path, allow_pickle=False) as kept:
        hidden, output, tempo, played, between, speed = (kept[name] for name in PARTS)
    return Learned(Voices(hidden, output), tempo, Metre(played, between, speed))
