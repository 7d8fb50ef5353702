"""`mir doctor`: each trouble is found, named, and comes with what to do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from catalog_records import shell
from test_catalog_lock import held

from mir import doctor
from mir.catalog import create_catalog
from mir.doctor import Finding, examine


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIR_MODELS", raising=False)
    monkeypatch.delenv("MIR_MODEL", raising=False)


def look(catalog: str | Path = "mir.duckdb") -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(Path(catalog))}


def test_what_it_looks_at() -> None:
    found = look()
    assert {"mir", "python", "duckdb", "tensorflow", "ffmpeg", "processor", "threads", "memory", "disk"} <= set(found)
    assert {"catalog", "package mir", "package features", "model mir-4s"} <= set(found)
    assert found["python"].level == found["package mir"].level == "ok"
    assert all(each.advice for each in found.values() if each.level == "problem")


def test_nothing_that_sounds_is_loaded() -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path; from mir.doctor import examine; examine(Path('mir.duckdb'));"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'librosa', 'essentia')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_shadowed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    found = look()["package features"]
    assert found.level == "problem"
    assert found.value == f"shadowed by {tmp_path / 'features' / '__init__.py'}"
    assert look()["package mir"].level == "ok"


def test_damaged_and_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.json").write_text(json.dumps({"sha256": "0" * 64}))
    (tmp_path / "broken.npz").write_bytes(b"no weights")
    monkeypatch.setenv("MIR_MODELS", str(tmp_path))
    monkeypatch.setenv("MIR_MODEL", "nobody-has-this")
    found = look()
    assert "expected 000" in found["model broken"].advice
    assert found["model nobody-has-this"].level == "problem"


def test_the_state_of_the_catalog(tmp_path: Path) -> None:
    assert look()["catalog"].value.startswith("none yet")
    catalog = create_catalog(tmp_path / "mir.duckdb")
    assert "not locked" in look()["catalog"].value
    with held(catalog.path, "write") as pid:
        found = look()["catalog"]
    assert (found.level, found.value) == ("note", "locked")
    assert f"process {pid}" in found.advice
    catalog.path.write_bytes(b"broken")
    assert look()["catalog"].level == "problem"


def test_little_memory_and_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_MEMORY_GB", 1e6)
    monkeypatch.setattr(doctor, "_LEAST_DISK_GB", 1e9)
    found = look()
    assert found["disk"].level == "problem"
    assert found["memory"].level == ("problem" if Path("/proc/meminfo").exists() else "note")


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("no-such-library-here",))
    assert look()["no-such-library-here"].level == "problem"


def test_the_exit_code_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = shell(monkeypatch, capsys)
    fine, bad = Finding("a", "ok", "x"), Finding("b", "problem", "y", "do this")
    monkeypatch.setattr(doctor, "examine", lambda catalog: [fine])
    assert run("doctor").code == 0
    monkeypatch.setattr(doctor, "examine", lambda catalog: [fine, bad])
    said = run("doctor")
    assert (said.code, said.out) == (1, "what\tstate\tfound\na\tok\tx\nb\tproblem\ty\n")
    assert "problem: b: do this" in said.err
    said = run("doctor", "--json")
    assert json.loads(said.out.splitlines()[1]) == {"name": "b", "level": "problem", "value": "y", "advice": "do this"}
