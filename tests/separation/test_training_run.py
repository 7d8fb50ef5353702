"""What a run leaves in its folder, and that it goes on from there after any end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import STEMS, config, sound, train_elsewhere, write_songs

from separation.audio import save
from separation.checksum import sha256
from separation.errors import ConfigInvalid, RunBusy, TrainingDiverged, WeightsDamaged
from separation.training import loop
from separation.training.checkpoint import Scores
from separation.training.loop import Progress, Run, learning_rate
from separation.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songs(tmp_path_factory.mktemp("data"))


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def events(folder: Path) -> list[Any]:
    """Events as TensorFlow reads them, in the order of writing."""
    import tensorflow as tf

    files = sorted((folder / "tensorboard").iterdir(), key=lambda path: int(path.name.rpartition(".")[2]))
    return [
        tf.compat.v1.Event.FromString(record.numpy())
        for path in files
        for record in tf.data.TFRecordDataset(str(path))  # checks every checksum
    ]


def test_a_killed_run_ends_where_an_unbroken_one_does(data: Path, tmp_path: Path) -> None:
    changes = {"steps": 60, "validate_every": 20, "learning_rate": 0.01}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    Run(config(**changes), whole, data).train()
    assert train_elsewhere(changes, broken, data, fatal=33) == -signal.SIGKILL
    assert [row["step"] for row in rows(broken)] == list(range(1, 34))
    resumed = Run(config(**changes), broken, data)
    resumed.train()
    assert [row["step"] for row in rows(broken)] == [row["step"] for row in rows(whole)] == list(range(1, 61))
    np.testing.assert_allclose([r["loss"] for r in rows(broken)], [r["loss"] for r in rows(whole)], rtol=0.02)
    ours, theirs = metrics(broken)["last"], metrics(whole)["last"]
    assert ours["validation_loss"] == pytest.approx(theirs["validation_loss"], rel=0.02)
    assert ours["sdr"] == pytest.approx(theirs["sdr"], abs=0.2)
    steps = [event.step for event in events(broken) if event.HasField("summary")]
    assert steps == [*range(1, 34), *range(21, 61)]
    starts = [event.step for event in events(broken) if event.HasField("session_log")]
    assert starts == [1, 21]  # TensorBoard forgets what was drawn of steps from there on


def test_a_run_from_before_a_setting_was_goes_on(data: Path, tmp_path: Path) -> None:
    Run(config(), tmp_path, data).train(until=4)
    path = tmp_path / "config.json"
    before = json.loads(path.read_text())
    del before["mixing"], before["augment"]["width"]
    path.write_text(json.dumps(before))
    with pytest.raises(ConfigInvalid, match=r'mixing: "numpy" → "tensor"'):
        Run(config(mixing="tensor"), tmp_path, data)
    with pytest.raises(ConfigInvalid, match=r"augment.width: 0.0 → 0.5"):
        Run(config(augment={"width": 0.5}), tmp_path, data)
    Run(config(), tmp_path, data).train()
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 9))


def test_a_run_says_what_it_did(data: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    sdr = Run(config(), tmp_path, data).train(seen.append)
    assert [state.step for state in seen] == list(range(1, 9))
    assert [state.scores is not None for state in seen] == [state.step % 4 == 0 for state in seen]
    assert all(state.seconds > 0 and state.steps == 8 for state in seen)
    found = metrics(tmp_path)
    assert found["step"] == 8
    assert found["backend"] == "tensorflow"
    assert found["versions"]["keras"]
    assert found["best"]["sdr"] == sdr
    assert set(sdr) == set(STEMS)
    assert found["last"]["step"] == 8
    assert found["last"]["validation_loss"] == rows(tmp_path)[-1]["validation_loss"]
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 8
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    tags = {value.tag for event in events(tmp_path) for value in event.summary.value}
    assert tags == {"loss", "learning_rate", "validation_loss", *(f"sdr_db/{stem}" for stem in STEMS)}
    drawn = [v.simple_value for event in events(tmp_path) for v in event.summary.value if v.tag == "loss"]
    np.testing.assert_allclose(drawn, [row["loss"] for row in rows(tmp_path)], rtol=1e-6)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".unfinished")]


def test_another_configuration_is_refused_but_for_its_length(data: Path, tmp_path: Path) -> None:
    Run(config(steps=4), tmp_path, data).train()
    with pytest.raises(ConfigInvalid, match=r"seed: 1 → 2; source.*path: \"songs\" → \"more\""):
        Run(config(seed=2, source=[{"kind": "stems", "path": "more"}]), tmp_path, data)
    longer = Run(config(steps=6), tmp_path, data)
    longer.train()
    assert longer.step == 6
    assert json.loads((tmp_path / "config.json").read_text())["steps"] == 6


def test_other_data_are_refused(tmp_path: Path) -> None:
    data = write_songs(tmp_path / "data")
    run = tmp_path / "run"
    Run(config(), run, data).train(until=4)
    save(data / "songs" / "song1" / "drums.wav", sound("drums", 99), 8000)
    with pytest.raises(ConfigInvalid, match=r"other data: songs/song1/drums\.wav: .* init = "):
        Run(config(), run, data).train()


@pytest.mark.parametrize("name", ["config", "checkpoint", "a/b", "../out", ".hidden"])
def test_names_that_would_overwrite_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="plain word"):
        Run(config(name=name), tmp_path, tmp_path)


def test_the_best_outlives_worse_validations_after_a_resume(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = iter([3.0, 5.0, 2.0, float("nan")])
    monkeypatch.setattr(loop, "judge", lambda m, f, s, step: Scores(step, dict.fromkeys(STEMS, next(scripted)), 0.5))
    Run(config(steps=16), tmp_path, data).train(until=8)
    kept = sha256(tmp_path / "small.npz")
    resumed = Run(config(steps=16), tmp_path, data)
    assert resumed.train() == dict.fromkeys(STEMS, 5.0)
    assert sha256(tmp_path / "small.npz") == kept
    assert metrics(tmp_path)["best"]["step"] == 8
    assert metrics(tmp_path)["last"]["mean_sdr"] is None  # JSON has no NaN


def test_the_last_weights_are_kept_where_validation_chooses_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = iter([5.0, 2.0])
    monkeypatch.setattr(loop, "judge", lambda m, f, s, step: Scores(step, dict.fromkeys(STEMS, next(scripted)), 0.5))
    Run(config(keep="last"), tmp_path, data).train(until=4)
    early = sha256(tmp_path / "small.npz")
    assert Run(config(keep="last"), tmp_path, data).train() == dict.fromkeys(STEMS, 2.0)
    assert sha256(tmp_path / "small.npz") != early


def test_a_run_told_to_stop_goes_on_from_that_step(data: Path, tmp_path: Path) -> None:
    first = Run(config(), tmp_path, data)
    first.train(should_stop=lambda: first.step == 3)
    assert first.step == 3
    seen: list[int] = []
    Run(config(), tmp_path, data).train(lambda state: seen.append(state.step))
    assert seen == [4, 5, 6, 7, 8]


def test_two_processes_do_not_train_in_one_folder(data: Path, tmp_path: Path) -> None:
    with RunFolder(tmp_path, config()).alone(), pytest.raises(RunBusy, match="another folder"):
        Run(config(), tmp_path, data).train()


def test_a_loss_that_is_no_number_ends_the_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="lower learning_rate than 1e"):
        Run(config(learning_rate=1e36, warmup_steps=0), tmp_path, data).train()


def test_a_damaged_checkpoint_is_told(data: Path, tmp_path: Path) -> None:
    Run(config(), tmp_path, data).train(until=4)
    (tmp_path / "checkpoint.npz").write_bytes((tmp_path / "checkpoint.npz").read_bytes()[:-500])
    with pytest.raises(WeightsDamaged, match="delete it to start again"):
        Run(config(), tmp_path, data).train()


def test_folds_are_validated_on_what_they_leave_out(data: Path, tmp_path: Path) -> None:
    folds = {"folds": 3, "validation": None, "steps": 4}
    changes = {key: value for key, value in folds.items() if value is not None}
    table = {**json.loads(json.dumps(config().to_dict())), **changes}
    assert table["folds"] == 3
    sdr = [Run(config(**changes, fold=fold), tmp_path / str(fold), data).train() for fold in range(2)]
    assert sdr[0] != sdr[1]
    assert metrics(tmp_path / "1")["best"]["sdr"] == sdr[1]


def test_the_learning_rate_warms_up_and_comes_down() -> None:
    cosine = config(learning_rate=1.0, warmup_steps=4, steps=104)
    assert [learning_rate(cosine, step) for step in (0, 3)] == [0.25, 1.0]
    assert learning_rate(cosine, 54) == pytest.approx(0.505)
    assert learning_rate(cosine, 104) == pytest.approx(0.01)
    constant = config(learning_rate=1.0, warmup_steps=0, schedule="constant")
    assert {learning_rate(constant, step) for step in (0, 7)} == {1.0}
