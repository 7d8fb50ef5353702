"""Fixtures for every test: where the data folder is, if it is."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a command set up for its log ends with the test: the stream it wrote to is closed by then."""
    loggers = [logging.getLogger(name) for name in ("mir", "separation", "features", "indexes")]
    before = [(each.level, each.propagate, list(each.handlers)) for each in loggers]
    yield
    for each, (level, propagate, handlers) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.propagate, each.handlers[:] = propagate, handlers


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real music: $MIR_DATA, or shared/data beside the checkout; skips where neither is there."""
    candidates = [os.environ.get("MIR_DATA"), str(Path(__file__).resolve().parents[2] / "shared" / "data")]
    for candidate in candidates:
        if candidate and (Path(candidate) / "README.md").is_file():
            return Path(candidate)
    pytest.skip("needs the data folder: set MIR_DATA, or put it at ../shared/data")


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a tiny model `tiny` of random weights: the whole path of a real one in a fraction of a second."""
    from separation.backend import load_keras
    from separation.bands import Bands
    from separation.native import ModelSpec, save_weights
    from separation.unet import UNetConfig, build

    tiny = ModelSpec(
        name="tiny",
        stems=("vocals", "drums", "bass", "other"),
        sr=8000,
        n_fft=512,
        hop_length=128,
        bands=Bands(n_single=32, n_grouped=32, group=4),
        network=UNetConfig(n_frames=64, n_bands=64, filters=(4, 6, 8), dense_from=1),
    )
    load_keras().utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp("models")
    save_weights(build(tiny.network), tiny, folder)
    return folder
