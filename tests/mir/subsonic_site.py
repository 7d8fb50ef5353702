"""The small site of `web_site` for players: albums, a MusicBrainz id, a picture in a file, and an account."""

from __future__ import annotations

import hashlib
import io
import shutil
from contextlib import contextmanager
from pathlib import Path

from web_site import served, small_site

from mir.subsonic.account import Accounts
from mir.subsonic.app import Subsonic

MBID = "cc197bad-dc9c-440d-a5b5-d52ba2e14234"
SALT = "c19b2d"
LOUD = 2
"""The one song with a picture in its file."""


def red_square(size=400):
    """A JPEG."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (size, size), (200, 20, 20)).save(out, "JPEG")
    return out.getvalue()


def _furnish(site, ids):
    """Two songs of each singer make an album, those of the last two singers a compilation; the 23rd has none."""
    with site.catalog.write() as con:
        for number, track_id in enumerate(ids):
            several = number >= 20
            album = "All Together" if several else f"Album {number // 2:02d}"
            con.execute("UPDATE tracks SET album = ?, compilation = ? WHERE track_id = ?", [album, several, track_id])
        con.execute("UPDATE tracks SET album = NULL, compilation = false WHERE track_id = ?", [ids[23]])
        con.execute("UPDATE artists SET musicbrainz_id = ? WHERE artist = 'Singer 00'", [MBID])
        (path,) = con.execute("SELECT path FROM tracks WHERE track_id = ?", [ids[LOUD]]).fetchone()
    _put_picture_into(Path(path))


def _put_picture_into(path):
    from mutagen.id3 import APIC
    from mutagen.wave import WAVE

    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)  # all files are links to the same music
    copy.replace(path)
    sound = WAVE(path)
    sound.add_tags()
    sound.tags.add(APIC(encoding=3, mime="text/html", type=3, desc="", data=red_square()))
    sound.save()


@contextmanager
def player_site(folder: Path, by=None):
    """The door for players over 24 songs, and the ids of these."""
    with small_site(folder) as (site, ids):
        _furnish(site, ids)
        accounts = Accounts(folder / "private" / "subsonic.json")
        accounts.account()
        yield Subsonic(site, accounts, by), ids


@contextmanager
def player(subsonic, rules=None):
    """A client of the door, behind the real server."""
    import httpx

    with served(subsonic.site, rules, subsonic) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def login(account, salt=SALT, **more):
    """The parameters of every call."""
    token = hashlib.md5((account.password + salt).encode(), usedforsecurity=False).hexdigest()
    return {"u": account.user, "t": token, "s": salt, "v": "1.16.1", "c": "tests", "f": "json", **more}


def asking(client, subsonic):
    """A function that calls a method with a valid login, and gives the answer's content."""

    def call(method, status="ok", **params):
        answer = client.get(f"/rest/{method}", params=login(subsonic.accounts.account(), **params))
        assert answer.status_code == 200, answer.text
        content = answer.json()["subsonic-response"]
        assert content["status"] == status, content
        return content

    return call


def song(ids, number):
    """The id by which players know a song."""
    return f"tr-{ids[number]}"
