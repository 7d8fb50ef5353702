"""Hearing a track for its report: kept stems where there are any, else separated now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.analysis import MIXTURE, describing
from mir.catalog.records import SpaceResult, StemRow

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sounds:
    """A track taken apart.

    Parameters
    ----------
    signals, sr
        ``mixture`` and the stems, each float32 ``(n_channels, n_samples)``, and their rate in Hz.
    stems, results
        What was measured, where that was asked for.
    """

    signals: dict[str, Samples]
    sr: int
    stems: tuple[StemRow, ...] = ()
    results: tuple[SpaceResult, ...] = ()


def hear(path: Path, model: str, *, measure: bool, kept: Mapping[str, str] | None = None) -> Sounds:
    """Take a file apart as an ingest does, and measure it where that is asked for.

    Parameters
    ----------
    path
        An audio file.
    model
        Separation model.
    measure
        Whether to describe the stems too.
    kept
        Files of stems that an ingest kept, by stem; where all are there and as long as the mixture, nothing is
        separated.

    Raises
    ------
    separation.errors.SeparationError
        Where the file cannot be read, or the model cannot be had.
    """
    from mir.ingest.listening import listen
    from mir.ingest.separators import model_source

    sound = listen(path)
    if kept and not measure:
        loaded = _kept(kept, sound.sr, sound.y.shape[1])
        if loaded:
            return Sounds({MIXTURE: sound.y, **loaded}, sound.sr)
    source = model_source(model)
    signals = {MIXTURE: sound.y, **source.load().separate(sound.y, sound.sr)}
    if not measure:
        return Sounds(signals, sound.sr)
    spaces = [space for space in EXTRACTORS if space in source.spaces]
    stems, results = describing(source.roles)(signals, sound.sr, source.source_id, spaces)
    return Sounds(signals, sound.sr, tuple(stems), tuple(results))


def _kept(kept: Mapping[str, str], sr: int, n_samples: int) -> dict[str, Samples]:
    """Load kept stems; nothing where one is gone, or they are of another length (excerpts of a long file)."""
    from separation.audio import load

    if not all(Path(path).is_file() for path in kept.values()):
        return {}
    loaded = {stem: load(path, sr=sr)[0] for stem, path in kept.items()}
    return loaded if all(abs(y.shape[1] - n_samples) <= sr // 10 for y in loaded.values()) else {}
