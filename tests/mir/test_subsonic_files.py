"""What players get of a song's file: its sound, whole and in pieces, and its picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from subsonic_site import LOUD, asking, login, player, player_site, song

pytest.importorskip("fastapi", reason="needs the extra web")


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


def test_a_song_streams_whole_and_in_pieces(client, there):
    subsonic, ids = there
    params = login(subsonic.accounts.account(), id=song(ids, 3), format="mp3", maxBitRate=128)
    music = (subsonic.site.catalog.path.parent / "track 03.wav").read_bytes()
    for method in ("stream", "download"):
        whole = client.get(f"/rest/{method}.view", params=params)
        assert (whole.status_code, whole.content) == (200, music)
        assert whole.headers["content-type"] == "audio/wav"
        piece = client.get(f"/rest/{method}", params=params, headers={"Range": "bytes=1000-1999"})
        assert (piece.status_code, piece.content) == (206, music[1000:2000])
        assert piece.headers["content-range"] == f"bytes 1000-1999/{len(music)}"
        head = client.head(f"/rest/{method}", params=params)
        assert (head.content, head.headers["content-length"]) == (b"", str(len(music)))
    assert "attachment" in whole.headers["content-disposition"]
    assert client.get("/rest/stream", params=params, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_file_that_is_gone_or_no_sound_is_not_given(tmp_path):
    with player_site(tmp_path) as (subsonic, ids):
        secret = tmp_path / "secret.txt"
        secret.write_text("nobody's business")
        link = tmp_path / "link.wav"
        link.symlink_to(secret)
        with subsonic.site.catalog.write() as con:
            for number, path in enumerate((secret, link, tmp_path / "gone.wav")):
                con.execute("UPDATE tracks SET path = ? WHERE track_id = ?", [str(path), ids[number]])
        subsonic.site.keeper.refresh()
        with player(subsonic) as client:
            for number in range(3):
                params = login(subsonic.accounts.account(), id=song(ids, number))
                told = client.get("/rest/stream", params=params).json()["subsonic-response"]
                assert told["error"]["code"] == 70
                assert client.get("/rest/getCoverArt", params=params).headers["content-type"] == "image/png"


def test_pictures_come_from_the_file_or_are_drawn(client, there, ask):
    from PIL import Image

    subsonic, ids = there

    def picture(name, **more):
        answer = client.get("/rest/getCoverArt", params=login(subsonic.accounts.account(), id=name, **more))
        opened = Image.open(io.BytesIO(answer.content))
        return answer.headers["content-type"], opened.size, np.asarray(opened.convert("RGB")).mean(axis=(0, 1))

    kind, size, colour = picture(song(ids, LOUD))
    assert (kind, size) == ("image/jpeg", (400, 400))
    assert np.allclose(colour, (200, 20, 20), atol=3)
    album = ask("getSong", id=song(ids, LOUD))["song"]["coverArt"]
    kind, size, colour = picture(album, size=100)
    assert (kind, size) == ("image/jpeg", (100, 100))
    assert np.allclose(colour, (200, 20, 20), atol=3)
    kind, size, colour = picture(song(ids, 7), size=10**9)
    assert (kind, size) == ("image/png", (2048, 2048))
    assert not np.allclose(colour, picture(song(ids, 8))[2])
    assert picture(song(ids, 7), size=1)[1] == (32, 32)
    artist = ask("search3", query="Singer 01")["searchResult3"]["artist"][0]["coverArt"]
    assert picture(artist)[0] == "image/jpeg"


def test_pictures_of_other_formats(tmp_path):
    import base64

    import soundfile
    from mutagen.flac import FLAC, Picture
    from mutagen.oggvorbis import OggVorbis
    from subsonic_site import red_square

    from mir.subsonic.covers import Picture as Cover
    from mir.subsonic.covers import embedded, smaller

    def block(data, kind):
        made = Picture()
        made.data, made.type, made.mime = data, kind, "image/png"
        return made

    for name in ("a.flac", "b.ogg", "c.flac", "d.flac"):
        soundfile.write(tmp_path / name, np.zeros(4000), 8000)
    flac = FLAC(tmp_path / "a.flac")
    flac.add_picture(block(red_square(20), 4))
    flac.add_picture(block(red_square(30), 3))
    flac.save()
    assert embedded(tmp_path / "a.flac") == Cover(red_square(30), "image/jpeg")
    ogg = OggVorbis(tmp_path / "b.ogg")
    ogg["metadata_block_picture"] = [base64.b64encode(block(red_square(20), 3).write()).decode()]
    ogg.save()
    assert embedded(tmp_path / "b.ogg") == Cover(red_square(20), "image/jpeg")
    page = FLAC(tmp_path / "c.flac")
    page.add_picture(block(b"<svg onload=alert(1)>", 3))
    page.save()
    assert embedded(tmp_path / "c.flac") is None
    (tmp_path / "d.flac").write_bytes(b"fLaC" + b"\xff" * 50)
    assert embedded(tmp_path / "d.flac") is None
    broken = Cover(red_square()[:-300], "image/jpeg")
    assert smaller(broken, 50) == broken
