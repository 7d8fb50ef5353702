"""`mir separate` and `mir evaluate`: what is written and printed, with a separator that only looks like one."""

from __future__ import annotations

import json
import logging
import sys
import types

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mir.cli import evaluate, separate
from mir.cli.app import _exit_code, _message
from separation.audio import load, probe, save

SR = 8000
STEMS = ("vocals", "drums", "bass", "other")
SHARES = {"vocals": 0.4, "drums": 0.3, "bass": 0.2, "other": 0.1}

app = typer.Typer()
for module in (separate, evaluate):
    module.register(app)


class FakeSeparator:
    """Fixed shares of the mixture."""

    made: list[tuple[str, object]] = []  # noqa: RUF012 - reset for each test

    def __init__(self, model="mir-4s", weights=None):
        self.model, self.stems, self.sr = model, STEMS, SR
        FakeSeparator.made.append((model, weights))

    def separate(self, y, sr):
        if y.shape[1] == 1234:
            raise OSError("no space left on device")
        return {stem: np.float32(share) * y for stem, share in SHARES.items()}


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    module = types.ModuleType("separation.separator")
    module.Separator = FakeSeparator
    monkeypatch.setitem(sys.modules, "separation.separator", module)
    monkeypatch.setattr(FakeSeparator, "made", [])
    monkeypatch.delenv("MIR_MODEL", raising=False)


def run(*words):
    """Exit code, stdout, and stderr or the message of an error."""
    outcome = CliRunner().invoke(app, [str(word) for word in words])
    if outcome.exception is None or isinstance(outcome.exception, SystemExit):
        return outcome.exit_code, outcome.stdout, outcome.stderr
    code = _exit_code(outcome.exception)
    if code is None:
        raise outcome.exception
    return code, outcome.stdout, _message(outcome.exception)


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def music(n_samples=4000, seed=0, n_channels=2):
    return (0.2 * np.random.default_rng(seed).standard_normal((n_channels, n_samples))).clip(-1, 1).astype(np.float32)


def test_json_line_and_files(tmp_path):
    y = music()
    save(tmp_path / "song 🎸.wav", y, SR)
    code, stdout, _ = run("separate", tmp_path / "song 🎸.wav", "-o", tmp_path / "out", "--json")
    assert code == 0
    (line,) = lines(stdout)
    assert line["input"] == str(tmp_path / "song 🎸.wav")
    assert line["model"] == "mir-4s"
    assert line["duration_s"] == 0.5
    assert line["separate_s"] >= 0
    assert line["stems"] == {stem: str(tmp_path / "out" / "song 🎸" / f"{stem}.wav") for stem in STEMS}
    for stem, path in line["stems"].items():
        loaded, sr = load(path)
        assert sr == SR
        np.testing.assert_allclose(loaded, SHARES[stem] * y, atol=1e-4)
    assert FakeSeparator.made == [("mir-4s", None)]


def test_paths_on_stdout_without_json(tmp_path):
    save(tmp_path / "a.wav", music(), SR)
    code, stdout, _ = run("separate", tmp_path / "a.wav", "-o", tmp_path / "out", "--stems", "drums, bass")
    assert code == 0
    assert stdout.splitlines() == [str(tmp_path / "out" / "a" / f"{stem}.wav") for stem in ("drums", "bass")]
    assert sorted(path.name for path in (tmp_path / "out" / "a").iterdir()) == ["bass.wav", "drums.wav"]


@pytest.mark.parametrize("codec", ["wav", "flac", "mp3", "ogg", "opus", "m4a"])
def test_codecs(tmp_path, codec):
    save(tmp_path / "a.wav", music(), SR)
    code, stdout, _ = run("separate", tmp_path / "a.wav", "-o", tmp_path, "--codec", codec, "--stems", "bass", "--json")
    assert code == 0
    info = probe(lines(stdout)[0]["stems"]["bass"])
    assert info.n_channels == 2
    assert info.duration_s == pytest.approx(0.5, abs=0.02)


def test_minus(tmp_path):
    y = music()
    save(tmp_path / "a.wav", y, SR)
    words = ["separate", tmp_path / "a.wav", "-o", tmp_path, "--json", "--minus", "vocals", "--minus", "drums,bass"]
    _, stdout, _ = run(*words)
    written = lines(stdout)[0]["stems"]
    assert list(written) == ["minus-vocals", "minus-drums-bass"]
    np.testing.assert_allclose(load(written["minus-vocals"])[0], 0.6 * y, atol=1e-4)
    np.testing.assert_allclose(load(written["minus-drums-bass"])[0], 0.5 * y, atol=1e-4)
    _, stdout, _ = run(*words[:-2], "--stems", "vocals")
    assert list(lines(stdout)[0]["stems"]) == ["vocals", "minus-vocals"]


def test_folders_keep_their_tree_and_names_never_collide(tmp_path):
    for name in ("in/x/song.wav", "in/x/song.flac", "in/x/Song.ogg", "in/song.wav", "more/song.wav", "in/.hidden.wav"):
        save(tmp_path / name, music(), SR)
    (tmp_path / "in" / "notes.txt").write_text("no music")
    out = tmp_path / "in" / "stems"
    inputs = (tmp_path / "in", tmp_path / "more" / "song.wav", tmp_path / "in" / "song.wav")
    words = ("separate", *inputs, "-o", out, "--json")
    code, stdout, _ = run(*words)
    assert code == 0
    made = lines(stdout)
    assert len(made) == 5
    folders = {line["input"]: line["stems"]["bass"].removesuffix("/bass.wav") for line in made}
    assert len({folder.casefold() for folder in folders.values()}) == 5
    assert folders[str(tmp_path / "in" / "song.wav")] == str(out / "song")
    assert folders[str(tmp_path / "more" / "song.wav")] == str(out / "song.wav")
    assert {folder.split("/")[-2] for path, folder in folders.items() if "/in/x/" in path} == {"x"}
    assert len(FakeSeparator.made) == 1  # loaded once
    again = lines(run(*words)[1])
    assert [line["stems"] for line in again] == [line["stems"] for line in made]  # its own stems are no input


def test_stem_files_are_named_for_the_track(tmp_path):
    save(tmp_path / "a.m4a", music(), SR)
    (tmp_path / "a.m4a").rename(tmp_path / "Band - Song.stem.mp4")
    _, stdout, _ = run("separate", tmp_path / "Band - Song.stem.mp4", "-o", tmp_path / "o", "--json")
    assert lines(stdout)[0]["stems"]["bass"] == str(tmp_path / "o" / "Band - Song" / "bass.wav")


def test_failures_are_listed_and_the_rest_goes_on(tmp_path):
    save(tmp_path / "good.wav", music(), SR)
    save(tmp_path / "full.wav", music(1234), SR)
    (tmp_path / "photo.mp3").write_bytes(b"\xff\xd8\xff\xe0 not music")
    (tmp_path / "zero.ogg").touch()
    (tmp_path / "empty").mkdir()
    names = ["missing.wav", "photo.mp3", "zero.ogg", "empty", "full.wav", "good.wav"]
    code, stdout, stderr = run("separate", *(tmp_path / name for name in names), "-o", tmp_path / "o", "--json")
    assert code == 1
    made = lines(stdout)
    errors = {line["input"].split("/")[-1]: line["error"] for line in made if "error" in line}
    assert set(errors) == set(names) - {"good.wav"}
    assert "no space left" in errors["full.wav"]
    assert "0 bytes" in errors["zero.ogg"]
    assert "no audio" in errors["photo.mp3"]
    assert all(error in stderr for error in errors.values())
    assert [line["input"] for line in made if "stems" in line] == [str(tmp_path / "good.wav")]


def test_nothing_to_do_loads_no_model(tmp_path):
    code, _, stderr = run("separate", tmp_path / "missing.wav", "-o", tmp_path / "o")
    assert code == 1
    assert "missing.wav" in stderr
    assert FakeSeparator.made == []
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--codec", "wma"), "unknown codec 'wma': choose from wav, flac"),
        (("--stems", "piano"), "gives no stem 'piano': choose from vocals, drums"),
        (("--minus", "choir"), "gives no stem 'choir'"),
        (("--stems", ","), "no stem named"),
    ],
)
def test_wrong_usage(tmp_path, words, message):
    save(tmp_path / "a.wav", music(), SR)
    code, _, stderr = run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)
    assert code == 2
    assert message in stderr


def test_clipping_is_reported(tmp_path, caplog):
    save(tmp_path / "loud.wav", np.full((1, 1000), 4.0, np.float32), SR, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        code, _, _ = run("separate", tmp_path / "loud.wav", "-o", tmp_path / "o", "--stems", "vocals,other")
    assert code == 0
    assert "vocals.wav: 1000 of 1000 samples clipped" in caplog.text
    assert "other.wav" not in caplog.text


def test_model_and_weights_are_passed_on(tmp_path):
    save(tmp_path / "a.wav", music(), SR)
    words = ("--model", "spleeter:4stems", "--weights", tmp_path, "--json")
    assert lines(run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)[1])[0]["model"] == "spleeter:4stems"
    assert FakeSeparator.made == [("spleeter:4stems", tmp_path)]


@pytest.fixture
def data(tmp_path):
    for number, name in enumerate(("train/A - One", "train/Meaxic - Take A Step")):
        for stem, share in SHARES.items():
            seed = number * 10 + int(100 * share)
            save(tmp_path / "data" / name / f"{stem}.wav", music(2 * SR, seed, 1), SR, subtype="FLOAT")
    return tmp_path / "data"


def test_evaluate_prints_and_keeps_the_report(data, tmp_path):
    code, stdout, _ = run("evaluate", data, "--json", "-o", tmp_path / "reports" / "r.json")
    assert code == 0
    (report,) = lines(stdout)
    assert (report["model"], report["tracks"], report["split"]) == ("mir-4s", 1, "valid")
    for metric in ("sdr", "sir", "sar", "isr"):
        assert tuple(report[metric]) == STEMS
    assert report["mean_sdr"] == pytest.approx(np.mean(list(report["sdr"].values())))
    assert [row["track"] for row in report["per_track"]] == ["Meaxic - Take A Step"]
    assert json.loads((tmp_path / "reports" / "r.json").read_text("utf-8")) == report
    code, stdout, _ = run("evaluate", data, "--split", "all", "--baseline", "mixture")
    assert code == 0
    assert stdout.startswith("stem\tsdr_db\tisr_db\tsir_db\tsar_db\n")
    assert "mixture: mean SDR -4." in stdout
    assert ", over 2 tracks" in stdout


def test_evaluate_refuses_what_makes_no_sense(data, tmp_path):
    assert run("evaluate", data, "--baseline", "hpss", "--model", "mir-4s")[0] == 2
    assert run("evaluate", data, "--baseline", "magic")[0] == 2
    assert run("evaluate", data, "-o", tmp_path)[0] == 2
    code, _, stderr = run("evaluate", data, "--split", "test")
    assert code == 1
    assert "it has train, valid" in stderr
    assert run("evaluate", tmp_path / "nowhere")[0] == 1
