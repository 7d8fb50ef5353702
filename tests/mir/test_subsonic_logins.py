"""The door for players: whom it refuses, and what it shrugs off."""

from __future__ import annotations

import logging
from xml.etree import ElementTree

import pytest
from subsonic_site import MBID, SALT, login, player, player_site, song
from web_site import served

pytest.importorskip("fastapi", reason="needs the extra web")

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mir.subsonic.app import METHODS, Subsonic
from mir.web.app import create_app
from mir.web.safety import Rules


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with player_site(tmp_path_factory.mktemp("players")) as made:
        yield made


@pytest.fixture(scope="module")
def client(there):
    with player(there[0]) as made:
        yield made


def test_who_is_refused_and_with_which_code(client, there):
    account = there[0].accounts.account()

    def code(**params):
        answer = client.get("/rest/ping", params={"f": "json", "v": "1.16.1", "c": "tests", **params})
        assert answer.status_code == 200
        return answer.json()["subsonic-response"]["error"]["code"]

    fine = login(account)
    assert code() == 10
    assert code(u=account.user, t=fine["t"]) == 10
    assert code(u=account.user, t="0" * 32, s=SALT) == 40
    assert code(u=account.user, p=account.password) == 42
    assert code(u=account.user, apiKey="x") == 43
    assert code(apiKey="x") == 44
    assert code(**{**fine, "v": "0.9"}) == 20
    assert code(**{**fine, "v": "2.0.0"}) == 30
    assert code(**{**fine, "v": "new"}) == 0
    assert code(**{**fine, "c": ""}) == 10


def test_an_api_key_works_until_it_is_taken_back(client, there):
    accounts = there[0].accounts
    params = {"apiKey": accounts.add_key("test"), "v": "1.16.1", "c": "tests", "f": "json"}
    told = client.get("/rest/tokenInfo", params=params).json()["subsonic-response"]
    assert told["tokenInfo"] == {"username": "mir"}
    accounts.revoke("test")
    assert client.get("/rest/tokenInfo", params=params).json()["subsonic-response"]["error"]["code"] == 44


def test_the_extensions_are_told_to_anybody(client):
    told = client.get("/rest/getOpenSubsonicExtensions", params={"f": "json"}).json()["subsonic-response"]
    names = {one["name"] for one in told["openSubsonicExtensions"] if one["versions"] == [1]}
    assert names >= {"sonicSimilarity", "formPost", "apiKeyAuthentication"}


def test_parameters_may_come_as_a_form(client, there):
    params = login(there[0].accounts.account(), query="singer 03")
    told = client.post("/rest/search3.view", data=params).json()["subsonic-response"]
    assert [one["name"] for one in told["searchResult3"]["artist"]] == ["Singer 03"]
    refused = client.post("/rest/search3.view", data=params, headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403


def test_a_form_that_there_is_not(client, there):
    answer = client.get("/rest/ping", params=login(there[0].accounts.account(), f="jsonp", callback="alert"))
    assert "f=json" in ElementTree.fromstring(answer.text)[0].get("message")  # noqa: S314 - our own


HOSTILE = st.one_of(
    st.sampled_from(
        [
            "../../../../etc/passwd",
            "path:../../etc/passwd",
            "path:/etc/passwd",
            "tr-' OR 1=1 --",
            "'; DROP TABLE tracks; --",
            "999999999999999999999999",
            "-1",
            "1e9",
            "nan",
            "vocals=inf",
            "vocals=-1",
            "vocals=1e308,drums=-1e308",
            "\0",
            "\ufeff",
            "%00",
            "al-" + "f" * 16,
            "x" * 5000,
            "<script>alert(1)</script>",
        ]
    ),
    st.text(max_size=40),
    st.integers().map(str),
)
NAMES = (
    "id", "by", "count", "size", "query", "type", "offset", "songCount", "songOffset", "albumOffset", "artistCount",
    "genre", "fromYear", "toYear", "startSongId", "endSongId", "artist", "ifModifiedSince", "username", "f", "v",
)  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(data=st.data())
def test_hostile_parameters_are_answered(client, there, data):
    subsonic, ids = there
    method = data.draw(st.sampled_from([*METHODS, "getOpenSubsonicExtensions", "nothing"]))
    known = st.sampled_from([song(ids, 0), song(ids, 5), "1", f"mbid:{MBID}", "alphabeticalByName", "vocals", "json"])
    given_params = data.draw(st.dictionaries(st.sampled_from(NAMES), st.one_of(HOSTILE, known), max_size=6))
    answer = client.get(f"/rest/{method}", params={**login(subsonic.accounts.account()), **given_params})
    assert answer.status_code == 200, answer.text
    assert b"root:" not in answer.content
    assert len(subsonic.site.library.tracks) == 24


def test_bodies_and_addresses_that_are_none(client, there):
    params = login(there[0].accounts.account())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe=%zz&&&=", b"&".join([b"a=1"] * 2000), b"\0" * 100):
        assert client.post("/rest/ping", params=params, content=body, headers=form).status_code == 200
    assert client.post("/rest/ping", params=params, content=b"x" * 70_000, headers=form).status_code == 413
    assert client.put("/rest/ping", params=params).status_code == 405
    for place in ("/rest/", "/rest/ping/more", "/rest/..%2f..%2fetc%2fpasswd"):
        assert client.get(place, params=params).status_code in (200, 404)


def test_off_loopback_the_calls_need_their_own_login_and_the_page_its_token(there):
    subsonic, _ = there
    rules = Rules(token="a-token-of-some-length")  # noqa: S106 - of this test
    with player(subsonic, rules) as client:
        params = login(subsonic.accounts.account())
        assert client.get("/rest/ping", params=params).json()["subsonic-response"]["status"] == "ok"
        assert client.get("/rest/ping", params={"f": "json"}).json()["subsonic-response"]["error"]["code"] == 10
        assert client.get("/api/v1/library").status_code == 401
    with served(subsonic.site, rules) as address:
        assert httpx.get(f"{address}/rest/ping", params=params).status_code == 401


@pytest.mark.parametrize(("place", "whole"), [("/rest/stream.view", True), ("/api/v1/tracks/{}/audio", False)])
def test_a_paused_player_may_take_its_time_and_no_other_reader(there, place, whole):
    import asyncio
    from urllib.parse import urlencode

    subsonic, ids = there
    rules = Rules(quiet_s=0.2, patient_s=60.0)
    app = create_app(subsonic.site, rules, subsonic)
    query = urlencode(login(subsonic.accounts.account(), id=song(ids, 1)))
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": place.format(ids[1]),
        "raw_path": b"", "query_string": query.encode(), "root_path": "", "headers": [(b"host", b"127.0.0.1")],
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    got = bytearray()
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not asked:
            await asyncio.sleep(60)
        return asked.pop()

    async def send(message):
        if message["type"] == "http.response.body":
            if not got:
                await asyncio.sleep(1.0)
            got.extend(message["body"])

    def run():
        asyncio.run(app(scope, receive, send))

    if whole:
        run()
        assert got == (subsonic.site.catalog.path.parent / "track 01.wav").read_bytes()
    else:
        with pytest.raises(ConnectionError):
            run()


def test_no_door_without_the_option(there):
    with served(there[0].site) as address:
        answer = httpx.get(f"{address}/rest/ping", params=login(there[0].accounts.account()))
    assert answer.status_code == 404


def test_an_error_of_ours_tells_a_number_and_the_log_no_secret(there, monkeypatch, caplog):
    subsonic, _ = there
    account = subsonic.accounts.account()

    def broken(call):
        raise RuntimeError("bug")

    monkeypatch.setattr("mir.subsonic.app.METHODS", {"ping": broken})
    monkeypatch.setattr(logging.getLogger("mir"), "propagate", True)  # a command run before may have changed it
    with player(subsonic) as client, caplog.at_level(logging.DEBUG):
        answer = client.get("/rest/ping", params=login(account))
        assert answer.status_code == 500
        told = answer.json()["subsonic-response"]["error"]["message"]
        number = told.rpartition(" ")[2]
    # The client of this test is in the same process, and tells its own log every address.
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = "\n".join(caplog.handler.format(record) for record in ours)
    assert number in logged
    for secret in (account.password, login(account)["t"], SALT):
        assert secret not in logged


def test_weights_that_are_none_are_refused_at_the_start(there):
    from mir.errors import BadRequest

    with pytest.raises(BadRequest, match="no weight is positive"):
        Subsonic(there[0].site, there[0].accounts, {"vocals": -1.0})
