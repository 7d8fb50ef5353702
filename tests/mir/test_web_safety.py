"""Hostile requests are refused before they reach anything, by the guard alone and behind the real server."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from http.client import HTTPConnection

import pytest
from web_site import served, small_site

pytest.importorskip("fastapi", reason="needs the extra web")

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mir.errors import BadRequest
from mir.web import safety
from mir.web.safety import Guard, Rules, host_name, is_loopback, rules_for

TOKEN = "a-token-of-some-length"  # noqa: S105 - of these tests


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with small_site(tmp_path_factory.mktemp("site")) as (made, _):
        yield made


@pytest.fixture(scope="module")
def address(site):
    with served(site) as made:
        yield made


@pytest.fixture(scope="module")
def client(address):
    with httpx.Client(base_url=address, timeout=60) as made:
        yield made


def ask(rules, path="/", method="GET", headers=(), body=(b"",)):
    """Status, headers and body of one request to a guard in front of an application that reads all and says "in"."""
    said, pieces = [], list(body)

    async def inside(scope, receive, send):
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"in {size}".encode()})

    async def receive():
        if not pieces:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces) or tuple(body[-1:]) == ("…",)}

    async def send(message):
        said.append(message)

    if tuple(body[-1:]) == ("…",):  # a body that never ends
        pieces.pop()
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
    asyncio.run(Guard(inside, rules)(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], answered, b"".join(message.get("body", b"") for message in said[1:])


HERE = ("Host", "localhost:8765")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8765", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("evil@localhost", 400),
        ("localhost:99999", 400),
        ("192.168.0.7", 400),
        ("", 400),
    ],
)
def test_only_known_hosts(host, status):
    assert ask(Rules(), headers=[("Host", host)])[0] == status


def test_no_host_and_two_hosts_are_refused():
    assert ask(Rules())[0] == 400
    assert ask(Rules(), headers=[HERE, ("Host", "evil.example")])[0] == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 200),
        ([("Origin", "http://localhost:8765")], 200),
        ([("Origin", "http://evil.example")], 403),
        ([("Origin", "http://localhost:9999")], 403),
        ([("Origin", "null")], 403),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "same-origin")], 200),
    ],
)
def test_other_pages_cannot_change_anything(headers, status):
    assert ask(Rules(), method="POST", headers=[HERE, *headers])[0] == status


def test_every_answer_says_what_a_browser_may_do():
    for rules, headers in ((Rules(), [HERE]), (Rules(), [])):
        _, said, _ = ask(rules, headers=headers)
        assert "default-src 'self'" in said["content-security-policy"]
        assert "frame-ancestors 'none'" in said["content-security-policy"]
        assert "unsafe" not in said["content-security-policy"]
        assert said["x-content-type-options"] == "nosniff"
        assert said["referrer-policy"] == "no-referrer"


def test_a_token_is_needed_where_there_is_one():
    rules = Rules(token=TOKEN)
    assert ask(rules, headers=[HERE])[0] == 401
    assert ask(rules, headers=[HERE, ("Accept", "text/html")])[:2][0] == 303
    assert ask(rules, "/api/v1/library", headers=[HERE, ("Accept", "text/html")])[0] == 401
    for given_ in ("wrong", "", TOKEN + "x", "tökén"):
        assert ask(rules, headers=[HERE, ("Authorization", f"Bearer {given_}")])[0] == 401
    assert ask(rules, headers=[HERE, ("Authorization", f"Bearer {TOKEN}")])[0] == 200
    assert ask(rules, headers=[HERE, ("Cookie", f"a=b; mir_token={TOKEN}")])[0] == 200
    assert ask(rules, "/static/mir.css", headers=[HERE])[0] == 200
    assert ask(rules, "/loginx", headers=[HERE])[0] == 401


def test_bodies_are_measured_while_they_come():
    rules = Rules(upload_bytes=100, body_bytes=10)
    post = {"method": "POST"}
    assert ask(rules, safety.UPLOAD_PATH, headers=[HERE, ("Content-Length", "101")], **post)[0] == 413
    assert ask(rules, safety.UPLOAD_PATH, headers=[HERE], body=[b"x" * 60, b"x" * 60], **post)[0] == 413
    assert ask(rules, safety.UPLOAD_PATH, headers=[HERE], body=[b"x" * 60, b"x" * 40], **post)[2] == b"in 100"
    assert ask(rules, "/api/v1/other", headers=[HERE], body=[b"x" * 11], **post)[0] == 413
    for length in ("-1", "many", "1e9", "٣"):
        encoded = length.encode("utf-8").decode("latin-1")
        assert ask(rules, safety.UPLOAD_PATH, headers=[HERE, ("Content-Length", encoded)], **post)[0] == 400


def test_a_body_that_never_ends_is_given_up():
    rules = Rules(quiet_s=0.05)
    status, _, body = ask(rules, safety.UPLOAD_PATH, method="POST", headers=[HERE], body=[b"x", "…"])
    assert status == 408
    assert json.loads(body)["error"] == "TooSlow"


def test_names():
    assert host_name("a:b:c") == ""
    assert host_name("localhost/") == ""
    assert is_loopback("127.0.0.5")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")  # noqa: S104 - that is what is asked
    assert not is_loopback("example.org")


def test_only_this_machine_needs_no_token(monkeypatch):
    monkeypatch.delenv("MIR_TOKEN", raising=False)
    assert rules_for("127.0.0.1").token is None
    made = rules_for("0.0.0.0", ["Music.Example"])  # noqa: S104
    assert len(made.token) >= 24
    assert made.token != rules_for("0.0.0.0").token  # noqa: S104
    assert "music.example" in made.names
    assert ask(made, headers=[("Host", "192.168.0.7:8765"), ("Authorization", f"Bearer {made.token}")])[0] == 200
    monkeypatch.setenv("MIR_TOKEN", TOKEN)
    assert rules_for("192.168.0.7").token == TOKEN
    monkeypatch.setenv("MIR_TOKEN", "short")
    with pytest.raises(BadRequest, match="5 characters"):
        rules_for("192.168.0.7")


def test_logging_in(site):
    with served(site, Rules(token=TOKEN)) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/api/v1/library").status_code == 401
        assert client.get("/", headers={"Accept": "text/html"}).headers["Location"] == "/login"
        assert client.post("/login", data={"token": "wrong"}).status_code == 403
        assert not client.cookies
        entered = client.post("/login", data={"token": TOKEN})
        assert entered.headers["Location"] == "/"
        for word in ("HttpOnly", "SameSite=strict"):
            assert word in entered.headers["Set-Cookie"]
        assert client.get("/api/v1/library").status_code == 200


def test_an_upload_of_a_gigabyte_is_refused_before_it_is_read(address):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        head = f"POST {safety.UPLOAD_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
        wire.sendall(head.encode())
        assert wire.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_whoever_does_not_finish_asking_is_let_go(address, monkeypatch):
    from mir.web.server import TimedProtocol

    monkeypatch.setattr(TimedProtocol, "headers_s", 0.4)
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(20):  # a byte now and then keeps nobody in
            time.sleep(0.1)
            try:
                wire.sendall(b"X")
            except OSError:
                break
        assert wire.recv(100) == b""
    second = HTTPConnection(host, int(port), timeout=30)  # the second request of a connection is no other
    second.request("GET", "/static/mir.svg")
    answer = second.getresponse()
    wire = second.sock
    assert answer.read().startswith(b"<svg")
    wire.sendall(b"GET / HTT")
    assert wire.recv(100) == b""
    second.close()


def test_pieces_of_paths_lead_nowhere(client):
    for path in (
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/api/v1/tracks/..%2f..%2fetc%2fpasswd/audio",
        "/api/v1/tracks/1/stems/..%2f..%2f..%2fetc%2fpasswd.wav",
        "/%00",
    ):
        answer = client.get(path)
        assert answer.status_code in (404, 422), path
        assert "root:" not in answer.text
        assert "import" not in answer.text


SQL = "'; DROP TABLE tracks; -- \" OR 1=1 \x00"


def test_sql_in_every_parameter_is_a_name_like_another(client, site):
    document = client.get("/api/v1/openapi.json").json()
    asked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", []):
                params = {"q": "Singer 03", "vocals": "1"} if "similar" in path else {}
                filled = path.format(track_id=1, artist_id=1, stem="vocals", job_id="x")
                if parameter["in"] == "query":
                    params[parameter["name"]] = SQL
                else:
                    filled = path.replace(f"{{{parameter['name']}}}", httpx.QueryParams({"a": SQL}).__str__()[2:])
                    filled = filled.format(track_id=1, artist_id=1, stem="vocals", job_id="x")
                answer = client.request(method, filled, params=params)
                assert answer.status_code < 500, (path, parameter["name"], answer.text)
                asked += 1
    assert asked > 30
    assert client.get("/api/v1/library").json()["tracks"] == 24
    with site.catalog.read() as con:
        assert con.execute("SELECT count(*) FROM tracks").fetchone() == (24,)


ODD = st.one_of(
    st.text(max_size=30), st.integers().map(str), st.floats().map(str), st.sampled_from(["", SQL, "🎵", "1e999"])
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_is_asked_breaks_anything(client, data):
    document = CACHE.setdefault(id(client), client.get("/api/v1/openapi.json").json())
    places = [(path, method) for path, methods in sorted(document["paths"].items()) for method in methods]
    path, method = data.draw(st.sampled_from(places))
    names = [one["name"] for one in document["paths"][path][method].get("parameters", []) if one["in"] == "query"]
    params = data.draw(st.dictionaries(st.sampled_from(names), ODD)) if names else {}
    if "similar" in path and data.draw(st.booleans()):
        params |= {"q": "Singer 03", "vocals": "1"}
    for name in ("track_id", "artist_id", "stem", "job_id"):
        word = data.draw(st.one_of(st.integers(-5, 2**60).map(str), st.text("az./%20?#\\é", min_size=1, max_size=8)))
        path = path.replace(f"{{{name}}}", httpx.QueryParams({"a": word}).__str__()[2:])
    answer = client.request(method, path, params=params)
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.headers["content-type"] == "application/json" and answer.status_code >= 400:
        assert set(answer.json()) == {"error", "detail"}


CACHE = {}


def test_schemathesis_finds_nothing_either(address):
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (pip install schemathesis)")
    schema = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case):
            assert case.call(timeout=60).status_code in (*range(200, 500), 503)

        check()
