"""Similarity on a library whose answers are known by hand or by brute force."""

from __future__ import annotations

import itertools
import shutil

import numpy as np
import pytest
from similar_library import add, small_extractors, unit

from mir.catalog import create_catalog, open_catalog
from mir.errors import BadRequest, NothingToCompare, NotInCatalog
from mir.similarity import frame, parse_by, similar_artists, similar_tracks, to_plain
from mir.similarity.explain import feature_of

ANNA = [1, 0, 0, 0]
NEAR_ANNA = [0.9, 0.3, 0, 0]
FAR = [0, 0, 1, 0.2]
OPPOSITE = [-1, 0, 0.1, 0]
FAST, SLOW, ODD = [1, 0, 0], [0.9, 0.4, 0], [0, 0.1, 1]

TRACKS = [
    # title, artists, duration_s, vocals, drums
    ("Anna 1", ["Anna Ö"], 100, ANNA, FAST),
    ("Anna 2", ["Anna Ö"], 300, [0.9, 0, 0.2, 0.1], SLOW),
    ("Berta 1", ["Berta"], 120, NEAR_ANNA, ODD),
    ("Carl 1", ["Carl"], 200, FAR, FAST),
    ("Carl 2", ["Carl"], 10, ANNA, [1, 0.02, 0]),
    ("Dora 1", ["Dora"], 150, OPPOSITE, [0.8, 0.5, 0.1]),
    ("Instrumental 1", ["Emil"], 150, None, [0.99, 0.1, 0]),
    ("A cappella", ["Fritz"], 150, [0.5, 0.5, 0, 0.1], None),
    ("Who is it", [], 150, [1, 0, 0.01, 0.02], [1, 0.01, 0]),
    ("Duet", ["Berta", "Gerda"], 90, [0.6, 0.6, 0.1, 0], [0.3, 0.9, 0.1]),
]


@pytest.fixture(scope="module", autouse=True)
def _small():
    with small_extractors():
        yield


@pytest.fixture(scope="module", name="catalog")
def _catalog(tmp_path_factory):
    """The library; tests that add to it take a copy."""
    catalog = create_catalog(tmp_path_factory.mktemp("library") / "mir.duckdb")
    for title, artists, duration_s, vocals, drums in TRACKS:
        add(catalog, title, artists, duration_s, vocals=vocals, drums=drums)
    return catalog


@pytest.fixture(name="copy")
def _copy(catalog, tmp_path):
    return open_catalog(shutil.copy(catalog.path, tmp_path / "copy.duckdb"))


def truth(by, kind, query):
    """Scores by brute force: {name: (score, {instrument: cosine or None})}."""
    place = {"vocals": 3, "drums": 4}
    score, cosines = {}, {}
    for instrument, weight in by.items():
        rows = [(t, unit(t[place[instrument]])) for t in TRACKS if t[place[instrument]] is not None]
        chance = [a @ b for (_, a), (_, b) in itertools.combinations(rows, 2)]
        groups = {}
        for track, vector in rows:
            for name in track[1] if kind == "artist" else [track[0]]:
                groups.setdefault(name, []).append(vector * (track[2] if kind == "artist" else 1))
        own = [v * (t[2] if query in t[1] else 1) for t, v in rows if query in t[1] or query == t[0]]
        asked = unit(np.sum(own, axis=0))
        for name, vectors in groups.items():
            cosine = float(unit(np.sum(vectors, axis=0)) @ asked)
            cosines.setdefault(name, {})[instrument] = cosine
            score[name] = score.get(name, 0.0) + weight * (cosine - np.mean(chance)) / np.std(chance)
    needed = {instrument for instrument, weight in by.items() if weight > 0}
    return {
        name: (score[name], {instrument: cosines[name].get(instrument) for instrument in by})
        for name in score
        if needed <= set(cosines[name])
    }


def check(hits, expected, name):
    order = sorted(expected, key=lambda one: -expected[one][0])
    assert [getattr(hit, name) for hit in hits] == order
    for hit in hits:
        score, cosines = expected[getattr(hit, name)]
        assert hit.score == pytest.approx(score, abs=1e-5)
        assert hit.cosines == pytest.approx(cosines, abs=1e-6)


BYS = [
    {"vocals": 1.0},
    {"drums": 2.5},
    {"vocals": 0.6, "drums": 0.4},
    {"vocals": 1.0, "drums": -0.7},
    {"vocals": -0.2, "drums": 3.0},
]


@pytest.mark.parametrize("by", BYS)
def test_artists_and_scores_are_those_of_brute_force(catalog, by):
    expected = truth(by, "artist", "Anna Ö")
    del expected["Anna Ö"]
    hits = similar_artists(catalog, "Anna Ö", by, 100)
    check(hits, expected, "artist")
    for hit in hits:
        assert hit.similarity == pytest.approx(next(iter(hit.cosines.values())) if len(by) == 1 else hit.score)


@pytest.mark.parametrize("by", BYS)
def test_tracks_and_scores_are_those_of_brute_force(catalog, by):
    for query in ("Anna 1", "Anna Ö"):
        expected = truth(by, "track", query)
        for own in ("Anna 1", "Anna 2") if query == "Anna Ö" else ("Anna 1",):
            del expected[own]
        check(similar_tracks(catalog, query, by, 100), expected, "track")


def test_the_answer_that_one_expects(catalog):
    assert similar_artists(catalog, "Anna Ö", {"vocals": 1.0}, 1)[0].artist == "Berta"
    names = [hit.artist for hit in similar_artists(catalog, "Anna Ö", {"vocals": 1.0}, 100)]
    assert names[-1] == "Dora"
    assert not {"Anna Ö", "Emil", "Unknown artist"} & set(names)


def test_instrumentals_answer_where_drums_are_asked(catalog):
    names = [hit.artist for hit in similar_artists(catalog, "Anna Ö", "drums", 100)]
    assert names[0] == "Emil"
    assert "Fritz" not in names
    both = [hit.artist for hit in similar_artists(catalog, "Anna Ö", "vocals=0.1,drums", 100)]
    assert not {"Emil", "Fritz"} & set(both)


def test_a_missing_negative_instrument_adds_nothing(catalog):
    hits = {hit.artist: hit for hit in similar_artists(catalog, "Anna Ö", "vocals,drums=-1", 100)}
    alone = {hit.artist: hit for hit in similar_artists(catalog, "Anna Ö", "vocals", 100)}
    assert hits["Fritz"].cosines["drums"] is None
    assert hits["Fritz"].score == pytest.approx(alone["Fritz"].score)
    assert hits["Berta"].score != pytest.approx(alone["Berta"].score)
    from_fritz = similar_artists(catalog, "Fritz", "vocals,drums=-1", 100)
    alone = similar_artists(catalog, "Fritz", "vocals", 100)
    assert [hit.score for hit in from_fritz] == [hit.score for hit in alone]
    assert from_fritz[0].similarity == from_fritz[0].score
    assert from_fritz[0].cosines["drums"] is None


def test_tracks_of_unknown_artists_are_tracks_but_nobody(catalog):
    hits = similar_tracks(catalog, "Anna Ö", "vocals", 100)
    assert {hit.track for hit in hits} >= {"Who is it"}
    assert next(hit for hit in hits if hit.track == "Who is it").artist == "Unknown artist"
    assert similar_artists(catalog, "Who is it", "vocals", 1)[0].artist == "Anna Ö"
    with pytest.raises(NotInCatalog):
        similar_artists(catalog, "Unknown artist", "vocals", 5)


def test_a_track_asks_for_other_artists_than_its_own(catalog):
    names = [hit.artist for hit in similar_artists(catalog, "Duet", "vocals", 100)]
    assert not {"Berta", "Gerda"} & set(names)
    assert "Berta" in [hit.artist for hit in similar_tracks(catalog, "Duet", "vocals", 100)]


@pytest.mark.parametrize("name", ["Anna Ö", "anna ö", "ANNA Ö", "Anna O", "  anna   ö "])
def test_names_in_any_case_and_without_accents(catalog, name):
    assert similar_artists(catalog, name, "vocals", 1)[0].artist == "Berta"


@pytest.mark.parametrize("query", ["Duet", "duet", "Berta, Gerda - Duet", "/music/Duet.flac", "berta, gerda - DUET"])
def test_tracks_are_found_by_title_and_path(catalog, query):
    assert [hit.track for hit in similar_tracks(catalog, query, "vocals", 1)] == ["A cappella"]


def test_one_title_several_tracks_is_told(copy):
    catalog = copy
    add(catalog, "Duet", ["Someone"], vocals=FAR, path="/music/other.flac")
    with pytest.raises(NotInCatalog, match=r"2 tracks are called 'duet'.*other\.flac"):
        similar_tracks(catalog, "duet", "vocals", 3)
    assert similar_tracks(catalog, "Someone - Duet", "vocals", 1)[0].track == "Carl 1"


def test_unknown_names_are_told_with_the_nearest(catalog):
    with pytest.raises(NotInCatalog, match="Berta"):
        similar_artists(catalog, "Bertha", "vocals", 3)
    with pytest.raises(NotInCatalog, match=r"no-such\.flac"):
        similar_artists(catalog, "/music/no-such.flac", "vocals", 3)


def test_a_query_without_the_instrument_is_told_why(copy):
    catalog = copy
    with pytest.raises(NothingToCompare, match=r"'Emil' has no vocals.*silent"):
        similar_artists(catalog, "Emil", "vocals", 3)
    with pytest.raises(NothingToCompare, match="has no drums"):
        similar_tracks(catalog, "A cappella", "vocals,drums", 3)
    add(catalog, "Not measured yet", ["Hans"])
    with pytest.raises(NothingToCompare, match=r"1 missing.*mir ingest"):
        similar_artists(catalog, "Hans", "vocals", 3)


def test_nobody_else(tmp_path):
    catalog = create_catalog(tmp_path / "one.duckdb")
    with pytest.raises(NotInCatalog):
        similar_artists(catalog, "Anna", "vocals", 3)
    add(catalog, "Only", ["Anna"], vocals=ANNA)
    assert similar_artists(catalog, "Anna", "vocals", 3) == []
    assert similar_tracks(catalog, "Anna", "vocals", 3, explain=True) == []
    assert list(frame([]).columns)[:2] == ["artist", "similarity"]
    add(catalog, "Another", ["Berta"], vocals=NEAR_ANNA)
    hits = similar_artists(catalog, "Anna", "vocals", 3, explain=True)
    assert [hit.artist for hit in hits] == ["Berta"]
    assert sum(one.contribution for one in hits[0].explanation) == pytest.approx(hits[0].score, abs=1e-9)


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("search", [similar_artists, similar_tracks])
def test_explanations_sum_to_the_score(catalog, search, by):
    for hit in search(catalog, "Anna Ö", by, 100, explain=True):
        assert sum(one.contribution for one in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
        there = {instrument for instrument, cosine in hit.cosines.items() if cosine is not None}
        assert {one.instrument for one in hit.explanation} == there


def test_explanations_name_columns_with_values_and_units(catalog):
    berta = similar_artists(catalog, "Anna Ö", "vocals", 1, explain=True)[0]
    told = {one.feature: one for one in berta.explanation}
    assert set(told) == {"f0_hz", "breath", "mfcc_mean"}
    assert (told["f0_hz"].unit, told["mfcc_mean"].unit) == ("Hz", None)
    assert told["f0_hz"].query_value == pytest.approx((100 * 1 + 300 * 0.9) / 400)
    assert told["f0_hz"].hit_value == pytest.approx((120 * 0.9 + 90 * 0.6) / 210)
    assert told["breath"].hit_value == pytest.approx((120 * 0.3 + 90 * 0.6) / 210)
    assert berta.explanation[0].feature == "f0_hz"  # both lie along it
    assert [one.contribution for one in berta.explanation] == sorted(
        (one.contribution for one in berta.explanation), reverse=True
    )


@pytest.mark.parametrize(
    ("coordinate", "feature"),
    [
        ("f0_median_hz", "f0_median_hz"),
        ("log2_f0_median", "f0_median_hz"),
        ("log_note_length", "note_length_median_s"),
        ("ghost_notes", "ghost_note_ratio"),
        ("repetition", "bar_repetition"),
        ("mfcc_07_mean", "mfcc_mean"),
        ("register_3", "register"),  # numbered: a family of its own, whatever column has the word
        ("energy", "energy"),  # two columns have the word
    ],
)
def test_coordinates_belong_to_columns(coordinate, feature):
    columns = ["f0_median_hz", "note_length_median_s", "ghost_note_ratio", "bar_repetition", "register_range_semitones"]
    assert feature_of(coordinate, [*columns, "low_energy_ratio", "high_energy_ratio"]) == feature


def test_plain_and_frame(catalog):
    hits = similar_artists(catalog, "Anna Ö", "vocals,drums", 2, explain=True)
    plain = to_plain(hits[0])
    assert plain["artist"] == hits[0].artist
    assert plain["explanation"][0]["contribution"] == hits[0].explanation[0].contribution
    table = frame(similar_artists(catalog, "Anna Ö", "vocals,drums", 2))
    assert list(table.columns[:3]) == ["artist", "similarity", "score"]
    assert table["cosine_vocals"].tolist() == [hit.cosines["vocals"] for hit in hits]
    assert "explanation" not in table


def test_by_is_read_and_checked():
    assert parse_by("vocals") == {"vocals": 1.0}
    assert parse_by(" vocals = 0.6 , drums=-4e-1") == {"vocals": 0.6, "drums": -0.4}
    assert parse_by("vocals,drums=0") == {"vocals": 1.0}
    for wrong, message in [
        ("guitar", "vocals, drums, bass, other, mix"),
        ("", "missing"),
        ("vocals,,drums", "missing"),
        ("vocals=much", "is a number"),
        ("vocals=nan", "finite"),
        ("vocals,vocals=2", "twice"),
        ("vocals=-1", "no weight is positive"),
        ("vocals=0", "no weight is positive"),
    ]:
        with pytest.raises(BadRequest, match=message):
            parse_by(wrong)


def test_wrong_calls_are_refused(catalog):
    with pytest.raises(BadRequest, match="k is 1"):
        similar_artists(catalog, "Anna Ö", "vocals", 0)
    with pytest.raises(BadRequest, match="guitar"):
        similar_tracks(catalog, "Anna Ö", {"guitar": 1.0})
    with pytest.raises(BadRequest, match="positive"):
        similar_tracks(catalog, "Anna Ö", {})
