"""The same code on JAX and torch: the same stems."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from separation import Separator

ROOT = Path(__file__).resolve().parents[2]
SPLEETER = ROOT / "tests" / "data" / "spleeter"
CODE = """
import sys
import numpy as np
from separation import Separator
tiny, spleeter, signal, out = sys.argv[1:]
y = np.load(signal)
stems = Separator("tiny", tiny).separate(y, 8000)
five = Separator(f"{spleeter}/5stems.json", f"{spleeter}/5stems").separate(y, 8000)
import keras
np.savez(out, backend=keras.backend.backend(), **{f"tiny {k}": v for k, v in stems.items()}, **five)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_agree(tmp_path: Path, tiny_weights: Path, backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}: pip install {backend}")
    y = (np.random.default_rng(0).standard_normal((2, 20_000)) * 0.1).astype(np.float32)
    np.save(tmp_path / "y.npy", y)
    words = [str(tiny_weights), str(SPLEETER), str(tmp_path / "y.npy"), str(tmp_path / "stems.npz")]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", CODE, *words], check=True, cwd=ROOT, env=environment)
    ours = {f"tiny {stem}": y for stem, y in Separator("tiny", tiny_weights).separate(y, 8000).items()}
    ours |= Separator(SPLEETER / "5stems.json", SPLEETER / "5stems").separate(y, 8000)
    with np.load(tmp_path / "stems.npz", allow_pickle=False) as theirs:
        assert str(theirs["backend"]) == backend
        assert set(ours) < set(theirs.files)
        for stem, samples in ours.items():
            assert np.linalg.norm(theirs[stem] - samples) < 1e-4 * np.linalg.norm(samples)
