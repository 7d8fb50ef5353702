"""Browsing: the same filters in Python, SQL and on the command line, and the same answers."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
from command import invoke
from playlist_library import add_track
from similar_library import small_extractors

from mir.catalog import create_catalog
from mir.catalog.browse import SHOWN, browse
from mir.cli import tracks
from mir.errors import BadRequest, NotInCatalog
from mir.similarity import Filters

app = typer.Typer()
app.callback()(lambda: None)
tracks.register(app)

LIBRARY = (
    # title, artist, tempo, year, tag, prediction; each 4 LU quieter than the one before, from −6 LUFS on
    ("One", "Kite Department", 124.0, 1991, "House", None),
    ("Two", "Kite Department", 126.0, 1995, None, ("House", 0.9)),
    ("Three", "Bért", 128.0, 1999, None, ("House", 0.5)),
    ("Four", "Bért", None, 2004, "Rock", None),
    ("Five", "Carl", 174.0, None, None, ("Drum & Bass", 0.8)),
    ("Six", None, 90.0, 2010, None, None),
)


@pytest.fixture(scope="module", name="catalog")
def _catalog(tmp_path_factory):
    with small_extractors():
        made = create_catalog(tmp_path_factory.mktemp("browse") / "mir.duckdb")
        for number, (title, artist, tempo, year, tag, prediction) in enumerate(LIBRARY):
            genres = [tag] if tag else []
            loudness = -6.0 - 4 * number
            track_id = add_track(made, title, artist, tempo=tempo, year=year, genres=genres, loudness=loudness)
            if prediction:
                with made.write() as con:
                    con.execute(
                        "INSERT INTO track_genres VALUES (?, ?, 'predicted', 'run', ?)", [track_id, *prediction]
                    )
        yield made


def titles(catalog, **question):
    return catalog.tracks(**question).title.tolist()


@pytest.mark.parametrize(
    ("question", "sql", "expected"),
    [
        ({"genre": "house", "sort": "tempo_bpm"}, "list_contains(genres, 'House')", ["One", "Two", "Three"]),
        (
            {"genre": "HOUSE", "min_probability": 0.6, "sort": "tempo_bpm"},
            "list_contains(genres, 'House') AND (genre_source <> 'predicted' OR predicted_probability >= 0.6)",
            ["One", "Two"],
        ),
        ({"genre": ["house", "Rock"], "year": (1995, None), "sort": "tempo_bpm"}, None, ["Two", "Three", "Four"]),
        ({"tempo_bpm": (120, 130), "sort": "tempo_bpm", "descending": True}, None, ["Three", "Two", "One"]),
        ({"artist": "bert", "sort": "tempo_bpm"}, "list_contains(artists, 'Bért')", ["Three", "Four"]),
        ({"where": {"TEMPO_BPM": (None, 124)}, "sort": "tempo_bpm"}, "tempo_bpm <= 124", ["Six", "One"]),
        ({"where": {"f0_hz": (0.5, 1), "year": (2000, None)}, "sort": "year"}, "year >= 2000", ["Four", "Six"]),
        ({"sort": "tempo_bpm", "k": 2}, None, ["Six", "One"]),
    ],
)
def test_the_same_question_in_python_and_sql(catalog, question, sql, expected):
    assert titles(catalog, **question) == expected
    if sql:
        order = question["sort"]
        asked = f"SELECT title FROM library WHERE {sql} ORDER BY {order} NULLS LAST, artist, title"
        assert catalog.sql(asked).title.tolist() == expected


SECTION = re.compile(r"^### (.+)\n```sh\n(.+)\n```\n```python\n(.+)\n```\n```sql\n((?:.+\n)+)```", re.MULTILINE)
EXAMPLES = SECTION.findall((Path(__file__).parents[2] / "docs" / "browse.md").read_text(encoding="utf-8"))


def test_the_documentation_has_examples():
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize(
    ("shell", "python", "sql"), [each[1:] for each in EXAMPLES], ids=[each[0] for each in EXAMPLES]
)
def test_documented_examples_give_the_same_tracks_in_all_three_ways(catalog, shell, python, sql):
    expected = catalog.sql(sql).title.tolist()
    assert expected, "an example that finds nothing shows nothing"
    assert eval(python, {"catalog": catalog}).title.tolist() == expected  # noqa: S307 - our own documentation
    code, out, _ = run(catalog, *shlex.split(shell)[2:], "--json")
    assert (code, [json.loads(line)["title"] for line in out.splitlines()]) == (0, expected)


def test_columns_are_those_asked_for(catalog):
    found = browse(catalog, columns=["Title", "tempo_bpm"], sort="tempo_bpm", filters=Filters(artist="Kite Department"))
    assert (found.columns, found.rows) == (("title", "tempo_bpm"), [("One", 124.0), ("Two", 126.0)])
    assert browse(catalog, sort="tempo_bpm").columns == (*SHOWN, "tempo_bpm")
    excluded = browse(catalog, filters=Filters(exclude=("Kite Department", "Bért")), columns=["title"], sort="title")
    assert excluded.rows == [("Five",), ("Six",)]


@pytest.mark.parametrize(
    ("question", "error", "told"),
    [
        ({"genre": "hous"}, NotInCatalog, "near: House"),
        ({"genre": "drum & bass", "min_probability": 0.9}, NotInCatalog, "the surest has 0.80"),
        ({"artist": "Kit Department"}, NotInCatalog, "near: Kite Department"),
        ({"genre": "Rock", "year": (1990, 1992)}, NotInCatalog, r"genre Rock: 1, year 1990..1992: 1"),
        ({"where": {"tempo_bpm": (200, None)}}, NotInCatalog, "tempo_bpm 200..: goes from 90 to 174 in 5 tracks"),
        ({"where": {"title": (1, 2)}}, BadRequest, "title is no number"),
        ({"where": {"tempo": (1, 2)}}, BadRequest, "near: tempo_bpm"),
        ({"where": {"year": (2, 1)}}, BadRequest, "is empty"),
        ({"where": {"year": 1}}, BadRequest, "lowest and highest"),
        ({"columns": ["titel"]}, BadRequest, "near: title"),
        ({"min_probability": 0.5}, BadRequest, "give a genre too"),
        ({"genre": "House", "min_probability": 60}, BadRequest, "from 0 to 1"),
    ],
)
def test_a_wrong_question_says_what_there_is(catalog, question, error, told):
    with pytest.raises(error, match=told):
        catalog.tracks(**question)


def run(catalog, *words):
    return invoke(app, "tracks", *words, "--catalog", catalog.path)


def test_the_table_shows_how_sure_a_prediction_is(catalog):
    code, out, _ = run(catalog, "--genre", "house", "--min-probability", "0.6", "--sort", "tempo_bpm")
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    sure = ["genre_source", "predicted_genre", "predicted_probability"]
    assert lines[0] == ["artist", "title", "genre", *sure, "tempo_bpm"]
    assert lines[1:] == [
        ["Kite Department", "One", "House", "tag", "-", "-", "124"],
        ["Kite Department", "Two", "House", "predicted", "House", "0.9", "126"],
    ]


def test_json_csv_and_columns(catalog):
    words = ["--year", "1990..1999", "--artist", "bért", "--columns", "title,genres,year"]
    code, out, _ = run(catalog, *words, "--json")
    assert (code, json.loads(out)) == (0, {"title": "Three", "genres": ["House"], "year": 1999})
    assert run(catalog, *words, "--format", "csv")[1] == "title,genres,year\nThree,['House'],1999\n"
    assert run(catalog, *words)[1].splitlines()[0] == "title\tgenres\tyear"
    rows = list(csv.DictReader(io.StringIO(run(catalog, "--where", "tempo_bpm=125..", "--format", "csv")[1])))
    assert {row["title"] for row in rows} == {"Two", "Three", "Five"}


def test_what_is_cut_off_is_told(catalog):
    code, out, said = run(catalog, "-k", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "first 2 tracks" in said
    assert run(catalog, "-k", "6")[2] == ""


@pytest.mark.parametrize("where", ["tempo_bpm", "=1..2", "tempo_bpm=fast..", "tempo_bpm=120"])
def test_a_range_is_a_column_and_a_range(catalog, where):
    code, out, said = run(catalog, "--where", where)
    assert (code, out) == (2, "")
    assert ".." in said
