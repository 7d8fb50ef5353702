"""JSON files that hold one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from separation.errors import ConfigInvalid


def read_table(path: Path, advice: str = "") -> dict[str, Any]:
    """Read a table; `advice` ends the message where there is none.

    Raises
    ------
    ConfigInvalid
        Where the file is no JSON, or its top level no table.
    """
    then = f"; {advice}" if advice else ""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigInvalid(f"{path} is no JSON: {error}{then}") from error
    if not isinstance(table, dict):
        raise ConfigInvalid(f"{path} must be a table, got {type(table).__name__}{then}")
    return table
