"""`mir status`: every number against a catalog whose content is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from catalog_records import make_extractor, record, result, shell, two_spaces

import features
from mir import status as status_module
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_failure, commit_track
from mir.catalog.records import FileStat
from mir.ingest import SeparatorSource
from mir.status import Failed, status
from separation.errors import ModelUnknown


def now_separated_by(monkeypatch: pytest.MonkeyPatch, source: SeparatorSource | None) -> None:
    monkeypatch.setattr(status_module, "_source", lambda model: source)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())
    now_separated_by(monkeypatch, SeparatorSource("m:1:f", load=dict))
    catalog = create_catalog(tmp_path / "mir.duckdb")
    here = tmp_path / "here.mp3"
    here.touch()
    voice = ("ok", "silent", "failed", None)
    for number, state in enumerate(voice, 1):
        results = [result("drum_rhythm", number)] + ([result("vocal_timbre", number, state)] if state else [])
        made = record(number, results=tuple(results))
        commit_track(catalog, replace(made, file=FileStat(str(here), 1, 1)) if number == 1 else made)
    commit_failure(catalog, FileStat("/music/broken.mp3", 1, 1), "no sound in it")
    return catalog


def test_every_number(catalog: Catalog, tmp_path: Path) -> None:
    found = status(catalog)
    assert (found.files, found.tracks, found.artists, found.duration_s) == (5, 4, 4, 410.0)
    voice, drums = found.spaces
    assert (voice.ok, voice.silent, voice.failed, voice.missing, voice.out_of_date) == (1, 1, 1, 1, 0)
    assert (drums.ok, drums.silent, drums.failed, drums.missing, drums.out_of_date) == (4, 0, 0, 0, 0)
    assert found.failures == (
        Failed("/music/broken.mp3", None, "no sound in it"),
        Failed("/music/3.mp3", "vocal_timbre", "because failed"),
    )
    assert found.gone == ("/music/2.mp3", "/music/3.mp3", "/music/4.mp3", "/music/broken.mp3")
    assert found.sources == {"m:1:f": 4}
    assert found.size_bytes == (tmp_path / "mir.duckdb").stat().st_size


def test_out_of_date_by_version_or_by_model(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    later = make_extractor("vocal_timbre", "vocals", two_spaces()["vocal_timbre"].columns, 2)
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces() | {"vocal_timbre": later})
    voice, drums = status(catalog).spaces
    assert (voice.ok, voice.silent, voice.failed, voice.missing, voice.out_of_date) == (0, 0, 0, 1, 3)
    assert drums.out_of_date == 0
    now_separated_by(monkeypatch, SeparatorSource("other:2:f", load=dict))
    assert [each.out_of_date for each in status(catalog).spaces] == [3, 4]
    now_separated_by(monkeypatch, None)
    assert [each.out_of_date for each in status(catalog).spaces] == [3, 0]


def test_a_model_that_is_not_here_makes_nothing_out_of_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIR_MODEL", "nobody-has-this")
    assert status_module._source(None) is None
    with pytest.raises(ModelUnknown, match="nobody-has-this"):
        status_module._source("nobody-has-this")


def test_the_command(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run = shell(monkeypatch, capsys)
    said = run("status", "--catalog", catalog.path, "--json")
    plain = json.loads(said.out)
    assert (said.code, plain["tracks"], plain["catalog"]) == (0, 4, str(catalog.path))
    assert plain["spaces"][0]["space"] == "vocal_timbre"
    assert plain["failures"][1] == {"path": "/music/3.mp3", "space": "vocal_timbre", "reason": "because failed"}
    said = run("status", "--catalog", catalog.path)
    assert said.code == 0
    assert "vocal_timbre\tvocals\t1\t1\t1\t1\t1\t0\n" in said.out
    assert "/music/broken.mp3\t-\tno sound in it\n" in said.out
    assert "--retry-failed" in said.err
    assert run("status", "--catalog", "nowhere.duckdb").code == 1


def test_an_empty_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "EXTRACTORS", two_spaces())
    found = status(create_catalog(tmp_path / "mir.duckdb"))
    assert (found.files, found.tracks, found.failures, found.gone, found.sources) == (0, 0, (), (), {})
    assert [each.missing for each in found.spaces] == [0, 0]
