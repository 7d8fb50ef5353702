"""Which separator may take a track apart: one that never heard it, where runs left parts out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from separation.musdb import Track

if TYPE_CHECKING:
    from separation import Separator


class Separators:
    """One model for all tracks, or for each track the first run that left it out.

    Parameters
    ----------
    model
        Name or run folder, where there are no `folds`.
    folds
        Run folders of the parts of a cross-fitted training.
    tracks
        All tracks there are.
    unheard
        Keep to the tracks that one of the runs left out; else a track that all of them heard is an error.
    """

    def __init__(self, model: str, folds: Sequence[Path], tracks: Sequence[Track], *, unheard: bool = False) -> None:
        self._loaded: dict[str, Separator] = {}
        self._of = {track.name: model for track in tracks}
        if folds:
            heard = {str(run): trained_on(run, tracks) for run in folds}
            left_out = {name: next((run for run, names in heard.items() if name not in names), "") for name in self._of}
            lacking = [name for name, run in left_out.items() if not run]
            if lacking and not unheard:
                raise SystemExit(
                    f"every one of these runs was trained on {', '.join(lacking[:5])}: give all folds, or --unheard"
                )
            self._of = {name: run for name, run in left_out.items() if run}
        self.tracks = [track for track in tracks if track.name in self._of]

    def name(self, track: Track) -> str:
        """Model or run of a track."""
        return self._of[track.name]

    def load(self, track: Track) -> Separator:
        """Return the separator of a track; each is loaded once."""
        from separation import Separator

        name = self.name(track)
        if name not in self._loaded:
            self._loaded[name] = Separator(name)
        return self._loaded[name]


def trained_on(run: Path, tracks: Sequence[Track]) -> set[str]:
    """Return the names of the tracks that a run learned from, by its configuration."""
    from separation.training.config import parse_config
    from separation.training.sources import Song, split_songs

    written = json.loads((run / "config.json").read_text(encoding="utf-8"))
    settings = {name: value for name, value in written.items() if value is not None}
    settings["source"] = settings.pop("sources")
    config = parse_config(settings)
    stems = dict.fromkeys(config.stems, np.zeros(0, np.float16))
    songs = [
        Song(track.name, stems, place, track.name.split(" - ")[0])
        for place, source in enumerate(config.sources)
        if source.kind == "musdb"
        for track in tracks
        if not source.split or track.split == source.split
    ]
    return {song.name for song in split_songs(songs, config)[0]}
