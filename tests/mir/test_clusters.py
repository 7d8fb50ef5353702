"""Clusters: found, named by what sets them apart, numbered for good, stored; nothing is forced into one."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import typer
from command import invoke
from map_library import CROWDS, add_crowd, make

import features
from features.words import WORDLESS, WORDS, words_of
from mir.catalog import Catalog
from mir.catalog.commit import forget_artist
from mir.cli import cluster as cli
from mir.clusters import cluster, frame, grouping, read_clustering
from mir.clusters.blend import blend_weights, name_of, principal, read_blend
from mir.clusters.grouping import group
from mir.clusters.matching import number
from mir.clusters.naming import distinguish, effects, names, read_measured
from mir.clusters.records import Distinction
from mir.errors import BadRequest, NotInCatalog


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("library") / "mir.duckdb")


@pytest.fixture
def library(made, tmp_path):
    return Catalog(shutil.copy(made.path, tmp_path / "mir.duckdb"))


def members(catalog, instruments="drums"):
    found: dict[int | None, set[str]] = {}
    for title, cluster_id in catalog.fetch(
        "SELECT title, cluster_id FROM track_clusters JOIN tracks USING (track_id) WHERE instruments = ?", [instruments]
    ).rows:
        found.setdefault(cluster_id, set()).add(title)
    return found


def test_crowds_are_found_and_loners_left_alone(library):
    found = cluster(library, "drums")
    assert [one.size for one in found.clusters] == [8] * len(CROWDS)
    assert (found.tracks, found.noise) == (34, 2)
    by_id = members(library)
    for one in found.clusters:
        assert {title.rsplit(" ", 1)[0] for title in by_id[one.cluster_id]} == {one.genre}
        assert one.genre_share == 1.0
        assert one.title in by_id[one.cluster_id]
    assert by_id[None] == {f"alone {number}" for number in range(2)}
    loners = library.fetch("SELECT probability, nearest_cluster_id FROM track_clusters WHERE cluster_id IS NULL").rows
    assert all(probability == 0 and nearest in by_id for probability, nearest in loners)
    assert len(frame(found)) == len(CROWDS)
    assert read_clustering(library, {"drums": 5.0}) == found


def test_names_say_what_sets_apart(library):
    named = {one.genre: one for one in cluster(library, "drums").clusters}
    fast, slow = named["Drum & Bass"], named["Ballad"]
    assert fast.name.split(", ")[0] == "fast"
    assert slow.name.split(", ")[0] == "slow"
    tempo = fast.distinguishes[0]
    assert (tempo.column, tempo.instrument, tempo.unit, tempo.effect) == ("tempo_bpm", "drums", "BPM", 1.0)
    assert tempo.median == pytest.approx(174, abs=2)
    assert tempo.rest_median < 130
    assert len({one.name for one in named.values()}) == len(CROWDS)


def test_ids_last_when_the_library_grows_and_shrinks(library):
    before = {one.genre: one.cluster_id for one in cluster(library, "drums").clusters}
    assert sorted(before.values()) == [1, 2, 3, 4]
    for title in members(library)[before["House"]]:
        forget_artist(library, f"Artist of {title}")
    add_crowd(library, 3, 7, first=100)
    after = {one.genre: one.cluster_id for one in cluster(library, "drums").clusters}
    assert after == {genre: each for genre, each in before.items() if genre != "House"}
    add_crowd(library, 0, 12, first=200)
    again = {one.genre: one.cluster_id for one in cluster(library, "drums").clusters}
    assert again == {**after, "House": 5}  # another cluster than that of the tracks that went: no id is given twice


def test_what_is_forgotten_is_forgotten_here_too(library):
    found = cluster(library, "drums").clusters[0]
    forget_artist(library, found.artist)
    kept = read_clustering(library, "drums").clusters[0]
    assert (kept.cluster_id, kept.medoid_track_id, kept.artist, kept.title) == (found.cluster_id, None, None, None)
    assert library.fetch("SELECT count(*) FROM track_clusters").rows == [(33,)]


def test_the_same_twice(library):
    first, rows = cluster(library, "drums=1,vocals=1"), members(library, "vocals=0.5,drums=0.5")
    assert cluster(library, {"vocals": 2, "drums": 2}) == first.__class__(
        **{**{name: getattr(first, name) for name in first.__slots__}, "generation": first.generation + 1}
    )
    assert members(library, "vocals=0.5,drums=0.5") == rows


def test_few_tracks_get_an_answer_and_no_cluster(tmp_path):
    few = make(tmp_path / "few.duckdb", each=1, alone=0)
    found = cluster(few, "drums")
    assert (found.clusters, found.noise) == ((), 4)
    assert found.statements() == [
        "no clusters by drums: 4 tracks have drums, two clusters of 5 need 10; try a smaller --min-size, or other"
        " instruments"
    ]
    assert "0 tracks have bass" in cluster(few, "bass").statements()[0]
    assert "mir ingest FOLDER" in cluster(few, "bass").statements()[0]


def test_what_cannot_be_clustered_is_refused(library):
    with pytest.raises(BadRequest, match=r"drums=-1: .*no distance"):
        cluster(library, "vocals,drums=-1")
    with pytest.raises(BadRequest, match="no instrument 'flute'"):
        cluster(library, "flute")
    with pytest.raises(BadRequest, match="min_size=1"):
        cluster(library, "drums", 1)
    with pytest.raises(NotInCatalog, match="mir cluster --by bass"):
        read_clustering(library, "bass")


def test_weights_are_written_in_one_way():
    assert blend_weights("drums=2,vocals=1") == blend_weights({"vocals": 10, "drums": 20})
    assert name_of(blend_weights("drums=2,vocals=1")) == "vocals=0.333333,drums=0.666667"
    assert name_of(blend_weights("drums=0.2")) == "drums"


def test_a_blend_ranks_as_combined_similarity_does(library):
    blend = read_blend(library, "vocals=0.7,drums=0.3")
    hits = library.similar_tracks("House 3", by={"vocals": 0.7, "drums": 0.3}, k=34)
    at = {track_id: place for place, track_id in enumerate(blend.track_ids.tolist())}
    own = next(place for track_id, place in at.items() if track_id not in set(hits["track_id"]))
    inner = blend.matrix[[at[track_id] for track_id in hits["track_id"]]] @ blend.matrix[own]
    assert np.corrcoef(inner, hits["score"])[0, 1] == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(np.linalg.norm(blend.matrix, axis=1), 1.0, atol=1e-6)


def test_principal_directions_keep_what_they_say():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 5)) * [5, 3, 1, 0.5, 0.1]
    points, kept = principal(x.astype(np.float32), 2)
    assert kept == pytest.approx(points.var(axis=0).sum() / x.var(axis=0).sum(), rel=1e-3)
    assert abs(np.corrcoef(points[:, 0], x[:, 0])[0, 1]) > 0.99


def test_a_sample_stands_for_very_many(monkeypatch):
    random = np.random.default_rng(0)
    crowd = random.integers(0, 3, 900)
    x = (np.eye(3, 6)[crowd] * 5 + random.normal(size=(900, 6)) * 0.4).astype(np.float32)
    ids = np.sort(random.choice(2**53, 900, replace=False)).astype(np.int64)
    whole = group(x, ids, 30)
    monkeypatch.setattr(grouping, "SAMPLE", 300)
    found = group(x, ids, 30)
    assert (found.parameters["sampled"], found.parameters["assigned"]) == (300, 600)
    assert "assigned" not in whole.parameters
    for result in (whole, found):
        inside = result.labels >= 0
        assert inside.mean() > 0.8
        assert {len(set(crowd[result.labels == label])) for label in range(3)} == {1}
    assert ((found.probabilities >= 0) & (found.probabilities <= 1)).all()
    assert (found.nearest >= 0).all()


def test_effects_are_cliffs_delta():
    values = np.array([[1.0, 5], [2, np.nan], [3, 5], [3, 6], [0, 7], [np.nan, 8]])
    labels = np.array([0, 0, 0, 1, 1, -1])
    found = effects(values, labels)
    for label in (0, 1):
        inside = [value for value in values[labels == label, 0] if not np.isnan(value)]
        outside = [value for value in values[labels != label, 0] if not np.isnan(value)]
        pairs = [np.sign(a - b) for a in inside for b in outside]
        assert found[label, 0] == pytest.approx(np.mean(pairs))
    assert found[0, 1] == -1.0
    one_measured = effects(np.array([[1.0], [np.nan], [np.nan], [2], [3]]), np.array([0, 0, 0, 1, 1]))
    assert one_measured[0, 0] == 0.0  # a third of a cluster does not speak for it


def told(*words):
    return tuple(Distinction(one, "drums", one, "1", 0.9, 1.0, 0.0) for one in words)


def test_names_are_unique_and_the_largest_has_the_shortest():
    given = [told("a", "b", "c", "d"), told("c", "b", "a"), told("b", "a", "c", "e"), told("a", "b", "c"), (), ()]
    assert names(given, [5, 20, 6, 4, 3, 2]) == [
        "a, b, c, d",
        "c, b, a",
        "b, a, c, e",
        "a, b, c (2)",
        "unremarkable",
        "unremarkable (2)",
    ]


def test_no_words_are_said_twice(library):
    blend = read_blend(library, "vocals,drums")
    with library.read() as con:
        measured = read_measured(con, blend.weights, blend.track_ids)
    assert {column[0] for column in measured.columns} == {"vocals", "drums"}
    for one in distinguish(measured, group(blend.matrix, blend.track_ids).labels):
        assert one
        assert len({each.words for each in one}) == len(one)


def test_numbers_follow_the_tracks():
    ids, labels = np.arange(10), np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1])
    before = {0: 7, 1: 7, 2: 7, 3: 4, 4: 4, 5: 4, 6: 4, 9: None}
    assert number(ids, labels, before, 9).ids == (7, 4, 9)
    assert number(ids, labels, before, 9).next_id == 10
    assert number(ids, labels, {}, 1).ids == (1, 2, 3)
    assert number(ids, np.full(10, -1), before, 9).ids == ()
    barely = {0: 3, 7: 5, **dict.fromkeys(range(4, 7), 3), **dict.fromkeys(range(20, 40), 5)}
    assert number(ids, labels, barely, 6).ids == (6, 3, 5)


def test_every_column_has_words_or_none_on_purpose():
    for space, extractor in features.EXTRACTORS.items():
        declared = {column.name for column in extractor.columns}
        assert set(WORDS[space]) <= declared, f"words of {space} for columns that are not there"
        silent = {name for name in declared if words_of(space, name) is None}
        assert declared - silent == set(WORDS[space]), f"columns of {space} without words"
        assert not silent & set(WORDS[space])
    assert set(WORDLESS) <= set(WORDS)
    assert all(low != high for table in WORDS.values() for low, high in table.values())


@pytest.fixture
def app():
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)
    return app


def test_the_command(app, library):
    at = ("--catalog", library.path)
    code, out, said = invoke(app, "cluster", "--by", "drums", *at)
    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0] == ["id", "name", "tracks", "most typical", "genre"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert all(row[2] == "8" and row[4].endswith("(100%)") and " - " in row[3] for row in rows[1:])
    assert "34 tracks by drums: 4 clusters of 5 or more, 2 tracks (6%) in none" in said
    stored = json.loads(invoke(app, "cluster", "--by", "drums=3", "--stored", "--json", *at)[1])
    assert [one["cluster_id"] for one in stored["clusters"]] == [1, 2, 3, 4]
    fast = next(one for one in stored["clusters"] if one["genre"] == "Drum & Bass")
    assert fast["distinguishes"][0]["column"] == "tempo_bpm"
    assert (stored["by"], stored["noise"], stored["parameters"]["method"]) == ({"drums": 1.0}, 2, "HDBSCAN")
    large = json.loads(invoke(app, "cluster", "--by", "drums", "--min-size", "18", "--json", *at)[1])
    assert large["clusters"] == []
    code, out, said = invoke(app, "cluster", "--by", "drums=-1", *at)
    assert (code, out) == (2, "")
    assert invoke(app, "cluster", "--stored", "--by", "bass", *at)[0] == 1
