"""The page and its API over a small library: what they answer, and how they refuse."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from web_site import EVIL, SR, STEMS_HZ, served, small_site, wait_for

pytest.importorskip("fastapi", reason="needs the extra web")

import httpx

from mir import similarity
from mir.web.site import Settings, Site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with small_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="module")
def client(site):
    with browser(site[0]) as made:
        yield made


@contextmanager
def browser(site):
    with served(site) as address, httpx.Client(base_url=address, timeout=60) as made:
        yield made


def get(client, path, status=200, **params):
    answer = client.get(path, params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def artist_id(client, name):
    return get(client, "/api/v1/search", q=name)["artists"][0]["artist_id"]


def test_the_library_in_numbers(client):
    told = get(client, "/api/v1/library")
    assert (told["tracks"], told["artists"]) == (24, 12)
    assert told["instruments"]["vocals"] == 24
    assert told["instruments"]["bass"] == 0


def test_search_finds_pieces_of_names_best_first(client):
    found = get(client, "/api/v1/search", q="sIngér 0", limit=3)
    assert [one["artist"] for one in found["artists"]] == ["Singer 00", "Singer 01", "Singer 02"]
    assert found["n_artists"] == 10  # Singer 10 has both words too
    assert get(client, "/api/v1/search", q="song 07")["tracks"][0]["title"] == "Song 07"
    assert get(client, "/api/v1/search", q="   ")["n_tracks"] == 0


def test_similar_answers_as_mir_similar(site, client):
    params = {"q": "Singer 03", "vocals": 0.8, "drums": -0.3, "k": 5}
    told = get(client, "/api/v1/similar", **params)
    expected = similarity.similar_artists(site[0].catalog, "Singer 03", {"vocals": 0.8, "drums": -0.3}, 5)
    assert [one["artist"] for one in told["results"]] == [hit.artist for hit in expected]
    assert told["results"][0]["score"] == pytest.approx(expected[0].score)
    assert told["by"] == {"vocals": 0.8, "drums": -0.3}


def test_a_weight_changes_the_order(client):
    one = artist_id(client, "Singer 03")
    by_voice = get(client, "/api/v1/similar", artist_id=one, vocals=1)
    by_drums = get(client, "/api/v1/similar", artist_id=one, drums=1)
    assert [hit["artist"] for hit in by_voice["results"]] != [hit["artist"] for hit in by_drums["results"]]


def test_filters_narrow_similar(client):
    told = get(client, "/api/v1/similar", q="Song 04", vocals=1, kind="tracks", genre="house", year_from=2000)
    assert {int(hit["track"][-2:]) % 2 for hit in told["results"]} == {1}
    assert all(int(hit["track"][-2:]) >= 10 for hit in told["results"])
    assert "near" in get(client, "/api/v1/similar", 404, q="Song 04", genre="Polka")["detail"]


def test_why_names_the_features(client):
    told = get(client, "/api/v1/similar", q="Song 04", vocals=1, kind="tracks")
    hit = told["results"][0]
    why = get(client, "/api/v1/similar/why", q="Song 04", vocals=1, hit_track_id=hit["track_id"])
    assert why["score"] == pytest.approx(hit["score"], abs=1e-4)
    assert {"f0_hz", "breath"} <= {part["feature"] for part in why["parts"]}


@pytest.mark.parametrize(
    ("path", "params", "status", "told"),
    [
        ("/api/v1/similar", {"vocals": 1}, 400, "one of"),
        ("/api/v1/similar", {"q": "Nobody at all", "vocals": 1}, 404, "Nobody at all"),
        ("/api/v1/similar", {"q": "Singer 03", "vocals": -1}, 400, "positive"),
        ("/api/v1/similar", {"q": "Singer 03", "vocals": 7}, 422, "vocals"),
        ("/api/v1/similar", {"q": "Singer 03", "vocals": "nan"}, 422, "vocals"),
        ("/api/v1/similar", {"q": "Singer 03", "bass": 1}, 422, "bass"),
        ("/api/v1/similar", {"upload": "x", "vocals": 1}, 404, "again"),
        ("/api/v1/artists/5", {}, 404, "5"),
        ("/api/v1/tracks/99999999999999999999", {}, 422, "track_id"),
        ("/api/v1/browse", {"sort": "nonsense; DROP TABLE tracks"}, 400, "no column"),
        ("/api/v1/jobs/none", {}, 404, "no such"),
        ("/api/v1/map", {}, 404, "mir map"),
    ],
)
def test_what_cannot_be_answered_says_why(client, path, params, status, told):
    assert told in get(client, path, status, **params)["detail"]


def test_a_track_in_full(site, client):
    told = get(client, f"/api/v1/tracks/{site[1][3]}")
    (voice,) = [space for space in told["spaces"] if space["instrument"] == "vocals"]
    f0 = next(one for one in voice["features"] if one["name"] == "f0_hz")
    # Voices fall from track to track: three of 24 are higher.
    assert f0["percentile"] == pytest.approx(100 * 20.5 / 24, abs=3)
    assert [space["state"] for space in told["spaces"]].count("missing") == 3
    assert told["genres"] == [{"genre": "House", "source": "tag", "probability": None}]


def test_browsing_by_genre_in_any_order(client):
    told = get(client, "/api/v1/browse", genre="house", sort="tempo_bpm", descending=True, k=5)
    tempi = [row["tempo_bpm"] for row in told["rows"]]
    assert tempi == sorted(tempi, reverse=True)
    assert len(tempi) == 5
    assert told["more"]
    assert {row["genre"] for row in told["rows"]} == {"House"}
    counts = get(client, "/api/v1/genres")
    assert {one["genre"]: one["tracks"] for one in counts} == {"House": 12, "Jazz & Blues": 12}


def test_status(client):
    told = get(client, "/api/v1/status")
    assert told["tracks"] == 24
    assert told["catalog"] == "mir.duckdb"
    assert {space["instrument"]: space["ok"] + space["out_of_date"] for space in told["spaces"]}["vocals"] == 24


def test_the_file_is_served_in_ranges(site, client):
    path = f"/api/v1/tracks/{site[1][0]}/audio"
    whole = client.get(path)
    assert whole.content[:4] == b"RIFF"
    part = client.get(path, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert client.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_file_that_is_no_sound_is_not_served(site, client, tmp_path):
    site, ids = site
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    link = tmp_path / "song.wav"
    link.symlink_to(secret)
    with site.catalog.write() as con:
        (before,) = con.execute("SELECT path FROM tracks WHERE track_id = ?", [ids[1]]).fetchone()
    for path in (str(secret), str(link), "/etc/passwd", str(tmp_path / "gone.wav")):
        with site.catalog.write() as con:
            con.execute("UPDATE tracks SET path = ? WHERE track_id = ?", [path, ids[1]])
        site.keeper.refresh()
        told = get(client, f"/api/v1/tracks/{ids[1]}/audio", 404)
        assert "secret" not in told["detail"]
    with site.catalog.write() as con:
        con.execute("UPDATE tracks SET path = ? WHERE track_id = ?", [before, ids[1]])
    site.keeper.refresh()


def test_stems_are_made_once_and_served(site, client):
    path = f"/api/v1/tracks/{site[1][2]}/stems"
    assert get(client, path)["state"] == "none"
    assert client.get(f"{path}/vocals.wav").status_code == 404
    assert client.post(path).status_code == 202
    told = wait_for(lambda: (body := get(client, path))["state"] == "done" and body)
    assert [one["stem"] for one in told["stems"]] == list(STEMS_HZ)
    assert told["sample_rate_hz"] == SR
    wav = client.get(
        told["stems"][0]["audio"], headers={"Range": f"bytes={told['data_offset']}-{told['data_offset'] + 3}"}
    )
    assert wav.status_code == 206
    assert client.get(told["stems"][0]["spectrogram"]).content[:4] == b"\x89PNG"
    assert client.post(path).json()["state"] == "done"
    for name in ("guitar", "..%2f..%2fmir", "%2e%2e", "vocals%00"):
        assert client.get(f"{path}/{name}.wav").status_code == 404


def test_what_fails_says_so_and_the_next_one_works(tmp_path):
    with small_site(tmp_path) as (site, ids), browser(site) as client:
        for number, name in enumerate(("broken", "deadly")):
            music = tmp_path / f"{name}.wav"
            music.write_bytes((tmp_path / "music.wav").read_bytes())
            with site.catalog.write() as con:
                con.execute("UPDATE tracks SET path = ? WHERE track_id = ?", [str(music), ids[number]])
        site.keeper.refresh()
        reasons = []
        for track_id in ids[:3]:
            path = f"/api/v1/tracks/{track_id}/stems"
            client.post(path)
            told = wait_for(lambda path=path: (body := get(client, path))["state"] in ("done", "failed") and body)
            reasons.append(told["reason"])
        assert "broken" in reasons[0]
        assert "ended (9)" in reasons[1]
        assert reasons[2] is None
        assert not [one for one in (tmp_path / "stems").iterdir() if one.name.startswith(".")]


def test_the_queue_is_bounded(tmp_path):
    with small_site(tmp_path, most_jobs=2) as (site, ids), browser(site) as client:
        site.jobs._next = lambda: None  # nobody works
        assert client.post(f"/api/v1/tracks/{ids[0]}/stems").json()["ahead"] == 0
        assert client.post(f"/api/v1/tracks/{ids[1]}/stems").json()["ahead"] == 1
        assert client.post(f"/api/v1/tracks/{ids[1]}/stems").status_code == 202  # it waits already
        full = client.post(f"/api/v1/tracks/{ids[2]}/stems")
        assert full.status_code == 503
        assert int(full.headers["Retry-After"]) > 0
        full = client.post("/api/v1/uploads", content=b"x" * 10)
        assert full.status_code == 503
        assert not list(site.scratch.iterdir())


def test_asking_with_a_file(site, client):
    body = (site[0].catalog.path.parent / "music.wav").read_bytes()
    answer = client.post("/api/v1/uploads", params={"name": "../../my <b>song</b>.wav"}, content=body)
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]
    told = wait_for(lambda: (job := get(client, f"/api/v1/jobs/{job_id}"))["state"] == "done" and job)
    assert told["label"] == "b>.wav"  # what comes after the last slash of a name is the name
    hits = get(client, "/api/v1/similar", upload=told["upload"], vocals=1)["results"]
    assert len(hits) == 12
    assert "drums" in get(client, "/api/v1/similar", 422, upload=told["upload"], drums=1)["detail"]
    page = client.get(f"/asked/{told['upload']}")
    assert page.status_code == 200
    assert "b&gt;.wav" in page.text
    assert not list(site[0].scratch.iterdir())
    assert client.post("/api/v1/uploads", content=b"").status_code == 400


PAGES = ["/", "/search?q=song", "/search?q=", "/search?q=zzz", "/genres", "/genres?genre=Polka", "/map", "/status"]
PAGES += ["/genres?genre=&year_from=&year_to=&tempo_from=&tempo_to=", "/api", "/login"]
PAGES += ["/genres?genre=House&sort=tempo_bpm&descending=true"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_there(client, path):
    page = client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "<h1" in page.text
    assert page.headers["Content-Type"].startswith("text/html")


def test_pages_of_a_track_and_an_artist_show_the_answers(site, client):
    track = client.get(f"/tracks/{site[1][4]}?drums=1&kind=artists").text
    expected = similarity.similar_artists(site[0].catalog, "Song 04", {"drums": 1.0}, 3)
    places = [track.index(f"/artists/{hit.artist_id}", track.index("alike-results")) for hit in expected]
    assert places == sorted(places)
    assert "percentile" in track
    artist = client.get(f"/artists/{artist_id(client, 'Singer 03')}").text
    assert "Song 06" in artist
    assert "Song 07" in artist


def test_what_tags_say_is_never_markup(client):
    one = get(client, "/api/v1/search", q="script")["artists"][0]
    assert one["artist"] == EVIL
    for path in (f"/artists/{one['artist_id']}", "/search?q=script", "/search?q=<script>alert(1)</script>", "/"):
        text = client.get(path).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


def test_problems_are_pages_for_browsers_and_json_for_programs(client):
    page = client.get("/tracks/5", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<h1>" in page.text
    assert client.get("/tracks/5").json()["error"] == "NotInCatalog"
    assert client.get("/nothing/here").status_code == 404


def test_bugs_tell_a_visitor_nothing(site, client, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr("mir.web.api.find", broken)
    answer = client.get("/api/v1/search", params={"q": "a"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_questions_are_answered_while_the_catalog_is_shut(site, client):
    site, ids = site
    writing, done = threading.Event(), threading.Event()

    def write():
        with site.catalog.write() as con:
            con.execute("UPDATE tracks SET album = 'x' WHERE track_id = ?", [ids[0]])
            writing.set()
            assert done.wait(60)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert writing.wait(30)
        assert get(client, "/api/v1/similar", q="Singer 03", vocals=1)["results"]
        assert get(client, "/api/v1/search", q="song")["n_tracks"] == 24
        assert client.get("/").status_code == 200
    finally:
        done.set()
        writer.join()


def test_a_catalog_that_stays_shut_is_told_as_busy(tmp_path):
    with small_site(tmp_path) as (site, ids), browser(site) as client:
        catalog = site.catalog
        assert client.get("/api/v1/library").status_code == 200
        catalog.wait_s = 0.1
        entered, done = threading.Event(), threading.Event()

        def write():
            with catalog.write():
                entered.set()
                assert done.wait(60)

        writer = threading.Thread(target=write)
        writer.start()
        assert entered.wait(30)
        answer = client.get(f"/api/v1/tracks/{ids[0]}")
        done.set()
        writer.join()
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert client.get(f"/api/v1/tracks/{ids[0]}").status_code == 200


def test_why_a_genre(tmp_path):
    import genre_library

    from mir.genre.candidates import Candidate
    from mir.genre.prediction import apply, predict
    from mir.genre.runs import train

    with genre_library.small_extractors():
        catalog = genre_library.genre_library(tmp_path / "mir.duckdb", unlabelled=3)
        site = Site(catalog, Settings(stems_folder=tmp_path / "stems"))
        with browser(site) as client:
            track_id = get(client, "/api/v1/search", q="u0 House")["tracks"][0]["track_id"]
            assert "mir genre train" in get(client, f"/api/v1/tracks/{track_id}/genre", 404)["detail"]
            assert "mir genre train" in client.get(f"/tracks/{track_id}").text
            train(catalog, ["drums"], candidates=(Candidate("logistic", 0.1),), folds=2)
            apply(catalog)
            site.keeper.refresh()
            told = get(client, f"/api/v1/tracks/{track_id}/genre")
            expected = predict(catalog, str(track_id))[0]
            assert told["genre"] == "House"
            assert told["probabilities"] == pytest.approx(expected.probabilities)
            assert {one["instrument"] for one in told["stems"]} == {"drums"}
            assert told["stems"][0]["contribution"] > 0
            assert any(one["percentile"] is not None for one in told["features"])
            page = client.get(f"/tracks/{track_id}").text
            assert f"{100 * expected.probability:.0f} %" in page
            assert get(client, f"/api/v1/tracks/{track_id}")["predicted"][0]["genre"] == "House"
        site.close()
