"""Runs carried out again from their rows, and runs side by side."""

from __future__ import annotations

import json
import shutil

import pytest
from command import invoke
from genre_library import add, genre_library, small_extractors

from features import EXTRACTORS
from mir.catalog import open_catalog
from mir.cli.app import app, register_commands
from mir.genre.candidates import Candidate
from mir.genre.comparison import compare
from mir.genre.labels import LabelMap
from mir.genre.recipe import Recipe
from mir.genre.repeating import repeat
from mir.genre.runs import find_run, promote, runs, train

FEW = (Candidate("logistic", 0.1), Candidate("svm", 1.0), Candidate("stack", 0.1))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Spaces of a few numbers, so that these tests hang on no real extractor."""
    with small_extractors():
        yield


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """A catalog with two runs of the same tracks: what tells the genre, and what does not."""
    catalog = genre_library(tmp_path_factory.mktemp("genre") / "lib.duckdb")
    train(catalog, ("bass",), candidates=FEW)
    train(catalog, ("drums", "other"), candidates=FEW, seed=3)
    return catalog


@pytest.fixture
def catalog(master, tmp_path):
    """A copy to write to."""
    shutil.copytree(master.path.parent, tmp_path, dirs_exist_ok=True)
    return open_catalog(tmp_path / "lib.duckdb")


@pytest.fixture(scope="module")
def mir():
    if not app.registered_groups:
        register_commands()
    return app


def good(catalog):
    """The run that hears the drums."""
    return next(run for run in runs(catalog) if "drums" in run.parameters["by"])


def test_a_recipe_comes_back_from_its_row():
    recipe = Recipe(("drums", "mix"), LabelMap({"Pop": "Rock", "Misc": None}), 4, 7, FEW)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_a_repeat_from_the_row_is_the_same(catalog):
    for run in runs(catalog):
        found = repeat(catalog, run.run_id)
        assert found.same
        assert found.predictions_equal
        assert found.largest_probability_difference == 0.0
        assert found.largest_metric_difference <= 1e-6
        assert found.tracks == 24
        assert found.accuracy[0] == found.accuracy[1] is not None
    assert len(runs(catalog)) == 2  # nothing was stored


def test_another_model_is_seen(catalog):
    """A row that says other figures, or a model of another seed, does not pass for the same."""
    run = good(catalog)
    metrics = {**run.metrics, "accuracy": run.metrics["accuracy"] - 2e-6}
    with catalog.write() as con:
        con.execute("UPDATE genre_runs SET metrics = ? WHERE run_id = ?", [json.dumps(metrics), run.run_id])
    found = repeat(catalog, run.run_id)
    assert (found.same, found.predictions_equal) == (False, True)
    assert found.largest_metric_difference == pytest.approx(2e-6, rel=1e-3)
    other = next(each for each in runs(catalog) if each.run_id != run.run_id)
    chosen = {**other.parameters, "candidates": [Candidate("logistic", 3.0).to_json()]}
    with catalog.write() as con:
        con.execute("UPDATE genre_runs SET parameters = ? WHERE run_id = ?", [json.dumps(chosen), other.run_id])
    found = repeat(catalog, other.run_id)
    assert (found.same, found.predictions_equal) == (False, False)
    assert found.largest_probability_difference > 1e-3


def test_changed_data_are_said_and_nothing_is_trained(catalog):
    run = good(catalog)
    with catalog.write() as con:
        track = con.execute("SELECT min(track_id) FROM track_genres WHERE genre = 'House'").fetchone()[0]
        con.execute("INSERT INTO track_genres (track_id, genre, source) VALUES (?, 'Jazz', 'person')", [track])
    found = repeat(catalog, run.run_id)
    assert (found.same, found.predictions_equal) == (False, None)
    assert "other tracks, genres or artists" in found.changed[0]
    add(catalog, "late", artist="Late", genres=("House",), means={}, seed=80)
    assert repeat(catalog, run.run_id).changed == ("24 labelled tracks then, 25 now",)


def test_remeasured_tracks_are_said(catalog):
    with catalog.write() as con:
        con.execute("UPDATE drum_rhythm SET drum_rhythm_a = drum_rhythm_a + 1")
    assert "other features" in repeat(catalog, good(catalog).run_id).changed[0]


def test_another_program_is_said(catalog, monkeypatch):
    run = good(catalog)
    with catalog.write() as con:
        con.execute('UPDATE genre_runs SET parameters = json_merge_patch(parameters, \'{"scikit_learn": "0.1"}\')')
    assert "scikit-learn was 0.1" in repeat(catalog, run.run_id).changed[0]
    monkeypatch.setattr(type(EXTRACTORS["drum_rhythm"]), "version", 8)
    assert "drum_rhythm was version 7 and is 8" in repeat(catalog, run.run_id).changed


def test_runs_of_the_same_tracks_are_compared_in_pairs(catalog):
    run = promote(catalog, good(catalog).run_id)
    by_id = {each.run.run_id: each for each in compare(runs(catalog))}
    own = by_id.pop(run.run_id)
    assert (own.difference, own.reason) == (None, None)
    (other,) = by_id.values()
    assert other.reference == run.run_id
    assert other.difference["accuracy"] == pytest.approx(other.run.metrics["accuracy"] - run.metrics["accuracy"])
    assert other.difference["macro_f1"] == pytest.approx(other.run.metrics["macro_f1"] - run.metrics["macro_f1"])
    assert other.difference["macro_f1_interval"][1] < 0  # the bass tells nothing


def test_runs_of_other_tracks_are_not(catalog):
    add(catalog, "late", artist="Late", genres=("House",), means={}, seed=80)
    later = train(catalog, ("drums",), candidates=FEW[:1])
    found = {each.run.run_id: each for each in compare(runs(catalog))}[later.run_id]
    assert (found.difference, found.reason) == (None, "other tracks or labels")


def test_a_genre_of_one_track_is_not_learned_and_it_is_said(catalog):
    add(catalog, "lone", artist="Solo", genres=("Zouk",), means={}, seed=60)
    run = train(catalog, ("drums",), candidates=FEW[:1])
    assert run.labels == ("House", "Jazz", "Techno")
    assert any("not learned, a single track: Zouk" in said for said in run.metrics["statements"])
    assert run.metrics["calibration"]["expected_calibration_error"] < 0.3
    assert repeat(catalog, run.run_id).same


def test_the_say_of_each_instrument_is_in_the_row(catalog):
    run = train(catalog, ("drums", "bass"), candidates=FEW[2:])
    weights = run.parameters["instrument_weights"]
    assert weights["drums"] > weights["bass"] >= 0
    assert train(catalog, ("drums", "bass"), candidates=FEW[:1]).parameters["instrument_weights"] is None


def test_the_shell_compares_shows_and_repeats(catalog, mir):
    run = good(catalog)
    code, out, _ = invoke(mir, "genre", "runs", "--json", "--catalog", catalog.path)
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["run_id"] for line in lines] == [each.run_id for each in runs(catalog)]
    assert lines[0]["against_promoted"]["difference"]["macro_f1"] > 0
    assert "held_out" not in lines[0]["metrics"]
    code, out, _ = invoke(mir, "genre", "runs", "--catalog", catalog.path)
    assert "macro-F1 − promoted" in out.splitlines()[0]
    code, out, _ = invoke(mir, "genre", "runs", run.run_id, "--json", "--catalog", catalog.path)
    whole = json.loads(out)
    assert len(whole["metrics"]["held_out"]["guess"]) == 24
    assert whole["parameters"]["features"][0].startswith("drum_rhythm")
    code, out, _ = invoke(mir, "genre", "runs", run.run_id, "--catalog", catalog.path)
    for expected in ("expected calibration error", "logistic C=0.1", "Techno", run.sha256, "drums, other"):
        assert expected in out
    code, out, _ = invoke(mir, "genre", "repeat", run.run_id, "--json", "--catalog", catalog.path)
    assert (code, json.loads(out)["same"]) == (0, True)
    add(catalog, "late", artist="Late", genres=("House",), means={}, seed=80)
    code, out, err = invoke(mir, "genre", "repeat", run.run_id, "--catalog", catalog.path)
    assert code == 1
    assert "24 labelled tracks then, 25 now" in err
    code, _, err = invoke(mir, "genre", "repeat", "never", "--catalog", catalog.path)
    assert code != 0
    assert "no run" in err
    assert find_run(catalog, run.run_id).sha256 == run.sha256
