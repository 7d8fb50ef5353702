"""What a playlist knows of its tracks: names, files, and the numbers that make neighbours flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Entry:
    """A track of a playlist.

    Parameters
    ----------
    track_id, title, artist, path, duration_s
        As the catalog has them; `path` is a file that is there, where that was asked for.
    score
        How alike it is to what the playlist is made from, see `mir.similarity`; of a walk, to its place on the way.
    tempo_bpm, loudness_lufs
        Of the drums and of the whole; None where they could not be measured.
    key_pitch_class, mode_is_major, key_strength
        0 for C to 11 for B; 1 for major, 0 for minor; how plain the key is, up to 1.
    """

    track_id: int
    title: str
    artist: str
    path: str
    duration_s: float
    score: float
    tempo_bpm: float | None
    key_pitch_class: float | None
    mode_is_major: float | None
    key_strength: float | None
    loudness_lufs: float | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A track that would have been in a playlist, had its file not gone."""

    title: str
    artist: str
    path: str


def read_entries(con: duckdb.DuckDBPyConnection, scores: dict[int, float]) -> dict[int, Entry]:
    """Return tracks by id, with the scores that they were chosen by."""
    rows = con.execute(
        "SELECT t.track_id, t.title, t.artist, t.path, t.duration_s, 0.0 AS score, d.tempo_bpm, h.key_pitch_class,"
        " h.mode_is_major, h.key_strength, m.loudness_lufs FROM tracks AS t"
        " LEFT JOIN drum_rhythm AS d USING (track_id) LEFT JOIN harmony AS h USING (track_id)"
        " LEFT JOIN mixture AS m USING (track_id) WHERE t.track_id IN (SELECT unnest(?::BIGINT[]))",
        [list(scores)],
    ).fetchall()
    return {row[0]: replace(Entry(*row), score=scores[row[0]]) for row in rows}


def find_files(con: duckdb.DuckDBPyConnection, track_ids: Sequence[int]) -> dict[int, str]:
    """Return, by track, a file of it that is there: the one read last, else any copy; nothing where all are gone."""
    rows = con.execute(
        "SELECT t.track_id, t.path, list(f.path ORDER BY f.path) FROM tracks AS t LEFT JOIN files AS f"
        " ON f.track_id = t.track_id AND f.state = 'ok'"
        " WHERE t.track_id IN (SELECT unnest(?::BIGINT[])) GROUP BY ALL",
        [list(track_ids)],
    ).fetchall()
    found = {}
    for track_id, last, copies in rows:
        there = next((path for path in (last, *copies) if path is not None and Path(path).is_file()), None)
        if there is not None:
            found[track_id] = there
    return found
