"""Playlists: who is in them, how they flow, and what the file says."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import typer
from command import invoke
from playlist_library import add_track
from similar_library import small_extractors

from mir.catalog import create_catalog
from mir.cli import playlist as command
from mir.errors import BadRequest, NotInCatalog
from mir.playlists import Entry, m3u8, make, path, walk
from mir.playlists.flow import length, smooth
from mir.playlists.jumps import distances
from mir.similarity import Filters, similar_tracks
from mir.similarity.query import Query

app = typer.Typer()
app.callback()(lambda: None)
command.register(app)

N = 24


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("music ü")


@pytest.fixture(scope="module", name="catalog")
def _catalog(folder, tmp_path_factory):
    """24 tracks whose voices stand on a half circle; two kinds of tempo, key and loudness in turns."""
    with small_extractors():
        made = create_catalog(tmp_path_factory.mktemp("catalog") / "mir.duckdb")
        for number in range(N):
            file = folder / f"{number:02d} söng.mp3"
            file.write_bytes(b"")
            fast = number % 2
            add_track(
                made,
                f"Song {number}",
                f"Artist {number // 2}",
                angle=math.pi * number / (N - 1),
                tempo=None if number == 7 else (170.0 if fast else 120.0) + 0.1 * number,
                key=6.0 if fast else 0.0,
                loudness=-6.0 if fast else -18.0,
                path=file,
                year=2000 + number,
                genres=["House" if number < N // 2 else "Rock"],
            )
        yield made


def entry(**changes):
    fields = dict.fromkeys(["tempo_bpm", "key_pitch_class", "mode_is_major", "key_strength", "loudness_lufs"])
    return Entry(
        **{"track_id": 1, "title": "T", "artist": "A", "path": "/a", "duration_s": 1, "score": 0, **fields} | changes
    )


@pytest.mark.parametrize("seed", range(6))
def test_smooth_is_near_the_best_order_and_never_longer_than_the_given_one(seed):
    random = np.random.default_rng(seed)
    places = random.normal(size=(8, 3))
    distance = np.linalg.norm(places[:, None] - places[None, :], axis=-1)
    order = smooth(distance)
    assert order[0] == 0
    assert sorted(order) == list(range(8))
    best = min(length(np.array([0, *rest]), distance) for rest in itertools.permutations(range(1, 8)))
    assert best - 1e-9 <= length(np.array(order), distance) <= 1.12 * best
    tour = np.array(order)
    assert smooth(distance[np.ix_(tour, tour)]) == list(range(8)), "what is smooth stays"


def test_a_line_is_walked_along():
    places = np.random.default_rng(1).permutation(60).astype(float)
    places = np.concatenate([[-1.0], places])
    order = smooth(np.abs(places[:, None] - places[None, :]))
    assert places[order].tolist() == sorted(places)
    assert [smooth(np.zeros((n, n))) for n in range(3)] == [[], [0], [0, 1]]


def jump(one, other):
    return distances([one, other], np.ones((2, 2))).jump[0, 1]


def test_jumps_by_hand():
    assert jump(entry(tempo_bpm=100), entry(tempo_bpm=125)) == pytest.approx(2 * math.log2(1.25))
    assert jump(entry(tempo_bpm=87), entry(tempo_bpm=174)) == pytest.approx(0.1)
    assert jump(entry(tempo_bpm=87), entry(tempo_bpm=170)) == pytest.approx(0.1 + 2 * math.log2(174 / 170))
    assert jump(entry(loudness_lufs=-20), entry(loudness_lufs=-17)) == pytest.approx(0.25)
    assert jump(entry(loudness_lufs=-40), entry(loudness_lufs=-6)) == pytest.approx(1.0)
    c = entry(key_pitch_class=0, mode_is_major=1, key_strength=0.8)
    for pitch_class, major, fifths in ((7, 1, 1), (5, 1, 1), (6, 1, 6), (9, 0, 0.5), (4, 0, 1.5), (0, 0, 3.5)):
        other = entry(key_pitch_class=pitch_class, mode_is_major=major, key_strength=0.5)
        assert jump(c, other) == pytest.approx(0.5 * fifths / 6), (pitch_class, major)
    assert distances([entry(), entry()], np.full((2, 2), -1.0)).jump[0, 1] == pytest.approx(1.0)


def test_the_unknown_neither_draws_nor_repels():
    entries = [entry(tempo_bpm=100), entry(tempo_bpm=110), entry(tempo_bpm=None)]
    found = distances(entries, np.ones((3, 3)))
    assert found.jump[0, 2] == found.jump[1, 2] == pytest.approx(found.jump[0, 1])
    assert found.along([0, 1, 2]).tempo_percent == pytest.approx(10.0)
    alone = distances([entry()], np.ones((1, 1))).along([0])
    assert (alone.jump, alone.tempo_percent) == (0.0, None)


def test_a_playlist_has_the_most_similar_tracks_and_flows(catalog):
    hits = similar_tracks(catalog, "Song 0", "vocals", 12)
    found = make(catalog, "Song 0", "vocals", 12)
    assert {one.track_id for one in found.entries} == {hit.track_id for hit in hits}
    assert found.entries[0].track_id == hits[0].track_id, "it begins with the best"
    assert found.jumps.jump < 0.5 * found.unsorted.jump
    assert found.jumps.loudness_lu < 2.0 < 10.0 < found.unsorted.loudness_lu
    quiet = [one.loudness_lufs < -12 for one in found.entries]
    assert sum(a != b for a, b in itertools.pairwise(quiet)) == 1, "one change from the loud to the quiet ones"
    similar = make(catalog, "Song 0", "vocals", 12, order="similar")
    assert [one.track_id for one in similar.entries] == [hit.track_id for hit in hits]
    assert similar.jumps == similar.unsorted == found.unsorted
    tempi = [one.tempo_bpm for one in make(catalog, "Song 0", k=12, order="tempo").entries]
    assert tempi[-1] is None
    assert tempi[:-1] == sorted(tempi[:-1])


def test_a_playlist_from_filters_has_what_is_typical_of_them(catalog):
    found = make(catalog, by="vocals", k=3, filters=Filters(genre="house"))
    middle = (N // 2 - 1) / 2
    assert sorted(abs(int(one.title.split()[1]) - middle) for one in found.entries) == [0.5, 0.5, 1.5]
    assert found.title == "house"
    assert len(make(catalog, by="vocals", filters=Filters(year=(2003, 2004))).entries) == 2
    spread = make(catalog, by="vocals", k=6, filters=Filters(genre="house"), per_artist=1)
    assert len({one.artist for one in spread.entries}) == 6
    different = make(catalog, by="vocals", k=3, filters=Filters(genre="house"), diversity=0.8)
    assert {one.title for one in different.entries} != {one.title for one in found.entries}
    with pytest.raises(BadRequest, match="--like"):
        make(catalog)


def test_a_playlist_may_be_of_some_artists(catalog):
    found = make(catalog, "Song 0", k=9, filters=Filters(artist=("artist 3", "ARTIST 5")))
    assert {one.artist for one in found.entries} == {"Artist 3", "Artist 5"}
    assert len(found.entries) == 4
    assert Filters(genre="House", min_probability=0.6, artist="Artist 3").to_plain() == {
        "genre": ["House"],
        "min_probability": 0.6,
        "artist": ["Artist 3"],
    }


def test_minutes_are_not_exceeded(catalog):
    found = make(catalog, "Song 0", minutes=10)
    assert len(found.entries) == 6, "six of 100 s, and no seventh"
    assert len(make(catalog, "Song 0", k=4, minutes=10).entries) == 4
    assert len(make(catalog, "Song 0", minutes=9999).entries) == N - 1, "all there is"
    with pytest.raises(BadRequest, match="alone is longer"):
        make(catalog, "Song 0", minutes=1)
    for wrong in ({"minutes": 0}, {"minutes": math.nan}, {"k": 0}, {"order": "best"}, {"per_artist": 0}):
        with pytest.raises(BadRequest):
            make(catalog, "Song 0", **wrong)


def test_what_is_gone_makes_room_for_the_next(catalog, folder):
    gone = folder / "02 söng.mp3"
    moved = gone.rename(folder / "elsewhere.mp3")
    try:
        found = make(catalog, "Song 0", k=4, order="similar", on_disk=True)
        assert [one.title for one in found.missing] == ["Song 2"]
        assert [one.title for one in found.entries] == ["Song 1", "Song 3", "Song 4", "Song 5"]
        with catalog.write() as con:
            con.execute(
                "INSERT INTO files SELECT ?, 1, 1, track_id, 'ok', NULL, seen_at FROM files WHERE path = ?",
                [str(moved), str(gone)],
            )
        copy = make(catalog, "Song 0", k=4, order="similar", on_disk=True)
        assert (copy.missing, copy.entries[1].path) == ((), str(moved))
    finally:
        moved.rename(gone)
        with catalog.write() as con:
            con.execute("DELETE FROM files WHERE path = ?", [str(moved)])


def numbers(entries):
    return [int(one.title.split()[1]) for one in entries]


def test_a_walk_goes_on_little_by_little(catalog):
    found = path(catalog, "Song 2", "Song 20", "vocals", 7)
    assert numbers(found) == [2, 5, 8, 11, 14, 17, 20]
    assert [one.track_id for one in path(catalog, "Song 20", "Song 2", "vocals", 7)] == [
        one.track_id for one in reversed(found)
    ]
    assert numbers(path(catalog, "Song 2", "Song 20", "vocals", 2)) == [2, 20]
    every = numbers(path(catalog, "Song 2", "Song 20", "vocals", N + 10))
    assert sorted(every) == list(range(N)), "no track twice, and no more than there are"
    by_artist = numbers(path(catalog, "Artist 1", "Artist 10", "vocals", 5))
    assert by_artist[0] in (2, 3)
    assert by_artist[-1] in (20, 21)
    assert by_artist == sorted(by_artist)
    start = Query("track", "here", track_id=found[0].track_id)
    assert path(catalog, start, "Song 20", "vocals", 7) == found
    rock = path(catalog, "Song 2", "Song 20", "vocals", 7, filters=Filters(genre="rock"))
    assert all(number >= N // 2 for number in numbers(rock)[1:])


def test_a_walk_passes_by_what_is_gone(catalog, folder):
    gone = folder / "11 söng.mp3"
    gone.rename(folder / "hidden")
    try:
        found = walk(catalog, "Song 2", "Song 20", "vocals", 7, on_disk=True)
        assert 11 not in numbers(found.entries)
        assert len(found.entries) == 7
        with pytest.raises(NotInCatalog, match="its file is gone"):
            path(catalog, "Song 2", "Song 11", on_disk=True)
    finally:
        (folder / "hidden").rename(gone)


@pytest.mark.parametrize(
    ("ends", "told"),
    [(("Song 2", "Song 2", "vocals", 5), "ends where it begins"), (("Song 2", "Song 3", "vocals", 1), "2 tracks")],
)
def test_a_walk_needs_two_ends(catalog, ends, told):
    with pytest.raises(BadRequest, match=told):
        path(catalog, *ends)


def parsed(text):
    """Read an extended M3U by its definition: title, seconds, names, paths."""
    lines = text.split("\n")
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == ""
    title = lines[1].removeprefix("#PLAYLIST:")
    tracks = []
    for info, place in zip(lines[2:-1:2], lines[3:-1:2], strict=True):
        seconds, name = info.removeprefix("#EXTINF:").split(",", 1)
        assert not place.startswith("#")
        tracks.append((int(seconds), name, place))
    return title, tracks


def test_the_file_is_what_players_read(catalog, folder, tmp_path, monkeypatch):
    made = make(catalog, "Song 0", k=3, order="similar")
    title, tracks = parsed(m3u8(made))
    assert title == "Like Song 0, by vocals"
    assert tracks == [(100, f"Artist {n // 2} - Song {n}", str(folder / f"{n:02d} söng.mp3")) for n in (1, 2, 3)]
    monkeypatch.chdir(folder)
    for where in (folder, tmp_path / "lists"):
        for _, _, place in parsed(m3u8(made, relative_to=where))[1]:
            assert not Path(place).is_absolute()
            assert (where / place).resolve().is_relative_to(folder.resolve())


def test_names_that_a_list_cannot_hold(catalog, caplog):
    made = make(catalog, "Song 0", k=1)
    names = {"#1.mp3": "./#1.mp3", "a\nb.mp3": None, "\udcff.mp3": None, "c ü.mp3": "c ü.mp3"}
    for name, expected in names.items():
        one = entry(path=f"/m/{name}", title="two\nlines", artist="A\r")
        changed = type(made)(made.title, made.by, made.order, (one,), (), made.jumps, made.unsorted)
        tracks = parsed(m3u8(changed, relative_to=Path("/m")))[1]
        assert tracks == ([] if expected is None else [(1, "A - two lines", expected)])


def run(catalog, *words):
    return invoke(app, "playlist", *words, "--catalog", catalog.path)


def test_the_command_writes_the_list_and_says_how_it_flows(catalog, tmp_path):
    target = tmp_path / "new folder" / "list.m3u8"
    code, out, said = run(catalog, "--like", "Song 0", "--by", "vocals", "-k", "8", "-o", target)
    assert (code, out) == (0, "")
    assert len(parsed(target.read_text(encoding="utf-8"))[1]) == 8
    assert [file.name for file in target.parent.iterdir()] == ["list.m3u8"]
    assert "8 tracks, 13 min" in said
    assert "% smoother than in order of similarity" in said
    code, out, _ = run(catalog, "--like", "Song 0", "-k", "8")
    assert (code, out) == (0, target.read_text(encoding="utf-8"))
    code, out, _ = run(catalog, "--like", "Song 0", "-k", "8", "--json")
    told = json.loads(out)
    assert [one["path"] for one in told["tracks"]] == [place for _, _, place in parsed(target.read_text())[1]]
    assert told["jumps"]["smooth"]["jump"] < told["jumps"]["similar"]["jump"]


def test_the_command_walks(catalog):
    code, out, said = run(catalog, "--from", "Song 2", "--to", "Song 20", "-k", "7", "--json")
    assert code == 0
    assert [one["title"] for one in json.loads(out)["tracks"]] == [f"Song {n}" for n in (2, 5, 8, 11, 14, 17, 20)]
    assert "mean cosine between neighbours" in said
    for words in (["--from", "Song 2"], ["--from", "Song 2", "--to", "Song 3", "--minutes", "5"]):
        code, out, said = run(catalog, *words)
        assert (code, out) == (2, "")
        assert "a walk needs --from and --to" in said


def test_a_list_of_nothing_is_not_written(catalog, folder, tmp_path):
    gone = folder.rename(folder.with_name("away"))
    try:
        code, out, said = run(catalog, "--like", "Song 0", "-k", "3", "-o", tmp_path / "x.m3u8")
        assert (code, out) == (1, "")
        assert said.count("left out, its file is gone") == 10
        assert f"left out, their files are gone: {N - 1 - 10} more" in said
        assert not (tmp_path / "x.m3u8").exists()
    finally:
        gone.rename(folder)
