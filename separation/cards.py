"""What is told of a model beside its settings: the card in its description, and how its training run went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from separation.errors import ConfigInvalid
from separation.tables import read_table

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
    card = read_table(description).get("card", {})
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
    return read_table(path) if path.is_file() else {}
