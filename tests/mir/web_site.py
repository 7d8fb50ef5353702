"""A small site with sound: 24 tracks whose voices and beats are placed by hand, and a working process that is quick."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from similar_library import add, small_extractors

from mir.catalog import create_catalog
from mir.similarity.query import Heard, Query
from mir.web.app import create_app
from mir.web.site import Settings, Site

SR = 22_050
SECONDS = 6.0
STEMS_HZ = {"vocals": 880.0, "drums": 5000.0, "bass": 110.0, "other": 440.0}
EVIL = '<script>alert("artist")</script> & "quotes"'


def stem(name, seconds=SECONDS):
    t = np.arange(round(seconds * SR)) / SR
    return 0.2 * np.sin(2 * np.pi * STEMS_HZ[name] * t).astype(np.float32)


def write_music(path, seconds=SECONDS):
    y = sum(stem(name, seconds) for name in STEMS_HZ)
    soundfile.write(path, np.stack([y, y], axis=1), SR)


def make_library(folder: Path, tracks=24, seconds=SECONDS):
    """Twelve artists, two tracks each; the voice turns slowly from the first to the last, the beat the other way."""
    catalog = create_catalog(folder / "mir.duckdb")
    music = folder / "music.wav"
    write_music(music, seconds)
    ids = []
    for number in range(tracks):
        angle = np.pi * number / tracks
        path = folder / f"track {number:02d}.wav"
        os.link(music, path)
        artist = EVIL if number // 2 == 5 else f"Singer {number // 2:02d}"
        vocals = [2 + np.cos(angle), np.sin(angle), 0.3 * np.cos(5 * angle), 1.0]
        drums = [100 + 5 * ((7 * number) % tracks), np.cos(3 * angle), np.sin(3 * angle)]
        ids.append(add(catalog, f"Song {number:02d}", [artist], seconds, str(path), vocals=vocals, drums=drums))
    with catalog.write() as con:
        for number, track_id in enumerate(ids):
            genre = "House" if number % 2 else "Jazz & Blues"
            con.execute("INSERT INTO track_genres VALUES (?, ?, 'tag', NULL, NULL)", [track_id, genre])
            con.execute("UPDATE tracks SET year = ?, genre = ? WHERE track_id = ?", [1990 + number, genre, track_id])
    return catalog, ids


def quick_work(wire):
    """Stems without a network; a track whose path has "broken" in it fails, "deadly" ends the process."""
    while True:
        try:
            task, arguments = wire.recv()
        except EOFError:
            return
        path = arguments["path"]
        if "deadly" in path:
            os._exit(9)
        if "broken" in path:
            wire.send(("failed", "this music is broken"))
            continue
        wire.send(("progress", 0.5))
        if "slow" in path:
            time.sleep(1.0)
        if task == "stems":
            wire.send(("done", _stems(Path(arguments["folder"]))))
        else:
            size = Path(path).stat().st_size
            heard = Heard(
                {"vocal_timbre": np.array([2.5, 0.5, 0.1, 1.0], np.float32)}, {"vocal_timbre": {"f0_hz": size}}, {}
            )
            wire.send(("done", Query("file", arguments["name"], heard=heard)))


def _stems(folder: Path):
    import json

    from mir.web.sketch import draw
    from mir.web.work import SKETCH

    for name in STEMS_HZ:
        soundfile.write(folder / f"{name}.wav", np.stack([stem(name)] * 2, axis=1), SR, subtype="PCM_16")
    (folder / SKETCH).write_text(json.dumps(draw(folder, list(STEMS_HZ), lambda share: None)))
    return list(STEMS_HZ)


@contextmanager
def small_site(folder: Path, **settings):
    """A site over `make_library`, with the ids of its tracks."""
    with small_extractors():
        catalog, ids = make_library(folder)
        site = Site(catalog, Settings(**{"stems_folder": folder / "stems", **settings}), serve_work=quick_work)
        try:
            yield site, ids
        finally:
            site.close()


@contextmanager
def served(site, rules=None, subsonic=None):
    """The site behind the real server, on a free port of this machine; gives its address."""
    from mir.web.server import listen, make_server

    taken = listen("127.0.0.1", 0)
    server = make_server(create_app(site, rules, subsonic))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        taken.close()


def wait_for(check, seconds=60.0):
    """What `check` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")
