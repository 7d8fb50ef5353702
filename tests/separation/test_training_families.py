"""Fine-tuning, and Spleeter's recipe from configuration to stems."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_run import ROOT, SPLEETER, SR, STEMS, config, sound, write_songs

from separation import Separator, native
from separation.backend import load_keras
from separation.errors import ConfigInvalid, ModelUnknown
from separation.models import spec
from separation.training.config import TrainConfig, find_config, load_config
from separation.training.initial import start_from
from separation.training.loop import Run
from separation.training.networks import compiled_model, family_of
from separation.training.sources import read_songs
from separation.training.validation import judge, prepare

TINY_SPLEETER = str(ROOT / "tests" / "data" / "spleeter" / "4stems.json")
FOUR = ("vocals", "drums", "bass", "other")
RECIPE = {"loss": "l1", "average": 0.0, "schedule": "constant", "network": SPLEETER}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songs(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Run(config(steps=40, validate_every=20, learning_rate=0.01), folder, data).train()
    return folder


def fresh(settings: TrainConfig):
    family = family_of(settings)
    return compiled_model(load_keras(), family), family.spec


def weights(model) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable) for variable in model.weights}


def first_loss(folder: Path) -> float:
    with (folder / "metrics.jsonl").open() as rows:
        return json.loads(next(rows))["loss"]


def test_weights_of_a_run_are_taken_over_whole(trained: Path) -> None:
    model, described = fresh(config())
    start = start_from(model, described, str(trained))
    stored = native.read_arrays(trained / "small.json")
    assert start.sha256 == native.verify(trained / "small.json")
    assert "afresh" not in start.note
    for path, array in weights(model).items():
        np.testing.assert_array_equal(array, stored[path].astype(np.float32))


def test_a_fine_tuned_run_begins_better_and_says_where(trained: Path, data: Path, tmp_path: Path) -> None:
    settings = config(steps=4, init=str(trained), learning_rate=1e-4)
    Run(settings, tmp_path / "tuned", data).train()
    Run(config(steps=4, learning_rate=1e-4), tmp_path / "new", data).train()
    first = {name: first_loss(tmp_path / name) for name in ("tuned", "new")}
    assert first["tuned"] < first["new"] - 0.05
    tuned, new = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("tuned", "new"))
    assert tuned["notes"] != new["notes"] == []
    assert tuned["notes"][0].startswith(f"started from {trained}: ")
    described = json.loads((tmp_path / "tuned" / "data.json").read_text())
    assert described["init"]["sha256"] == native.verify(trained / "small.json")
    resumed = Run(config(steps=6, init=str(trained), learning_rate=1e-4), tmp_path / "tuned", data)
    resumed.train()
    assert resumed.state.notes == tuned["notes"]


def test_other_stems_get_a_head_of_their_own(trained: Path) -> None:
    settings = config(stems=["voice", "beat", "rest"])
    model, described = fresh(settings)
    before = weights(model)
    start = start_from(model, described, str(trained))
    assert "its stems are vocals, drums, these are voice, beat, rest; made afresh: head_logits" in start.note
    stored = native.read_arrays(trained / "small.json")
    for path, array in weights(model).items():
        expected = before[path] if path.startswith("head_") else stored[path].astype(np.float32)
        np.testing.assert_array_equal(array, expected)
    model, described = fresh(config(stems=["beat", "voice"]))  # same shapes, other meaning
    assert "made afresh: head_logits" in start_from(model, described, str(trained)).note


def test_what_does_not_fit_is_refused(trained: Path) -> None:
    model, described = fresh(config(**RECIPE))
    with pytest.raises(ConfigInvalid, match=r"nothing of .* fits this network"):
        start_from(model, described, str(trained))
    with pytest.raises(ModelUnknown):
        start_from(model, described, "nobodys-model")
    leaky = {**SPLEETER, "conv_activation": "leaky_relu"}
    model, described = fresh(config(**{**RECIPE, "network": leaky}))
    with pytest.raises(ConfigInvalid, match="conv_activation = elu, not leaky_relu"):
        start_from(model, described, TINY_SPLEETER)


def test_spleeters_checkpoints_are_taken_over_by_stem() -> None:
    model, described = fresh(config(**RECIPE, stems=list(FOUR)))
    assert "afresh" not in start_from(model, described, TINY_SPLEETER).note
    two, described = fresh(config(**RECIPE, stems=["vocals", "rest"]))
    note = start_from(two, described, TINY_SPLEETER).note
    theirs, ours = weights(model), weights(two)
    np.testing.assert_array_equal(ours["vocals_down2_conv/kernel"], theirs["vocals_down2_conv/kernel"])
    assert "made afresh: rest_down0_conv" in note


def test_spleeters_recipe_learns_and_separates(data: Path, tmp_path: Path) -> None:
    settings = config(**RECIPE, steps=60, validate_every=30, learning_rate=3e-3)
    sdr = Run(settings, tmp_path, data).train()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    assert min(sdr.values()) > 3.0
    separator = Separator(tmp_path)
    assert separator.spec == spec(str(tmp_path))
    assert separator.spec.stems == STEMS
    vocals, drums = sound("vocals", 1), sound("drums", 1)
    stems = separator.separate(vocals + drums, SR)
    error = stems["vocals"] - vocals
    assert 10 * np.log10(np.sum(vocals**2) / np.sum(error**2)) > 3.0


def test_the_recipe_scores_what_separation_gives(data: Path, tmp_path: Path) -> None:
    """SDR of a validation stretch from masks and powers = SDR of the masked spectra themselves."""
    settings = config(**RECIPE, steps=4)
    Run(settings, tmp_path, data).train()
    family = family_of(settings)
    model = compiled_model(load_keras(), family)
    native.fill(model, tmp_path / "small.json")
    song = read_songs(settings, data)[1][0]
    scores = judge(model, family, prepare([song], family), 0)
    n = family.stft.span(64)
    start = (song.n_samples - n) // 2
    S = family.stft.forward_frames(np.stack([song.stems[s][:, start : start + n].astype(np.float32) for s in STEMS]))
    masks = Separator(tmp_path)._masker.masks(S.sum(axis=0))
    for row, stem in enumerate(STEMS):
        wrong = np.abs(masks[row] * S.sum(axis=0)[..., :64] - S[row, ..., :64]) ** 2
        energy = (np.abs(S[row, ..., :64]) ** 2).reshape(2, 2, 32, 64).sum(axis=(0, 2, 3))
        blocks = 10 * np.log10(energy / wrong.reshape(2, 2, 32, 64).sum(axis=(0, 2, 3)))
        assert scores.sdr[stem] == pytest.approx(np.median(blocks), abs=0.1)


def test_the_shipped_recipe_is_spleeters() -> None:
    settings = load_config(find_config("spleeter-4stems"))
    published = spec("spleeter:4stems")
    ours = settings.network.spec(published.name, settings.stems, settings.sr, settings.n_fft, settings.hop_length, {})
    assert {**ours.to_dict(), "folder": "4stems"} == published.to_dict()
    assert (settings.loss, settings.learning_rate, settings.schedule) == ("l1", 1e-4, "constant")
    with pytest.raises(ConfigInvalid, match='loss = "l1"'):
        family_of(config(network=SPLEETER))
    with pytest.raises(ConfigInvalid, match="there are unet, spleeter"):
        config(network={"family": "transformer"})


def test_our_network_can_learn_by_magnitudes_too(data: Path, tmp_path: Path) -> None:
    Run(config(loss="l1", steps=50, validate_every=25, learning_rate=0.01), tmp_path, data).train()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
