"""Flag over environment over file over default, and what does not fit is told with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from catalog_records import Said, shell

from mir.config import DECLARATIONS, catalog_path, setting, settings
from mir.errors import BadRequest


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for declaration in DECLARATIONS:
        monkeypatch.delenv(declaration.variable, raising=False)
    monkeypatch.delenv("MIR_CONFIG", raising=False)


def test_each_place_beats_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (setting("catalog").source, catalog_path()) == ("default", Path("mir.duckdb"))
    Path("mir.toml").write_text('catalog = "from/file.duckdb"\nworkers = 3\n')
    assert (setting("catalog").source, catalog_path()) == ("mir.toml", Path("from/file.duckdb"))
    assert setting("workers").value == 3
    monkeypatch.setenv("MIR_CATALOG", "~/environment.duckdb")
    assert (setting("catalog").source, catalog_path()) == ("environment", Path.home() / "environment.duckdb")
    assert setting("catalog", Path("flag.duckdb")).source == "flag"
    assert catalog_path(Path("flag.duckdb")) == Path("flag.duckdb")


def test_a_file_elsewhere_is_relative_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "my.toml").write_text('catalog = "c.duckdb"')
    monkeypatch.setenv("MIR_CONFIG", str(folder / "my.toml"))
    assert catalog_path() == folder / "c.duckdb"
    monkeypatch.setenv("MIR_CONFIG", str(folder / "gone.toml"))
    with pytest.raises(BadRequest, match=r"gone\.toml, which is no file"):
        settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workers = 0", "workers = 0 .*at least 1"),
        ('workers = "many"', "whole number"),
        ("workers = true", "whole number"),
        ("catalog = 1", "must be a path"),
        ("model = []", "must be a name"),
        ("worker = 2", "sets worker; the settings there are catalog"),
        ("workers = ", "no valid TOML"),
    ],
)
def test_what_does_not_fit_is_told(text: str, told: str) -> None:
    Path("mir.toml").write_text(text)
    with pytest.raises(BadRequest, match=told):
        settings()


def test_an_environment_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_WORKERS", "two")
    with pytest.raises(BadRequest, match=r"\$MIR_WORKERS"):
        setting("workers")
    with pytest.raises(BadRequest, match="no setting 'colour'"):
        setting("colour")


def test_the_command_shows_which_one_won(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run: Callable[..., Said] = shell(monkeypatch, capsys)
    monkeypatch.setenv("MIR_THREADS", "2")
    lines = run("config", "--catalog", "my.duckdb").out.splitlines()
    assert lines[0].split("\t") == ["setting", "value", "from", "is"]
    shown = {line.split("\t")[0]: line.split("\t")[1:3] for line in lines[1:]}
    assert shown["catalog"] == ["my.duckdb", "--catalog"]
    assert shown["threads"] == ["2", "$MIR_THREADS"]
    assert shown["model"] == ["mir-4s", "default"]
    monkeypatch.setenv("MIR_THREADS", "none")
    assert run("config").code == 2
