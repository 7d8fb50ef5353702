"""Evaluation: tracks are found, baselines do what they say, and scores come out as known."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from separation.audio import save
from separation.baselines import Equaliser, HarmonicPercussive, Mixture, OracleMask
from separation.errors import AudioInvalid, AudioMissing, ModelUnknown, TrainingDataMissing
from separation.evaluation import Evaluation, TrackScore, baseline, evaluate, find_tracks, score_track
from separation.musdb import STEMS, VALIDATION_TRACKS, mixture

SR = 8000
BANDS = {"bass": (40, 300), "vocals": (350, 900), "drums": (1000, 2000), "other": (2100, 3900)}


def band_noise(low_hz: float, high_hz: float, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal((1, n_samples)))
    frequency = np.fft.rfftfreq(n_samples, 1 / SR)
    spectrum[:, (frequency < low_hz) | (frequency > high_hz)] = 0.0
    y = np.fft.irfft(spectrum, n=n_samples)
    return (0.05 * y / y.std()).astype(np.float32)


def write_track(folder, seed: int, seconds: float = 2.2) -> None:
    rng = np.random.default_rng(seed)
    for stem, (low, high) in BANDS.items():
        save(folder / f"{stem}.wav", band_noise(low, high, round(seconds * SR), rng), SR, subtype="FLOAT")


@pytest.fixture(scope="module")
def hq(tmp_path_factory):
    """MUSDB18-HQ's layout: three training tracks, one of them for validation, and a test track."""
    root = tmp_path_factory.mktemp("hq")
    write_track(root / "train" / "Some Body - One", 1)
    write_track(root / "train" / "Some Body - Two", 2)
    write_track(root / "train" / "Meaxic - Take A Step", 3)
    write_track(root / "test" / "No Body - 'Three' 🎸", 4)
    (root / "train" / "no track").mkdir()
    return root


def test_tracks_of_the_hq_layout(hq):
    assert [(track.name, track.split) for track in find_tracks(hq)] == [
        ("Meaxic - Take A Step", "valid"),
        ("No Body - 'Three' 🎸", "test"),
        ("Some Body - One", "train"),
        ("Some Body - Two", "train"),
    ]
    assert [track.name for track in find_tracks(hq, split="valid")] == ["Meaxic - Take A Step"]
    stems, sr = find_tracks(hq, split="test")[0].load()
    assert sr == SR
    assert tuple(stems) == STEMS
    assert {y.shape for y in stems.values()} == {(1, 17600)}
    np.testing.assert_allclose(mixture(stems), sum(stems.values()), atol=1e-6)


def test_tracks_of_a_manifest(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        'file,artist,split\n"train/A, B - C.stem.mp4",A,train\ntrain/D - E.stem.mp4,D,valid\nREADME.md,x,train\n',
        encoding="utf-8",
    )
    assert [(track.name, track.split) for track in find_tracks(tmp_path)] == [("A, B - C", "train"), ("D - E", "valid")]
    assert find_tracks(tmp_path, "valid")[0].path == tmp_path / "train" / "D - E.stem.mp4"


def test_what_cannot_be_found_is_said(hq, tmp_path):
    with pytest.raises(AudioMissing, match="no such data folder"):
        find_tracks(tmp_path / "nowhere")
    with pytest.raises(AudioMissing, match=r"give a folder with \.stem\.mp4 files"):
        find_tracks(tmp_path)
    with pytest.raises(AudioMissing, match=r"no tracks of split 'dev'.*it has test, train, valid"):
        find_tracks(hq, split="dev")
    shutil.copytree(hq / "test", tmp_path / "test")
    with pytest.raises(AudioMissing, match="split 'train'"):
        baseline("equaliser", tmp_path)
    with pytest.raises(TrainingDataMissing):
        Equaliser.fit([])
    with pytest.raises(ModelUnknown, match="no baseline 'magic': there are mixture, hpss, oracle, equaliser"):
        baseline("magic", hq)
    with pytest.raises(AudioInvalid, match="no track"):
        evaluate(Mixture(), [], model="x")


def test_stems_that_do_not_belong_together_are_refused(tmp_path):
    write_track(tmp_path / "x", 1)
    save(tmp_path / "x" / "drums.wav", np.zeros((1, 3 * SR), np.float32), SR)
    with pytest.raises(AudioInvalid, match="differ in rate, channels or length"):
        find_tracks(tmp_path)[0].load()


@pytest.mark.parametrize("maker", [HarmonicPercussive, OracleMask, Equaliser])
def test_stems_of_a_baseline_sum_to_the_mixture(hq, maker):
    truth, sr = find_tracks(hq, split="valid")[0].load()
    y = mixture(truth)
    before = y.copy()
    if maker is Equaliser:
        separator = Equaliser.fit(find_tracks(hq, split="train"))
    else:
        separator = maker().knowing(truth, sr) if maker is OracleMask else maker()
    stems = separator.separate(y, sr)
    assert tuple(stems) == STEMS == tuple(separator.stems)
    np.testing.assert_allclose(sum(stems.values()), y, atol=1e-5)
    np.testing.assert_array_equal(y, before)


def test_harmonic_percussive_tells_clicks_from_tones():
    sr, n = 22050, 44100
    t = np.arange(n) / sr
    tone = np.tile(0.2 * np.sin(2 * np.pi * 440 * t), (2, 1)).astype(np.float32)
    clicks = np.zeros((2, n), np.float32)
    clicks[:, 3000::7000] = 0.9
    stems = HarmonicPercussive().separate(tone + clicks, sr)

    def likeness(a, b):
        return float(np.vdot(a, b) / np.sqrt(np.vdot(a, a) * np.vdot(b, b)))

    assert likeness(stems["drums"], clicks) > 0.8
    assert likeness(stems["vocals"], tone) > 0.95


def test_equaliser_learns_the_least_squares_gain(hq):
    tracks = find_tracks(hq, split="train")
    equaliser = Equaliser.fit(tracks)
    truth, sr = find_tracks(hq, split="valid")[0].load()
    stems = equaliser.separate(mixture(truth), sr)
    for stem, y in truth.items():  # the bands do not overlap, so gains of 0 and 1 separate nearly perfectly
        assert 10 * np.log10(np.sum(y**2) / np.sum((stems[stem] - y) ** 2)) > 15
    twice = {stem: np.concatenate([y, y], axis=1) for stem, y in truth.items()}
    half = SimpleNamespace(name="half", load=lambda: ({stem: 0.5 * mixture(twice) for stem in ("vocals", "drums")} | {
        "bass": np.zeros_like(twice["bass"]), "other": np.zeros_like(twice["bass"])}, SR))  # fmt: skip
    gains = Equaliser.fit([half]).separate(mixture(truth), SR)
    np.testing.assert_allclose(gains["vocals"], 0.5 * mixture(truth), atol=1e-3)
    np.testing.assert_allclose(gains["bass"], 0.0, atol=1e-3)
    with pytest.raises(AudioInvalid, match="learned at 8000 Hz: got audio at 44100 Hz"):
        equaliser.separate(mixture(truth), 44100)


def test_scores_rank_the_baselines(hq):
    tracks = find_tracks(hq, split="valid")
    seen = []
    reports = {}
    for name in ("mixture", "oracle", "equaliser"):
        result = evaluate(baseline(name, hq), tracks, model=name, on_track=lambda score: seen.append(score.track))
        reports[name] = result.as_dict()
    assert seen == ["Meaxic - Take A Step"] * 3
    assert reports["oracle"]["mean_sdr"] > 20
    assert reports["equaliser"]["mean_sdr"] > 12
    # four stems of one level in the mixture: each is heard 4.77 dB below the rest
    assert reports["mixture"]["mean_sdr"] == pytest.approx(-4.77, abs=0.2)
    for report in reports.values():
        assert report["tracks"] == 1
        assert tuple(report["sdr"]) == tuple(report["sir"]) == tuple(report["sar"]) == tuple(report["isr"]) == STEMS
        assert report["per_track"][0]["sdr"] == report["sdr"]
        json.dumps(report, allow_nan=False)


def test_models_with_two_and_five_stems_are_scored(hq):
    track = find_tracks(hq, split="valid")[0]

    class TwoStems:
        stems = ("vocals", "accompaniment")

        def separate(self, y, sr):
            vocals = track.load()[0]["vocals"]
            return {"vocals": 0.9 * vocals, "accompaniment": y - 0.9 * vocals}

    class FiveStems:
        stems = (*STEMS, "piano")

        def separate(self, y, sr):
            truth, _ = track.load()
            return truth | {"other": 0.25 * truth["other"], "piano": 0.65 * truth["other"]}

    class OneStem:
        stems = ("vocals",)

        def separate(self, y, sr):
            return {"vocals": y}

    class Short:
        stems = STEMS

        def separate(self, y, sr):
            return dict.fromkeys(STEMS, y[:, :-1])

    two = score_track(TwoStems(), track).scores["sdr"]
    assert tuple(two) == TwoStems.stems
    assert two["vocals"] == pytest.approx(20.0, abs=0.01)
    assert score_track(FiveStems(), track).scores["sdr"]["other"] == pytest.approx(20.0, abs=0.01)
    with pytest.raises(AudioInvalid, match="gives vocals: scoring needs"):
        score_track(OneStem(), track)
    with pytest.raises(AudioInvalid, match=r"stem 'vocals' has shape \(1, 17599\), the mixture \(1, 17600\)"):
        score_track(Short(), track)


def test_medians_pass_over_silence_and_the_interval_holds_the_mean():
    rng = np.random.default_rng(0)

    def score(number):
        sdr = {"vocals": float("nan") if number < 3 else rng.normal(5, 1), "drums": rng.normal(3, 1)}
        return TrackScore(f"t{number}", 7.0, 0.1, dict.fromkeys(("sdr", "isr", "sir", "sar"), sdr))

    result = Evaluation("x", ("vocals", "drums"), tuple(score(number) for number in range(20)))
    medians = result.median("sdr")
    assert medians["vocals"] == pytest.approx(5, abs=0.7)
    assert result.mean_sdr == pytest.approx((medians["vocals"] + medians["drums"]) / 2)
    low, high = result.mean_sdr_interval()
    assert low < result.mean_sdr < high
    assert 0.3 < high - low < 2.0
    assert (low, high) == result.mean_sdr_interval()
    assert result.as_dict()["per_track"][0]["sdr"]["vocals"] is None


@pytest.mark.shared
def test_the_standard_validation_tracks_are_those_of_the_manifest(shared_data):
    tracks = find_tracks(shared_data / "musdb18-7s")
    assert {track.name for track in tracks if track.split == "valid"} == VALIDATION_TRACKS
    assert sum(track.split == "train" for track in tracks) == 80
