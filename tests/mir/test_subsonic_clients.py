"""Client libraries that others wrote, against the real server: what they expect is what players expect."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from subsonic_site import MBID, login, player_site
from web_site import served, wait_for

from mir.subsonic.account import Accounts

pytest.importorskip("fastapi", reason="needs the extra web")


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    folder = tmp_path_factory.mktemp("players")
    with player_site(folder) as (subsonic, ids), served(subsonic.site, None, subsonic) as address:
        yield subsonic, ids, urlsplit(address).port


def test_py_sonic(there):
    libsonic = pytest.importorskip("libsonic", reason="needs py-sonic")
    subsonic, ids, port = there
    account = subsonic.accounts.account()
    connection = libsonic.Connection("http://127.0.0.1", account.user, account.password, port=port)
    assert connection.ping()
    assert connection.getLicense()["license"]["valid"]
    assert connection.getMusicFolders()["musicFolders"]["musicFolder"][0]["id"] == 1
    found = connection.search3("singer 03")["searchResult3"]
    assert [one["name"] for one in found["artist"]] == ["Singer 03"]
    (album,) = connection.getArtist(found["artist"][0]["id"])["artist"]["album"]
    songs = connection.getAlbum(album["id"])["album"]["song"]
    assert [one["id"] for one in songs] == [f"tr-{ids[6]}", f"tr-{ids[7]}"]
    assert connection.getSong(songs[0]["id"])["song"] == songs[0]
    assert len(connection.getAlbumList2("alphabeticalByName", 5)["albumList2"]["album"]) == 5
    assert len(connection.getRandomSongs(4)["randomSongs"]["song"]) == 4
    assert len(connection.getSimilarSongs(songs[0]["id"], 3)["similarSongs"]["song"]) == 3
    with connection.stream(songs[0]["id"]) as sound:
        assert sound.read() == (subsonic.site.catalog.path.parent / "track 06.wav").read_bytes()
    with connection.getCoverArt(songs[0]["id"], 64) as picture:
        assert picture.read(8) == b"\x89PNG\r\n\x1a\n"
    connection.scrobble(songs[0]["id"])
    with pytest.raises(libsonic.errors.DataNotFoundError):
        connection.getSong("tr-1")
    stranger = libsonic.Connection("http://127.0.0.1", account.user, "wrong", port=port)
    with pytest.raises(libsonic.errors.CredentialError):
        stranger.ping()
    legacy = libsonic.Connection("http://127.0.0.1", account.user, account.password, port=port, legacyAuth=True)
    with pytest.raises(libsonic.errors.SonicError, match="passwords are not taken as they are"):
        legacy.ping()


@contextmanager
def opensonic(port, **login):
    libopensonic = pytest.importorskip("libopensonic", reason="needs py-opensonic")
    made = libopensonic.Connection("http://127.0.0.1", port=port, **login)
    try:
        yield made
    finally:
        made.cleanup()
        made._loop.close()  # which it leaves to chance


@pytest.mark.parametrize("use_get", [False, True])
def test_py_opensonic(there, use_get):
    subsonic, ids, port = there
    account = subsonic.accounts.account()
    with opensonic(port, username=account.user, password=account.password, use_get=use_get) as connection:
        assert connection.ping()
        assert "sonicSimilarity" in {one.name for one in connection.get_open_subsonic_extensions()}
        (song,) = connection.search3("song 08", song_count=1).song
        assert (song.id, song.album, song.genres[0].name) == (f"tr-{ids[8]}", "Album 04", "Jazz & Blues")
        assert sum(len(index.artist) for index in connection.get_artists().index) == 12
        artist = connection.get_artist(f"mbid:{MBID}")
        assert (artist.name, artist.music_brainz_id, len(artist.album)) == ("Singer 00", MBID, 1)
        assert [one.title for one in connection.get_album(song.album_id).song] == ["Song 08", "Song 09"]
        assert {genre.value for genre in connection.get_genres()} == {"House", "Jazz & Blues"}
        matches = connection.get_sonic_similar_tracks(song.id, 5)
        expected = subsonic.site.catalog.similar_tracks("Song 08", by="vocals", k=5)
        assert [match.entry.title for match in matches] == list(expected["track"])
        assert all(0 <= match.similarity <= 1 for match in matches)
        walk = connection.find_sonic_path(song.id, f"tr-{ids[20]}", 5)
        assert [walk[0].entry.id, walk[-1].entry.id, len(walk)] == [song.id, f"tr-{ids[20]}", 5]
        similar = connection.get_artist_info2(song.artist_id, 3).similar_artist
        assert len(similar) == 3
        sound = connection.stream(song.id)
        heard = asyncio.run_coroutine_threadsafe(sound.read(), connection._loop).result(timeout=60)
        assert heard == (subsonic.site.catalog.path.parent / "track 08.wav").read_bytes()


def test_py_opensonic_with_an_api_key(there):
    subsonic, _, port = there
    errors = pytest.importorskip("libopensonic", reason="needs py-opensonic").errors
    with opensonic(port, api_key=subsonic.accounts.add_key("py-opensonic")) as connection:
        assert connection.ping()
        assert connection.token_info().username == "mir"
        subsonic.accounts.revoke("py-opensonic")
        with pytest.raises(errors.SonicError, match="not known"):
            connection.ping()


def test_mir_serve_shows_a_new_password_once_and_logs_no_secret(tmp_path):
    import httpx

    from mir.catalog import create_catalog

    create_catalog(tmp_path / "mir.duckdb")
    port = 21_000 + os.getpid() % 20_000
    command = [sys.executable, "-m", "mir.cli", "-vv", "serve", "--catalog", str(tmp_path / "mir.duckdb")]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    told = []
    for _ in range(2):
        with subprocess.Popen(
            [*command, "--port", str(port), "--subsonic"], stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                params = login(wait_for(lambda: _account(process, tmp_path)), query="")

                def answer(asked=params):
                    assert process.poll() is None, process.stderr.read()
                    try:
                        return httpx.get(f"http://127.0.0.1:{port}/rest/search3", params=asked, timeout=30)
                    except httpx.TransportError:
                        return None

                assert wait_for(answer).json()["subsonic-response"]["status"] == "ok"
            finally:
                process.send_signal(signal.SIGINT)
            told.append(process.communicate(timeout=30)[1])
    password = Accounts(tmp_path / "mir" / "subsonic.json").account().password
    assert [password in text for text in told] == [True, False]
    assert "mir subsonic password" in told[1]
    assert params["t"] not in "".join(told)


def _account(process, folder):
    assert process.poll() is None, process.stderr.read()
    accounts = Accounts(folder / "mir" / "subsonic.json")
    return accounts.account() if accounts.exists() else None
