"""Spleeter's models: the samples of the real program, and what is refused.

The golden answers are real Spleeter's, see `tests/data/make_spleeter_golden.py`.
"""

from __future__ import annotations

import json
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from separation import Separator
from separation.errors import AudioInvalid, ConfigInvalid, ModelUnknown, StemUnknown, WeightsDamaged, WeightsMissing
from separation.models import available, find, source_id, spec, verify
from separation.spleeter.checkpoint import find_checkpoint, read_checkpoint, variables
from separation.spleeter.config import published, read_config
from separation.spleeter.wiener import wiener

DATA = Path(__file__).resolve().parents[1] / "data"
FOLDER = DATA / "spleeter"
GOLDEN = json.loads((DATA / "spleeter_golden.json").read_text())
STRIDE = GOLDEN["stride"]


@pytest.fixture(scope="module")
def golden():
    with np.load(DATA / "spleeter_golden.npz", allow_pickle=False) as file:
        return dict(file)


def our_answer(waveform, case, config=None, weights=None):
    """Stems and sample rate of what ours makes of a golden case."""
    config = config or FOLDER / f"{case['model']}.json"
    weights = weights or FOLDER / case["model"].partition("-")[0]
    y = waveform[: case["n_channels"], : case["n_samples"]].astype(np.float32) / 32768
    separator = loaded(config, weights, case.get("mask_extension"), case.get("mwf", False))
    return separator.separate(y, separator.sr)


@lru_cache
def loaded(config, weights, mask_extension=None, mwf=False):
    return Separator(config, weights, mask_extension=mask_extension, mwf=mwf)


def error(ours, theirs):
    """Relative error of a stem on the samples that the golden file keeps."""
    return np.linalg.norm(ours[:, ::STRIDE] - theirs) / np.linalg.norm(theirs)


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_the_same_samples_as_spleeter(golden, name):
    case = GOLDEN["cases"][name]
    ours = our_answer(golden["waveform"], case)
    assert {f"{name}/{stem}" for stem in ours} == {key for key in golden if key.startswith(f"{name}/")}
    for stem, y in ours.items():
        assert y.shape == (2, case["n_samples"])  # mono too: Spleeter takes it for stereo
        assert error(y, golden[f"{name}/{stem}"]) < (1e-3 if "mwf" in name else 1e-4), stem


@pytest.mark.parametrize(("name", "other"), [("2stems", ("ELU", "ELU")), ("4stems", ("LeakyReLU", "ReLU"))])
def test_the_wrong_activations_are_seen(golden, tmp_path, name, other):
    table = json.loads((FOLDER / f"{name}.json").read_text())
    table["model"]["params"]["conv_activation"], table["model"]["params"]["deconv_activation"] = other
    (tmp_path / "swapped.json").write_text(json.dumps(table))
    ours = our_answer(golden["waveform"], GOLDEN["cases"][name], tmp_path / "swapped.json")
    assert max(error(y, golden[f"{name}/{stem}"]) for stem, y in ours.items()) > 1e-2


def test_a_norm_left_out_is_seen(golden, monkeypatch):
    def without_norms(folder, spec):
        arrays = read_checkpoint(folder, spec)
        for path, array in arrays.items():
            if path.endswith(("moving_mean", "beta")):
                array[:] = 0.0
            elif path.endswith(("moving_variance", "gamma")):
                array[:] = 1.0
        return arrays

    monkeypatch.setattr("separation.spleeter.checkpoint.read_checkpoint", without_norms)
    loaded.cache_clear()
    ours = our_answer(golden["waveform"], GOLDEN["cases"]["4stems"])
    loaded.cache_clear()
    assert max(error(y, golden[f"4stems/{stem}"]) for stem, y in ours.items()) > 1e-2


def test_fewer_stems_are_the_same_stems(golden):
    separator = loaded(FOLDER / "4stems.json", FOLDER / "4stems")
    y = golden["waveform"].astype(np.float32) / 32768
    every = separator.separate(y, separator.sr)
    two = separator.separate(y, separator.sr, stems=("other", "vocals"))
    assert tuple(two) == ("other", "vocals")
    for stem, samples in two.items():
        np.testing.assert_array_equal(samples, every[stem])
    with pytest.raises(StemUnknown, match="no stem 'piano': choose from vocals, drums, bass, other"):
        separator.separate(y, separator.sr, stems=("piano",))


def test_averaged_masks_share_everything(golden):
    """With `average` the stems add up to the mixture; with `zeros` what lies above the network's bins is lost."""
    y = golden["waveform"][:, :6000].astype(np.float32) / 32768
    full, cut = (
        sum(loaded(FOLDER / "4stems.json", FOLDER / "4stems", how).separate(y, 44100).values())
        for how in ("average", "zeros")
    )
    np.testing.assert_allclose(full, y, atol=1e-6)
    assert np.linalg.norm(cut - y) > 0.05 * np.linalg.norm(y)


def test_more_channels_share_their_mean_masks(golden):
    y = np.repeat(golden["waveform"][:1, :5000], 6, axis=0).astype(np.float32) / 32768
    separator = loaded(FOLDER / "4stems.json", FOLDER / "4stems")
    stems = separator.separate(y, 44100)
    twin = separator.separate(y[:1], 44100)
    for stem, samples in stems.items():
        assert samples.shape == y.shape
        np.testing.assert_allclose(samples[3], twin[stem].mean(axis=0), atol=1e-5)


def test_published_models():
    assert sorted(published()) == [
        "spleeter:2stems", "spleeter:2stems-16kHz", "spleeter:4stems",
        "spleeter:4stems-16kHz", "spleeter:5stems", "spleeter:5stems-16kHz",
    ]  # fmt: skip
    five = spec("spleeter:5stems-16kHz")
    assert five.stems == ("vocals", "piano", "drums", "bass", "other")
    assert (five.n_bins, five.softmax, five.folder) == (1536, True, "5stems")
    two = spec("spleeter:2stems")
    assert (two.conv_activation, two.deconv_activation) == ("leaky_relu", "relu")
    n_parameters = sum(int(np.prod(shape)) for _, shape in variables(two).values())
    assert n_parameters / 2 == pytest.approx(9.83e6, rel=1e-2)


def test_numbering_runs_on_through_the_stems():
    names = variables(spec("spleeter:4stems"))
    assert names["conv2d/kernel"] == ("vocals_down0_conv/kernel", (5, 5, 2, 16))
    assert names["conv2d_6/bias"] == ("vocals_head/bias", (2,))
    assert names["conv2d_7/kernel"] == ("drums_down0_conv/kernel", (5, 5, 2, 16))
    assert names["conv2d_transpose_23/kernel"] == ("other_up5_conv/kernel", (5, 5, 1, 32))
    assert names["batch_normalization_47/gamma"] == ("other_up5_norm/gamma", (1,))
    assert "batch_normalization_5/gamma" not in names  # trained, and used by nothing


def test_a_model_without_weights_refuses(tmp_path, monkeypatch):
    monkeypatch.setenv("MIR_MODELS", str(tmp_path))
    assert "spleeter:4stems" not in available()
    with pytest.raises(WeightsMissing, match="mir models pull spleeter:4stems"):
        Separator("spleeter:4stems")
    with pytest.raises(WeightsMissing, match="no checkpoint in"):
        Separator("spleeter:4stems", tmp_path)
    with pytest.raises(ModelUnknown, match="spleeter:2stems"):
        Separator("spleeter:3stems")


def test_partial_and_foreign_checkpoints_are_refused(tmp_path):
    four, two = read_config(FOLDER / "4stems.json"), read_config(FOLDER / "2stems.json")
    with pytest.raises(WeightsDamaged, match=r"lacks \d+ of the \d+ variables of 4stems .*partial, or another"):
        read_checkpoint(FOLDER / "2stems", four)
    with pytest.raises(WeightsDamaged, match=r"does not fit 2stems: conv2d"):
        read_checkpoint(FOLDER / "4stems", two)
    shutil.copytree(FOLDER / "4stems", tmp_path / "4stems")
    for path in (tmp_path / "4stems").glob("*.data-*"):
        path.unlink()
    with pytest.raises(WeightsMissing, match="data-00000-of-00001 is missing"):
        find_checkpoint(tmp_path / "4stems")
    (tmp_path / "4stems" / "model.data-00000-of-00001").write_bytes(b"too short")
    with pytest.raises(WeightsDamaged, match="cannot be read as a TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "4stems", four)
    next((tmp_path / "4stems").glob("*.index")).write_bytes(b"no index")
    with pytest.raises(WeightsDamaged, match="cannot be read as a TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "4stems", four)
    with pytest.raises(WeightsMissing, match="holds no Spleeter checkpoint"):
        find_checkpoint(tmp_path)


def test_folders_laid_out_as_spleeters(tmp_path, monkeypatch):
    """`--weights pretrained_models` and `$MIR_MODELS` hold a folder a model; a folder of its own is taken as it is."""
    shutil.copytree(FOLDER / "4stems", tmp_path / "4stems")
    monkeypatch.setenv("MIR_MODELS", str(tmp_path))
    assert find("spleeter:4stems-16kHz") == tmp_path / "4stems"
    assert find("spleeter:4stems", tmp_path) == tmp_path / "4stems"
    assert find("spleeter:4stems", tmp_path / "4stems") == tmp_path / "4stems"
    assert "spleeter:4stems" in available()
    assert "spleeter:2stems" not in available()
    name, digits, precision = source_id("spleeter:4stems").rsplit(":", 2)
    assert (name, len(digits), precision) == ("spleeter:4stems", 16, "float32")
    assert source_id("spleeter:4stems", precision="bfloat16") != source_id("spleeter:4stems")
    before = verify("spleeter:4stems")
    with (tmp_path / "4stems" / "model.data-00000-of-00001").open("ab") as file:
        file.write(b"x")
    assert verify("spleeter:4stems") != before
    assert source_id("spleeter:4stems").rsplit(":", 2)[1] != digits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"type": "blstm.blstm"}}, "no network 'blstm.blstm' here; there are unet.unet"),
        ({"T": 500}, "divisible by 64, got 500"),
        ({"F": 192}, "192 bins are more than frames of 256 have"),
        ({"n_channels": 1}, "stereo"),
        ({"mask_extension": "mirror"}, "zeros or average, got 'mirror'"),
        ({"instrument_list": []}, "different names"),
        ({"instrument_list": ["a", "a"]}, "different names"),
        ({"sample_rate": "fast"}, "no Spleeter configuration"),
        ({"model": {"params": {"conv_n_filters": [1, 2]}}}, "six numbers"),
        ({"model": []}, "must be objects"),
    ],
)
def test_configurations_that_make_no_sense(tmp_path, change, message):
    table = json.loads((FOLDER / "4stems.json").read_text()) | change
    path = tmp_path / "own.json"
    path.write_text(json.dumps(table))
    with pytest.raises(ConfigInvalid, match=message):
        read_config(path)


def test_files_that_are_no_configuration(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigInvalid, match="is no JSON"):
        read_config(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"instrument_list": ["a"]}')
    with pytest.raises(ConfigInvalid, match="'sample_rate' is missing"):
        read_config(tmp_path / "a.json")
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        read_config(tmp_path / "b.json")


def test_wiener_filter_of_one_true_source():
    """Where one stem is all there is and the other's estimate is nothing, the filter gives all to the one."""
    rng = np.random.default_rng(0)
    D = (rng.standard_normal((2, 40, 9)) + 1j * rng.standard_normal((2, 40, 9))).astype(np.complex64)
    estimates = np.stack([np.abs(D), np.zeros(D.shape, np.float32)])
    stems = wiener(estimates, D)
    np.testing.assert_allclose(stems[0], D, rtol=1e-2)
    assert np.abs(stems[1]).max() < 1e-6 * np.abs(D).max()


def test_wiener_filter_parts_what_lies_at_different_places():
    """Two sources, panned hard left and right, equally loud by the estimate: each comes back from its own side."""
    rng = np.random.default_rng(1)
    left, right = (rng.standard_normal((2, 200, 5)) @ np.eye(5) for _ in range(2))
    D = np.stack([left[0] + 1j * left[1], right[0] + 1j * right[1]]).astype(np.complex64)
    loud = np.abs(D)
    estimates = np.stack([loud * [[[1.0]], [[0.05]]], loud * [[[0.05]], [[1.0]]]]).astype(np.float32)
    stems = wiener(estimates, D)
    assert np.linalg.norm(stems[0, 0] - D[0]) < 0.05 * np.linalg.norm(D[0])
    assert np.linalg.norm(stems[0, 1]) < 0.05 * np.linalg.norm(D[1])


def test_options_for_spleeter_alone(tiny_weights):
    with pytest.raises(ConfigInvalid, match="mask extension is for Spleeter's models"):
        Separator("tiny", tiny_weights, mask_extension="zeros")
    with pytest.raises(ConfigInvalid, match="mwf is for Spleeter's models"):
        Separator("tiny", tiny_weights, mwf=True)


@pytest.mark.parametrize("n_frames", [1, 30, 62, 63, 200, 300])
def test_a_short_last_segment_hears_as_much_silence_as_it_can_tell(tmp_path, monkeypatch, n_frames):
    """Cut short, its masks are those of the full segment."""
    from separation.spleeter import masker as module
    from separation.spleeter.masker import SpleeterMasker

    table = json.loads((FOLDER / "4stems.json").read_text()) | {"T": 512}
    (tmp_path / "long.json").write_text(json.dumps(table))
    masker = SpleeterMasker(read_config(tmp_path / "long.json"), FOLDER / "4stems")
    rng = np.random.default_rng(n_frames)
    D = (rng.standard_normal((2, n_frames, 129)) + 1j * rng.standard_normal((2, n_frames, 129))).astype(np.complex64)
    short = masker.masks(D)
    (size,) = (frames for _, frames in masker._compiled)
    assert size == min(512, -(-(n_frames + 194) // 64) * 64)
    monkeypatch.setattr(module, "REACH", 512)
    full = masker.masks(D)
    assert short.shape == full.shape == (4, 2, n_frames, 64)
    np.testing.assert_allclose(short, full, atol=1e-5)
    if n_frames == 62:  # with one step less it is heard where the segment ends
        monkeypatch.setattr(module, "REACH", 130)
        assert np.abs(masker.masks(D) - full).max() > 1e-4


def test_the_wiener_filter_is_for_mono_and_stereo():
    separator = loaded(FOLDER / "4stems.json", FOLDER / "4stems", None, True)
    with pytest.raises(AudioInvalid, match="not 6 channels: leave mwf out"):
        separator.separate(np.zeros((6, 3000), np.float32), 44100)
