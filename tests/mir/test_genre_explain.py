"""Why a track is called what it is: shares fall on who caused them and stand beside values in units."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from command import invoke
from genre_library import add, genre_library, result, small_extractors

import mir.analysis
from features import EXTRACTORS, INSTRUMENTS
from mir.catalog import open_catalog
from mir.cli.app import app, register_commands
from mir.errors import BadRequest, NothingToCompare
from mir.genre.candidates import CANDIDATES
from mir.genre.explanation import SILENT, TOLERANCE, explain
from mir.genre.runs import train
from mir.tags import Tags

LINEAR = tuple(candidate for candidate in CANDIDATES if candidate.head == "logistic")[1:2]

if not app.registered_groups:
    register_commands()


@pytest.fixture(scope="module", autouse=True)
def small():
    with small_extractors():
        yield


@pytest.fixture(scope="module")
def master(small, tmp_path_factory):
    """Three genres told by the drums alone; a tag stands on every track but two."""
    return genre_library(tmp_path_factory.mktemp("explain") / "lib.duckdb", unlabelled=2)


@pytest.fixture
def catalog(master, tmp_path):
    return open_catalog(shutil.copy(master.path, tmp_path / "lib.duckdb"))


@pytest.fixture(scope="module")
def trained(master, tmp_path_factory):
    """A catalog with a linear run."""
    catalog = open_catalog(shutil.copy(master.path, tmp_path_factory.mktemp("trained") / "lib.duckdb"))
    train(catalog, tuple(INSTRUMENTS), candidates=LINEAR)
    return catalog


@pytest.mark.parametrize("head", [head for head in dict.fromkeys(c.head for c in CANDIDATES) if head != "nystroem"])
def test_any_pipeline_adds_up_and_the_drums_speak(catalog, head, monkeypatch):
    monkeypatch.setattr("mir.genre.candidates.TREES_FROM", 1)
    monkeypatch.setattr("mir.genre.explanation._ROWS", 3000)
    candidate = next(candidate for candidate in CANDIDATES if candidate.head == head)
    run = train(catalog, ("drums", "bass"), candidates=(candidate,))
    assert run.parameters["chosen"]["head"] == head
    [found] = explain(catalog, "u0 House")
    moved = found.log_odds - found.background_log_odds
    assert sum(feature.contribution for feature in found.features) == pytest.approx(moved, abs=TOLERANCE)
    assert sum(stem.contribution for stem in found.stems) == pytest.approx(moved, abs=TOLERANCE)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-found.log_odds)), abs=TOLERANCE)
    if head != "boosting":  # 26 tracks split no tree
        assert (found.label, found.stems[0].instrument) == ("House", "drums")
        assert found.stems[0].contribution > 3 * abs(found.stems[1].contribution)


def test_between_two_genres_a_linear_model_is_explained_exactly(trained):
    [found] = explain(trained, "u1 Techno", against="house")
    assert (found.label, found.against, found.rival) == ("Techno", "House", "House")
    assert max(feature.error for feature in found.features) < 1e-6
    again = explain(trained, "u1 Techno", against="House", seed=0)[0]
    assert again == found


def test_values_stand_in_the_catalog_and_beside_both_genres(trained):
    with trained.read() as con:
        rows = con.execute(
            "SELECT t.title, t.genre, d.drum_rhythm_a FROM drum_rhythm AS d JOIN tracks AS t USING (track_id)"
        ).fetchall()
    title, _, value = next(row for row in rows if row[2] is not None)
    [found] = explain(trained, title)
    feature = next(each for each in found.features if each.name == "drum_rhythm_a")
    measured = np.array([number for _, _, number in rows if number is not None], dtype=np.float64)
    assert feature.value == pytest.approx(value)
    expected = 100 * (np.mean(measured < value) + 0.5 * np.mean(measured == value))
    assert feature.percentile == pytest.approx(expected)
    for genre, ends in ((found.label, feature.label_range), (found.rival, feature.rival_range)):
        own = [number for _, tagged, number in rows if tagged == genre and number is not None]
        assert ends == pytest.approx(np.percentile(own, [25, 75]))
    family = next(each for each in found.features if each.name == "d")
    assert (family.instrument, family.unit, family.value, family.numbers) == (found.stems[0].instrument, None, None, 6)


def test_a_silent_stem_is_one_feature(trained):
    [found] = explain(trained, "t0")
    assert [each.name for each in found.features if each.instrument == "vocals"] == [SILENT]


def test_an_artist_is_explained_track_by_track(trained):
    assert [each.title for each in explain(trained, "Artist 1")] == ["t2", "t3"]


def test_a_file_outside_is_explained_as_if_it_were_in(trained, tmp_path, monkeypatch):
    path = tmp_path / "new.flac"
    path.write_bytes(b"not read")
    rng = np.random.default_rng(1000)
    results = [result(space, rng, 1.0 if space == "drum_rhythm" else 0.0) for space in EXTRACTORS]
    monkeypatch.setattr("separation.audio.packet_hash", lambda path: "unknown")
    monkeypatch.setattr("mir.tags.read_tags", lambda path: Tags(title="New", artists=("Nobody",)))
    monkeypatch.setattr(mir.analysis, "describe_file", lambda path, model, spaces: ([], results))
    [outside], [inside] = explain(trained, str(path)), explain(trained, "u0 House")
    assert (outside.track_id, outside.artist, outside.title) == (None, "Nobody", "New")
    assert outside.log_odds == pytest.approx(inside.log_odds)
    monkeypatch.setattr(mir.analysis, "describe_file", lambda path, model, spaces: ([], []))
    with pytest.raises(NothingToCompare, match="nothing to tell a genre from"):
        explain(trained, str(path))


def test_what_cannot_be_explained_is_said(trained):
    with pytest.raises(BadRequest, match=r"knows no genre 'Polka'.*House, Jazz, Techno"):
        explain(trained, "t0", label="Polka")
    with pytest.raises(BadRequest, match="against itself"):
        explain(trained, "t0", label="house", against="House")


def test_a_track_that_is_all_silent(catalog):
    add(catalog, "hush", artist="Nobody", genres=(), means={}, seed=1, mute=tuple(EXTRACTORS))
    train(catalog, ("drums",), candidates=LINEAR)
    with pytest.raises(NothingToCompare, match="none of drum_rhythm"):
        explain(catalog, "hush")


def test_the_command(trained, tmp_path):
    picture = tmp_path / "why.png"
    code, out, err = invoke(app, "genre", "explain", "u0 House", "--catalog", trained.path, "-k", 6, "-o", picture)
    assert code == 0
    assert out.startswith("New 0 - u0 House: House, probability")
    header, *rows = out.splitlines()[2:]
    assert header.split("\t")[:3] == ["stem", "feature", "log-odds"]
    assert rows[0].split("\t")[:2] == ["drums", "in all"]
    assert len([row for row in rows if row.split("\t")[1] == "in all"]) == 5
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {picture}" in err.replace("\n", "")
    assert "note: drums, d: numbers of the drum_rhythm descriptor" in err


def test_the_sums_on_screen_are_sums(trained):
    _, out, _ = invoke(app, "genre", "explain", "u1 Techno", "--against", "House", "--catalog", trained.path)
    rows = [row.split("\t") for row in out.splitlines()[3:]]
    stems = [float(row[2]) for row in rows if row[1] == "in all"]
    base, total = float(rows[-2][2]), float(rows[-1][2])
    assert base + sum(stems) == pytest.approx(total, abs=0.04)


def test_the_command_as_json(trained):
    code, out, _ = invoke(app, "genre", "explain", "Artist 1", "--json", "--catalog", trained.path)
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["title"] for line in lines] == ["t2", "t3"]
    assert {"label", "probability", "rival", "stems", "features", "log_odds", "background_log_odds", "run_id"} <= set(
        lines[0]
    )


def test_a_picture_shows_one_track(trained, tmp_path):
    picture = tmp_path / "why.png"
    code, _, said = invoke(app, "genre", "explain", "Artist 1", "-o", picture, "--catalog", trained.path)
    assert (code, picture.exists()) == (2, False)
    assert "-o draws one track" in said
