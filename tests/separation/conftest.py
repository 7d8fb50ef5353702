"""A tiny model with random weights: the whole path of a real one in a fraction of a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from separation.backend import load_keras
from separation.bands import Bands
from separation.native import ModelSpec, save_weights
from separation.unet import UNetConfig, build

TINY = ModelSpec(
    name="tiny",
    stems=("vocals", "drums", "bass", "other"),
    sr=8000,
    n_fft=512,
    hop_length=128,
    bands=Bands(n_single=32, n_grouped=32, group=4),
    network=UNetConfig(n_frames=64, n_bands=64, filters=(4, 6, 8), dense_from=1),
)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the weights of `TINY`."""
    keras = load_keras()
    keras.utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp("models")
    save_weights(build(TINY.network), TINY, folder)
    return folder
