"""Mixes made of tensors are what numpy makes of the same draws, and a network learns from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_run import SR, STEMS, sound, table, train_elsewhere, write_songs

from separation import Separator
from separation.backend import load_keras
from separation.errors import ConfigInvalid
from separation.training.config import parse_config
from separation.training.loop import Run
from separation.training.mixing import make_example
from separation.training.sources import Song

QUIET: dict[str, float] = {"speed": 0.0, "equaliser_db": 0.0, "gain_db": 0.0, "silence": 0.0}


def mixer(songs: list[Song] | None = None, **changes: Any) -> Any:
    load_keras()
    from separation.training.tensor_mixing import TensorMixer

    own = [Song(f"s{i}", {stem: sound(stem, i).astype(np.float16) for stem in STEMS}, 0) for i in range(3)]
    return TensorMixer(songs or own, parse_config(table(mixing="tensor", **changes)))


def batch(made: Any, step: int) -> tuple[np.ndarray, np.ndarray]:
    from keras import ops

    features, target = made.batch(step)
    return np.asarray(ops.convert_to_numpy(features)), np.asarray(ops.convert_to_numpy(target))


def pools(made: Any) -> list[np.ndarray]:
    from keras import ops

    return [np.asarray(ops.convert_to_numpy(pool)).astype(np.float32) for pool in made._pools]


@pytest.mark.parametrize("remix", [0.0, 1.0])
def test_a_mix_is_what_numpy_makes_of_the_same_draws(remix: float) -> None:
    made = mixer(augment={**QUIET, "gain_db": 6.0, "width": 0.5, "equaliser_db": 3.0, "remix": remix})
    for step in range(3):
        takes = made.draw(step)
        features, target = batch(made, step)
        for mix in range(2):
            stems = np.zeros((2, 2, made.n_samples), np.float32)
            for stem in range(2):
                first = takes.first[mix, stem] + takes.position[mix, stem, 0]
                stems[stem] = takes.panning[mix, stem] @ pools(made)[stem][first : first + made.n_samples].T
            heard = made.stft.forward_frames(stems)
            heard[..., : made.config.bands.n_bins] *= takes.equaliser[mix][:, None, None]
            wanted = example_of(heard, made)
            np.testing.assert_allclose(features[mix], wanted.features, atol=2e-4)
            np.testing.assert_allclose(target[mix], wanted.target, rtol=2e-3, atol=2e-5)


def example_of(spectra: np.ndarray, made: Any) -> Any:
    """`make_example` of spectra that are there already."""

    class Ready:
        n_bins = made.stft.n_bins

        def forward_frames(self, _: np.ndarray) -> np.ndarray:
            return spectra

    return make_example(np.zeros((2, 2, 1), np.float32), made.config, Ready())  # type: ignore[arg-type]


def test_the_nth_mix_is_always_the_same() -> None:
    first, again, other = batch(mixer(), 5), batch(mixer(), 5), batch(mixer(), 6)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == (2, 64, 32, 4)
    assert first[1].shape == (2, 64, 32, 2 + 4 * 2)


@pytest.mark.parametrize("speed", [0.8, 0.93, 1.0, 1.17])
def test_a_tone_is_played_faster_or_slower_and_stays_clean(speed: float) -> None:
    load_keras()
    from keras import ops

    from separation.training.tensor_mixing import BLOCK, played

    n, hz = 6000, 1234.5
    tone = np.sin(2 * np.pi * hz * np.arange(3 * n) / SR)
    begin = 1000.3 + speed * BLOCK * np.arange(-(-n // BLOCK))
    whole = np.floor(begin)
    given = [
        np.stack([tone, -tone], axis=-1).astype(np.float16),
        np.zeros(1, np.int32),
        np.full(1, 3 * n, np.int32),
        whole[None].astype(np.int32),
        (begin - whole)[None].astype(np.float32),
        np.full(1, speed, np.float32),
    ]
    out = np.asarray(ops.convert_to_numpy(played(*map(ops.convert_to_tensor, given), n_samples=n)))[0]
    wanted = np.sin(2 * np.pi * hz * (1000.3 + speed * np.arange(n)) / SR)
    error_db = 10 * np.log10(np.mean((out[:, 0] - wanted) ** 2) / np.mean(wanted**2))
    assert error_db < -45.0
    np.testing.assert_allclose(out[:, 1], -out[:, 0], atol=1e-6)


def test_a_short_clip_lies_in_silence_and_its_neighbour_is_never_heard() -> None:
    loud = np.full((2, 6000), 60000.0, np.float16)
    songs = [Song(name, {"vocals": loud.copy()}, 0) for name in ("before", "short", "after")]
    songs[1].stems["vocals"] = np.full((2, 3000), 0.25, np.float16)
    made = mixer(songs, augment={**QUIET, "remix": 1.0, "speed": 0.1})
    from keras import ops

    from separation.training.tensor_mixing import played

    found = 0
    for step in range(10):
        takes = made.draw(step)
        names = ("first", "length", "position", "fraction", "speed")
        given = [ops.convert_to_tensor(getattr(takes, name)[:, 0]) for name in names]
        y = np.asarray(ops.convert_to_numpy(played(made._pools[0], *given, n_samples=made.n_samples)))[..., 0]
        short = takes.length[:, 0] == 3000
        assert y[short].max(initial=0.0) < 0.3  # a little over at the edges
        heard = (np.abs(y[short] - 0.25) < 0.02).sum(axis=-1)
        assert (np.abs(heard - 3000 / takes.speed[short, 0]) < 12).all()
        found += short.sum()
    assert found > 2


def test_stems_without_a_natural_level_are_brought_to_one() -> None:
    rng = np.random.default_rng(0)
    real = {stem: (0.1 * rng.standard_normal((2, 40000))).astype(np.float16) for stem in STEMS}
    faint = {stem: (0.001 * rng.standard_normal((2, 40000))).astype(np.float16) for stem in STEMS}
    sources = [
        {"kind": "stems", "path": "real", "natural_levels": True},
        {"kind": "stems", "path": "faint"},
    ]
    made = mixer([Song("r", real, 0), Song("f", faint, 1)], source=sources, augment={**QUIET, "remix": 1.0})
    gains = np.concatenate([abs(made.draw(step).panning).max(axis=(-1, -2)).ravel() for step in range(10)])
    raised = gains > 10.0
    assert 0 < raised.sum() < gains.size
    np.testing.assert_allclose(gains[~raised], 1.0, rtol=1e-6)
    np.testing.assert_allclose(gains[raised], 100.0, rtol=0.06)


def test_a_run_learns_goes_on_and_separates_whole_chunks(tmp_path: Path) -> None:
    data = write_songs(tmp_path / "data")
    changes = {"mixing": "tensor", "mix_frames": 32, "steps": 40, "validate_every": 20, "learning_rate": 0.01}
    changes |= {"weight_decay": 0.01, "log_mask_weight": 0.05}
    Run(parse_config(table(**changes)), tmp_path / "whole", data).train()
    broken = Run(parse_config(table(**changes)), tmp_path / "broken", data)
    broken.train(until=20)
    Run(parse_config(table(**changes)), tmp_path / "broken", data).train()
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "broken")
    ]
    assert len(losses[0]) == 40
    assert np.mean(losses[0][-5:]) < np.mean(losses[0][:5]) - 0.05
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05, atol=0.01)
    separator = Separator(str(tmp_path / "whole"))
    y = sound("vocals", 1) + sound("drums", 1)
    stems = separator.separate(y, SR)
    assert stems["vocals"].shape == y.shape
    description = json.loads((tmp_path / "whole" / "small.json").read_text())
    assert description["network"]["n_frames"] == 64


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_make_the_same_mixes(tmp_path: Path, backend: str) -> None:
    pytest.importorskip(backend, reason=f"needs {backend}")
    data = write_songs(tmp_path / "data")
    changes = {"mixing": "tensor", "network": {"n_frames": 64, "filters": [4, 8], "dense_from": 1, "dropout": 0.0}}
    found = []
    for name in ("tensorflow", backend):
        assert train_elsewhere(changes, tmp_path / name, data, backend=name) == 0
        found.append(json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[0])["loss"])
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_only_kernels_decay(tmp_path: Path) -> None:
    from separation.training.networks import compiled_model, family_of

    keras = load_keras()
    config = parse_config(table(weight_decay=0.5, learning_rate=0.1))
    model = compiled_model(keras, family_of(config))
    before = {variable.path: np.array(variable) for variable in model.trainable_variables}
    model.optimizer.apply([keras.ops.zeros_like(variable) for variable in model.trainable_variables])
    for variable in model.trainable_variables:
        share = 0.95 if variable.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(np.array(variable), share * before[variable.path], atol=1e-6)


def test_the_level_of_a_quiet_stem_counts_and_silence_does_not() -> None:
    load_keras()
    from separation.training.loss import make_loss

    power = np.array([1.0, 1e-2, 0.0], np.float32)  # of the mixture in three bins
    share = np.array([0.3, 0.1, 0.5], np.float32)  # of one stem's magnitude in it
    target = np.zeros((1, 1, 3, 10), np.float32)
    target[..., :2] = power[:, None]
    for column, mask in enumerate((share, 1 - share, share, 1 - share)):
        target[0, 0, :, 2 + column] = mask * power
        target[0, 0, :, 6 + column] = mask**2 * power
    right = np.stack([share, 1 - share, share, 1 - share], axis=-1)[None, None]

    def term(masks: np.ndarray) -> float:
        return float(make_loss(2, 0.0, 1.0)(target, masks)) - float(make_loss(2, 0.0)(target, masks))

    assert term(right) == pytest.approx(0.0, abs=1e-4)
    halved = right.copy()
    halved[0, 0, 1, 0] /= 2.0  # 6 dB in one of six bins and two stems: 0.6 / 12, less what the floor takes
    assert term(halved) == pytest.approx(0.6 / 12, abs=0.01)
    silent = right.copy()
    silent[0, 0, 2] = 0.01
    assert term(silent) == pytest.approx(0.0, abs=1e-4)


def test_more_than_can_be_counted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    load_keras()
    monkeypatch.setattr("separation.training.tensor_mixing.MOST_SAMPLES", SR)
    with pytest.raises(ConfigInvalid, match="hours of a stem, here are"):
        mixer()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="mixing 'magic'; there are numpy, tensor"):
        parse_config(table(mixing="magic"))
    with pytest.raises(ConfigInvalid, match="networks of our own"):
        parse_config(table(mixing="tensor", loss="l1", network={"family": "spleeter"}))
    for frames in (30, -4):
        with pytest.raises(ConfigInvalid, match="frames of a mix are divisible by 4"):
            parse_config(table(mix_frames=frames))
