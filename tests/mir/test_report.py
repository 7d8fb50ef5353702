"""`mir report`: what the pages of a track and of a library say, and that they need nothing else."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import typer
from command import invoke
from genre_library import genre_library
from genre_library import small_extractors as genre_extractors
from page_checks import check_page, text_of
from playlist_library import add_track
from similar_library import small_extractors

import separation.separator
from mir.catalog import create_catalog
from mir.cli import report as command
from mir.errors import BadRequest, NotInCatalog
from mir.report.alike import alike
from mir.report.facts import Feature, percentile
from mir.report.library import library_page
from mir.report.overview import overview
from mir.report.track import place, track_page
from mir.similarity import similar_artists, similar_tracks
from separation.audio import packet_hash, save

app = typer.Typer()
app.callback()(lambda: None)
command.register(app)

SR = 22_050
HOSTILE = "<script>alert(1)</script>"
N = 24


class FakeSeparator:
    """Half of the mixture is the vocals; no drums, no bass."""

    made = 0

    def __init__(self, model, precision):
        type(self).made += 1

    def separate(self, y, sr):
        return {"vocals": 0.5 * y, "drums": 0 * y, "bass": 0 * y, "other": 0.5 * y}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    monkeypatch.setattr(separation.separator, "Separator", FakeSeparator)
    monkeypatch.setattr(FakeSeparator, "made", 0)
    with small_extractors():
        yield


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sounds")


def tone(path, hz=220.0):
    t = np.arange(SR) / SR
    save(path, np.stack([0.4 * np.sin(2 * np.pi * hz * t)] * 2).astype(np.float32), SR)
    return path


@pytest.fixture(scope="module", name="catalog")
def _catalog(tmp_path_factory, folder):
    """24 tracks by 12 artists, two each; artist n sings at n·15°, and is called a script where n = 3."""
    with small_extractors():
        made = create_catalog(tmp_path_factory.mktemp("catalog") / "mir.duckdb")
        known = tone(folder / "known.wav")
        for number in range(N):
            who = number // 2
            track_id = add_track(
                made,
                HOSTILE if number == 5 else f"Song {number}",
                HOSTILE if who == 3 else f"Artist {who}",
                angle=math.radians(15 * who + number % 2),
                tempo=100.0 + number,
                key=float(number % 12),
                major=float(number < 12),
                loudness=-20.0 + 0.5 * number,
                path=known if number == 0 else None,
                year=1980 + number,
                genres=["Rock & <b>" if number < 16 else "Pop"] if number < 20 else [],
            )
            if number == 0:
                with made.write() as con:
                    con.execute("UPDATE tracks SET audio_hash = ? WHERE track_id = ?", [packet_hash(known), track_id])
                    for stem, level in (("vocals", -12.0), ("drums", None)):
                        con.execute("INSERT INTO stems VALUES (?, ?, 'model-1', ?, 0.5, NULL)", [track_id, stem, level])
        yield made


def feature(value, everybody):
    known = np.array(everybody, float)
    return Feature("drums", "x", "Hz", "More.", value, known, percentile(known, value))


@pytest.mark.parametrize(
    ("value", "everybody", "share", "words"),
    [
        (3.0, [1, 2, 3, 4], 62.5, "higher than 62 %"),
        (2.0, [1, 2, 3, 4], 37.5, "lower than 62 %"),
        (4.0, [1, 2, 3, 4], 87.5, "the highest"),
        (1.0, [1, 2, 3, 4], 12.5, "the lowest"),
        (4.0, [1, 4, 4], 66.7, "highest, with others"),
        (9.0, [1, 2], 100.0, "the highest"),
        (None, [1, 2], None, ""),
        (1.0, [], None, ""),
    ],
)
def test_a_value_has_a_place(value, everybody, share, words):
    one = feature(value, everybody)
    assert one.percentile == (share if share is None else pytest.approx(share, abs=0.05))
    assert place(one) == words


def test_a_stored_track_without_audio(catalog):
    page, facts = track_page(catalog, "Song 8", model="mir-4s", audio=False)
    assert FakeSeparator.made == 0
    text = text_of(page)
    assert "Song 8" in text
    assert "<image" not in page
    assert facts.value("drum_rhythm", "tempo_bpm") == 108.0
    vocals = facts.parts[0]
    assert [(one.name, pytest.approx(one.similarity)) for one in vocals.artists] == [
        (hit.artist, hit.similarity) for hit in similar_artists(catalog, "Song 8", "vocals", 5)
    ]
    assert [one.name for one in vocals.tracks] == [
        f"{hit.artist} – {hit.track}" for hit in similar_tracks(catalog, "Song 8", "vocals", 5)
    ]
    tempo = next(one for part in facts.parts for one in part.features if one.name == "tempo_bpm")
    assert tempo.percentile == pytest.approx(100 * 8.5 / N)
    assert "lower than 65 %" in text
    assert "A♭ major" in text
    assert facts.parts[2].state == "missing"
    assert "not measured" in text


def test_what_stands_out_is_what_is_far_from_the_middle(catalog):
    text = text_of(track_page(catalog, "Song 23", model="mir-4s", audio=False)[0])
    striking = text.partition("What stands out")[2].partition("Who sounds like this")[0]
    assert "tempo_bpm" in striking
    assert "loudness_lufs" in striking
    assert "the highest" in striking
    assert "What stands out" not in text_of(track_page(catalog, "Song 8", model="mir-4s", audio=False)[0])


def test_a_stored_track_is_taken_apart_for_its_pictures(catalog, folder, caplog):
    page, facts = track_page(catalog, str(folder / "known.wav"), model="mir-4s")
    assert (FakeSeparator.made, page.count("<image ")) == (1, 5)
    assert facts.about.title == "Song 0"
    check_page(page)
    page, _ = track_page(catalog, "Song 1", model="mir-4s")
    assert page.count("<image ") == 0
    assert "is gone" in caplog.text


def test_kept_stems_are_not_separated_again(catalog, folder, tmp_path):
    kept = {stem: tone(tmp_path / f"{stem}.wav", 100.0 * place) for place, stem in enumerate(("vocals", "drums"), 1)}
    with catalog.write() as con:
        for stem, path in kept.items():
            con.execute("UPDATE stems SET path = ? WHERE stem = ?", [str(path), stem])
    try:
        page, _ = track_page(catalog, "Song 0", model="mir-4s")
        assert (FakeSeparator.made, page.count("<image ")) == (0, 3)
        kept["drums"].unlink()
        page, _ = track_page(catalog, "Song 0", model="mir-4s")
        assert (FakeSeparator.made, page.count("<image ")) == (1, 5)
    finally:
        with catalog.write() as con:
            con.execute("UPDATE stems SET path = NULL")


def test_a_file_outside_is_separated_once_and_compared(catalog, tmp_path):
    stranger = tone(tmp_path / f"A - {HOSTILE.replace('/', '')}.wav", 330.0)
    steps = []
    page, facts = track_page(catalog, str(stranger), model="mir-4s", on_step=steps.append)
    assert (FakeSeparator.made, page.count("<image ")) == (1, 5)
    assert steps == ["taking it apart and measuring", "comparing", "drawing"]
    check_page(page)
    vocals, drums = facts.parts[:2]
    assert (vocals.state, drums.state) == ("ok", "silent")
    assert len(vocals.artists) == 5
    assert vocals.features[0].percentile is not None
    assert catalog.fetch("SELECT count(*) FROM tracks").rows == [(N,)], "nothing of it is kept"
    alone, facts = track_page(None, str(stranger), model="mir-4s")
    assert facts.compared == 0
    assert "Who sounds like this" not in text_of(alone)
    with pytest.raises(BadRequest, match="leave out --no-audio"):
        track_page(catalog, str(stranger), model="mir-4s", audio=False)


@pytest.mark.parametrize(("query", "told"), [("Artist 1", "is an artist"), ("Sogn 1", "near|no artist")])
def test_a_report_is_of_one_track(catalog, query, told):
    with pytest.raises(NotInCatalog, match=told):
        track_page(catalog, query, model="mir-4s")
    with pytest.raises(NotInCatalog, match="no catalog"):
        track_page(None, query, model="mir-4s")


def test_scripts_in_tags_stay_text(catalog):
    for page in (
        track_page(catalog, "Song 8", model="mir-4s", audio=False)[0],
        track_page(catalog, f"Artist 2 - {HOSTILE}", model="mir-4s", audio=False)[0],
        library_page(catalog)[0],
    ):
        assert HOSTILE not in page
        assert HOSTILE in text_of(page)


def test_a_promoted_run_says_why(tmp_path):
    from mir.genre.runs import train

    with genre_extractors():
        made = genre_library(tmp_path / "mir.duckdb", genres=("House", "Jazz"))
        train(made, ("drums",), folds=2)
        page, _ = track_page(made, "t3", model="mir-4s", audio=False)
    text = text_of(page)
    why = text.partition("Genre, and why")[2].partition("Who sounds like this")[0]
    assert "says: House" in why
    assert "drums" in why
    assert "by the promoted run" in text


def test_pairs_and_outliers_are_those_of_plain_loops(catalog):
    found = alike(catalog, "vocals")
    angle = {f"Artist {who}" if who != 3 else HOSTILE: 15 * who + 0.5 for who in range(12)}
    for pair in found.pairs:
        assert abs(angle[pair.artist] - angle[pair.other]) == 15
        assert pair.similarity == pytest.approx(math.cos(math.radians(15)))
    assert len({frozenset((pair.artist, pair.other)) for pair in found.pairs}) == 8
    assert found.distinct[0].own == pytest.approx(math.cos(math.radians(1)), abs=1e-6)
    assert found.distinct[0].nearest < math.cos(math.radians(14))
    assert {one.title for one in found.alone[:2]} == {"Song 0", "Song 23"}, "the ends of the arc have one-sided company"
    assert all(a.similarity <= b.similarity for a, b in zip(found.alone, found.alone[1:], strict=False))


def test_who_plays_together_is_no_pair(tmp_path):
    from similar_library import add

    made = create_catalog(tmp_path / "mir.duckdb")
    add(made, "Together", ["Anna", "Berta"], vocals=[1, 0, 0, 0])
    add(made, "Alone", ["Anna"], vocals=[1, 0.1, 0, 0])
    add(made, "Another", ["Carl"], vocals=[0, 1, 0, 0])
    found = alike(made, "vocals")
    assert {(pair.artist, pair.other) for pair in found.pairs} <= {
        (a, b) for a in ("Anna", "Berta", "Carl") for b in ("Anna", "Berta", "Carl") if "Carl" in (a, b)
    }
    assert len(found.pairs) == 2
    assert found.alone == (), "too few to say"
    assert alike(made, "drums").pairs == ()


def test_what_a_library_counts(catalog):
    counted = overview(catalog)
    assert counted.without == {"artist": 0, "year": 0, "genre": 4}
    assert [(one.genre, one.labelled, one.predicted) for one in counted.genres] == [
        ("Rock & <b>", 16, 0),
        ("Pop", 4, 0),
    ]
    assert counted.genres[1].medians["drum_rhythm", "tempo_bpm"] == np.median([116, 117, 118, 119])
    assert counted.keys.sum() == N
    assert counted.keys[1].tolist() == [1] * 12
    tempo = next(one for one in counted.trends if one.column.name == "tempo_bpm")
    assert (tempo.decades, tempo.counts) == ((1980, 1990), (10, 10))
    assert tempo.quartiles[:, 1].tolist() == [104.5, 114.5]
    text = text_of(library_page(catalog)[0])
    for said in ("24 tracks by 12 artists, from 1980 to 2003", "83 %", "4 without a genre", "Over the decades"):
        assert said in text


def test_a_catalog_of_an_earlier_version_is_shown_as_far_as_it_goes(catalog, monkeypatch):
    import features
    from features.base import Column

    drums = features.EXTRACTORS["drum_rhythm"]
    new = Column("syncopation", "1", 0, 64, "New.", "these tests")
    monkeypatch.setattr(type(drums), "columns", (*drums.columns, new))
    _, facts = track_page(catalog, "Song 8", model="mir-4s", audio=False)
    assert facts.value("drum_rhythm", "tempo_bpm") == 108.0
    assert facts.value("drum_rhythm", "syncopation") is None
    assert "drums: tempo_bpm" in text_of(library_page(catalog)[0])


def test_an_empty_library_says_so(tmp_path):
    page, facts = library_page(create_catalog(tmp_path / "mir.duckdb"))
    assert "Nothing is in it yet" in text_of(page)
    assert facts.to_plain()["tracks"] == 0


def run(*words):
    return invoke(app, "report", *words)


def test_the_command_writes_pages(catalog, tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIR_CATALOG", str(catalog.path))
    for words in ([], ["--catalog"], ["--catalog", catalog.path], ["--catalog", "--json"]):
        code, out, _ = run(*words)
        assert code == 0
        assert (tmp_path / "mir.report.html").stat().st_size > 10_000
        (tmp_path / "mir.report.html").unlink()
    assert json.loads(out)["tracks"] == N
    code, out, said = run("Song 0", "--no-audio", "-o", tmp_path / "new" / "x.html", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["instruments"]["drums"]["features"]["tempo_bpm"]["value"] == 100.0
    assert told["report"] == str(tmp_path / "new" / "x.html")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["x.html"]
    code, out, said = run(folder / "known.wav", "--catalog", catalog.path)
    assert (code, out) == (0, "")
    assert "known.report.html" in said


def test_the_command_without_a_catalog(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIR_CATALOG", str(tmp_path / "none.duckdb"))
    stranger = tone(tmp_path / "A - B.wav")
    code, _, said = run(stranger)
    assert code == 0
    assert "compared with nobody" in said
    assert (tmp_path / "A - B.report.html").is_file()
    assert run()[0] == 1
    assert run(stranger, "--catalog", tmp_path / "none.duckdb")[0] == 1
