"""Descriptors of the 94 previews' voices, measured once: whole tracks, windows of them, and through an equaliser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept import keep
from benchmarks.retrieval.equaliser import equalise, random_gains
from benchmarks.retrieval.separators import Separators
from features import EXTRACTORS, Stems
from features.errors import StemSilent, TooShort
from mir.retrieval.queries import Recording
from mir.within import Within
from separation.audio import load
from separation.musdb import STREAMS, Track

Matrix = NDArray[np.float64]
Row = NDArray[np.float32]
Flags = NDArray[np.bool_]

SPACE = "vocal_timbre"
NO_SINGER = "Music Delta"
"""A project, not one singer: each of its tracks counts as an artist of its own, so that none of them asks."""

N_WINDOWS = 3
WINDOW_S = 3.0


@dataclass(frozen=True)
class Voices:
    """What was measured of each track.

    Parameters
    ----------
    recordings
        The tracks.
    whole, equalised, mfcc
        Shape ``(n, n_in)`` each; NaN where there is no voice. `equalised` is what the same track gives through a
        random equaliser; of tracks that ask only.
    windows
        Descriptors of three windows of 3 s each, shape ``(n, 3, n_in)``.
    valid
        Whether a track is one of the 14 that no training hears.
    """

    recordings: list[Recording]
    whole: Matrix
    equalised: Matrix
    mfcc: Matrix
    windows: NDArray[np.float64]
    valid: Flags

    def within(self, seen: Flags) -> Within:
        """What varies within a voice, from some of the tracks: from window to window, and through an equaliser."""
        windows, filtered = [], []
        for place in np.flatnonzero(seen):
            rows = self.windows[place]
            windows.append(rows[np.isfinite(rows).all(axis=1)])
            pair = np.stack([self.whole[place], self.equalised[place]])
            filtered.append(pair[np.isfinite(pair).all(axis=1)])
        by_window = measure(windows, "windows of 3 s")
        by_filter = measure(filtered, "random three-band equalisers of ±6 dB")
        return by_window.plus(by_filter)


def measure(groups: Sequence[Matrix], source: str) -> Within:
    """Measure `Within` of this space."""
    return Within.measure(groups, space=SPACE, version=EXTRACTORS[SPACE].version, source=source)


def vocal_timbre(vocals: Row, mixture: Row, sr: int) -> Row:
    """Our descriptor; NaN where there is no voice."""
    extractor = EXTRACTORS[SPACE]
    try:
        return extractor.extract(Stems({"vocals": vocals, "mixture": mixture}, sr)).descriptor
    except (StemSilent, TooShort):
        return np.full(extractor.embedding_size, np.nan, np.float32)


def mfcc_statistics(vocals: Row, sr: int) -> Row:
    """Mean and deviation of 20 MFCC with c0: what one would do first."""
    import librosa

    mfcc = librosa.feature.mfcc(y=vocals.mean(axis=0), sr=sr, n_mfcc=20)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]).astype(np.float32)


def recording_of(number: int, track: Track) -> Recording:
    """Return a track as the protocol knows it: no albums are known."""
    artist = track.name.split(" - ")[0]
    return Recording(number, track.name, (track.name if artist == NO_SINGER else artist,), None, 7.0)


def describe(tracks: Sequence[Track], source: str, separators: Separators, cache: Path) -> Voices:
    """Measure all tracks, or read what was measured before.

    Parameters
    ----------
    source
        ``true`` for the true vocal stem, ``separated``, or ``mixture`` for the mixture in the vocals' role.
    cache
        Folder with one file a track, extractor version and separator; a call that is killed goes on.
    """
    recordings = [recording_of(number, track) for number, track in enumerate(tracks)]
    artists = [recording.artists[0] for recording in recordings]
    parts: dict[str, list[Row]] = {name: [] for name in ("whole", "equalised", "mfcc", "windows")}
    for number, track in enumerate(tracks):
        path = cache / _folder(source, separators, track) / f"{track.name}.npz"
        if not path.is_file():
            asks = artists.count(artists[number]) > 1
            keep(path, **_describe(track, source, separators, number, asks=asks))
        with np.load(path, allow_pickle=False) as found:
            for name, rows in parts.items():
                rows.append(found[name])
    stacked = {name: np.array(rows, np.float64) for name, rows in parts.items()}
    return Voices(recordings, valid=np.array([track.split == "valid" for track in tracks]), **stacked)


def _folder(source: str, separators: Separators, track: Track) -> str:
    version = f"v{EXTRACTORS[SPACE].version}"
    if source != "separated":
        return f"{source}-{version}"
    return f"{source}-{version}-{separators.load(track).source_id}".replace("/", "_").replace(":", "_")


def _describe(track: Track, source: str, separators: Separators, number: int, *, asks: bool) -> dict[str, Row]:
    mixture, sr = load(track.path, stream=STREAMS["mixture"])
    true = load(track.path, stream=STREAMS["vocals"])[0] if source == "true" else mixture
    gains = random_gains(number)

    def vocals_of(sound: Row, stem: Row) -> Row:
        return separators.load(track).separate(sound, sr)["vocals"] if source == "separated" else stem

    vocals = vocals_of(mixture, true)
    n = min(vocals.shape[1], mixture.shape[1])
    vocals, mixture = vocals[:, :n], mixture[:, :n]
    whole = vocal_timbre(vocals, mixture, sr)
    equalised = np.full_like(whole, np.nan)
    if asks:
        filtered = equalise(mixture, sr, gains)
        equalised = vocal_timbre(vocals_of(filtered, equalise(true, sr, gains))[:, :n], filtered, sr)
    windows = [vocal_timbre(vocals[:, cut], mixture[:, cut], sr) for cut in _cuts(n, sr)]
    return {"whole": whole, "equalised": equalised, "mfcc": mfcc_statistics(vocals, sr), "windows": np.stack(windows)}


def _cuts(n: int, sr: int) -> Iterator[slice]:
    length = min(int(WINDOW_S * sr), n)
    for start in np.linspace(0, n - length, N_WINDOWS).astype(int):
        yield slice(start, start + length)
