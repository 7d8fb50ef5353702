"""Stems in memory: what a training run draws its mixes from."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.audio import AUDIO_SUFFIXES, load
from separation.checksum import sha256
from separation.errors import TrainingDataMissing
from separation.musdb import STREAMS, find_tracks
from separation.training.config import Source, TrainConfig
from separation.training.room import reverberate

OnFile = Callable[[Path], None] | None


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
    artist
        Who it is by; the song's own name where nobody knows, so that folds keep at least songs together.
    """

    name: str
    stems: dict[str, NDArray[np.float16]]
    source: int
    artist: str = ""

    @property
    def n_samples(self) -> int:
        """Length of the longest stem."""
        return max(y.shape[-1] for y in self.stems.values())


def read_songs(config: TrainConfig, data: Path, on_file: OnFile = None) -> tuple[list[Song], list[Song]]:
    """Decode what a run learns from and what it is judged by: its validation source, or the artists of its fold.

    Raises
    ------
    TrainingDataMissing
        Where a source is not there (said before anything is decoded), or holds nothing of what was asked for.
    """
    judge = None if config.folds else config.validation
    for source in (*config.sources, *((judge,) if judge else ())):
        _place(source, data)
    songs = [s for i, source in enumerate(config.sources) for s in load_songs(source, i, data, config, on_file)]
    if judge is not None:
        return songs, load_songs(judge, 0, data, config, on_file)
    return split_songs(songs, config)


def split_songs(songs: Sequence[Song], config: TrainConfig) -> tuple[list[Song], list[Song]]:
    """Divide songs into what a fold learns from and what it is judged by; no artist is in both.

    The artists of the first source at natural levels (or the first source of all) are dealt out to the folds,
    those with most songs first, each to the smallest fold; the same artists in any other source are left out too.
    """
    if not config.folds:
        return list(songs), []
    measured = _measured(config)
    counts = Counter(song.artist for song in songs if song.source == measured)
    if len(counts) < config.folds:
        raise TrainingDataMissing(
            f"{config.folds} folds need as many artists, but {config.sources[measured].path} has {len(counts)}"
        )
    order = np.random.default_rng(0).permutation(sorted(counts)).tolist()
    sizes, fold_of = [0] * config.folds, {}
    for artist in sorted(order, key=lambda name: -counts[name]):
        smallest = int(np.argmin(sizes))
        fold_of[artist] = smallest
        sizes[smallest] += counts[artist]
    left_out = {artist for artist, fold in fold_of.items() if fold == config.fold}
    whole = set(config.stems)
    judged = [s for s in songs if s.source == measured and s.artist in left_out and whole <= set(s.stems)]
    if not judged:
        raise TrainingDataMissing(f"fold {config.fold} has no song with all of {', '.join(config.stems)}")
    return [s for s in songs if s.artist not in left_out], judged


def _measured(config: TrainConfig) -> int:
    """Index of the source whose songs are judged by."""
    return next((i for i, source in enumerate(config.sources) if source.natural_levels), 0)


def load_songs(source: Source, index: int, data: Path, config: TrainConfig, on_file: OnFile = None) -> list[Song]:
    """Decode every song of a source, on as many threads as there are cores.

    Raises
    ------
    TrainingDataMissing
        Where the folder is not there or holds nothing of what was asked for.
    """
    place = _place(source, data)
    wanted = tuple(stem for stem in config.stems if not source.stems or stem in source.stems)
    found = [f for f in _FINDERS[source.kind](source, place, wanted) if f.artist not in source.exclude_artists]

    def decode(entry: _Found) -> Song:
        stems = {stem: _half(read(config.sr)) for stem, read in entry.stems.items()}
        if on_file:
            on_file(entry.path)
        return Song(entry.name, stems, index, entry.artist or entry.name)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        songs = [song for song in pool.map(decode, found) if song.stems and song.n_samples > config.sr // 2]
    if not songs:
        raise TrainingDataMissing(f"{place} holds no {source.kind} material with {', '.join(wanted)}")
    return songs


def checksums(source: Source, data: Path, stems: Sequence[str]) -> dict[str, str]:
    """SHA-256 of every audio file of a source (and of a table itself), by path relative to the data folder."""
    place = _place(source, data)
    files = {place, *_listed(place, stems)} if source.kind == "csv" else set(place.rglob("*"))
    return {
        os.path.relpath(path, data): sha256(path)
        for path in sorted(files)
        if path.suffix.lower() in AUDIO_SUFFIXES or (path == place and path.is_file())
    }


def _place(source: Source, data: Path) -> Path:
    """Return a source's folder or table, which must be there."""
    place = data / source.path
    if not (place.is_file() if source.kind == "csv" else place.is_dir()):
        what = "table" if source.kind == "csv" else "folder"
        raise TrainingDataMissing(f"no {what} {place}; give the data folder with --data or $MIR_DATA")
    return place


def _rows(folder: Path) -> list[dict[str, str]]:
    manifest = folder / "manifest.csv"
    return _table(manifest) if manifest.is_file() else []


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _half(y: NDArray[np.float32]) -> NDArray[np.float16]:
    stereo = np.repeat(y, 2, axis=0) if y.shape[0] == 1 else y[:2]
    return stereo.astype(np.float16)


Reader = Callable[[int], NDArray[np.float32]]
"""Gives samples ``(n_channels, n_samples)`` at a sample rate in Hz."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A song that was found and not yet decoded."""

    name: str
    artist: str
    path: Path
    stems: dict[str, Reader]


def _file(path: Path, stream: int = 0) -> Reader:
    return lambda sr: load(path, sr=sr, stream=stream)[0]


def _musdb(source: Source, folder: Path, wanted: Sequence[str]) -> list[_Found]:
    """Tracks in any of MUSDB18's layouts."""
    artists = {Path(row["file"]).name.removesuffix(".stem.mp4"): row.get("artist", "") for row in _rows(folder)}
    return [
        _Found(
            track.name,
            # MUSDB18 names its tracks "ARTIST - TITLE"
            artists.get(track.name) or track.name.split(" - ")[0],
            track.path,
            {s: _file(path, STREAMS[s] if path == track.path else 0) for s, path in track.files.items() if s in wanted},
        )
        for track in find_tracks(folder, source.split or None)
    ]


def _stem_folders(source: Source, folder: Path, wanted: Sequence[str]) -> list[_Found]:
    rows = {str(Path(row["file"]).parent): row for row in _rows(folder)}
    out = []
    for song in sorted(path for path in folder.iterdir() if path.is_dir()):
        row = rows.get(song.name, {})
        if source.split and row.get("split") != source.split:
            continue
        files = {path.stem: path for path in sorted(song.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES}
        stems = {stem: _file(files[stem]) for stem in wanted if stem in files}
        out.append(_Found(song.name, row.get("artist", ""), song, stems))
    return out


def _voices(source: Source, folder: Path, wanted: Sequence[str]) -> list[_Found]:
    """Solo singing as the first stem wanted; recorded dry, so each clip gets a room of its own."""
    rows = [row for row in _rows(folder) if not source.split or row.get("split") == source.split]
    names = [row["file"] for row in rows] or [
        str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES
    ]
    singers = {row["file"]: row.get("singer", "") for row in rows}

    def sung(path: Path, number: int) -> Reader:
        return lambda sr: reverberate(load(path, sr=sr)[0], sr, np.random.default_rng(number))

    return [
        _Found(Path(name).stem, singers.get(name, ""), folder / name, {wanted[0]: sung(folder / name, number)})
        for number, name in enumerate(names)
    ]


def _listed(table: Path, stems: Sequence[str]) -> list[Path]:
    """Return the files that Spleeter's table names for these stems."""
    return [table.parent / row[f"{stem}_path"] for row in _table(table) for stem in stems if row.get(f"{stem}_path")]


def _spleeter_csv(source: Source, table: Path, wanted: Sequence[str]) -> list[_Found]:
    """Spleeter's table: a row a song, a column ``STEM_path`` a stem, paths relative to the table or absolute."""
    out = []
    with table.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = [column for column in reader.fieldnames or () if column.endswith("_path")]
        lacking = [stem for stem in wanted if f"{stem}_path" not in columns]
        if lacking:
            raise TrainingDataMissing(
                f"{table} has no column {', '.join(f'{stem}_path' for stem in lacking)}; it has {', '.join(columns)}"
            )
        for number, row in enumerate(reader, start=1):
            paths = {stem: table.parent / row[f"{stem}_path"] for stem in wanted if row[f"{stem}_path"]}
            name = Path(row.get("mix_path") or next(iter(paths.values()), Path(f"row {number}"))).with_suffix("")
            label = name.parent.name if name.name in {"mixture", *wanted} else name.name
            out.append(_Found(label, row.get("artist", ""), table, {s: _file(path) for s, path in paths.items()}))
    return out


_FINDERS: dict[str, Callable[[Source, Path, Sequence[str]], list[_Found]]] = {
    "musdb": _musdb,
    "stems": _stem_folders,
    "voices": _voices,
    "csv": _spleeter_csv,
}
