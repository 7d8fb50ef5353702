"""What is told of a model beside its settings: the card in its description, and how its training run went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from separation.errors import ConfigInvalid

METRICS = "metrics.json"
"""File of a run folder with where the run stands: step, best step, SDR by stem, seconds, versions."""


def read_card(description: Path) -> dict[str, Any]:
    """Return the ``card`` of a model's description; empty where it has none.

    A card is a table of plain data: what was trained on under which licences, with how much computing, what was
    scored on what, when, and what the model is bad at.

    Raises
    ------
    ConfigInvalid
        Where the file is no JSON, or its card no table.
    """
    card = _read(description).get("card", {})
    if not isinstance(card, dict):
        raise ConfigInvalid(f"{description}: `card` must be a table, got {type(card).__name__}")
    return card


def read_run(folder: Path) -> dict[str, Any]:
    """Return what a training run says of itself in its folder; empty where the folder is none of a run.

    Raises
    ------
    ConfigInvalid
        Where the file is damaged.
    """
    path = folder / METRICS
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigInvalid(f"{path} is no JSON: {error}") from error
    if not isinstance(table, dict):
        raise ConfigInvalid(f"{path} must be a table, got {type(table).__name__}")
    return table
