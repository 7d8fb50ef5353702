"""Evaluation: tracks are found, baselines do what they say, and scores come out as known."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import av
import numpy as np
import pytest

from separation.audio import save
from separation.baselines import Equaliser, HarmonicPercussive, Mixture, OracleMask
from separation.errors import AudioInvalid, AudioMissing, ModelUnknown, TrainingDataMissing
from separation.evaluation import (
    METRICS,
    Evaluation,
    Failure,
    Scorers,
    TrackScore,
    baseline,
    comparable,
    evaluate,
    find_tracks,
    results,
    score_track,
)
from separation.musdb import STEMS, VALIDATION_TRACKS, mixture
from separation.scoring import Separated, score

SR = 8000
BANDS = {"bass": (40, 300), "vocals": (350, 900), "drums": (1000, 2000), "other": (2100, 3900)}


def band_noise(low_hz: float, high_hz: float, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal((1, n_samples)))
    frequency = np.fft.rfftfreq(n_samples, 1 / SR)
    spectrum[:, (frequency < low_hz) | (frequency > high_hz)] = 0.0
    y = np.fft.irfft(spectrum, n=n_samples)
    return (0.05 * y / y.std()).astype(np.float32)


def write_track(folder, seed: int, seconds: float = 2.2, bands=BANDS) -> None:
    rng = np.random.default_rng(seed)
    for stem, (low, high) in bands.items():
        save(folder / f"{stem}.wav", band_noise(low, high, round(seconds * SR), rng), SR, subtype="FLOAT")


class Shares:
    """Fixed shares of the true stems: SDR of each is known."""

    def __init__(self, stems, shares=None):
        self.stems, self._shares = stems, shares or dict.fromkeys(stems, 0.9)

    def knowing(self, truth):
        self._truth = truth
        return self

    def separate(self, y, sr):
        return {stem: np.float32(self._shares[stem]) * self._truth[stem] for stem in self.stems}


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


def test_streams_of_a_stem_file(tmp_path):
    """Five AAC streams, a tone of its own in each: mixture, drums, bass, other, vocals."""
    n_samples, names = 44100, ("mixture", "drums", "bass", "other", "vocals")
    path = tmp_path / "test" / "A - B.stem.mp4"
    path.parent.mkdir()
    tones = {
        name: 0.2 * np.sin(2 * np.pi * 440 * (k + 1) * np.arange(n_samples) / 44100) for k, name in enumerate(names)
    }
    with av.open(str(path), "w", format="mp4") as container:
        streams = {name: container.add_stream("aac", rate=44100, layout="stereo") for name in names}
        for name, stream in streams.items():
            y = np.ascontiguousarray(np.tile(tones[name], (2, 1)).astype(np.float32))
            frame = av.AudioFrame.from_ndarray(y, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    (track,) = find_tracks(tmp_path, "test")
    stems, sr = track.load()
    assert (track.name, sr, tuple(stems)) == ("A - B", 44100, STEMS)
    for stem, y in stems.items():
        heard = np.abs(np.fft.rfft(y[0])).argmax() * sr / y.shape[1]
        assert heard == pytest.approx(440 * (names.index(stem) + 1), abs=5)
        assert y.shape == (2, next(iter(stems.values())).shape[1])


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
    with pytest.raises(ModelUnknown, match="no baseline 'magic': there are mixture, hpss, equaliser, oracle"):
        baseline("magic", hq)


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
        separator = maker().knowing(truth) if maker is OracleMask else maker()
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
    reports = {}
    for name in ("mixture", "oracle", "equaliser"):
        reports[name] = evaluate(baseline(name, hq), tracks, model=name).as_dict()
    assert reports["oracle"]["mean_sdr"] > 20
    assert reports["equaliser"]["mean_sdr"] > 12
    # four stems of one level in the mixture: each is heard 4.77 dB below the rest
    assert reports["mixture"]["mean_sdr"] == pytest.approx(-4.77, abs=0.2)
    for report in reports.values():
        assert report["tracks"] == 1
        assert tuple(report["sdr"]) == tuple(report["sir"]) == tuple(report["sar"]) == tuple(report["isr"]) == STEMS
        assert report["per_track"][0]["sdr"] == report["sdr"]
        assert report["failed"] == []
        json.dumps(report, allow_nan=False)


def test_baselines_are_scored_on_the_stems_of_what_they_are_compared_with(hq):
    track = find_tracks(hq, split="valid")[0]
    two = ("vocals", "accompaniment")
    scores = {
        name: score_track(baseline(name, hq), track, stems=two).median("sdr")
        for name in ("mixture", "hpss", "oracle", "equaliser")
    }
    assert {tuple(sdr) for sdr in scores.values()} == {two}
    # the error of the accompaniment is the voice alone, a third of its energy
    assert scores["mixture"]["vocals"] == pytest.approx(-4.77, abs=0.2)
    assert scores["mixture"]["accompaniment"] == pytest.approx(4.77, abs=0.2)
    assert min(scores["oracle"].values()) > 20
    assert scores["equaliser"]["vocals"] > 12


@pytest.mark.parametrize(
    ("truth", "given", "names"),
    [
        (STEMS, STEMS[::-1], STEMS),
        (STEMS, ("vocals", "piano", "drums", "bass", "other"), STEMS),
        ((*STEMS, "piano"), STEMS, STEMS),
        ((*STEMS, "piano"), (*STEMS, "piano"), (*STEMS, "piano")),
        ((*STEMS, "guitar"), (*STEMS, "piano"), STEMS),
        (("vocals", "accompaniment"), STEMS, ("vocals", "accompaniment")),
        (STEMS, ("accompaniment", "vocals"), ("vocals", "accompaniment")),
        (STEMS, ("vocals",), None),
        (STEMS, ("vocals", "drums", "other"), None),
        (("vocals", "bass", "other"), STEMS, None),
        (("drums", "accompaniment"), STEMS, None),
    ],
)
def test_stems_that_can_be_compared(truth, given, names):
    if names is None:
        with pytest.raises(AudioInvalid, match=f"the separator gives {', '.join(given)}: scoring needs vocals"):
            comparable(truth, given)
    else:
        assert comparable(truth, given) == names


def test_two_four_and_five_stems_against_each_other(tmp_path):
    split = {"other": (2100, 2900), "piano": (3000, 3900)}
    write_track(tmp_path / "five", 1, bands=BANDS | split)
    (five,) = find_tracks(tmp_path)
    truth, _ = five.load()
    assert tuple(truth) == (*STEMS, "piano")
    assert score_track(Shares((*STEMS, "piano")), five).median("sdr") == pytest.approx(
        dict.fromkeys((*STEMS, "piano"), 20.0), abs=0.01
    )

    class Four:
        stems = STEMS

        def separate(self, y, sr):
            other = 0.9 * (truth["other"] + truth["piano"])
            return {stem: truth[stem] for stem in STEMS} | {"other": other}

    sdr = score_track(Four(), five).median("sdr")
    assert tuple(sdr) == STEMS
    assert sdr["other"] == pytest.approx(20.0, abs=0.01)
    assert math.isinf(sdr["vocals"])
    truths = {"vocals": truth["vocals"], "accompaniment": mixture(truth) - truth["vocals"]}
    for stem, y in truths.items():
        save(tmp_path / "two" / "x" / f"{stem}.wav", y, SR, subtype="FLOAT")
    (two,) = find_tracks(tmp_path / "two")
    sdr = score_track(Four(), two).median("sdr")
    assert tuple(sdr) == ("vocals", "accompaniment")
    assert sdr["accompaniment"] > 20


def test_stem_folders_hold_what_they_hold(tmp_path):
    folder = tmp_path / "album" / "song"
    write_track(folder, 1)
    y = np.full((1, 100), 0.5, np.float32)
    for name in ("mixture.wav", "minus-vocals.wav", "accompaniment.wav", ".hidden.wav", "bass.flac"):
        save(folder / name, y, SR)
    (folder / "notes.txt").touch()
    assert find_tracks(tmp_path)[0].files == {stem: folder / f"{stem}.wav" for stem in STEMS}
    (folder / "bass.wav").unlink()
    assert find_tracks(tmp_path)[0].files["bass"] == folder / "bass.flac"
    (folder / "other.wav").unlink()
    (folder / "accompaniment.wav").unlink()
    with pytest.raises(AudioMissing, match="holds vocals, drums, bass: a track needs vocals, and other or accomp"):
        find_tracks(tmp_path)[0].load()


def test_tracks_of_one_name_are_told_apart(tmp_path):
    for name in ("a/song", "b/song", "b/other song"):
        save(tmp_path / name / "vocals.wav", np.ones((1, 10), np.float32), SR)
    assert [track.name for track in find_tracks(tmp_path)] == ["a - song", "b - song", "other song"]
    (tmp_path / "b" / "song.stem.mp4").touch()
    with pytest.raises(AudioInvalid, match=r"one track twice: .*song.*song"):
        find_tracks(tmp_path)


def test_two_channels_for_one_are_heard_as_their_mean(hq):
    track = find_tracks(hq, split="valid")[0]

    class Stereo(Shares):
        def separate(self, y, sr):
            return {stem: np.concatenate([0.5 * part, 1.3 * part]) for stem, part in self._truth.items()}

    assert score_track(Stereo(STEMS), track).median("sdr") == pytest.approx(dict.fromkeys(STEMS, 20.0), abs=0.01)


def test_what_cannot_be_scored_is_an_error_of_one_track(hq, tmp_path):
    shutil.copytree(hq / "train", tmp_path / "train")
    (tmp_path / "train" / "Some Body - One" / "bass.wav").write_bytes(b"no sound")
    (tmp_path / "train" / "Some Body - Two" / "other.wav").unlink()

    class Short:
        stems = STEMS

        def separate(self, y, sr):
            return dict.fromkeys(STEMS, y[:, :-1])

    tracks = find_tracks(tmp_path)
    with pytest.raises(AudioInvalid, match=r"stem 'vocals' has shape \(1, 17599\), the mixture \(1, 17600\)"):
        score_track(Short(), tracks[0])
    report = evaluate(Shares(STEMS), tracks, model="x").as_dict()
    assert [row["track"] for row in report["per_track"]] == ["Meaxic - Take A Step"]
    assert [row["track"] for row in report["failed"]] == ["Some Body - One", "Some Body - Two"]
    assert "bass.wav" in report["failed"][0]["error"]
    assert "a track needs vocals, and other" in report["failed"][1]["error"]
    nothing = evaluate(Short(), tracks, model="x")
    assert (nothing.tracks, len(nothing.failed), nothing.as_dict()["mean_sdr"]) == ((), 3, None)


class Memory:
    """A track that is no file."""

    def __init__(self, name, seconds=1.2, seed=0, stems=STEMS):
        self.name, self._n_samples, self._seed, self._stems = name, round(SR * seconds), seed, stems

    def load(self):
        if not self._n_samples:
            raise AudioMissing("no such track")
        rng = np.random.default_rng(self._seed)
        return {stem: band_noise(*BANDS[stem], self._n_samples, rng) for stem in self._stems}, SR


def test_many_processes_give_the_figures_of_one():
    tracks = [Memory(f"t{number}", seed=number, stems=("vocals", "other")) for number in range(5)]
    tracks[2] = Memory("t2", seconds=0)
    alone = evaluate(OracleMask(), tracks, model="x")
    with Scorers(2) as scorers:
        together = evaluate(OracleMask(), tracks, model="x", scorers=scorers)
        again = evaluate(OracleMask(), tracks[:1], model="x", scorers=scorers)
        assert 1 <= len(multiprocessing.active_children()) <= 2
    assert [score.track for score in together.tracks] == ["t0", "t1", "t3", "t4"]
    assert [score.frames for score in together.tracks] == [score.frames for score in alone.tracks]
    assert together.failed == alone.failed == (Failure("t2", "no such track"),)
    assert again.tracks[0].frames == alone.tracks[0].frames
    assert multiprocessing.active_children() == []


def test_errors_in_another_process_are_one_tracks():
    truth = np.random.default_rng(0).standard_normal((2, 1, SR)).astype(np.float32)
    broken = truth.copy()
    broken[0, 0, 5] = np.nan
    tracks = [
        Separated(name, ("vocals", "other"), truth, estimates, SR, separate_s=0.0)
        for name, estimates in (("a", broken), ("b", 0.9 * truth))
    ]
    with Scorers(2) as scorers:
        found = {each.track: each for each in scorers.score(tracks)}
    assert found["a"] == Failure("a", "references and estimates must be finite: some samples are NaN or infinite")
    assert isinstance(found["b"], TrackScore)


def test_a_process_that_dies_costs_one_track():
    def tracks():
        for number in range(4):
            yield Memory(f"t{number}", seconds=6.0, seed=number)
            if number == 1:  # of the two tracks given, the processes were started in this order
                processes = sorted(multiprocessing.active_children(), key=lambda process: process.pid)
                os.kill(processes[-1].pid, signal.SIGKILL)

    with Scorers(2) as scorers:
        found = list(results(Mixture(), tracks(), scorers=scorers))
    assert len(found) == 4
    (failure,) = (each for each in found if isinstance(each, Failure))
    assert failure.track == "t1"
    assert failure.error == "the process that scored this track died (signal SIGKILL, perhaps for lack of memory)"


def test_a_script_without_a_main_guard_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from separation.evaluation import Scorers, evaluate\n"
        "from separation.baselines import Mixture\n"
        "import numpy as np\n"
        "class T:\n"
        "    name = 't'\n"
        "    def load(self):\n"
        "        return dict.fromkeys(('vocals', 'other'), np.ones((1, 80000), np.float32)), 8000\n"
        "with Scorers(2) as scorers:\n"
        "    evaluate(Mixture(), [T()], model='x', scorers=scorers)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "the scoring processes do not start" in done.stderr
    assert '`if __name__ == "__main__":`' in done.stderr


def test_medians_pass_over_silence_and_the_interval_holds_the_mean():
    rng = np.random.default_rng(0)

    def score(number):
        vocals, drums = (math.nan if number < 3 else rng.normal(5, 1)), rng.normal(3, 1)
        sdr = {"vocals": (math.nan, vocals, vocals + 1, vocals - 1), "drums": (math.nan, drums, drums, math.nan)}
        return TrackScore(f"t{number}", 7.0, 0.1, dict.fromkeys(METRICS, sdr))

    result = Evaluation.of("x", [score(number) for number in range(20)])
    assert result.tracks[5].median("sdr") == {
        stem: values[1] for stem, values in result.tracks[5].frames["sdr"].items()
    }
    medians = result.median("sdr")
    assert medians["vocals"] == pytest.approx(5, abs=0.7)
    assert result.mean_sdr == pytest.approx((medians["vocals"] + medians["drums"]) / 2)
    low, high = result.mean_sdr_interval()
    assert low < result.mean_sdr < high
    assert 0.3 < high - low < 2.0
    assert (low, high) == result.mean_sdr_interval()
    assert result.as_dict()["per_track"][0]["sdr"]["vocals"] is None
    assert result.statement.startswith(f"x on 20 tracks: mean SDR {result.mean_sdr:.2f} dB (95 %: {low:.2f} to")
    one = Evaluation.of("x", result.tracks[4:5])
    assert all(math.isnan(bound) for bound in one.mean_sdr_interval())
    assert one.statement == f"x on 1 track: mean SDR {one.mean_sdr:.2f} dB"


def test_noise_lets_interference_be_told_where_stems_are_empty_above(hq):
    """All four stems have nothing above 3.9 kHz and little overlap, as lossy ones above 16 kHz."""
    (track, *_) = find_tracks(hq)
    truth, sr = track.load()
    references = np.stack(list(truth.values()))
    leaky = 0.95 * references + 0.05 * references.sum(axis=0)  # every stem hears all others, 26 dB down
    separated = Separated(track.name, tuple(truth), references, leaky, sr, 0.0)
    plain, dithered = score(separated), score(separated.dithered())
    for stem in truth:
        assert np.allclose(plain.frames["sdr"][stem], dithered.frames["sdr"][stem], atol=0.02)
        assert 20.0 < np.median(dithered.frames["sir"][stem]) < 24.0  # three stems of equal level: 26 - 4.8 dB


def test_noise_leaves_silence_silent():
    rng = np.random.default_rng(0)
    stems = rng.standard_normal((2, 1, 2 * SR)).astype(np.float32)
    stems[0, :, :SR] = 0.0
    noisy = Separated("x", ("a", "b"), stems, stems, SR, 0.0).dithered().references
    assert not noisy[0, :, :SR].any()
    added = noisy[1] - stems[1]
    assert 20 * np.log10(added.std()) == pytest.approx(-80.0, abs=0.3)


def test_scores_come_back_from_json():
    values = (1.0 / 3.0, math.inf, -math.inf, math.nan)
    score = TrackScore("t", 7.1, 0.1, {key: {"vocals": values, "other": (1.0, 2.0, 3.0, 4.0)} for key in METRICS})
    back = TrackScore.from_json(json.loads(json.dumps(score.to_json(), allow_nan=False)))
    np.testing.assert_array_equal(back.frames["sir"]["vocals"], values)
    assert back.as_dict() == score.as_dict()
    assert back.stems == ("vocals", "other")


@pytest.mark.shared
def test_previews_are_found_and_scored(shared_data):
    tracks = find_tracks(shared_data / "musdb18-7s")
    assert {track.name for track in tracks if track.split == "valid"} == VALIDATION_TRACKS
    assert sum(track.split == "train" for track in tracks) == 80
    score = score_track(Mixture(), tracks[0])
    assert score.stems == STEMS
    assert -15 < np.mean(list(score.median("sdr").values())) < 0
