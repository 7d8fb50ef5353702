"""The same run on JAX and torch: the same mixes, first weights and number of steps, and as good."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from small_run import train_elsewhere, write_songs

NETWORK = {"n_frames": 64, "filters": [4, 8], "dense_from": 1, "dropout": 0.0}  # each backend drops others
CHANGES = {"steps": 30, "validate_every": 15, "learning_rate": 0.003, "network": NETWORK}


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train_alike(tmp_path: Path, backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}: pip install {backend}")
    data = write_songs(tmp_path / "data")
    for name in ("tensorflow", backend):
        assert train_elsewhere(CHANGES, tmp_path / name, data, backend=name) == 0
    rows, metrics = {}, {}
    for name in ("tensorflow", backend):
        rows[name] = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        metrics[name] = json.loads((tmp_path / name / "metrics.json").read_text())
    assert metrics[backend]["backend"] == backend
    assert [row["step"] for row in rows[backend]] == [row["step"] for row in rows["tensorflow"]] == list(range(1, 31))
    first, second = rows["tensorflow"][0]["loss"], rows[backend][0]["loss"]
    assert second == pytest.approx(first, rel=1e-4)  # same mixes, same weights
    ours, theirs = (metrics[name]["last"]["validation_loss"] for name in (backend, "tensorflow"))
    assert ours == pytest.approx(theirs, rel=0.02)
