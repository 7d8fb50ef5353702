from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import SR, STEMS, sound, table, write_songs

from separation import Separator
from separation.backend import load_keras
from separation.errors import ConfigInvalid, TrainingDataMissing
from separation.spectrogram import Stft
from separation.training.config import TrainConfig, find_config, load_config, parse_config
from separation.training.loop import Run
from separation.training.mixing import Mixer, make_example
from separation.training.sources import Song


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_songs(tmp_path_factory.mktemp("data"))


def mixer(**changes: Any) -> Mixer:
    config = parse_config(table(**changes))
    songs = [Song(f"s{i}", {stem: sound(stem, i).astype(np.float16) for stem in STEMS}, 0) for i in range(3)]
    return Mixer(songs, config)


def test_the_nth_mix_is_always_the_same() -> None:
    first, again, other = mixer().batch(5), mixer().batch(5), mixer().batch(6)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == (2, 64, 32, 4)
    assert first[1].shape == (2, 64, 32, 2 + 4 * 2)


def test_errors_from_powers_are_the_errors_of_masked_spectra() -> None:
    load_keras()
    from separation.training.loss import error_power

    config: TrainConfig = parse_config(table())
    stft = Stft(config.n_fft, config.hop_length)
    n = 63 * 64 + 256
    stems = np.stack([sound(stem, 1, n) for stem in STEMS])
    example = make_example(stems, config, stft)
    masks = np.random.default_rng(0).random((64, 32, 4)).astype(np.float32)
    error = np.asarray(error_power(example.target[None], masks[None], 2))[0]
    S = stft.forward_frames(stems)
    X = S.sum(axis=0)
    level = np.sqrt(config.bands.sum(np.abs(X) ** 2).mean())
    for channel in range(2):
        for stem in range(2):
            column = 2 * channel + stem
            mask = config.bands.expand(masks[..., column], stft.n_bins)
            wrong = np.abs(mask * X[channel] - S[stem, channel]) ** 2
            np.testing.assert_allclose(error[..., column], config.bands.sum(wrong) / level**2, rtol=2e-2, atol=1e-4)


def test_the_right_masks_score_better_than_any_other() -> None:
    load_keras()
    from separation.training.loss import make_loss

    features, target = mixer().batch(0)
    shared, mixture = target[..., 2:6], np.repeat(target[..., :2], 2, axis=-1)
    right = np.clip(shared / (mixture + 1e-6), 0, 1)
    loss = make_loss(2, 0.1)
    assert float(loss(target, right)) < float(loss(target, np.full_like(right, 0.5))) - 0.05
    assert float(loss(target, right)) < float(loss(target, 1 - right)) - 0.1
    assert np.isfinite(features).all()


def test_speed_gain_and_silence_leave_finite_examples() -> None:
    augment = {"remix": 1.0, "speed": 0.3, "gain_db": 12.0, "silence": 0.9}
    for step in range(5):
        features, target = mixer(augment=augment).batch(step)
        assert np.isfinite(features).all()
        assert np.isfinite(target).all()


def test_a_run_learns_resumes_and_gives_a_model_that_separates(data: Path, tmp_path: Path) -> None:
    config = parse_config(table(steps=50, learning_rate=0.01, validate_every=25))
    Run(config, tmp_path, data).train(until=25)
    resumed = Run(config, tmp_path, data)
    best = resumed.train()
    assert resumed.step == 50
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 51))
    losses = [row["loss"] for row in rows]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05
    assert np.mean(losses[25:35]) < np.mean(losses[:10])  # went on, did not start again
    assert set(best) == set(STEMS)
    assert len(json.loads((tmp_path / "data.json").read_text())["sha256"]) == 6
    y = sound("vocals", 9) + sound("drums", 9)
    stems = Separator("small", weights=tmp_path).separate(y, SR)
    assert set(stems) == set(STEMS)
    np.testing.assert_allclose(stems["vocals"] + stems["drums"], y, atol=1e-5)


def test_configurations_are_checked_by_name(tmp_path: Path) -> None:
    assert load_config(find_config("mir-4s")).name == "mir-4s"
    with pytest.raises(ConfigInvalid, match="no setting stepz"):
        parse_config(table(stepz=3))
    with pytest.raises(ConfigInvalid, match=r"at least one \[\[source\]\]"):
        parse_config(table(source=[]))
    with pytest.raises(ConfigInvalid, match="divisible"):
        parse_config(table(network={"n_frames": 63, "filters": [4, 8]}))
    with pytest.raises(ConfigInvalid, match="musdb, stems, voices"):
        parse_config(table(source=[{"kind": "mp3s", "path": "x"}]))
    with pytest.raises(ConfigInvalid, match="come with mir are"):
        find_config("nothing")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ConfigInvalid, match="no TOML"):
        load_config(tmp_path / "bad.toml")


def test_missing_data_is_named(data: Path, tmp_path: Path) -> None:
    config = parse_config(table(source=[{"kind": "stems", "path": "nowhere"}]))
    with pytest.raises(TrainingDataMissing, match="nowhere"):
        Run(config, tmp_path, data).train()
