"""The precision of separation: asked for or set, kept with what it made, refused where there is none of the name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from command import invoke

import separation.separator
from mir.cli.app import app, register_commands
from mir.ingest.separators import model_source


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in ("MIR_PRECISION", "MIR_MODEL", "MIR_CATALOG", "MIR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_precision_is_part_of_what_made_the_stems_and_reaches_the_network(monkeypatch):
    made = []
    monkeypatch.setattr(separation.separator, "Separator", lambda model, precision: made.append((model, precision)))
    plain = model_source("mir-4s")
    asked = model_source("mir-4s", "bfloat16")
    assert plain.source_id.endswith(":float32")
    assert asked.source_id == plain.source_id.replace(":float32", ":bfloat16")
    Path("mir.toml").write_text('precision = "bfloat16"\n')
    assert model_source("mir-4s").source_id == asked.source_id
    for source in (plain, asked, model_source("mir-4s"), model_source("mir-4s", "float32")):
        source.load()
    assert [precision for _, precision in made] == ["float32", "bfloat16", "bfloat16", "float32"]


def test_a_precision_that_there_is_not_is_refused_before_anything_is_done(tmp_path):
    register_commands()
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 2)), 8000)
    code, stdout, said = invoke(app, "ingest", tmp_path / "a.wav", "--precision", "half")
    assert (code, stdout, said) == (2, "", "no precision 'half'; there are float32, bfloat16")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
