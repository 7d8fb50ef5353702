"""The demo's genres hang on its drums: told from them alone, artists held out, and explained by them."""

from __future__ import annotations

import json
import shutil

import pytest
from command import invoke

from mir.cli.app import app, register_commands
from mir.demo.run import run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

if not app.registered_groups:
    register_commands()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A copy of the catalog that the other tests of the demo made, or will find."""
    made = run_demo(tmp_path_factory.getbasetemp() / "mir-demo").catalog
    return shutil.copy(made, tmp_path_factory.mktemp("genre-demo") / "mir.duckdb")


def test_genre_from_drums_alone_artists_held_out(catalog):
    _, out, _ = invoke(app, "genre", "evaluate", "--by", "drums", "--json", "--catalog", catalog)
    answer = json.loads(out)
    assert len(answer["labels"]) == 4
    assert answer["tracks"] == 24
    assert answer["accuracy"] >= 0.95


def test_a_run_that_hears_everything_goes_by_the_drums(catalog):
    assert invoke(app, "genre", "train", "--catalog", catalog)[0] == 0
    _, out, _ = invoke(app, "sql", "SELECT title, genre FROM library ORDER BY title", "--json", "--catalog", catalog)
    tracks = [json.loads(line) for line in out.splitlines()]
    for genre in ("House", "Drum & Bass"):
        title = next(track["title"] for track in tracks if track["genre"] == genre)
        _, out, _ = invoke(app, "genre", "explain", title, "--json", "--catalog", catalog)
        answer = json.loads(out)
        assert answer["label"] == genre
        assert answer["stems"][0]["instrument"] == "drums"
        assert answer["stems"][0]["contribution"] > 0
