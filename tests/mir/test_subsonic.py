"""The calls of players over a small library: what they answer, in both forms, and what they shrug off."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from subsonic_site import MBID, asking, login, player, player_site, song
from web_site import EVIL

pytest.importorskip("fastapi", reason="needs the extra web")

from mir.playlists import path
from mir.subsonic.answers import NAMESPACE, render
from mir.subsonic.system import NOT_KEPT, NOTHING


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with player_site(tmp_path_factory.mktemp("players")) as made:
        yield made


@pytest.fixture(scope="module")
def client(there):
    with player(there[0]) as made:
        yield made


@pytest.fixture(scope="module")
def ask(client, there):
    return asking(client, there[0])


@pytest.fixture(scope="module")
def error(ask):
    return lambda method, **params: ask(method, status="failed", **params)["error"]


def test_the_envelope_in_both_forms(client, there):
    params = login(there[0].accounts.account())
    told = client.get("/rest/ping", params=params).json()["subsonic-response"]
    assert (told["status"], told["version"], told["type"], told["openSubsonic"]) == ("ok", "1.16.1", "mir", True)
    del params["f"]
    answer = client.get("/rest/ping.view", params=params)
    assert answer.headers["content-type"].startswith("application/xml")
    root = ElementTree.fromstring(answer.text)  # noqa: S314 - our own
    assert root.tag == f"{{{NAMESPACE}}}subsonic-response"
    assert (root.get("status"), root.get("openSubsonic")) == ("ok", "true")


def test_xml_holds_what_json_holds():
    body, _ = render(
        {
            "genres": {"genre": [{"value": 'a & "b" <c>', "songCount": 2}]},
            "song": {"title": "x\0y", "isDir": False, "year": None, "genres": [{"name": "é"}], "versions": [1, 2]},
        },
        "xml",
    )
    root = ElementTree.fromstring(body)  # noqa: S314 - our own
    genre, one = root[0][0], root[1]
    assert (genre.text, genre.get("songCount")) == ('a & "b" <c>', "2")
    assert (one.get("title"), one.get("isDir"), "year" in one.attrib) == ("x\ufffdy", "false", False)
    assert [(child.tag.split("}")[1], child.get("name"), child.text) for child in one] == [
        ("genres", "é", None),
        ("versions", None, "1"),
        ("versions", None, "2"),
    ]


def test_a_walk_from_artists_to_songs(ask, there):
    index = ask("getArtists")["artists"]["index"]
    assert [one["name"] for one in index] == ["#", "S"]
    assert [one["name"] for one in index[0]["artist"]] == [EVIL]
    first = index[1]["artist"][0]
    assert (first["name"], first["albumCount"], first["musicBrainzId"]) == ("Singer 00", 1, MBID)
    artist = ask("getArtist", id=first["id"])["artist"]
    (album,) = artist["album"]
    assert (album["name"], album["artist"], album["songCount"], album["duration"]) == ("Album 00", "Singer 00", 2, 12)
    full = ask("getAlbum", id=album["id"])["album"]
    assert [one["title"] for one in full["song"]] == ["Song 00", "Song 01"]
    one = ask("getSong", id=full["song"][1]["id"])["song"]
    assert one == full["song"][1]
    assert one["id"] == song(there[1], 1)
    assert (one["path"], one["suffix"], one["contentType"]) == ("track 01.wav", "wav", "audio/wav")
    assert (one["year"], one["genre"], one["bpm"], one["duration"]) == (1991, "House", 135, 6)
    assert (one["artistId"], one["albumId"], one["isDir"]) == (first["id"], album["id"], False)


def test_a_compilation_is_one_album_of_all_its_artists(ask):
    found = ask("search3", query="together")["searchResult3"]
    (album,) = found["album"]
    assert (album["artist"], album["songCount"], "artistId" in album) == ("Various Artists", 3, False)
    for name in ("Singer 10", "Singer 11"):
        (artist,) = ask("search3", query=name)["searchResult3"]["artist"]
        assert album["id"] in [one["id"] for one in ask("getArtist", id=artist["id"])["artist"]["album"]]


def test_a_song_without_an_album_can_be_reached(ask, there):
    one = ask("getSong", id=song(there[1], 23))["song"]
    assert one["album"] == "[Unknown Album]"
    assert [each["id"] for each in ask("getAlbum", id=one["albumId"])["album"]["song"]] == [one["id"]]


def test_folders_lead_to_the_same_songs(ask):
    assert ask("getMusicFolders")["musicFolders"]["musicFolder"] == [{"id": 1, "name": "Music"}]
    indexes = ask("getIndexes")["indexes"]
    artist = indexes["index"][1]["artist"][0]
    assert ask("getIndexes", ifModifiedSince=indexes["lastModified"])["indexes"]["index"] == []
    assert len(ask("getMusicDirectory", id="1")["directory"]["child"]) == 12
    (album,) = ask("getMusicDirectory", id=artist["id"])["directory"]["child"]
    assert (album["isDir"], album["title"]) == (True, "Album 00")
    inside = ask("getMusicDirectory", id=album["id"])["directory"]
    assert (inside["parent"], [one["title"] for one in inside["child"]]) == (artist["id"], ["Song 00", "Song 01"])


def test_search_finds_by_words_and_everything_by_none(ask):
    found = ask("search3", query="song 07")["searchResult3"]
    assert found["song"][0]["title"] == "Song 07"
    assert all("07" in f"{one['artist']} {one['title']}" for one in found["song"])
    pages = [
        ask("search3", query='""', songCount=10, songOffset=start, artistCount=0, albumCount=50)["searchResult3"]
        for start in (0, 10, 20)
    ]
    assert [len(page["song"]) for page in pages] == [10, 10, 4]
    assert len({one["id"] for page in pages for one in page["song"]}) == 24
    assert (len(pages[0]["artist"]), len(pages[0]["album"])) == (0, 12)
    (album,) = ask("search2", query="album 04")["searchResult2"]["album"]
    assert (album["isDir"], album["artist"]) == (True, "Singer 04")


def test_lists_of_albums(ask):
    def names(**params):
        return [one["name"] for one in ask("getAlbumList2", size=50, **params)["albumList2"]["album"]]

    by_name = names(type="alphabeticalByName")
    assert by_name[:3] == ["[Unknown Album]", "Album 00", "Album 01"]
    assert sorted(names(type="random")) == sorted(by_name)
    assert names(type="alphabeticalByName", offset=2)[0] == "Album 01"
    assert names(type="byYear", fromYear=1994, toYear=1996) == ["Album 02", "Album 03"]
    assert names(type="byYear", fromYear=1996, toYear=1994) == ["Album 03", "Album 02"]
    assert "[Unknown Album]" not in names(type="byGenre", genre="Jazz & Blues")
    assert set(names(type="newest")) == set(by_name)
    assert names(type="starred") == []
    assert ask("getAlbumList", type="alphabeticalByArtist", size=1)["albumList"]["album"][0]["isDir"] is True


def test_genres_and_songs_at_random(ask):
    genres = {one["value"]: one for one in ask("getGenres")["genres"]["genre"]}
    assert {name: one["songCount"] for name, one in genres.items()} == {"House": 12, "Jazz & Blues": 12}
    assert len(ask("getSongsByGenre", genre="House", count=50)["songsByGenre"]["song"]) == 12
    assert len(ask("getSongsByGenre", genre="House", count=5, offset=10)["songsByGenre"]["song"]) == 2
    some = ask("getRandomSongs", size=50, genre="House", fromYear=2000)["randomSongs"]["song"]
    assert sorted(one["title"] for one in some) == [f"Song {number}" for number in (11, 13, 15, 17, 19, 21, 23)]
    assert len(ask("getRandomSongs")["randomSongs"]["song"]) == 10
    assert len(ask("getTopSongs", artist="sIngér 02")["topSongs"]["song"]) == 2


def test_similar_songs_are_those_of_mir_similar(ask, there):
    subsonic, ids = there
    for by in ("vocals", "drums", "vocals=0.7,drums=0.3", "vocals=1,drums=-0.5"):
        matches = ask("getSonicSimilarTracks", id=song(ids, 4), count=6, by=by)["sonicMatch"]
        expected = subsonic.site.catalog.similar_tracks("Song 04", by=by, k=6)
        assert [one["entry"]["title"] for one in matches] == list(expected["track"])
        close = [one["similarity"] for one in matches]
        assert close == sorted(close, reverse=True)
        assert 0 <= close[-1] < close[0] <= 1
    matches = ask("getSonicSimilarTracks", id=song(ids, 4), count=3)["sonicMatch"]
    cosines = subsonic.site.catalog.similar_tracks("Song 04", by="vocals", k=3)["similarity"]
    assert [one["similarity"] for one in matches] == pytest.approx([(1 + cosine) / 2 for cosine in cosines], abs=1e-6)
    assert len(ask("getSonicSimilarTracks", id=song(ids, 4))["sonicMatch"]) == 10
    similar = ask("getSimilarSongs2", id=song(ids, 4), count=3)["similarSongs2"]["song"]
    assert similar == [one["entry"] for one in matches]
    assert ask("getSimilarSongs", id=song(ids, 4), count=3)["similarSongs"]["song"] == similar


def test_what_similar_means_is_the_servers_unless_the_player_says(tmp_path):
    with player_site(tmp_path, by={"drums": 1.0}) as (subsonic, ids), player(subsonic) as client:

        def titles(**params):
            params = login(subsonic.accounts.account(), id=song(ids, 4), count=5, **params)
            told = client.get("/rest/getSonicSimilarTracks", params=params).json()["subsonic-response"]
            return [one["entry"]["title"] for one in told["sonicMatch"]]

        for by, shown in (("drums", titles()), ("vocals", titles(by="vocals=1"))):
            assert shown == list(subsonic.site.catalog.similar_tracks("Song 04", by=by, k=5)["track"])
        assert titles() != titles(by="vocals=1")


def test_similar_artists_are_those_of_mir_similar(ask, there):
    expected = there[0].site.catalog.similar_artists("Singer 00", by="vocals", k=4)["artist"]
    told = ask("getArtistInfo2", id=f"mbid:{MBID}", count=4)["artistInfo2"]
    assert [one["name"] for one in told["similarArtist"]] == list(expected)
    assert told["musicBrainzId"] == MBID


def test_a_walk_begins_and_ends_where_it_should(ask, there):
    subsonic, ids = there
    walk = ask("findSonicPath", startSongId=song(ids, 2), endSongId=song(ids, 20), count=6, by="vocals")["sonicMatch"]
    assert [walk[0]["entry"]["id"], walk[-1]["entry"]["id"]] == [song(ids, 2), song(ids, 20)]
    expected = path(subsonic.site.catalog, "Song 02", "Song 20", "vocals", 6)
    assert [one["entry"]["id"] for one in walk] == [f"tr-{entry.track_id}" for entry in expected]
    assert walk[0]["similarity"] == pytest.approx(1)
    assert walk[0]["similarity"] > walk[2]["similarity"] > walk[-1]["similarity"]
    (alone,) = ask("findSonicPath", startSongId=song(ids, 2), endSongId=song(ids, 2))["sonicMatch"]
    assert alone["entry"]["id"] == song(ids, 2)


def test_a_song_without_the_instrument_is_like_none_and_walks_nowhere(tmp_path):
    from similar_library import add

    with player_site(tmp_path) as (subsonic, ids):
        lone = add(subsonic.site.catalog, "Instrumental", ["Nobody"], vocals=None, drums=[120, 1, 0])
        subsonic.site.keeper.refresh()
        with player(subsonic) as client:
            account = subsonic.accounts.account()

            def told(method, **params):
                return client.get(f"/rest/{method}", params=login(account, **params)).json()["subsonic-response"]

            assert told("getSonicSimilarTracks", id=lone)["sonicMatch"] == []
            assert len(told("getSonicSimilarTracks", id=lone, by="drums")["sonicMatch"]) == 10
            assert told("findSonicPath", startSongId=lone, endSongId=ids[0])["error"]["code"] == 70


def test_new_songs_are_there_a_moment_after_they_were_ingested(tmp_path):
    from similar_library import add
    from web_site import wait_for

    with player_site(tmp_path) as (subsonic, _):
        assert len(subsonic.shelf.shelves().songs) == 24
        new = add(subsonic.site.catalog, "New Song", ["Singer 00"], vocals=[1, 0, 0, 1])
        subsonic.site.keeper.refresh()
        assert wait_for(lambda: new in subsonic.shelf.shelves().songs)


def test_foreign_ids_are_musicbrainz_ids_and_paths(ask, error, there):
    subsonic, ids = there
    folder = subsonic.site.catalog.path.parent
    wanted = ask("getSong", id=song(ids, 7))["song"]
    for same in (
        str(ids[7]),
        "path:track 07.wav",
        f"path:{folder.name}/track 07.wav",
        f"{folder}/track 07.wav",
        f"path:/mnt/elsewhere/{folder.name}/track 07.wav",
    ):
        assert ask("getSong", id=same)["song"] == wanted
    for artist in (f"mbid:{MBID}", MBID, MBID.upper()):
        assert ask("getArtist", id=artist)["artist"]["name"] == "Singer 00"
    for foreign in (
        "path:other/track 07.wav",
        "path:/mnt/other/track 07.wav",
        "mbid:00000000-0000-0000-0000-000000000000",
        "path:",
        "path:/",
        "3fe1d2c4b5a697887766554433221100",
    ):
        assert error("getSong", id=foreign)["code"] == 70
    assert error("getSong", id=f"mbid:{MBID}")["code"] == 70
    assert "recording" in error("getSong", id="mbid:00000000-0000-0000-0000-000000000000")["message"]


def test_two_ways_to_write_an_accent_are_one_and_two_files_of_a_name_are_none(tmp_path):
    import unicodedata

    from mir.subsonic.identify import find_path

    with player_site(tmp_path) as (subsonic, ids):
        with subsonic.site.catalog.write() as con:
            for number, path in enumerate(("/a/Música/x.flac", "/b/one/y.flac", "/c/two/y.flac")):
                con.execute("UPDATE tracks SET path = ? WHERE track_id = ?", [path, ids[number]])
        subsonic.site.keeper.refresh()
        shelves = subsonic.shelf.shelves()
        for form in ("NFC", "NFD"):
            assert find_path(shelves, unicodedata.normalize(form, "Música/x.flac")).track.track_id == ids[0]
        assert find_path(shelves, "y.flac") is None
        assert find_path(shelves, "two/y.flac").track.track_id == ids[2]
        assert find_path(shelves, "/else/two/y.flac").track.track_id == ids[2]
        assert shelves.root == "/"


def test_what_is_not_kept_is_empty_or_refused(ask, error):
    for method in NOTHING:
        assert not ask(method, id="x").get("error")
    for method in NOT_KEPT:
        assert error(method, id="x")["code"] == 50
    assert ask("scrobble", id="x")
    assert ask("getScanStatus")["scanStatus"] == {"scanning": False, "count": 24}
    assert ask("getLicense")["license"] == {"valid": True}
    assert ask("getUser", username="mir")["user"]["adminRole"] is False
    assert error("getUser", username="admin")["code"] == 50


def test_errors_say_what_is_wrong(error, there):
    assert error("getSong")["code"] == 10
    assert error("getSong", id="tr-1")["code"] == 70
    assert error("getAlbumList2")["code"] == 10
    assert error("getAlbumList2", type="best")["code"] == 0
    assert "whole number" in error("getAlbumList2", type="newest", size="many")["message"]
    assert "no instrument" in error("getSonicSimilarTracks", id=song(there[1], 0), by="kazoo")["message"]
    assert "no method" in error("getKazoo")["message"]
    assert error("search3")["code"] == 10
