"""`mir separate`: what is written and printed, with a separator that only looks like one."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import typer
from command import invoke

from mir.cli import separate
from separation.audio import load, probe, save

SR = 8000
STEMS = ("vocals", "drums", "bass", "other")
SHARES = {"vocals": 0.4, "drums": 0.3, "bass": 0.2, "other": 0.1}

app = typer.Typer()
app.callback()(lambda: None)  # or the one command would have no name
separate.register(app)


class FakeSeparator:
    """Fixed shares of the mixture."""

    made: list[tuple[str, object]] = []  # noqa: RUF012 - reset for each test
    options: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, model="mir-4s", weights=None, **options):
        self.model, self.stems, self.sr = model, STEMS, SR
        FakeSeparator.made.append((model, weights))
        FakeSeparator.options = options

    def n_channels_out(self, n_channels):
        return n_channels

    def run(self, audio, *, sr_out, stems, with_mixture):
        n_samples = 0
        for y in audio.blocks:
            n_samples += y.shape[1]
            chunk = {stem: np.float32(SHARES[stem]) * y for stem in stems}
            yield chunk | ({"mixture": y} if with_mixture else {})
        if n_samples == 1234:
            raise OSError("no space left on device")
        if n_samples == 4321:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    module = types.ModuleType("separation.separator")
    module.Separator = FakeSeparator
    monkeypatch.setitem(sys.modules, "separation.separator", module)
    monkeypatch.setattr(FakeSeparator, "made", [])
    monkeypatch.setattr(FakeSeparator, "options", {})
    monkeypatch.delenv("MIR_MODEL", raising=False)


def run(*words):
    return invoke(app, *words)


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


def test_options_reach_the_model(tmp_path):
    save(tmp_path / "a.wav", music(), SR)
    words = ("--precision", "bfloat16", "--mask-extension", "average", "--mwf")
    assert run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)[0] == 0
    assert FakeSeparator.options == {"precision": "bfloat16", "mask_extension": "average", "mwf": True}


def test_a_part_of_a_file(tmp_path):
    y = music(8 * SR)
    save(tmp_path / "a.wav", y, SR)
    words = ("--offset", "2.5", "--duration", "3", "--stems", "drums", "--json")
    (line,) = lines(run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)[1])
    assert line["duration_s"] == 3.0
    part = y[:, int(2.5 * SR) : int(5.5 * SR)]
    np.testing.assert_allclose(load(line["stems"]["drums"])[0], 0.3 * part, atol=1e-4)


@pytest.mark.parametrize(("depth", "error"), [("16", 2e-5), ("24", 1e-7), ("float", 0.0)])
def test_bit_depths(tmp_path, depth, error):
    y = music()
    save(tmp_path / "a.wav", y, SR, subtype="FLOAT")
    words = ("--bit-depth", depth, "--stems", "bass", "--json")
    (line,) = lines(run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)[1])
    np.testing.assert_allclose(load(line["stems"]["bass"])[0], np.float32(0.2) * y, atol=error, rtol=0)


def test_clip_modes(tmp_path):
    y = 4.0 * music(3 * SR)
    save(tmp_path / "a.wav", y, SR, subtype="FLOAT")
    peak = float(np.abs(y).max())

    def stems(*words):
        (line,) = lines(run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", "--json", *words)[1])
        assert [path.name for path in (tmp_path / "o").rglob("*") if path.name.startswith(".")] == []
        return {stem: load(path)[0] for stem, path in line["stems"].items()}

    both = ("--stems", "vocals,bass")
    clamped = stems(*both, "--clip-mode", "clamp", "--bit-depth", "24")
    np.testing.assert_allclose(clamped["vocals"], np.clip(0.4 * y, -1, 1), atol=1e-6)
    rescaled = stems(*both, "--clip-mode", "rescale", "--bit-depth", "24")
    for stem in ("vocals", "bass"):  # one gain for both, so that levels among stems stay
        np.testing.assert_allclose(rescaled[stem], SHARES[stem] * y / (0.4 * peak), atol=1e-6)
    kept = stems(*both, "--clip-mode", "none", "--bit-depth", "float")
    np.testing.assert_array_equal(kept["vocals"], np.float32(0.4) * y)
    quiet = stems("--stems", "other", "--clip-mode", "rescale", "--bit-depth", "float")
    np.testing.assert_allclose(quiet["other"], 0.1 * y, atol=1e-6)  # never turned up


def test_filename_format(tmp_path):
    for name in ("in/x/song.wav", "in/y/song.wav"):
        save(tmp_path / name, music(), SR)
    words = ("--filename-format", "{foldername}-{filename} ({instrument}).{codec}", "--stems", "bass", "--json")
    made = lines(run("separate", tmp_path / "in", "-o", tmp_path / "o", *words)[1])
    assert [line["stems"]["bass"] for line in made] == [
        str(tmp_path / "o" / "x" / "x-song (bass).wav"),
        str(tmp_path / "o" / "y" / "y-song (bass).wav"),
    ]


def test_names_that_would_be_shared_are_refused(tmp_path):
    for name in ("in/a.wav", "in/b.wav"):
        save(tmp_path / name, music(), SR)
    code, _, stderr = run("separate", tmp_path / "in", "-o", tmp_path / "o", "--filename-format", "{instrument}.wav")
    assert code == 2
    assert "would both be written" in stderr
    code, _, stderr = run("separate", tmp_path / "in", "-o", tmp_path / "o", "--filename-format", "{filename}.wav")
    assert code == 2
    assert "{instrument}" in stderr
    assert not (tmp_path / "o").exists()


def test_skip_existing(tmp_path):
    for name in ("in/a.wav", "in/b.wav"):
        save(tmp_path / name, music(), SR)
    words = ("separate", tmp_path / "in", "-o", tmp_path / "o", "--skip-existing", "--json")
    first = lines(run(*words)[1])
    Path(first[0]["stems"]["bass"]).unlink()
    stamp = Path(first[1]["stems"]["bass"]).stat().st_mtime_ns
    second = {line["input"]: line for line in lines(run(*words)[1])}
    assert [line.get("skipped", False) for line in (second[one["input"]] for one in first)] == [False, True]
    assert Path(first[1]["stems"]["bass"]).stat().st_mtime_ns == stamp
    FakeSeparator.made.clear()
    third = lines(run(*words)[1])
    assert all(line["skipped"] for line in third)
    assert FakeSeparator.made == []  # nothing to do loads nothing
    assert [line["stems"] for line in third] == [line["stems"] for line in first]


def test_ctrl_c_keeps_what_is_done_and_nothing_half_done(tmp_path):
    save(tmp_path / "a.wav", music(), SR)
    save(tmp_path / "b.wav", music(4321), SR)
    code, stdout, stderr = run("separate", tmp_path / "a.wav", tmp_path / "b.wav", "-o", tmp_path / "o")
    assert code == 130
    assert len(stdout.splitlines()) == 4
    assert "--skip-existing goes on" in stderr
    assert sorted(path.parent.name for path in (tmp_path / "o").rglob("*") if path.is_file()) == ["a"] * 4


def test_what_a_killed_run_left_is_swept_up(tmp_path):
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = int(done.stdout)
    save(tmp_path / "a.wav", music(), SR)
    folder = tmp_path / "o" / "a"
    folder.mkdir(parents=True)
    stale, scratch = folder / f".{dead}-0badcafe.unfinished", folder / f".{dead}-scratch.unfinished"
    stale.write_bytes(b"half a stem")
    scratch.mkdir()
    (scratch / "0.wav").write_bytes(b"half a stem")
    alive = folder / f".{os.getpid()}-0badcafe.unfinished"
    alive.write_bytes(b"somebody is at it")
    other = folder / ".hidden"
    other.write_bytes(b"not ours")
    assert run("separate", tmp_path / "a.wav", "-o", tmp_path / "o")[0] == 0
    assert not stale.exists()
    assert not scratch.exists()
    assert alive.exists()
    assert other.exists()


def test_tags_and_stem_files(tmp_path):
    from mutagen.flac import FLAC
    from mutagen.mp4 import MP4

    from separation.stem_mp4 import read_stem_box

    save(tmp_path / "a.flac", music(2 * SR), SR)
    tagged = FLAC(tmp_path / "a.flac")
    tagged["title"], tagged["artist"] = "Sōng", "Somebody"
    tagged.save()
    (line,) = lines(run("separate", tmp_path / "a.flac", "-o", tmp_path / "o", "--codec", "flac", "--json")[1])
    written = FLAC(line["stems"]["vocals"])
    assert (written["title"], written["artist"]) == (["Sōng (vocals)"], ["Somebody"])
    words = ("--codec", "flac", "--no-tags", "--json")
    (line,) = lines(run("separate", tmp_path / "a.flac", "-o", tmp_path / "o", *words)[1])
    assert "title" not in (FLAC(line["stems"]["vocals"]).tags or {})
    (line,) = lines(run("separate", tmp_path / "a.flac", "-o", tmp_path / "o", "--codec", "stem.mp4", "--json")[1])
    path = tmp_path / "o" / "a.stem.mp4"
    assert set(line["stems"].values()) == {str(path)}
    assert [stem["name"].lower() for stem in read_stem_box(path)["stems"]] == ["drums", "bass", "other", "vocals"]
    assert MP4(path)["\xa9nam"] == ["Sōng"]
    drums, _ = load(path, stream=1)
    mixture, _ = load(path, stream=0)
    assert np.corrcoef(drums[0], mixture[0])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bit-depth", "32"), "no bit depth '32': choose from 16, 24, float"),
        (("--codec", "mp3", "--bit-depth", "24"), "sample formats are for wav and flac"),
        (("--codec", "mp3", "--bitrate", "fast"), "as 192k or 192000"),
        (("--bitrate", "192k"), "lossless and has no bit rate"),
        (("--clip-mode", "none"), "--bit-depth float"),
        (("--clip-mode", "soft"), "choose from clamp, rescale, none"),
        (("--codec", "stem.mp4", "--stems", "drums"), "holds exactly drums, bass, other, vocals"),
        (("--codec", "stem.mp4", "--minus", "drums"), "holds exactly"),
        (("--filename-format", "../{filename}/{instrument}"), "inside the output folder"),
        (("--filename-format", "/absolute/{instrument}"), "inside the output folder"),
        (("--filename-format", "{filename.__class__}"), "no field {filename.__class__}"),
        (("--filename-format", "{instrument!r}"), "no field {instrument}"),
        (("--filename-format", "{oops"), "--filename-format"),
        (("--mask-extension", "mirror"), "choose from zeros, average"),
    ],
)
def test_options_that_make_no_sense(tmp_path, words, message):
    save(tmp_path / "a.wav", music(), SR)
    code, _, stderr = run("separate", tmp_path / "a.wav", "-o", tmp_path / "o", *words)
    assert code == 2
    assert message in stderr
    assert not (tmp_path / "o").exists()
