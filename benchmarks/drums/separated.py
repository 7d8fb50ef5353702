"""Beats laid under other people's music and taken out of it again: drums as a separator leaves them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.drums.corpus import Scores
from benchmarks.drums.groove import Performance
from benchmarks.drums.render import SR, load_mono
from benchmarks.drums.under_music import CLIP_S, mixed, write
from separation.musdb import Track

if TYPE_CHECKING:
    from separation import Separator


def accompaniment_of(beat: Performance, tracks: Sequence[Track]) -> tuple[Track, Track]:
    """Draw two songs for a beat, always the same ones."""
    seed = list(hashlib.sha256(beat.file.encode()).digest()[:8])
    first, second = np.random.default_rng(seed).permutation(len(tracks))[:2].tolist()
    return tracks[first], tracks[second]


def separated(beat: Performance, scores: Scores, tracks: Sequence[Track], separator: Separator, folder: Path) -> Path:
    """Mix the first `CLIP_S` of a beat with two songs and separate it again, unless that was done.

    Parameters
    ----------
    beat, scores
        What is played, and where its renderings are.
    tracks
        Songs with known stems, two or more; their own drums are left out.
    separator
        Takes the mixture apart.
    folder
        Where separated drums are kept.

    Returns
    -------
    Path
        FLAC of the drums; its name changes with everything that the sound depends on.
    """
    songs = accompaniment_of(beat, tracks)
    said = json.dumps([separator.source_id, CLIP_S, [song.name for song in songs]])
    path = folder / f"{beat.name}-{hashlib.sha256(said.encode()).hexdigest()[:10]}.flac"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        dry = load_mono(scores.audio(beat), SR)
        write(path, separator.separate(mixed(dry, songs)[:, : dry.size], SR, stems=["drums"])["drums"])
    return path
