"""`mir models`: listed, described, verified, and pulled from a real server or a file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import typer
from command import invoke

from mir.cli import models

FILES = {
    "checkpoint": b'model_checkpoint_path: "model"\n',
    "model.index": b"index",
    "model.data-00000-of-00001": bytes(range(256)) * 40,
    "model.meta": b"meta",
}
CONFIGURATION = {
    "instrument_list": ["choir", "organ"],
    "sample_rate": 22050,
    "frame_length": 2048,
    "frame_step": 512,
    "T": 128,
    "F": 512,
}

app = typer.Typer()
models.register(app)


def run(*words):
    return invoke(app, "models", *words)


def answers(*words):
    code, stdout, message = run(*words, "--json")
    assert code == 0, message
    return [json.loads(line) for line in stdout.splitlines()]


def states():
    return {line["model"]: line["state"] for line in answers("list")}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine on which nothing was pulled yet."""
    for name in ("MIR_MODELS", "MIR_MODELS_URL", "MIR_QUIET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "home" / "mir" / "models"


def pack(path, files):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path):
    """What the mirror has."""
    return pack(tmp_path / "mirror" / "4stems.tar.gz", FILES)


@pytest.fixture
def sha256(archive):
    return sha256_of(archive)


@pytest.fixture
def mirror(archive, monkeypatch):
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=str(archive.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_fresh_machine(home):
    lines = {line["model"]: line for line in answers("list")}
    assert lines.pop("mir-4s")["state"] == "here"
    assert set(lines) == {f"spleeter:{n}stems{variant}" for n in (2, 4, 5) for variant in ("", "-16kHz")}
    assert {(line["state"], line["folder"]) for line in lines.values()} == {("can be pulled", None)}
    assert lines["spleeter:5stems"]["stems"] == "vocals, piano, drums, bass, other"
    assert run("list")[1].splitlines()[0].split("\t") == ["model", "stems", "sample_rate_hz", "state", "folder"]
    assert not home.exists()


def test_from_a_mirror_to_use(home, mirror, sha256):
    words = ("pull", "spleeter:4stems", "--base-url", mirror, "--sha256", sha256)
    expected = {
        "model": "spleeter:4stems",
        "state": "pulled",
        "folder": str(home / "4stems"),
        "archive_sha256": sha256,
        "source": f"{mirror}/4stems.tar.gz",
    }
    assert answers(*words) == [expected]
    assert answers(*words) == [expected | {"state": "was here", "source": None}]
    assert run(*words)[1].splitlines()[1].split("\t")[:2] == ["spleeter:4stems", "was here"]
    assert answers(*words, "--force") == [expected]
    assert (home / "4stems" / "model.index").read_bytes() == FILES["model.index"]
    here = [name for name, state in states().items() if state == "here"]
    assert here == ["mir-4s", "spleeter:4stems", "spleeter:4stems-16kHz"]
    (verified,) = answers("verify", "spleeter:4stems")
    assert (verified["model"], verified["ok"], len(verified["sha256"])) == ("spleeter:4stems", True, 64)
    (described,) = answers("info", "spleeter:4stems")
    assert described["state"] == "here"
    assert described["weights"] == str(home / "4stems")
    assert described["weights_bytes"] == len(FILES["model.index"]) + len(FILES["model.data-00000-of-00001"])
    assert described["source_id"].startswith("spleeter:4stems:")


def test_the_mirror_from_the_environment(home, mirror, sha256, monkeypatch):
    monkeypatch.setenv("MIR_MODELS_URL", mirror + "/")
    monkeypatch.setenv("MIR_MODELS", str(home.parent / "chosen"))
    (line,) = answers("pull", "spleeter:4stems-16kHz", "--sha256", sha256)
    assert (line["folder"], line["source"]) == (str(home.parent / "chosen" / "4stems"), f"{mirror}/4stems.tar.gz")
    assert states()["spleeter:4stems"] == "here"


@pytest.mark.parametrize("by_address", [True, False])
def test_a_model_of_ones_own(home, mirror, archive, by_address):
    own = pack(archive.with_name("own.tar.gz"), {**FILES, "chapel.json": json.dumps(CONFIGURATION).encode()})
    source = f"{mirror}/own.tar.gz" if by_address else own
    (line,) = answers("pull", "chapel", "--from", source, "--sha256", sha256_of(own))
    assert (line["folder"], line["source"]) == (str(home / "chapel"), str(source))
    (listed,) = (line for line in answers("list") if line["model"] == "chapel")
    assert listed["stems"] == "choir, organ"
    assert listed["sample_rate_hz"] == 22050
    assert listed["state"] == "here"
    assert answers("info", "chapel")[0]["n_bins"] == 512


def test_damage_is_listed(home, archive, sha256):
    run("pull", "spleeter:4stems", "--from", archive, "--sha256", sha256)
    weights = home / "4stems" / "model.data-00000-of-00001"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert states()["spleeter:4stems"] == states()["spleeter:4stems-16kHz"] == "damaged"
    code, _, message = run("verify", "spleeter:4stems")
    assert code == 1
    assert str(weights) in message
    code, _, message = run("pull", "spleeter:4stems", "--from", archive, "--sha256", sha256)
    assert code == 1
    assert "--force replaces" in message
    weights.unlink()
    assert states()["spleeter:4stems"] == "damaged"
    assert run("pull", "spleeter:4stems", "--from", archive, "--sha256", sha256, "--force")[0] == 0
    assert states()["spleeter:4stems"] == "here"


def test_what_is_not_here(home, tmp_path):
    assert answers("info", "spleeter:2stems")[0]["state"] == "can be pulled"
    for words in (("verify", "spleeter:2stems"), ("info", "spleeter:2stems", "--weights", tmp_path)):
        code, _, message = run(*words)
        assert code == 1
        assert "--weights DIR" in message or str(tmp_path) in message
    assert run("info", "nonsense")[0] == 2


def test_failures_say_what_to_do(home, mirror, archive, sha256):
    for words, code, told in (
        (("spleeter:4stems", "--base-url", mirror), 1, f"{sha256}, expected 3adb4a50"),
        (("spleeter:4stems", "--from", archive), 1, f"{sha256}, expected 3adb4a50"),
        (("spleeter:5stems", "--base-url", mirror), 1, f"{mirror}/5stems.tar.gz: HTTP 404 File not found"),
        (("spleeter:5stems", "--base-url", mirror), 1, "--from FILE"),
        (("spleeter:5stems", "--from", archive.with_name("x.tar.gz")), 1, "no such file"),
        (("spleeter:3stems",), 2, "there are spleeter:2stems"),
        (("mir-4s",), 2, "needs --from and --sha256"),
        (("4stems", "--from", archive, "--sha256", sha256), 2, "there are spleeter:2stems"),
        (("spleeter:4stems", "--sha256", "abc", "--from", archive), 1, "64 hexadecimal digits"),
        (("spleeter:4stems", "--from", archive, "--base-url", mirror), 2, "give one of them"),
    ):
        found, stdout, message = run("pull", *words)
        assert (found, stdout) == (code, "")
        assert told in message
    assert not (home / "4stems").exists()
    assert not (home / "5stems").exists()


def test_a_card_is_shown_as_tables(tiny_weights, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_weights, folder)
    description = json.loads((folder / "tiny.json").read_text())
    card = {
        "date": "2025-01-31",
        "compute": {"machine": "two cores", "hours": 1.5},
        "data": [{"source": "previews", "licence": "academic use", "minutes": 11.25}, {"source": "songs", "clips": 3}],
        "sdr_db": {"vocals": {"median": 5.123456, "interval": [4.5, 5.75]}, "drums": {"median": 4.0}},
        "weaknesses": ["Choirs lie in other.", "Quiet bass is lost."],
    }
    (folder / "tiny.json").write_text(json.dumps(description | {"card": card}))
    (told,) = answers("info", folder)
    assert (told["card"], told["name"], told["state"]) == (card, "tiny", "here")
    assert "run" not in told
    code, stdout, message = run("info", folder)
    assert code == 0, message
    shown = stdout.splitlines()
    for row in (
        "date\t2025-01-31", "compute.machine\ttwo cores", "compute.hours\t1.5",
        "source\tlicence\tminutes\tclips", "previews\tacademic use\t11.25\t-", "songs\t-\t-\t3",
        "sdr_db\tmedian\tinterval", "vocals\t5.123\t4.5, 5.75", "drums\t4\t-",
        "weaknesses\tChoirs lie in other.", "\tQuiet bass is lost.", "network.filters\t4, 6, 8", "\tcard",
    ):  # fmt: skip
        assert row in shown
    (folder / "tiny.json").write_text(json.dumps(description | {"card": "good"}))
    code, _, message = run("info", folder)
    assert code == 2
    assert "`card` must be a table" in message


def test_as_a_program(home, mirror, sha256):
    """All of it, as the shell sees it: one line on each side, and an exit code."""
    program = "from mir.cli.app import main; main()"
    for words, code in ((["--sha256", sha256], 0), ([], 1)):
        arguments = ["models", "pull", "spleeter:4stems", "--base-url", mirror, "--json", *words]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, env=os.environ
        )
        assert done.returncode == code, done.stderr
        if code:
            assert done.stdout == ""
            assert done.stderr.startswith("error: ")
            assert done.stderr.count("\n") == 1
        else:
            assert json.loads(done.stdout)["folder"] == str(home / "4stems")
            assert done.stderr == ""
