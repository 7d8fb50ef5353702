"""`mir spaces evaluate`: on catalogs whose artists are known, in Python and as a command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from command import invoke
from similar_library import add, small_extractors

from mir import fitting
from mir.catalog import create_catalog
from mir.cli import spaces
from mir.errors import NothingToCompare
from mir.fitting import Recipe
from mir.retrieval import evaluate

app = typer.Typer()
spaces.register(app)

ARTISTS, TRACKS = 12, 3


@pytest.fixture(scope="module", name="catalog")
def _catalog(tmp_path_factory):
    """Voices that are their artist's in two coordinates, hidden under two louder ones of chance; drums by chance."""
    random = np.random.default_rng(5)
    with small_extractors():
        catalog = create_catalog(tmp_path_factory.mktemp("evaluate") / "mir.duckdb")
        for artist in range(ARTISTS):
            own = random.normal(size=2)
            for track in range(TRACKS):
                voice = [*(own + 0.1 * random.normal(size=2)), *random.normal(size=2)]
                drums = random.normal(size=3) if track else None
                add(catalog, f"{artist}/{track}", [f"Artist {artist}"], vocals=voice, drums=drums)
        add(catalog, "Sampler", ["Various Artists"], vocals=random.normal(size=4))
        yield catalog


def test_voices_are_found_and_drums_are_not(catalog):
    found = evaluate(catalog)
    assert (found.tracks, found.queries, found.artists) == (37, 36, 12)
    rows = {(row.instrument, row.level, row.transform): row.scores for row in found.rows}
    assert set(rows) == {
        (instrument, level, how)
        for instrument in ("vocals", "drums")
        for level, how in [("tracks", "plain"), ("centroid", "plain"), ("medoid", "plain"), ("chamfer", "plain")]
    }
    voices, drums = rows["vocals", "tracks", "plain"], rows["drums", "tracks", "plain"]
    assert voices.mean > 1.7 * voices.chance.mean()
    assert drums.mean < 1.4 * drums.chance.mean()
    assert drums.missing.sum() == ARTISTS
    assert found.best("vocal_timbre").scores.mean > 0.3


def test_learning_from_artists_helps(catalog):
    """Two of four coordinates are chance within an artist: by the other artists' tracks that is known."""
    found = evaluate(catalog, ["vocal_timbre"], recipe=Recipe(forgetting=1.0, by_artist=True))
    gain = next(gain for gain in found.gains() if gain["transform"] == "fitted")
    assert gain["map"] > 0.1
    assert gain["map_interval"][0] > 0


def test_what_the_command_tells(catalog, tmp_path):
    words = ("spaces", "evaluate", "--by", "vocals", "--by-artist", "--catalog", catalog.path)
    code, out, _ = invoke(app, *words, "--json", "--plot", tmp_path / "found.png")
    told = json.loads(out)
    assert code == 0
    assert (told["queries"], told["artists"], told["same_album"]) == (36, 12, False)
    row = told["rows"][0]
    assert (row["space"], row["level"], row["transform"]) == ("vocal_timbre", "tracks", "fitted")
    assert row["map_interval"][0] < row["map"] < row["map_interval"][1]
    assert row["chance_map"] < row["map"]
    assert told["best_artists_by"]["vocal_timbre"] in ("centroid", "medoid", "chamfer")
    assert told["gain_over_plain"][0]["transform"] == "fitted"
    assert (tmp_path / "found.png").read_bytes()[:4] == b"\x89PNG"
    code, out, err = invoke(app, *words)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split("\t")[:4] == ["instrument", "level", "transform", "mAP"]
    assert len(lines) == 6
    assert "36 queries by 12 artists among 37 tracks" in err


def test_albums(tmp_path):
    with small_extractors():
        catalog = create_catalog(tmp_path / "mir.duckdb")
        with pytest.raises(NothingToCompare, match="no artist has two of the 0 tracks"):
            evaluate(catalog)
        for number in range(6):
            add(catalog, f"Song {number}", [f"Artist {number // 2}"], vocals=[number // 2, 1, number, 0])
        with catalog.write() as con:
            con.execute("UPDATE tracks SET album = 'Album of ' || artist")
        with pytest.raises(NothingToCompare, match="--same-album"):
            evaluate(catalog)
        assert invoke(app, "spaces", "evaluate", "--catalog", catalog.path)[0] == 1
        found = evaluate(catalog, same_album=True)
        # Six tracks are too few to fit on: standardised on the others', and nothing ships for these made-up spaces.
        assert {row.transform for row in found.rows} == {"plain"}
        with pytest.raises(NothingToCompare, match="described in drum_rhythm"):
            evaluate(catalog, ["drum_rhythm"], same_album=True)


def test_the_command_line_has_the_defaults_of_the_fit():
    assert spaces.DEFAULT_WHITENING == fitting.DEFAULT_WHITENING
    assert spaces.DEFAULT_FORGETTING == fitting.DEFAULT_FORGETTING
