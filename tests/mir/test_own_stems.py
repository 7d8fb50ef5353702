"""A user's own stems with names of their own, from `mir train` to answers: the commands one after the other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from command import invoke

from mir.cli import evaluate, ingest, models, separate, similar, status, train
from separation.audio import load, save

SR = 16000
SECONDS = 6
STEMS = ("voice", "beat", "band")
CONFIGURATION = f"""
name = "own"
stems = {json.dumps(STEMS)}
sr = {SR}
n_fft = 512
hop_length = 128
steps = 40
batch_size = 2
learning_rate = 0.01
warmup_steps = 5
validate_every = 20

[bands]
n_single = 64
n_grouped = 48
group = 4

[network]
n_frames = 64
filters = [4, 8]
dense_from = 1

[[source]]
kind = "stems"
path = "songs"

[validation]
kind = "stems"
path = "songs"
"""

app = typer.Typer()
for command in (train, evaluate, separate, ingest, status, similar, models):
    command.register(app)


def lines(*words: object) -> list[dict[str, Any]]:
    """What a command answers as JSON; it must not fail."""
    code, stdout, message = invoke(app, *words, "--json")
    assert code == 0, message or stdout
    return [json.loads(line) for line in stdout.splitlines()]


def sound(stem: str, number: int) -> np.ndarray:
    """A sung vibrato, a beat of noise, or chords: ``(2, n_samples)``."""
    t = np.arange(SECONDS * SR) / SR
    rng = np.random.default_rng(number)
    if stem == "voice":
        f0 = 220.0 * 2 ** (number / 12) * 2 ** (0.05 * np.sin(2 * np.pi * 5.5 * t))
        phase = 2 * np.pi * np.cumsum(f0) / SR
        y = 0.2 * sum(np.sin(k * phase) / k for k in range(1, 9))
    elif stem == "beat":
        y = 0.4 * rng.standard_normal(len(t)) * np.exp(-30 * (t % (0.45 + 0.05 * number)))
    else:
        roots = 110.0 * 2 ** (np.array([0, 5, 7, 0])[(t // 1.5).astype(int) % 4] / 12)
        phase = 2 * np.pi * np.cumsum(roots) / SR
        y = 0.1 * sum(np.sin(ratio * phase) for ratio in (1.0, 1.26, 1.5, 2.0))
    return np.stack([y, 0.9 * y]).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs as stems and as mixtures, and a model trained on the stems."""
    place = tmp_path_factory.mktemp("own")
    for number in range(3):
        stems = {stem: sound(stem, number) for stem in STEMS}
        for stem, y in stems.items():
            file = place / "data" / "songs" / f"song {number}" / f"{stem}.wav"
            file.parent.mkdir(parents=True, exist_ok=True)
            save(file, y, SR)
        (place / "music").mkdir(exist_ok=True)
        save(place / "music" / f"Band {number} - Song.wav", 0.5 * sum(stems.values()), SR)
    (place / "own.toml").write_text(CONFIGURATION)
    code, _, message = invoke(
        app, "train", "--config", place / "own.toml", "--data", place / "data", "-o", place / "first"
    )
    assert code == 0, message
    return place


@pytest.fixture
def run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run folder, in a place without settings."""
    for name in ("MIR_MODEL", "MIR_MODELS", "MIR_CATALOG", "MIR_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(place / "first", tmp_path / "first"))


def test_a_run_folder_evaluates_and_separates(place: Path, run: Path, tmp_path: Path) -> None:
    (told,) = lines("evaluate", place / "data" / "songs", "--model", run, "--baseline", "mixture", "--workers", 1)
    assert (told["model"], told["tracks"], told["split"], told["failed"]) == ("own", 3, "all", [])
    assert tuple(told["sdr"]) == STEMS
    assert told["mean_sdr"] > told["baselines"]["mixture"]["mean_sdr"] + 1
    song = place / "music" / "Band 1 - Song.wav"
    (separated,) = lines("separate", song, "-o", tmp_path / "out", "--model", run / "own.json")
    assert (separated["model"], tuple(separated["stems"])) == ("own", STEMS)
    total = sum(load(path)[0] for path in separated["stems"].values())
    np.testing.assert_allclose(total, load(song)[0], atol=2e-3)
    code, _, message = invoke(app, "separate", song, "-o", tmp_path / "out", "--model", run, "--stems", "vocals")
    assert code == 2
    assert "choose from voice, beat, band" in message


def test_other_names_are_told_beside_the_models(place: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "data" / "songs" / "song 0", tmp_path / "data" / "mine")
    (tmp_path / "data" / "mine" / "voice.wav").rename(tmp_path / "data" / "mine" / "singing.wav")
    code, stdout, _ = invoke(app, "evaluate", tmp_path / "data", "--model", run, "--json")
    assert code == 1
    (failed,) = json.loads(stdout)["failed"]
    assert "holds beat, band, singing and the model gives voice, beat, band" in failed["error"]
    for stem in ("beat", "band"):
        (tmp_path / "data" / "mine" / f"{stem}.wav").unlink()
    code, _, message = invoke(app, "evaluate", tmp_path / "data", "--model", run)
    assert code == 1
    assert "stems of the model (voice, beat, band)" in message
    assert "it has singing" in message
    code, _, message = invoke(app, "evaluate", place / "data" / "songs")
    assert code == 1
    assert "vocals.wav" in message


def test_the_catalog_has_what_can_be_given_and_says_what_not(place: Path, run: Path, tmp_path: Path) -> None:
    words = ("ingest", place / "music", "--catalog", tmp_path / "c.duckdb", "--model", run, "--workers", 1)
    report = lines(*words)[-1]
    assert (report["ingested"], report["failed"]) == (3, [])
    assert set(report["not_given"]) == {"vocal_timbre", "drum_rhythm", "bass_line", "harmony"}
    assert report["not_given"]["vocal_timbre"] == "reads vocals; the model gives voice, beat, band"
    assert lines(*words)[-1]["skipped"] == 3  # what cannot be given is not tried again
    code, _, stderr = invoke(app, *words)
    assert code == 0
    assert "not measured: harmony reads other and bass; the model gives voice, beat, band" in stderr
    assert "mir models roles" in stderr
    shown = lines("status", "--catalog", tmp_path / "c.duckdb", "--model", run)[0]
    spaces = {space["space"]: space for space in shown["spaces"]}
    assert spaces["mixture"]["ok"] == 3
    assert (spaces["harmony"]["missing"], spaces["harmony"]["not_given"][:11]) == (3, "reads other")
    assert shown["failures"] == []
    assert list(shown["sources"]) == [shown["source_id"]]
    _, _, stderr = invoke(app, "status", "--catalog", tmp_path / "c.duckdb", "--model", run)
    assert "computes what is missing" not in stderr
    assert lines("similar", "Band 1", "--by", "mix", "--catalog", tmp_path / "c.duckdb")[0]["results"]
    code, _, message = invoke(app, "similar", "Band 1", "--by", "vocals", "--catalog", tmp_path / "c.duckdb")
    assert code == 1
    assert "1 missing" in message


def test_roles_say_what_stems_are(place: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = tmp_path / "c.duckdb"
    monkeypatch.setenv("MIR_MODEL", str(run))
    words = ("ingest", place / "music", "--catalog", catalog, "--workers", 1)
    assert lines(*words)[-1]["ingested"] == 3
    before = lines("models", "info", run)[0]["source_id"]
    (told,) = lines("models", "roles", run, "voice=vocals", "beat=drums")
    assert told == {"model": "own", "roles": {"voice": "vocals", "beat": "drums", "band": "band"}}
    assert lines("models", "info", run)[0]["source_id"] == f"{before}:beat=drums,voice=vocals"
    report = lines(*words)[-1]
    assert (report["ingested"], report["failed"], set(report["not_given"])) == (3, [], {"bass_line", "harmony"})
    shown = lines("status", "--catalog", catalog)[0]
    spaces = {space["space"]: space for space in shown["spaces"]}
    for space in ("vocal_timbre", "drum_rhythm", "mixture"):
        assert spaces[space]["ok"] + spaces[space]["silent"] == 3
        assert (spaces[space]["missing"], spaces[space]["out_of_date"]) == (0, 0)
    assert spaces["vocal_timbre"]["ok"] == 3
    (answer,) = lines("similar", "Band 1", "--by", "vocals", "--catalog", catalog)
    assert {result["artist"] for result in answer["results"]} == {"Band 0", "Band 2"}
    stems = mir_rows(catalog, "SELECT DISTINCT stem FROM stems ORDER BY stem")
    assert stems == [("band",), ("beat",), ("voice",)]


def test_roles_of_the_configuration_stay_with_the_model(place: Path, tmp_path: Path) -> None:
    text = CONFIGURATION.replace("steps = 40", "steps = 2") + '[roles]\nvoice = "vocals"\n'
    (tmp_path / "own.toml").write_text(text)
    words = ("train", "--config", tmp_path / "own.toml", "--data", place / "data", "-o", tmp_path / "short")
    code, _, message = invoke(app, *words)
    assert code == 0, message
    (told,) = lines("models", "roles", tmp_path / "short")
    assert told == {"model": "own", "roles": {"voice": "vocals", "beat": "beat", "band": "band"}}


def mir_rows(catalog: Path, query: str) -> list[tuple[object, ...]]:
    import mir

    return mir.open_catalog(catalog).fetch(query).rows


def test_the_run_is_described_and_listed(place: Path, run: Path) -> None:
    (told,) = lines("models", "info", run)
    assert (told["name"], told["stems"], told["state"]) == ("own", list(STEMS), "here")
    assert told["weights"] == str(run / "own.npz")
    assert told["run"] == json.loads((run / "metrics.json").read_text())
    assert told["run"]["step"] == 40
    assert "card" not in told
    listed = {line["model"]: line for line in lines("models", "list", "--weights", run)}
    assert (listed["own"]["state"], listed["own"]["stems"]) == ("here", "voice, beat, band")
    assert lines("models", "verify", run)[0]["model"] == "own"
