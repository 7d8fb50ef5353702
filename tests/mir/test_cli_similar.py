"""`mir similar`, `mir spaces`, `mir index`: what is printed, and the exit codes."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import typer
from command import invoke
from similar_library import add, small_extractors, stock

import features
from mir.catalog import create_catalog, open_catalog
from mir.cli import index, similar, spaces
from mir.spaces import current_transform
from mir.transforms import Transform

app = typer.Typer()
for module in (similar, spaces, index):
    module.register(app)


@pytest.fixture(name="catalog")
def _catalog(tmp_path, tmp_path_factory):
    with small_extractors():
        yield open_catalog(shutil.copy(stock(tmp_path_factory).path, tmp_path / "mir.duckdb"))


def run(catalog, *words):
    return invoke(app, *words, "--catalog", catalog.path)


def test_json_is_what_was_agreed(catalog):
    code, out, _ = run(catalog, "similar", "artist 0 [e]", "--by", "vocals=0.6,drums=0.4", "-k", "3", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["query"], told["by"]) == ("artist 0 [e]", {"vocals": 0.6, "drums": 0.4})
    assert len(told["results"]) == 3
    assert [one["similarity"] for one in told["results"]] == sorted(
        (one["similarity"] for one in told["results"]), reverse=True
    )
    assert set(told["results"][0]) >= {"artist", "similarity", "score", "cosines"}
    assert "explanation" not in told["results"][0]
    assert "Artist 0 [é]" not in {one["artist"] for one in told["results"]}


def test_tracks_in_json_with_explanations(catalog):
    code, out, _ = run(catalog, "similar", "Track 3", "--tracks", "--explain", "--json")
    results = json.loads(out)["results"]
    assert code == 0
    assert len(results) == 10
    assert set(results[0]) >= {"track", "artist", "path", "similarity"}
    assert "Track 3" not in {one["track"] for one in results}
    for one in results:
        total = sum(part["contribution"] for part in one["explanation"])
        assert total == pytest.approx(one["score"], abs=1e-6)


def test_tables(catalog):
    code, out, _ = run(catalog, "similar", "Artist 0 [é]", "--by", "vocals,drums=-1", "-k", "2")
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["", "artist", "similarity", "vocals", "drums"]
    assert len(lines) == 3
    words = ["Artist 0 [é]", "Track 4", "--by", "vocals=0.7,drums=-0.6", "--tracks", "-k", "3", "--explain"]
    code, out, _ = run(catalog, "similar", *words)
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["", "track", "artist", "similarity", "vocals", "drums"]
    assert lines[4] == ["hit", "", "feature", "contribution", "query", "hit has", "unit"]
    seen = set()
    for answer in lines[1:4]:
        table = [line for line in lines[5:] if line[0] == answer[1]]
        assert table[-1][2:4] == ["score", answer[3]]
        assert sum(float(line[3]) for line in table[:-1]) == pytest.approx(float(answer[3]), abs=0.01)
        for _, word, label, contribution, *_ in table[:-1]:
            raises = float(contribution) > 0
            if word:
                assert word == ("alike" if raises == label.startswith("vocals: ") else "apart")
            seen.add((word, raises))
    assert {("alike", True), ("apart", True)} <= seen


def test_on_a_terminal_there_are_bars(catalog, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    similar.similar_command(query=["Artist 0 [é]", "Track 5"], k=3, explain=True, catalog=catalog.path)
    out = capsys.readouterr().out
    assert "like Artist 0 [é] + Track 5, by vocals" in out
    assert "█" in out
    assert "[é]" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["similar", "Artist 0 [é]", "--by", "guitar"], 2, "vocals, drums, bass, other, mix"),
        (["similar", "Artist 0 [é]", "--by", "vocals=-1"], 2, "positive"),
        (["similar", "Artist 0 [é]", "-k", "0"], 2, "-k"),
        (["similar"], 2, "Missing argument"),
        (["similar", "Artist 0 [é]", "--year", "1999..1990"], 2, "--year 1999..1990 is empty"),
        (["similar", "Artist 0 [é]", "--year", "nineties"], 2, "1990..1999"),
        (["similar", "Artist 0 [é]", "--tempo", "120"], 2, "--tempo is a range, as 120..140"),
        (["similar", "Artist 0 [é]", "--tempo", ".."], 2, "--tempo is a range, as 120..140"),
        (["similar", "Artist 0 [é]", "--diversity", "2"], 2, "from 0"),
        (["similar", "Artist 0 [é]", "--artists-by", "mean"], 2, "centroid, medoid, chamfer"),
        (["similar", "Artist 0 [é]", "--artists-by", "medoid", "--tracks"], 2, "leave it out with --tracks"),
        (["similar", "Artist 0 [é]", "--per-artist", "2"], 2, "--per-artist goes with --tracks"),
        (["similar", "Artist 0 [é]", "--known", "no such file.txt"], 2, "one artist a line"),
        (["similar", "Artist 0 [é]", "--known", "."], 2, "no text in UTF-8"),
        (["similar", "Artist 0 [é]", "--year", "1990..1999"], 1, "no track has a year"),
        (["similar", "Artist 0 [é]", "--genre", "house"], 1, "no track has a genre yet"),
        (["similar", "Artist 0 [é]", "--without", "Artist 1 [x]"], 1, "near: Artist 1"),
        (["similar", "Nobody at all"], 1, "Nobody at all"),
        (["similar", "Artist 10 [é]", "--by", "drums"], 1, "has no drums"),
        (["similar", "Artist 0 [é]", "--by", "bass"], 1, "has no bass"),
        (["spaces", "fit", "--by", "drums"], 1, "18 tracks"),
        (["spaces", "fit", "--by", "flute"], 2, "vocals, drums"),
        (["spaces", "fit", "--by", "vocals,drums", "--export", "x.json"], 2, "one instrument"),
        (["index", "build", "--by", "flute"], 2, "vocals, drums"),
    ],
)
def test_exit_codes(catalog, words, code, said):
    got, out, error = run(catalog, *words)
    assert (got, out) == (code, "")
    assert said in error


def test_everything_that_narrows_and_chooses_in_json(catalog, tmp_path):
    known = tmp_path / "known.txt"
    known.write_text("\ufeff# who I know\n\nartist 3 [E]\nSomebody else\n", encoding="utf-8")
    with catalog.write() as con:
        con.execute("UPDATE tracks SET year = 1990 + title[7:]::INTEGER")
        con.execute("INSERT INTO track_genres SELECT track_id, 'Drum & Bass', 'predicted', NULL, 0.9 FROM tracks")
    words = ["--genre", "drum & bass", "--genre", "DRUM & BASS", "--year", "1991..2009", "--tempo", "..1.5"]
    words += ["--without", "Artist 2 [é]", "--known", known, "--diversity", "0.5", "--json"]
    code, out, error = run(catalog, "similar", "Artist 0 [é]", "Track 3", "--artists-by", "chamfer", *words)
    told = json.loads(out)
    assert (code, error) == (0, "")
    assert told["query"] == ["Artist 0 [é]", "Track 3"]
    assert told["filters"] == {
        "genre": ["drum & bass", "DRUM & BASS"],
        "year": [1991, 2009],
        "tempo_bpm": [None, 1.5],
        "exclude": ["Artist 2 [é]"],
        "known": 2,
    }
    assert (told["diversity"], told["artists_by"]) == (0.5, "chamfer")
    names = {one["artist"] for one in told["results"]}
    assert names
    assert not {f"Artist {number} [é]" for number in (0, 1, 2, 3, 10)} & names  # the last plays after 2009
    code, out, _ = run(catalog, "similar", "Artist 0 [é]", "--tracks", "--per-artist", "1", *words)
    told = json.loads(out)
    assert (told["query"], told["per_artist"]) == ("Artist 0 [é]", 1)
    artists = [one["artist"] for one in told["results"]]
    assert len(artists) == len(set(artists)) > 1
    slow = dict(catalog.fetch("SELECT title, tempo_bpm FROM tracks JOIN drum_rhythm USING (track_id)").rows)
    assert all(slow[one["track"]] <= 1.5 for one in told["results"])
    code, out, error = run(catalog, "similar", "Artist 0 [é]", "--year", "1990..1991")
    assert (code, out) == (0, "")
    assert "nothing else in mir.duckdb has vocals among the tracks that the filters keep" in error


def test_nobody_else_is_no_failure(tmp_path):
    catalog = create_catalog(tmp_path / "one.duckdb")
    add(catalog, "Only", ["Anna"], vocals=np.ones(features.EXTRACTORS["vocal_timbre"].embedding_size))
    assert json.loads(run(catalog, "similar", "Anna", "--json")[1])["results"] == []
    code, out, error = run(catalog, "similar", "Anna")
    assert (code, out) == (0, "")
    assert "nothing else" in error


def test_spaces(catalog, tmp_path):
    file = tmp_path / "vocals.json"
    code, out, _ = run(catalog, "spaces", "fit", "--by", "vocals", "--export", str(file), "--json")
    told = json.loads(out)
    assert (code, told["tracks"], told["space"]) == (0, 22, "vocal_timbre")
    current = current_transform(catalog, "vocal_timbre")
    assert Transform.from_json(file.read_text()).transform_id == told["transform_id"] == current.transform_id
    code, out, _ = run(catalog, "spaces", "list", "--json")
    rows = {row["instrument"]: row for row in map(json.loads, out.splitlines())}
    assert (rows["vocals"]["origin"], rows["vocals"]["tracks"]) == ("fitted", 22)
    assert "fitted" in run(catalog, "spaces", "list")[1]


def test_indexes(catalog):
    _, out, _ = run(catalog, "index", "verify", "--json")
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["missing"] * 5
    _, out, _ = run(catalog, "index", "build", "--by", "vocals,drums", "--json")
    assert [json.loads(line)["count"] for line in out.splitlines()] == [22, 18]
    code, out, _ = run(catalog, "index", "verify", "--by", "vocals,drums")
    assert (code, out.count("current")) == (0, 2)
    _, _, error = run(catalog, "spaces", "fit", "--by", "vocals")
    assert "mir index build" in error
    code, out, _ = run(catalog, "index", "verify")
    assert code == 1
    assert "incompatible" in out
    assert run(catalog, "index", "build")[0] == 0
    assert run(catalog, "index", "verify")[0] == 0
