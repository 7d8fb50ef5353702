"""`mir separate` over damaged files, through a real separator: each ends in whole stems or in an error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from damaged import make_corpus
from typer.testing import CliRunner

from mir.cli import separate
from separation.audio import load

app = typer.Typer()
app.callback()(lambda: None)  # or the one command would have no name
separate.register(app)


@pytest.mark.slow
def test_every_damaged_file_ends_well(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIR_MODEL", raising=False)
    corpus = make_corpus(tmp_path / "in")
    assert len(corpus) >= 40
    words = ["separate", *(str(one.path) for one in corpus), "-o", str(tmp_path / "out"), "--json", "--minus", "vocals"]
    outcome = CliRunner().invoke(app, [*words, "--model", "tiny", "--weights", str(tiny_weights)])
    assert isinstance(outcome.exception, SystemExit), outcome.exception
    assert outcome.exit_code == 1  # some fail, all are gone through
    # files are named as they were given, but a link by what it leads to
    lines = {line["input"]: line for line in map(json.loads, outcome.stdout.splitlines())}
    written: set[Path] = set()
    for one in corpus:
        line = lines[str(one.path)]
        assert ("error" in line) != ("stems" in line)
        if one.expectation != "either":
            assert ("error" in line) == (one.expectation == "error"), (one.kind, line)
        for path in line.get("stems", {}).values():
            y, _ = load(path)
            assert np.isfinite(y).all()
            assert y.shape[1] == pytest.approx(line["duration_s"] * _rate(path), abs=1e-3 * _rate(path))
            written.add(Path(path))
    left = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == written  # nothing half-written, under whatever name


def _rate(path: str) -> int:
    from separation.audio import probe

    return probe(path).sample_rate_hz
