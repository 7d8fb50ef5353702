"""What a run says of itself: the data it learned from, and how far it has come."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from separation.training.checkpoint import Scores, State
from separation.training.config import TrainConfig
from separation.training.initial import Start
from separation.training.sources import Song, checksums

PACKAGES = ("mir-stems", "keras", "tensorflow", "jax", "torch", "numpy", "scipy", "soxr")
"""Packages whose versions decide what a run gives."""


def describe_data(config: TrainConfig, data: Path, songs: Sequence[Song], start: Start | None) -> dict[str, Any]:
    """Minutes of each stem by source, SHA-256 of every file, and the model that the run started from."""
    judged = () if config.validation is None else (config.validation,)
    minutes = {
        f"{source.kind}:{source.path}": {
            stem: round(_minutes([song for song in songs if song.source == i], stem, config.sr), 1)
            for stem in config.stems
        }
        for i, source in enumerate(config.sources)
    }
    files = {
        path: sha
        for source in (*config.sources, *judged)
        for path, sha in checksums(source, data, config.stems).items()
    }
    init = {"init": {"model": start.model, "sha256": start.sha256}} if start else {}
    return {"minutes": minutes, "sha256": files, **init}


def summary(config: TrainConfig, state: State, n_parameters: int) -> dict[str, Any]:
    """Content of ``metrics.json``."""
    import keras

    return {
        "model": config.name,
        "step": state.step,
        "steps": config.steps,
        "kept": config.keep,
        "best": _scores(state.best),
        "last": _scores(state.last),
        "parameters": n_parameters,
        "seconds": round(state.seconds, 1),
        "seconds_a_step": round(state.seconds / max(1, state.step), 4),
        "backend": keras.backend.backend(),
        "precision": config.precision,
        "notes": state.notes,
        "versions": _versions(),
    }


def _minutes(songs: Sequence[Song], stem: str, sr: int) -> float:
    return sum(song.stems[stem].shape[-1] for song in songs if stem in song.stems) / sr / 60.0


def _scores(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {"step": scores.step, "sdr": scores.sdr, "mean_sdr": scores.mean_sdr, "validation_loss": scores.loss}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
