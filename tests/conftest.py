"""Fixtures for every test: where the data folder is, if it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real music: $MIR_DATA, or shared/data beside the checkout; skips where neither is there."""
    candidates = [os.environ.get("MIR_DATA"), str(Path(__file__).resolve().parents[2] / "shared" / "data")]
    for candidate in candidates:
        if candidate and (Path(candidate) / "README.md").is_file():
            return Path(candidate)
    pytest.skip("needs the data folder: set MIR_DATA, or put it at ../shared/data")
