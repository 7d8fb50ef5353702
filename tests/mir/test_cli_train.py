"""`mir train`: run folder, answers, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import typer
from command import invoke
from small_run import STEMS, write_songs

from mir.cli import train
from separation.training.mixing import Mixer

CONFIG = """
name = "small"
stems = ["vocals", "drums"]
sr = 8000
n_fft = 256
hop_length = 64
steps = 8
batch_size = 2
warmup_steps = 2
validate_every = 4

[bands]
n_single = 16
n_grouped = 16

[network]
n_frames = 64
filters = [4, 8]

[[source]]
kind = "stems"
path = "songs"

[validation]
kind = "stems"
path = "songs"
"""

app = typer.Typer()
train.register(app)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songs(tmp_path_factory.mktemp("data"))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(CONFIG)
    return path


def test_a_run_answers_as_table_and_as_json(config: Path, data: Path) -> None:
    code, out, err = invoke(app, "--config", config, "--data", data, "--steps", 4)
    assert code == 0
    assert "run folder: runs/small" in err
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["stem", "best (step 4)", "last (step 4)"]
    assert [line[0] for line in lines[1:]] == [*STEMS, "mean"]
    code, out, _ = invoke(app, "--config", config, "--data", data, "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["model"], answer["folder"], answer["step"], answer["steps"]) == ("small", "runs/small", 8, 8)
    assert set(answer["sdr"]) == set(STEMS)
    assert answer["kept_step"] in (4, 8)
    assert answer["last"]["step"] == 8


def test_folds_and_first_weights_are_options(config: Path, data: Path) -> None:
    assert invoke(app, "--config", config, "--data", data, "--steps", 4)[0] == 0
    config.write_text("folds = 3\n" + CONFIG)
    words = ("--config", config, "--data", data, "--fold", 1, "--init", "runs/small", "--json")
    code, out, _ = invoke(app, *words)
    answer = json.loads(out)
    assert code == 0
    assert answer["folder"] == "runs/small-fold1"
    assert answer["notes"][0].startswith("started from runs/small: ")
    settings = json.loads(Path("runs/small-fold1/config.json").read_text())
    assert (settings["folds"], settings["fold"], settings["init"]) == (3, 1, "runs/small")


def test_ctrl_c_keeps_the_step_it_was_at(config: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Mixer.batch

    def interrupting(self: Mixer, step: int) -> object:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(self, step)

    monkeypatch.setattr(Mixer, "batch", interrupting)
    before = signal.getsignal(signal.SIGINT)
    code, out, err = invoke(app, "--config", config, "--data", data)
    assert code == 130
    assert out == ""
    assert signal.getsignal(signal.SIGINT) is before
    step = int(err.partition("stopped after step ")[2].split()[0])
    assert 5 <= step < 8
    assert "the same command goes on from there" in err
    monkeypatch.undo()
    monkeypatch.chdir(config.parent)
    code, out, _ = invoke(app, "--config", config, "--data", data, "--json")
    assert json.loads(out)["step"] == 8
    rows = [json.loads(line)["step"] for line in Path("runs/small/metrics.jsonl").read_text().splitlines()]
    assert rows == list(range(1, 9))


def test_what_is_wrong_is_told(config: Path, data: Path, tmp_path: Path) -> None:
    code, _, err = invoke(app, "--config", config, "--data", tmp_path / "nowhere")
    assert code == 2
    assert "give --data FOLDER, or set MIR_DATA" in err
    code, _, err = invoke(app, "--config", "nobodys", "--data", data)
    assert code == 2
    assert "those that come with mir are" in err
    code, _, err = invoke(app, "--config", config, "--data", data, "--fold", 7)
    assert code == 2
    assert "fold is from 0 to 4" in err
