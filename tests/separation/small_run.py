"""A training run of seconds: songs whose vocals are a tone and whose drums are clicks, and a network to tell them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from separation.audio import save
from separation.training.config import TrainConfig, parse_config

ROOT = Path(__file__).resolve().parents[2]
STEMS = ("vocals", "drums")
SR = 8000
SPLEETER = {
    "family": "spleeter",
    "n_frames": 64,
    "n_bins": 64,
    "filters": [2, 3, 4, 4, 5, 6],
    "conv_activation": "elu",
    "deconv_activation": "elu",
}
CODE = """
import json, os, signal, sys
from pathlib import Path
from separation.training.config import parse_config
from separation.training.loop import Run
table, folder, data, fatal = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

def watch(state):
    if state.step == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

Run(parse_config(table), folder, data).train(watch)
"""


def table(**changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "stems": list(STEMS),
        "sr": SR,
        "n_fft": 256,
        "hop_length": 64,
        "steps": 8,
        "batch_size": 2,
        "warmup_steps": 2,
        "validate_every": 4,
        "bands": {"n_single": 16, "n_grouped": 16, "group": 4},
        "network": {"n_frames": 64, "filters": [4, 8], "dense_from": 1},
        "source": [{"kind": "stems", "path": "songs"}],
        "validation": {"kind": "stems", "path": "songs"},
        **changes,
    }


def config(**changes: Any) -> TrainConfig:
    return parse_config(table(**changes))


def sound(stem: str, seed: int, n: int = 2 * SR) -> np.ndarray:
    t = np.arange(n) / SR
    rng = np.random.default_rng(seed)
    if stem in ("vocals", "voice"):
        y = 0.2 * np.sin(2 * np.pi * rng.uniform(200, 400) * t)
    else:
        y = rng.standard_normal(n) * np.exp(-40 * (t % 0.25)) * 0.3
    return np.stack([y, y]).astype(np.float32)


def write_songs(folder: Path, stems: tuple[str, ...] = STEMS) -> Path:
    """Three songs under `folder`/songs; returns `folder`."""
    for number in range(3):
        for stem in stems:
            path = folder / "songs" / f"song{number}" / f"{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, sound(stem, number), SR)
    return folder


def train_elsewhere(
    changes: dict[str, Any], folder: Path, data: Path, backend: str = "tensorflow", fatal: int = 0
) -> int:
    """Run in a process of its own, which kills itself after step `fatal`; returns its exit code."""
    import json

    environment = {**os.environ, "KERAS_BACKEND": backend}
    words = [json.dumps(table(**changes)), str(folder), str(data), str(fatal)]
    return subprocess.run([sys.executable, "-c", CODE, *words], cwd=ROOT, env=environment, check=False).returncode
