"""`mir evaluate`: what is printed and kept, with a separator that only looks like one, and runs that are cut off."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet
import pytest
import typer
from command import invoke

from mir.cli import evaluate
from mir.evaluation_pictures import boxplot, write
from mir.evaluation_runs import write_parquet
from separation.audio import save
from separation.scores import METRICS, Evaluation, TrackScore

ROOT = Path(__file__).resolve().parents[2]
SR = 8000
STEMS = ("vocals", "other")  # two are scored in a fifth of the time of four
SHARES = {"vocals": 0.7, "other": 0.3}
VALID = ("Leaf - Summerghost", "Meaxic - Take A Step", "Triviul - Angelsaint")

app = typer.Typer()
app.callback()(lambda: None)
evaluate.register(app)


class FakeSeparator:
    """Fixed shares of the mixture."""

    made: list[tuple[str, object, str]] = []  # noqa: RUF012 - reset for each test
    separated: list[int] = []  # noqa: RUF012
    stems = STEMS

    def __init__(self, model, weights=None, precision="float32"):
        self.source_id = f"{model}:{weights or 'shipped'}:{precision}"
        FakeSeparator.made.append((model, weights, precision))

    def separate(self, y, sr):
        FakeSeparator.separated.append(y.shape[1])
        return {stem: np.float32(share) * y for stem, share in SHARES.items()}


@pytest.fixture(autouse=True)
def _fake(monkeypatch):
    module = types.ModuleType("separation.separator")
    module.Separator = FakeSeparator
    monkeypatch.setitem(sys.modules, "separation.separator", module)
    monkeypatch.setattr("separation.models.spec", lambda name, weights=None: FakeSeparator)
    monkeypatch.setattr(FakeSeparator, "made", [])
    monkeypatch.setattr(FakeSeparator, "separated", [])
    for variable in ("MIR_MODEL", "MIR_WORKERS", "MIR_CONFIG"):
        monkeypatch.delenv(variable, raising=False)


def run(*words):
    return invoke(app, "evaluate", *words)


def report(*words):
    """The report of a run in which all went well."""
    code, stdout, stderr = run(*words, "--json")
    assert code == 0, stderr
    return json.loads(stdout)


def write_track(folder, seed, seconds=1.1):
    for number, stem in enumerate(STEMS):
        y = 0.1 * np.random.default_rng(10 * seed + number).standard_normal((1, round(seconds * SR)))
        save(folder / f"{stem}.wav", y.astype(np.float32), SR, subtype="FLOAT")


@pytest.fixture(scope="session")
def stock(tmp_path_factory):
    """Three tracks for validation and one to learn from."""
    folder = tmp_path_factory.mktemp("musdb")
    for seed, name in enumerate((*VALID, "Some Body - One")):
        write_track(folder / "train" / name, seed)
    return folder


@pytest.fixture
def data(stock, tmp_path):
    return shutil.copytree(stock, tmp_path / "data")


def test_a_report_alone(data, tmp_path):
    told = report(data, "-o", tmp_path / "reports" / "r.json")
    assert (told["model"], told["tracks"], told["split"], told["failed"]) == ("mir-4s", 3, "valid", [])
    for metric in METRICS:
        assert tuple(told[metric]) == STEMS
    assert told["mean_sdr"] == pytest.approx(np.mean(list(told["sdr"].values())))
    assert [row["track"] for row in told["per_track"]] == list(VALID)
    assert json.loads((tmp_path / "reports" / "r.json").read_text("utf-8")) == told
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["r.json"]
    assert FakeSeparator.made == [("mir-4s", None, "float32")]


def test_the_model_beside_its_baselines(data):
    code, stdout, _ = run(data, "--baseline", "oracle", "--baseline", "mixture", "--model", "x", "--limit", 1)
    assert code == 0
    lines = stdout.splitlines()
    assert lines[0] == "stem\tsdr_db\tisr_db\tsir_db\tsar_db"
    assert [line.split("\t")[0] for line in lines[1:4]] == [*STEMS, "mean"]
    assert re.match(r"x on 1 track: mean SDR -?\d+\.\d\d dB$", lines[4])
    assert lines[6] == "sdr_db\tvocals\tother\tmean\tlow_95\thigh_95"
    sdr = {line.split("\t")[0]: float(line.split("\t")[3]) for line in lines[7:]}
    assert list(sdr) == ["x", "oracle", "mixture"]
    assert sdr["oracle"] > sdr["x"] > sdr["mixture"]
    assert sdr["mixture"] == pytest.approx(0.0, abs=0.2)


def test_a_baseline_alone_loads_no_model(data):
    told = report(data, "--baseline", "mixture", "--split", "all")
    assert (told["model"], told["source_id"], told["tracks"]) == ("mixture", "baseline:mixture", 4)
    assert told["baselines"] == {}
    assert FakeSeparator.made == []


def test_all_baselines_that_the_data_allow(data, monkeypatch):
    monkeypatch.setattr("separation.evaluation.BASELINES", ("mixture", "equaliser"))
    told = report(data, "--baselines", "--limit", 1)
    assert list(told["baselines"]) == ["mixture", "equaliser"]
    shutil.rmtree(data / "train" / "Some Body - One")
    code, stdout, stderr = run(data, "--baselines", "--limit", 1, "--json")
    assert code == 0
    assert list(json.loads(stdout)["baselines"]) == ["mixture"]
    assert "note: without the equaliser: no tracks of split 'train'" in stderr
    code, _, message = run(data, "--baseline", "equaliser")
    assert (code, FakeSeparator.separated[2:]) == (1, [])
    assert "no tracks of split 'train'" in message


def test_a_run_folder_holds_everything(data, tmp_path):
    folder = tmp_path / "runs" / "a"
    told = report(data, "-o", folder, "--weights", "w", "--baseline", "oracle", "--workers", 2)
    names = [f"{name}.json" for name in VALID]
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(
        ["boxplot.png", "report.json", "run.json", "tracks.parquet"]
        + [f"tracks/{name}" for name in names]
        + [f"baselines/oracle/{name}" for name in names]
    )
    assert json.loads((folder / "report.json").read_text("utf-8")) == told
    assert json.loads((folder / "run.json").read_text("utf-8"))["source_id"] == "mir-4s:w:float32"
    assert (folder / "boxplot.png").read_bytes().startswith(b"\x89PNG")
    kept = json.loads((folder / "tracks" / names[1]).read_text("utf-8"))
    assert {key: kept[key] for key in told["per_track"][1]} == told["per_track"][1]
    rows = pyarrow.parquet.read_table(folder / "tracks.parquet").to_pylist()
    assert list(rows[0]) == ["model", "track", "stem", "frame", *METRICS]
    assert len(rows) == 2 * 3 * 2
    mine = [row for row in rows if (row["model"], row["track"], row["stem"]) == ("mir-4s", VALID[1], "other")]
    assert [row["frame"] for row in mine] == [0]
    assert mine[0]["sir"] == kept["sir"]["other"] == kept["frames"]["sir"]["other"][0]


def test_a_second_run_goes_on(data, tmp_path):
    first = report(data, "-o", tmp_path / "run", "--limit", 2)
    assert len(FakeSeparator.separated) == first["tracks"] == 2
    everything = report(data, "-o", tmp_path / "run")
    assert len(FakeSeparator.separated) == 3
    assert everything["per_track"][:2] == first["per_track"]
    assert report(data, "-o", tmp_path / "run") == everything
    assert len(FakeSeparator.separated) == 3
    (tmp_path / "run" / "tracks" / f"{VALID[0]}.json").write_text("{")  # as a full disk may leave it
    write_track(data / "train" / VALID[1], 77)  # other music under the same name
    again = report(data, "-o", tmp_path / "run", "--model", "mir-4s", "--baseline", "mixture")
    assert len(FakeSeparator.separated) == 5
    for number in (0, 2):
        assert again["per_track"][number]["sdr"] == everything["per_track"][number]["sdr"]
    assert again["per_track"][1]["sdr"] != everything["per_track"][1]["sdr"]
    assert list(again["baselines"]) == ["mixture"]


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (("--model", "other"), "model is 'mir-4s' there, 'other' now; source_id is 'mir-4s:shipped:float32' there"),
        (("--weights", "w"), "source_id is 'mir-4s:shipped:float32' there, 'mir-4s:w:float32' now"),
        (("--precision", "bfloat16"), "source_id is 'mir-4s:shipped:float32' there, 'mir-4s:shipped:bfloat16' now"),
        (("--split", "train"), "split is 'valid' there, 'train' now"),
        (("--baseline", "mixture"), "model is 'mir-4s' there, 'mixture' now"),
    ],
)
def test_another_evaluation_is_refused(data, tmp_path, words, differs):
    report(data, "-o", tmp_path / "run", "--limit", 1)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    code, _, message = run(data, "-o", tmp_path / "run", *words)
    assert code == 2
    assert differs in message
    assert "Name another folder with -o" in message
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_what_makes_no_sense_is_refused(data, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").touch()
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").touch()
    for place in ("full", "folder.json", "file"):
        code, _, message = run(data, "-o", tmp_path / place)
        assert code == 2
        assert str(tmp_path / place) in message
    assert run(data, "--baseline", "magic")[0] == 2
    assert run(data, "--workers", "0")[0] == 2
    code, _, message = run(data, "--split", "test")
    assert code == 1
    assert "it has train, valid" in message
    assert run(tmp_path / "nowhere")[0] == 1
    assert FakeSeparator.separated == []


def test_failures_are_listed_the_rest_goes_on_and_is_kept(data, tmp_path):
    other = data / "train" / VALID[1] / "other.wav"
    whole = other.read_bytes()
    other.write_bytes(b"\xff\xd8\xff\xe0 no music")
    code, stdout, stderr = run(data, "-o", tmp_path / "run", "--json", "--model", "mir-4s", "--baseline", "mixture")
    told = json.loads(stdout)
    assert code == 1
    assert told["tracks"] == 2
    ((failure, same),) = zip(told["failed"], told["baselines"]["mixture"]["failed"], strict=True)
    assert failure == same
    assert failure["track"] == VALID[1]
    assert "other.wav" in failure["error"]
    assert stderr.count(f"failed: {VALID[1]}: ") == 1
    assert failure["error"] in stderr
    other.write_bytes(whole)
    assert report(data, "-o", tmp_path / "run")["tracks"] == 3
    assert len(FakeSeparator.separated) == 3
    for path in data.rglob("other.wav"):
        path.write_bytes(b"")
    code, stdout, _ = run(data, "-o", tmp_path / "nothing", "--json")
    told = json.loads(stdout)
    assert (code, told["tracks"], told["sdr"], told["mean_sdr"], len(told["failed"])) == (1, 0, {}, None, 3)
    assert not (tmp_path / "nothing" / "boxplot.png").exists()
    assert run(data)[0] == 1


def start(data, folder):
    """A real `mir evaluate` in a process group of its own, once its first track is kept."""
    command = [sys.executable, "-m", "mir.cli", "evaluate", str(data), "--split", "all", "--baseline", "mixture"]
    command += ["--workers", "2", "-o", str(folder), "--json"]
    before = set(folder.glob("tracks/*"))
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        # a shell's background job, such as a CI run, ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and set(folder.glob("tracks/[!.]*")) <= before:
        time.sleep(0.005)
    return process


def test_a_run_that_is_cut_off_leaves_whole_files_and_no_processes(tmp_path):
    data, folder = tmp_path / "data", tmp_path / "run"
    for number in range(8):
        write_track(data / f"track {number}", number, seconds=3.0)
    process = start(data, folder)
    process.kill()
    process.communicate(timeout=30)  # scoring processes hold the other end of its stderr until they end
    process = start(data, folder)
    os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches every process
    stdout, stderr = process.communicate(timeout=30)
    kept = "interrupted; what is scored is kept, and the same command goes on from there"
    assert (process.returncode, stdout, " ".join(stderr.split())) == (130, "", kept)
    kept = {path: path.read_bytes() for path in folder.glob("tracks/[!.]*")}
    assert 2 <= len(kept) < 8
    assert all(json.loads(text)["frames"] for text in kept.values())
    assert not (folder / "report.json").exists()
    process = start(data, folder)
    stdout, stderr = process.communicate()
    assert (process.returncode, stderr) == (0, "")
    assert json.loads(stdout)["tracks"] == 8
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_sql_of_the_documentation_compares_two_runs(data, tmp_path, monkeypatch):
    (query,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "evaluation.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    a = report(data, "-o", "runs/a", "--model", "mir-4s", "--baseline", "oracle")
    monkeypatch.setattr(FakeSeparator, "separate", lambda self, y, sr: dict.fromkeys(STEMS, 0.25 * y))
    b = report(data, "-o", "runs/b", "--weights", "better")
    relation = duckdb.sql(query)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    assert sorted(row["stem"] for row in rows) == sorted(STEMS)
    for row in rows:
        stem = row["stem"]
        assert row["tracks"] == 3
        assert row["a_db"] == pytest.approx(a["sdr"][stem], abs=0.006)
        assert row["b_db"] == pytest.approx(b["sdr"][stem], abs=0.006)
        gains = [two["sdr"][stem] - one["sdr"][stem] for one, two in zip(a["per_track"], b["per_track"], strict=True)]
        assert row["gain_db"] == pytest.approx(np.median(gains), abs=0.006)
    relation.close()


def evaluation(model, table):
    """An evaluation whose SDR is this table `(n_tracks, 4)`, and every other metric too."""
    stems = ("vocals", "drums", "bass", "other")
    scores = (
        TrackScore(
            f"t{n}", 7.0, 0.1, {metric: {s: (v,) for s, v in zip(stems, row, strict=True)} for metric in METRICS}
        )
        for n, row in enumerate(table)
    )
    return Evaluation.of(model, scores)


def test_silence_is_null_in_the_table(tmp_path):
    write_parquet(tmp_path / "t.parquet", [evaluation("x", [[1.5, np.nan, np.inf, -2.0]])])
    rows = duckdb.execute("SELECT stem, sdr, sar FROM read_parquet(?)", [str(tmp_path / "t.parquet")]).fetchall()
    assert rows == [("vocals", 1.5, 1.5), ("drums", None, None), ("bass", np.inf, np.inf), ("other", -2.0, -2.0)]


def test_box_plots_show_every_track_and_the_baselines(tmp_path):
    table = np.random.default_rng(0).normal(5.0, 2.0, (9, 4))
    table[0, 1], table[1, 2], table[:, 3] = np.nan, np.inf, np.nan
    others = [evaluation("oracle", table + 4.0), evaluation("mixture", np.full((9, 4), 120.0))]
    figure = boxplot([evaluation("x", table), *others])
    assert [axes.get_title("left") for axes in figure.axes] == [
        "SDR: whatever is wrong",
        "SIR: other stems that are heard",
        "ISR: the stem's own level, colour, place",
        "SAR: artefacts",
    ]
    for axes in figure.axes:
        points = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
        assert [len(y) for y in points] == [9, 8, 8, 0]
        np.testing.assert_array_equal(points[0], table[:, 0])
        assert len(axes.patches) == 4
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels[0] == f"vocals\n{np.median(table[:, 0]):.1f} dB"
        assert labels[3] == "other\nsilent"
        marks = {line.get_label(): line.get_ydata() for line in axes.lines if line.get_label() in ("oracle", "mixture")}
        assert marks["oracle"][0] == pytest.approx(np.median(table[:, 0]) + 4.0)
        assert np.isnan(marks["mixture"]).all(), "too far away to be drawn"
        assert axes.get_ylim()[1] < 20
    assert write([evaluation("x", table), *others], tmp_path) == [tmp_path / "boxplot.png"]
    assert write([evaluation("x", np.full((2, 4), np.nan))], tmp_path / "nothing") == []
    assert write([evaluation("x", table[2:3])], tmp_path / "one") == [tmp_path / "one" / "boxplot.png"]
