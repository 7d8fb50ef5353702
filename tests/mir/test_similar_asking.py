"""Several seeds, filters, diversity, ways to compare artists: against plain loops over two hundred tracks."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest
from similar_crowd import N_ARTISTS, VARIOUS, crowd, settle, truth
from similar_library import add, small_extractors

from mir.catalog import create_catalog
from mir.errors import BadRequest, NothingToCompare, NotInCatalog
from mir.similarity import Filters, frame, similar_artists, similar_tracks
from mir.similarity.artists import WAYS
from mir.similarity.links import NOBODY, NOBODY_IDS


@pytest.fixture(scope="module", autouse=True)
def _small():
    with small_extractors():
        yield


@pytest.fixture(scope="module", name="tracks")
def _tracks():
    return crowd()


@pytest.fixture(scope="module", name="catalog")
def _catalog(tracks, tmp_path_factory, _small):
    return settle(tracks, tmp_path_factory.mktemp("crowd") / "mir.duckdb")


FILTERS = [
    (Filters(), None),
    (Filters(genre="house"), lambda track: track.genre == "House"),
    (
        Filters(genre=("HOUSE", "jazz"), year=(None, 2005)),
        lambda t: t.genre in ("House", "Jazz") and (t.year or 9999) <= 2005,
    ),
    (Filters(tempo_bpm=(2.5, None)), lambda track: track.tempo_bpm is not None and track.tempo_bpm >= 2.5),
    (
        Filters(year=(1990, 2010), tempo_bpm=(1, 4)),
        lambda t: 1990 <= (t.year or 0) <= 2010 and 1 <= (t.tempo_bpm or 0) <= 4,
    ),
]


def question(number, tracks):
    """A question at random: seeds, weights, filters with what they keep, and a way to compare artists."""
    random = np.random.default_rng(number)
    by = {name: float(weight) for name, weight in zip(("vocals", "drums"), random.normal(size=2), strict=True)}
    if random.random() < 0.3:
        del by["drums"]
    if max(by.values()) <= 0:
        by = {name: -weight for name, weight in by.items()}
    names = sorted({name for track in tracks for name in track.people})
    whole = [track.title for track in tracks if track.vocals is not None and track.drums is not None]
    seeds = [str(random.choice(names if random.random() < 0.5 else whole)) for _ in range(1 + number % 4)]
    filters, passing = FILTERS[number % len(FILTERS)]
    return seeds, by, filters, passing, WAYS[number % 3]


def people_of(tracks, seeds):
    return {name for seed in seeds for track in tracks for name in track.people if seed in (track.title, name)}


def compare(hits, expected, name, k):
    assert len(hits) == min(k, len(expected))
    assert hits, "a question that nobody answers tests nothing"
    order = sorted(expected.values(), reverse=True)
    for hit, score in zip(hits, order, strict=False):
        assert hit.score == pytest.approx(score, abs=2e-5)
        assert hit.score == pytest.approx(expected[getattr(hit, name)], abs=2e-5)


@pytest.mark.parametrize("number", range(24))
def test_artists_are_those_of_plain_loops(catalog, tracks, number):
    seeds, by, filters, passing, how = question(number, tracks)
    expected = truth(tracks, "artist", dict.fromkeys(seeds), by, passing, how)
    for name in people_of(tracks, seeds):
        expected.pop(name, None)
    hits = similar_artists(catalog, seeds, by, 12, filters=filters, artists_by=how, explain=True)
    compare(hits, expected, "artist", 12)
    for hit in hits:
        assert sum(one.contribution for one in hit.explanation) == pytest.approx(hit.score, abs=1e-6)


@pytest.mark.parametrize("number", range(100, 124))
def test_tracks_are_those_of_plain_loops(catalog, tracks, number):
    seeds, by, filters, passing, _ = question(number, tracks)
    expected = truth(tracks, "track", dict.fromkeys(seeds), by, passing)
    people = people_of(tracks, seeds) if len(set(seeds)) > 1 else set(seeds)
    for track in tracks:
        if track.title in seeds or people & set(track.people):
            expected.pop(track.title, None)
    hits = similar_tracks(catalog, seeds, by, 12, filters=filters, explain=True)
    compare(hits, expected, "track", 12)
    for hit in hits:
        assert sum(one.contribution for one in hit.explanation) == pytest.approx(hit.score, abs=1e-6)


def test_every_seed_counts_the_same(catalog, tracks):
    """Not by its number of tracks: the order of the seeds, and one given twice, change nothing."""
    counts = {f"Artist {n}": sum(f"Artist {n}" in track.people for track in tracks) for n in range(N_ARTISTS)}
    many, few = max(counts, key=counts.get), next(name for name, count in counts.items() if count == 1)
    both = similar_artists(catalog, [many, few], "vocals", 100)
    assert similar_artists(catalog, [few, many, few], "vocals", 100) == both
    alone = [{hit.artist: hit.score for hit in similar_artists(catalog, one, "vocals", 100)} for one in (many, few)]
    for hit in both:
        assert hit.score == pytest.approx((alone[0][hit.artist] + alone[1][hit.artist]) / 2, abs=1e-9)


def test_a_seed_without_the_instrument_is_told_and_the_others_answer(catalog, tracks, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("mir"), "propagate", True)
    mute = next(track.title for track in tracks if track.vocals is None and track.drums is not None)
    other = next(track.title for track in tracks if track.vocals is not None and track.drums is None)
    by = {"vocals": 1.0, "drums": 0.5}
    expected = truth(tracks, "artist", [mute, other], by)
    for name in people_of(tracks, [mute, other]):
        expected.pop(name, None)
    compare(similar_artists(catalog, [mute, other], by, 8), expected, "artist", 8)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert [message.split(":")[0] for message in told] == [
        f"track '{mute}' has no vocals",
        f"track '{other}' has no drums",
    ]
    mutes = [track.title for track in tracks if track.vocals is None][:2]
    with pytest.raises(NothingToCompare, match=r"none of the 2 seeds has vocals.*missing"):
        similar_tracks(catalog, mutes, "vocals")


@pytest.mark.parametrize("how", WAYS)
def test_diverse_artists_are_chosen_as_defined(catalog, tracks, how):
    by = {"vocals": 1.0, "drums": -0.4}
    plain = similar_artists(catalog, "Artist 1", by, 100, artists_by=how)
    scores = {hit.artist: hit.score for hit in plain}
    chosen = [plain[0].artist]
    among = {}
    while len(chosen) < 6:
        among[chosen[-1]] = truth(tracks, "artist", [chosen[-1]], {"vocals": 1.0}, how=how)
        left = [name for name in scores if name not in chosen]
        chosen.append(max(left, key=lambda name: 0.6 * scores[name] - 0.4 * max(among[one][name] for one in chosen)))
    hits = similar_artists(catalog, "Artist 1", by, 6, diversity=0.4, artists_by=how)
    assert [hit.artist for hit in hits] == chosen
    assert [hit.score for hit in hits] == [scores[name] for name in chosen]
    assert chosen != [hit.artist for hit in plain[:6]]
    assert similar_artists(catalog, "Artist 1", by, 6, diversity=0.0, artists_by=how) == plain[:6]


def test_more_diversity_makes_tracks_less_alike(catalog, tracks):
    def alike(diversity):
        names = [hit.track for hit in similar_tracks(catalog, "Artist 2", "vocals", 6, diversity=diversity)]
        return np.mean([truth(tracks, "track", [a], {"vocals": 1.0})[b] for a, b in itertools.combinations(names, 2)])

    measured = [alike(diversity) for diversity in (0.0, 0.5, 1.0)]
    assert measured[0] > measured[1] > measured[2]


def test_no_artist_has_more_tracks_than_wanted(catalog, tracks):
    every = similar_tracks(catalog, "Artist 3", "drums", 500)
    people = {track.title: track.people for track in tracks}
    for each in (1, 2):
        held, expected = {}, []
        for hit in every:
            if all(held.get(name, 0) < each for name in people[hit.track]):
                expected.append(hit.track)
                for name in people[hit.track]:
                    held[name] = held.get(name, 0) + 1
        assert len(expected) < len(every)
        assert [hit.track for hit in similar_tracks(catalog, "Artist 3", "drums", 500, per_artist=each)] == expected
        assert [hit.track for hit in similar_tracks(catalog, "Artist 3", "drums", 9, per_artist=each)] == expected[:9]
    nobodys = [title for title in expected if not people[title]]
    assert len(nobodys) > 2


def test_names_that_are_nobodys_neither_answer_nor_ask(catalog, tracks):
    everybody = similar_artists(catalog, "Artist 4", "vocals", 1000)
    assert len(everybody) > 30
    assert not [hit for hit in everybody if hit.artist == VARIOUS]
    titles = {hit.track for hit in similar_tracks(catalog, "Artist 4", "vocals", 1000)}
    assert {track.title for track in tracks if track.artists == [VARIOUS] and track.vocals is not None} <= titles
    with pytest.raises(NothingToCompare, match=r"'Various Artists' stands for many"):
        similar_artists(catalog, VARIOUS, "vocals")
    track = next(track for track in tracks if track.artists == [VARIOUS] and track.vocals is not None)
    assert similar_artists(catalog, track.title, "vocals", 3)
    assert {"various artists", "aa.vv.", "verschiedene interpreten", "va"} <= NOBODY


def test_artists_left_out(catalog):
    plain = similar_artists(catalog, "Artist 5", "vocals", 100)
    first, second, third = (hit.artist for hit in plain[:3])
    filters = Filters(exclude=first.upper(), known=(third, "Somebody else entirely"))
    left = [hit.artist for hit in similar_artists(catalog, "Artist 5", "vocals", 100, filters=filters)]
    assert left == [hit.artist for hit in plain if hit.artist not in (first, third)]
    assert left[0] == second
    played = {
        name
        for hit in similar_tracks(catalog, "Artist 5", "vocals", 1000, filters=filters)
        for name in hit.artist.split(", ")
    }
    assert second in played
    assert not {first, third} & played
    with pytest.raises(NotInCatalog, match=r"no artist 'Artist 5x' to leave out; near: .*Artist 5"):
        similar_artists(catalog, "Artist 5", "vocals", filters=Filters(exclude="Artist 5x"))


def test_special_artists_of_musicbrainz_are_nobody_whatever_they_are_called(tmp_path):
    catalog = create_catalog(tmp_path / "few.duckdb")
    for number, name in enumerate(("Anna", "Berta", "Diversi amici")):
        add(catalog, f"Song {number}", [name], vocals=[1, number, 0, 0])
    assert len(similar_artists(catalog, "Anna", "vocals")) == 2
    with catalog.write() as con:
        con.execute("UPDATE artists SET musicbrainz_id = ? WHERE artist LIKE 'Diversi%'", [NOBODY_IDS[0]])
    assert [hit.artist for hit in similar_artists(catalog, "Anna", "vocals")] == ["Berta"]


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (Filters(genre="hause"), r"no track of genre 'hause'; near: House"),
        (Filters(year=(1950, 1959)), r"no track of year 1950\.\.1959; they go from 1980 to 2019 \(\d+ of 215 tracks"),
        (Filters(tempo_bpm=(500, None)), r"no track at 500\.\. BPM; tempi go from \d+ to 6 \(\d+ tracks"),
        (
            Filters(genre="Jazz", year=(1980, 1980), tempo_bpm=(5, 9)),
            r"genre Jazz: \d+, year 1980: \d+, tempo 5\.\.9 BPM: \d+",
        ),
    ],
)
def test_a_filter_that_keeps_nothing_says_what_there_is(catalog, filters, said):
    for search in (similar_artists, similar_tracks):
        with pytest.raises(NotInCatalog, match=said):
            search(catalog, "Artist 6", "vocals", filters=filters)


def test_an_empty_catalog_has_no_years_tempi_and_genres(tmp_path):
    catalog = create_catalog(tmp_path / "few.duckdb")
    add(catalog, "One", ["Anna"], vocals=[1, 0, 0, 0])
    for filters, said in [
        (Filters(year=(1990, 1999)), "no track has a year"),
        (Filters(tempo_bpm=(1, 2)), "no track has a tempo"),
        (Filters(genre="rock"), "no track has a genre yet"),
    ]:
        with pytest.raises(NotInCatalog, match=said):
            similar_artists(catalog, "Anna", "vocals", filters=filters)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda catalog: similar_artists(catalog, []), "nothing to ask with"),
        (lambda catalog: similar_artists(catalog, "Artist 1", diversity=1.5), "from 0"),
        (lambda catalog: similar_tracks(catalog, "Artist 1", diversity=float("nan")), "from 0"),
        (lambda catalog: similar_artists(catalog, "Artist 1", artists_by="mean"), "centroid, medoid, chamfer"),
        (lambda catalog: similar_tracks(catalog, "Artist 1", per_artist=0), "1 or more"),
        (lambda _: Filters(year=(1999, 1990)), r"1999\.\.1990 is empty"),
        (lambda _: Filters(year=("1990", None)), "finite numbers"),
        (lambda _: Filters(tempo_bpm=(float("inf"), None)), "finite numbers"),
        (lambda _: Filters(tempo_bpm=(1, 2, 3)), "lowest and highest"),
        (lambda _: Filters(year="90"), "lowest and highest"),
    ],
)
def test_wrong_calls_are_refused(catalog, wrong, said):
    with pytest.raises(BadRequest, match=said):
        wrong(catalog)


def test_the_same_from_the_catalog_object(catalog):
    filters = Filters(genre="Jazz")
    seeds = ["Artist 57", "Artist 67"]
    options = {"filters": filters, "diversity": 0.3, "artists_by": "chamfer"}
    table = catalog.similar_artists(seeds, {"drums": 1.0}, 4, **options)
    assert table.equals(frame(similar_artists(catalog, seeds, "drums", 4, **options)))
    table = catalog.similar_tracks(seeds, {"drums": 1.0}, 4, filters=filters, per_artist=1)
    assert table.equals(frame(similar_tracks(catalog, seeds, "drums", 4, filters=filters, per_artist=1)))
    assert len(table) == 4
