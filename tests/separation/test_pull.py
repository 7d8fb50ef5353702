"""Pulled models: there complete or not at all, whatever happens on the way."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from local_server import held, serving, until

from separation import pull as module
from separation.errors import (
    ArchiveUnsafe,
    ChecksumWrong,
    DownloadFailed,
    ModelUnknown,
    PullBusy,
    WeightsDamaged,
    WeightsMissing,
    WriteFailed,
)
from separation.pull import MANIFEST, PULLABLE, check, folder_of, models_folder, pull


def checkpoint(seed=0):
    """Files of a small model; its weights can be compressed to a thousandth."""
    return {
        "checkpoint": b'model_checkpoint_path: "model"\n',
        "model.index": np.random.default_rng(seed).bytes(3000),
        "model.data-00000-of-00001": bytes(250_000) + np.random.default_rng(seed + 1).bytes(50_000),
        "model.meta": b"meta",
    }


def pack(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


FILES, NEWER = checkpoint(), checkpoint(7)
ARCHIVE = pack(FILES)
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("MIR_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("MIR_MODELS_URL", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "models"


@pytest.fixture
def place():
    with serving(ARCHIVE) as place:
        yield place


@pytest.fixture
def known(monkeypatch):
    """As if Deezer had published `ARCHIVE`."""
    monkeypatch.setattr(module, "ARCHIVES", dict.fromkeys(module.ARCHIVES, SHA256))


@pytest.fixture
def local(tmp_path):
    (tmp_path / "local.tar.gz").write_bytes(ARCHIVE)
    return tmp_path / "local.tar.gz"


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MANIFEST}


def left(models):
    """Names beside the models: nothing but the lock of each."""
    return sorted(str(path.relative_to(models)) for path in models.rglob("*") if ".downloads/" in str(path))


def started(*arguments, prelude="", **options):
    """A pull in a process of its own."""
    code = f"{prelude}\nfrom separation.pull import pull\npull(*{arguments!r}, **{options!r})"
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def test_a_known_model_from_a_mirror(models, place, known):
    heard = []
    pulled = pull("spleeter:4stems", base_url=place.url + "/mirror/", progress=lambda *now: heard.append(now))
    assert pulled == module.Pulled("spleeter:4stems", models / "4stems", SHA256, f"{place.url}/mirror/4stems.tar.gz")
    assert heard[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert content(models / "4stems") == FILES
    assert left(models) == [".downloads/4stems.lock"]
    assert sorted(path.name for path in models.iterdir()) == [".downloads", "4stems"]
    manifest = json.loads((models / "4stems" / MANIFEST).read_text("utf-8"))
    assert manifest["archive_sha256"] == SHA256
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    assert check(models / "4stems") == SHA256


def test_what_is_there_is_not_pulled_again(models, place, known, monkeypatch):
    monkeypatch.setenv("MIR_MODELS_URL", place.url)
    first = pull("spleeter:2stems")
    again = pull("spleeter:2stems-16kHz")
    assert (first.folder, again.folder, again.source) == (models / "2stems", models / "2stems", None)
    assert len(place.requests) == 1
    assert pull("spleeter:2stems", force=True).source == f"{place.url}/2stems.tar.gz"
    assert content(models / "2stems") == FILES
    assert len(place.requests) == 2
    assert sorted(path.name for path in models.iterdir()) == [".downloads", "2stems"]


def test_what_is_there_needs_no_lock_and_no_writing(models, local, known):
    pull("spleeter:2stems", local)
    (models / ".downloads" / "2stems.lock").unlink()
    (models / ".downloads").rmdir()
    assert pull("spleeter:2stems").source is None
    assert [path.name for path in models.iterdir()] == ["2stems"]


def test_a_model_of_ones_own(models, place, local):
    assert pull("choir-2.1_b", local, sha256=SHA256.upper()).folder == models / "choir-2.1_b"
    assert pull("other", place.url + "/x.tar.gz", sha256=SHA256).folder == models / "other"
    assert content(models / "choir-2.1_b") == content(models / "other") == FILES


def test_an_archive_of_a_pulled_model(models, local, tmp_path):
    pull("mine", local, sha256=SHA256)
    again = tmp_path / "again.tar.gz"
    subprocess.run(["tar", "-czf", again, "-C", models, "mine"], check=True)
    digest = hashlib.sha256(again.read_bytes()).hexdigest()
    pull("mine", again, sha256=digest, force=True)
    assert check(models / "mine") == digest
    assert content(models / "mine") == FILES


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mine", {}),
        ("mine", {"source": "x.tar.gz"}),
        ("mine", {"sha256": SHA256}),
        *((name, {"source": "x.tar.gz", "sha256": SHA256}) for name in ("", ".", "..", "../x", "/x", "a/b", ".hidden")),
        *(
            (name, {"source": "x.tar.gz", "sha256": SHA256})
            for name in ("spleeter:3stems", "4stems", "x.json", "a\n", "é", "-x")
        ),
    ],
)
def test_names_that_say_nothing(models, name, options):
    with pytest.raises(ModelUnknown, match="there are spleeter:2stems, spleeter:4stems"):
        pull(name, **options)
    assert not models.exists()


def test_checksums_that_are_none(models, local):
    for sha256 in ("", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"):
        with pytest.raises(ChecksumWrong, match="64 hexadecimal digits"):
            pull("mine", local, sha256=sha256)
    assert not models.exists()


def test_the_wrong_archive(models, place, local):
    for source in (local, None):
        with pytest.raises(ChecksumWrong, match=f"{SHA256}, expected 3adb4a50"):
            pull("spleeter:4stems", source, base_url=place.url)
    with pytest.raises(WeightsMissing, match=r"nowhere.tar.gz: no such file"):
        pull("spleeter:4stems", local.with_name("nowhere.tar.gz"))
    with pytest.raises(DownloadFailed, match="not https"):
        pull("spleeter:4stems", "file:///etc/passwd")
    assert left(models) == [".downloads/4stems.lock"]
    assert not (models / "4stems").exists()


@pytest.mark.parametrize(
    "files", [{}, {"README": b""}, {"model.index": b""}, {"a.index": b"", "b.data-00000-of-00001": b""}, {"../x": b""}]
)
def test_archives_that_are_no_model(models, place, files):
    place.content = pack(files)
    with pytest.raises(ArchiveUnsafe, match=r"no checkpoint of TensorFlow|leads out of the folder"):
        pull("mine", place.url, sha256=hashlib.sha256(place.content).hexdigest())
    assert left(models) == [".downloads/mine.lock"]
    assert [path.name for path in models.iterdir()] == [".downloads"]


def test_damage_is_seen_and_only_replaced_on_demand(models, local):
    pull("mine", local, sha256=SHA256)
    weights = models / "mine" / "model.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    for damage in ("SHA-256 is", "is missing"):
        with pytest.raises(WeightsDamaged, match=damage):
            check(models / "mine")
        with pytest.raises(WeightsDamaged, match=f"{damage}.*; --force replaces"):
            pull("mine", local, sha256=SHA256)
        weights.unlink(missing_ok=True)
    pull("mine", local, sha256=SHA256, force=True)
    assert content(models / "mine") == FILES
    for text, damage in (("{", "no JSON"), ("[]", "lacks"), ('{"archive_sha256": 1, "files": {}}', "lacks")):
        (models / "mine" / MANIFEST).write_text(text)
        with pytest.raises(WeightsDamaged, match=damage):
            check(models / "mine")
    (models / "mine" / MANIFEST).unlink()
    with pytest.raises(WeightsDamaged, match=r"has no sha256.json.*--force replaces"):
        pull("mine", local, sha256=SHA256)


def test_another_edition_is_only_replaced_on_demand(models, local):
    pull("mine", local, sha256=SHA256)
    local.write_bytes(pack(NEWER))
    sha256 = hashlib.sha256(local.read_bytes()).hexdigest()
    with pytest.raises(WeightsDamaged, match=f"{SHA256}, not {sha256}; --force"):
        pull("mine", local, sha256=sha256)
    pull("mine", local, sha256=sha256, force=True)
    assert content(models / "mine") == NEWER


def test_a_link_to_a_folder_is_replaced_and_its_target_kept(models, local, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.txt").touch()
    models.mkdir()
    (models / "mine").symlink_to(tmp_path / "elsewhere")
    pull("mine", local, sha256=SHA256, force=True)
    assert content(models / "mine") == FILES
    assert not (models / "mine").is_symlink()
    assert (tmp_path / "elsewhere" / "mine.txt").exists()
    assert sorted(path.name for path in models.iterdir()) == [".downloads", "mine"]


def test_killed_while_downloading(models, place):
    place.script = [held(20_000)]
    part = models / ".downloads" / "mine.tar.gz.part"
    with started("mine", place.url, sha256=SHA256) as process:
        until(lambda: part.is_file() and part.stat().st_size == 20_000)
        process.kill()
    assert not (models / "mine").exists()
    pull("mine", place.url, sha256=SHA256)
    assert content(models / "mine") == FILES
    assert place.ranges == [None, "bytes=20000-"]
    assert place.n_sent == len(ARCHIVE)
    assert left(models) == [".downloads/mine.lock"]


MORTAL = """
import os, signal, sys
from separation.pull import pull
models, url, sha256 = sys.argv[1:]
left = 0
def mortal(event, arguments):
    global left
    changes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir") or (
        event == "open" and isinstance(arguments[0], str) and arguments[1] in ("xb", "wb", "w"))
    if changes and models in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(mortal)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        left = int(line)
        pull("mine", url, sha256=sha256, force=True)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Pulls once for each number it reads, and dies before that change of the models' folder."""


def test_killed_before_every_change_of_the_folder(models, place):
    """Old files, new files or none, but never some; and the next pull makes it good."""
    newer = pack(NEWER)
    sha256 = hashlib.sha256(newer).hexdigest()
    command = [sys.executable, "-c", MORTAL, models, place.url, sha256]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for step in itertools.count(1):
            place.content = ARCHIVE
            pull("mine", place.url, sha256=SHA256, force=True)
            assert content(models / "mine") == FILES
            place.content = newer
            print(step, file=process.stdin, flush=True)
            status = int(process.stdout.readline())
            if status == 0:
                break
            assert status == -signal.SIGKILL
            if (models / "mine").exists():
                assert check(models / "mine") in (SHA256, sha256)
            pull("mine", place.url, sha256=sha256, force=True)
            assert content(models / "mine") == NEWER
            assert left(models) == [".downloads/mine.lock"]
            assert sorted(path.name for path in models.iterdir()) == [".downloads", "mine"]
        process.stdin.close()
    assert step > 15


def test_two_at_a_time(models, place):
    place.script = [held(20_000)]
    part = models / ".downloads" / "mine.tar.gz.part"
    with started("mine", place.url, sha256=SHA256) as process:
        until(lambda: part.is_file() and part.stat().st_size > 0)
        with pytest.raises(PullBusy, match=rf"mine is being pulled by another process \({process.pid}\)"):
            pull("mine", place.url, sha256=SHA256)
        place.gate.set()
        assert process.wait() == 0, process.stderr.read()
    assert place.ranges == [None, "bytes=20000-"]
    assert pull("mine", place.url, sha256=SHA256).source is None


@pytest.mark.parametrize(("room", "ranges"), [(30_000, [None, "bytes=30000-"]), (100_000, [None])])
def test_a_full_disk(models, place, room, ranges):
    """No room for the whole archive, or for what comes out of it."""
    prelude = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"
    with started("mine", place.url, sha256=SHA256, prelude=prelude) as process:
        message = process.communicate()[1].splitlines()[-1]
    assert f"separation.errors.WriteFailed: no room in {models}" in message
    assert "set MIR_MODELS to a folder on another disk" in message
    assert [path.name for path in models.iterdir()] == [".downloads"]
    pull("mine", place.url, sha256=SHA256)
    assert content(models / "mine") == FILES
    assert place.ranges == ranges


def test_only_a_full_disk_is_called_full():
    with pytest.raises(PermissionError), module._room(Path()):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(WriteFailed, match=r"^no room in ") as caught, module._room(Path()):
        raise OSError(28, "No space left on device")
    assert caught.value.errno == 28


def test_where_models_go(monkeypatch, tmp_path):
    assert models_folder() == Path(os.environ["MIR_MODELS"])
    monkeypatch.setenv("MIR_MODELS", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "mir" / "models"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for relative in ("", "data"):
        monkeypatch.setenv("XDG_DATA_HOME", relative)
        assert models_folder() == tmp_path / "home" / ".local" / "share" / "mir" / "models"


def test_names_of_folders():
    assert [folder_of(name).name for name in PULLABLE] == [f"{n}stems" for n in "245245"]
    assert folder_of("choir-16kHz").name == "choir-16kHz"


def test_the_official_place(monkeypatch):
    asked = []

    def refuse(url, *_, **__):
        asked.append(url)
        raise DownloadFailed

    monkeypatch.setattr(module, "download", refuse)
    for name in PULLABLE[:3]:
        with pytest.raises(DownloadFailed):
            pull(name)
    official = "https://github.com/deezer/spleeter/releases/download/v1.4.0/{}.tar.gz"
    assert asked == [official.format(f"{n}stems") for n in (2, 4, 5)]
