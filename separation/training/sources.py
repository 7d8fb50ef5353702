"""Stems in memory: what a training run draws its mixes from."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.audio import AUDIO_SUFFIXES, load
from separation.errors import TrainingDataMissing
from separation.musdb import STREAMS
from separation.training.config import Source
from separation.training.room import reverberate


@dataclass(frozen=True, slots=True)
class Song:
    """Aligned stems of one song (or one solo clip).

    Parameters
    ----------
    name
        What the song is called, for messages.
    stems
        ``{stem: float16 (2, n_samples)}``; half precision halves the memory and lies 60 dB under the music.
    source
        Index of the source it came from.
    """

    name: str
    stems: dict[str, NDArray[np.float16]]
    source: int

    @property
    def n_samples(self) -> int:
        """Length of the longest stem."""
        return max(y.shape[-1] for y in self.stems.values())


def load_songs(
    source: Source,
    index: int,
    data: Path,
    stems: Sequence[str],
    sr: int,
    on_file: Callable[[Path], None] | None = None,
) -> list[Song]:
    """Decode every song of a source.

    Raises
    ------
    TrainingDataMissing
        Where the folder is not there or holds nothing of what was asked for.
    """
    folder = data / source.path
    if not folder.is_dir():
        raise TrainingDataMissing(f"no folder {folder}; give the data folder with --data or $MIR_DATA")
    wanted = tuple(stem for stem in stems if not source.stems or stem in source.stems)
    reader = {"musdb": _musdb, "stems": _stem_folders, "voices": _voices}[source.kind]
    songs = [
        Song(name, found, index)
        for name, found in reader(source, folder, wanted, sr, on_file)
        if any(y.shape[-1] > sr // 2 for y in found.values())
    ]
    if not songs:
        raise TrainingDataMissing(f"{folder} holds no {source.kind} material with {', '.join(wanted)}")
    return songs


def checksums(source: Source, data: Path) -> dict[str, str]:
    """SHA-256 of every audio file of a source, by path relative to the data folder."""
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((data / source.path).rglob("*"))
        if path.suffix in AUDIO_SUFFIXES
    }


def _rows(folder: Path, source: Source) -> list[dict[str, str]]:
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return []
    with manifest.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        row
        for row in rows
        if (not source.split or row.get("split") == source.split) and row.get("artist") not in source.exclude_artists
    ]


def _half(y: NDArray[np.float32]) -> NDArray[np.float16]:
    stereo = np.repeat(y, 2, axis=0) if y.shape[0] == 1 else y[:2]
    return stereo.astype(np.float16)


Found = Iterator[tuple[str, dict[str, NDArray[np.float16]]]]
OnFile = Callable[[Path], None] | None


def _musdb(source: Source, folder: Path, wanted: Sequence[str], sr: int, on_file: OnFile) -> Found:
    rows = _rows(folder, source)
    paths = [folder / row["file"] for row in rows] if rows else sorted(folder.rglob("*.stem.mp4"))
    for path in paths:
        stems = {stem: _half(load(path, sr=sr, stream=STREAMS[stem])[0]) for stem in wanted}
        yield path.name.removesuffix(".stem.mp4"), stems
        if on_file:
            on_file(path)


def _stem_folders(source: Source, folder: Path, wanted: Sequence[str], sr: int, on_file: OnFile) -> Found:
    for song in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = {path.stem: path for path in sorted(song.iterdir()) if path.suffix in AUDIO_SUFFIXES}
        stems = {stem: _half(load(files[stem], sr=sr)[0]) for stem in wanted if stem in files}
        if stems:
            yield song.name, stems
            if on_file:
                on_file(song)


def _voices(source: Source, folder: Path, wanted: Sequence[str], sr: int, on_file: OnFile) -> Found:
    """Solo singing as vocals; recorded dry, so each clip gets a room of its own."""
    stem = wanted[0]
    for number, row in enumerate(_rows(folder, source)):
        path = folder / row["file"]
        y, _ = load(path, sr=sr)
        yield path.stem, {stem: _half(reverberate(y, sr, np.random.default_rng(number)))}
        if on_file:
            on_file(path)
