"""Downloads from a real server that cuts, lies, changes its mind, or never ends."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from local_server import cut, held, honest, serving, status, until

from separation import download as module
from separation.download import download
from separation.errors import ChecksumWrong, DownloadFailed

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
AT_ONCE = (0.0, 0.0)


@pytest.fixture
def place(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with serving(CONTENT) as place:
        yield place


@pytest.fixture
def target(tmp_path):
    return tmp_path / "model.tar.gz"


def part(target):
    return target.with_name(target.name + ".part")


def fetch(place, target, sha256=SHA256, path="/model.tar.gz", **options):
    download(place.url + path, target, sha256, **{"pauses_s": AT_ONCE, "timeout_s": 10.0} | options)


def assert_whole(target):
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def assert_nothing(target):
    assert list(target.parent.iterdir()) == []


def test_whole_file_in_one_go(place, target):
    heard = []
    fetch(place, target, progress=lambda done, total: heard.append((done, total)))
    assert_whole(target)
    assert place.ranges == [None]
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
    fetch(place, target)  # here and right: no request
    assert len(place.requests) == 1


def test_cut_connections_are_resumed_and_nothing_comes_twice(place, target):
    place.script = [cut(100_000), cut(1), cut(50_000)]
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, "bytes=100000-", "bytes=100001-", "bytes=150001-"]
    assert [request.get("If-Range") for request in place.requests] == [None, '"first"', '"first"', '"first"']
    assert place.n_sent == len(CONTENT)


def test_progress_keeps_patience_alive_and_its_lack_ends_it(place, target):
    place.script = [cut(0), cut(0), cut(1000), cut(0), cut(1000), cut(0), cut(0)]
    with pytest.raises(DownloadFailed, match=r"cut with 298000 bytes to come\. 2000 bytes are kept: run it again"):
        fetch(place, target)
    assert place.script == []
    assert not target.exists()
    fetch(place, target)
    assert_whole(target)
    assert place.ranges[-1] == "bytes=2000-"
    assert place.n_sent == len(CONTENT)


def test_a_server_without_ranges_starts_over_and_is_not_asked_for_ever(place, target):
    place.script = [cut(100_000, ranges=False), partial(honest, ranges=False)]
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, "bytes=100000-"]
    target.unlink()
    place.script = [cut(100_000, ranges=False) for _ in range(3)]
    with pytest.raises(DownloadFailed, match="200000 bytes to come"):
        fetch(place, target)
    assert place.script == []


@pytest.mark.parametrize("validators", [("ETag", '"{}"'), ("Last-Modified", "Mon, 0{} Jan 2024 00:00:00 GMT")])
def test_a_file_that_changed_is_fetched_anew(place, target, validators):
    name, pattern = validators
    place.validators = {name: pattern.format(1)}
    place.content = bytes(len(CONTENT))
    place.script = [cut(100_000)] + 2 * [cut(0)]
    with pytest.raises(DownloadFailed):
        fetch(place, target)
    place.content, place.validators = CONTENT, {name: pattern.format(2)}
    fetch(place, target)
    assert_whole(target)
    assert place.requests[-1]["If-Range"] == pattern.format(1)
    assert place.requests[-1]["Range"] == "bytes=100000-"


def test_a_weak_tag_is_no_condition_but_still_tells_of_a_change(place, target):
    place.validators = {"ETag": 'W/"1"'}
    place.content = bytes(len(CONTENT))

    def change(answer):
        place.content, place.validators = CONTENT, {"ETag": 'W/"2"'}
        honest(answer)

    place.script = [cut(100_000), change]
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, "bytes=100000-", None]
    assert not any("If-Range" in request for request in place.requests)


def test_a_file_that_shrank_is_fetched_anew(place, target):
    place.validators = {}
    place.content = CONTENT + CONTENT
    place.script = [cut(len(CONTENT) + 5)] + 2 * [cut(0)]
    with pytest.raises(DownloadFailed):
        fetch(place, target)
    place.content = CONTENT
    fetch(place, target)
    assert_whole(target)
    assert place.ranges[-2:] == ["bytes=300005-", None]


def test_a_part_of_another_address_is_not_gone_on_from(place, target):
    place.script = [cut(100_000)] + 2 * [cut(0)]
    with pytest.raises(DownloadFailed):
        fetch(place, target, path="/other.tar.gz")
    fetch(place, target)
    assert_whole(target)
    assert place.ranges[-1] is None


@pytest.mark.parametrize("note", [None, "", "[1]", '{"url": 1, "more": 2}'])
def test_a_part_that_nothing_is_known_of_is_not_gone_on_from(place, target, note):
    part(target).write_bytes(b"some bytes")
    if note is not None:
        part(target).with_name(target.name + ".part.json").write_text(note)
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None]


def test_ranges_nobody_asked_for_are_refused(place, target):
    def odd(answer):
        answer.head(206, {"Content-Range": "bytes 5-9/300000", "Content-Length": 5})
        answer.body(CONTENT[5:10])

    def none(answer):
        answer.head(206, {"Content-Length": 5, "Content-Type": "multipart/byteranges"})
        answer.body(CONTENT[:5])

    place.script = [cut(100_000), odd, none]
    fetch(place, target, pauses_s=(0.0, 0.0, 0.0))
    assert_whole(target)
    assert place.ranges == [None, "bytes=100000-", None, None]


def test_a_wrong_checksum_leaves_nothing(place, target):
    with pytest.raises(ChecksumWrong) as caught:
        fetch(place, target, "0" * 64)
    assert SHA256 in str(caught.value)
    assert "expected " + "0" * 64 in str(caught.value)
    assert_nothing(target)


def test_what_was_here_under_that_name_is_replaced_if_it_is_wrong(place, target):
    target.write_bytes(b"old")
    fetch(place, target)
    assert_whole(target)


@pytest.mark.parametrize("code", [401, 403, 404, 410, 451])
def test_refusals_are_final(place, target, code):
    place.script = [status(code)]
    with pytest.raises(DownloadFailed, match=rf"{place.url}/model.tar.gz: HTTP {code} .*--from FILE"):
        fetch(place, target)
    assert len(place.requests) == 1
    assert_nothing(target)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_passes(place, target, code):
    place.script = [status(code), status(code), cut(10), status(code)]
    fetch(place, target)
    assert_whole(target)
    assert place.n_sent == len(CONTENT)


def test_lasting_trouble_is_told(place, target):
    place.script = 3 * [status(503)]
    with pytest.raises(DownloadFailed, match=r"HTTP 503 Service Unavailable\. Try again later, or get"):
        fetch(place, target)
    assert_nothing(target)


def test_nobody_listens(place, target):
    with serving(b"") as gone:
        pass
    with pytest.raises(DownloadFailed, match="refused"):
        fetch(gone, target)


def test_a_silent_server_is_given_up(place, target):
    place.script = [held(10), held(0), held(0)]
    with pytest.raises(DownloadFailed, match="timed out"):
        fetch(place, target, timeout_s=0.1)
    assert part(target).read_bytes() == CONTENT[:10]


def test_no_http_at_all(place, target):
    place.script = 3 * [lambda answer: answer.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")]
    with pytest.raises(DownloadFailed, match="SSH"):
        fetch(place, target)


def test_redirects_are_followed_with_the_range(place, target):
    place.script = [cut(100_000), status(302, Location="/real.tar.gz"), honest]
    fetch(place, target)
    assert_whole(target)
    assert [request["path"] for request in place.requests] == ["/model.tar.gz", "/model.tar.gz", "/real.tar.gz"]
    assert place.ranges[1:] == ["bytes=100000-"] * 2
    assert place.n_sent == len(CONTENT)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://models.invalid/x", "//models.invalid/x"],
)
def test_redirects_to_elsewhere_are_refused(place, target, location):
    place.script = [status(302, Location=location)]
    with pytest.raises(DownloadFailed, match=r"not allowed|refused"):
        fetch(place, target)
    assert_nothing(target)


def test_the_body_of_a_redirect_is_not_read(place, target):
    def endless(answer):
        answer.head(302, {"Location": "/real.tar.gz"})
        while True:
            answer.wfile.write(bytes(65536))

    place.script = [endless]
    fetch(place, target)
    assert_whole(target)


def test_redirects_in_a_circle_end(place, target):
    place.script = 50 * [status(302, Location="/model.tar.gz")]
    with pytest.raises(DownloadFailed, match="HTTP 302"):
        fetch(place, target)


@pytest.mark.parametrize(
    ("url", "given", "allowed"),
    [
        ("https://models.invalid/x", "https://models.invalid/x", True),
        ("http://models.invalid/x", "http://models.invalid/x", True),  # the user's own words
        ("http://models.invalid/y", "http://models.invalid/x", True),
        ("http://other.invalid/x", "http://models.invalid/x", False),
        ("http://models.invalid/x", "https://models.invalid/x", False),
        ("http://127.0.0.9:8000/x", "https://models.invalid/x", True),
        ("http://[::1]/x", "https://models.invalid/x", True),
        ("http://localhost/x", "https://models.invalid/x", True),
        ("http://localhost.models.invalid/x", "https://models.invalid/x", False),
        ("file:///etc/passwd", "file:///etc/passwd", False),
        ("ftp://models.invalid/x", "ftp://models.invalid/x", False),
        ("https:///x", "https:///x", False),
        ("https://[::1/x", "https://[::1/x", False),
    ],
)
def test_addresses(url, given, allowed):
    if allowed:
        module._check_address(url, given)
    else:
        with pytest.raises(DownloadFailed):
            module._check_address(url, given)


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/x", "http://127.0.0.1/a b", "http://a..b/x"])
def test_impossible_addresses(target, url):
    with pytest.raises(DownloadFailed, match="no valid address"):
        download(url, target, SHA256, pauses_s=AT_ONCE)


def test_length_claimed_too_short(place, target):
    place.script = [partial(honest, length=100_000)]
    with pytest.raises(ChecksumWrong, match="its 100000 bytes"):
        fetch(place, target)
    assert_nothing(target)


def test_length_claimed_too_long(place, target):
    place.validators = {}
    place.script = [partial(honest, length=len(CONTENT) + 1000)]
    fetch(place, target)  # a range after the end is answered with the true length
    assert_whole(target)
    assert place.ranges == [None, "bytes=300000-"]


def test_length_not_claimed(place, target):
    def without(answer):
        answer.head(200, {})
        answer.body(CONTENT)

    place.script = [without]
    fetch(place, target)
    assert_whole(target)


def test_chunks_that_break_off(place, target):
    def chunked(answer):
        answer.protocol_version = "HTTP/1.1"
        answer.head(200, {"Transfer-Encoding": "chunked", **place.validators})
        answer.wfile.write(b"186a0\r\n" + CONTENT[:50_000])
        answer.close_connection = True

    place.script = [chunked]
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, "bytes=50000-"]


@pytest.mark.parametrize("claimed", [{}, {"Content-Length": 1000}, {"Content-Length": 10**15}])
def test_a_body_without_end(place, target, claimed):
    def endless(answer):
        answer.head(200, claimed)
        while True:
            answer.body(bytes(65536))

    place.script = [endless]
    with pytest.raises((DownloadFailed, ChecksumWrong)):
        fetch(place, target, max_bytes=400_000)
    assert_nothing(target)
    assert len(place.requests) == 1


def test_a_claim_that_is_too_large_is_refused_at_once(place, target):
    heard = []
    with pytest.raises(DownloadFailed, match="more than 200000 bytes"):
        fetch(place, target, max_bytes=200_000, progress=lambda *now: heard.append(now))
    assert heard == []
    assert_nothing(target)


def test_more_than_the_range_is_not_taken(place, target):
    def more(answer):
        answer.head(206, {"Content-Range": "bytes 10-299999/300000"})
        answer.body(CONTENT[10:] + b"more")

    place.script = [cut(10), more]
    fetch(place, target)
    assert_whole(target)


def test_a_range_without_end(place, target):
    def endless(answer):
        answer.head(206, {"Content-Range": "bytes 10-299999/*"})
        while True:
            answer.body(bytes(65536))

    place.script = [cut(10), endless]
    with pytest.raises(DownloadFailed, match="more than 400000 bytes"):
        fetch(place, target, max_bytes=400_000)
    assert_nothing(target)


def test_the_largest_that_is_allowed(place, target):
    fetch(place, target, max_bytes=len(CONTENT))
    assert_whole(target)
    target.unlink()
    with pytest.raises(DownloadFailed, match="more than 299999 bytes"):
        fetch(place, target, max_bytes=len(CONTENT) - 1)
    assert_nothing(target)


def test_interrupted_by_the_user(place, target):
    def interrupt(done, total):
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(place, target, progress=interrupt)
    n_bytes = part(target).stat().st_size
    assert 100_000 < n_bytes < len(CONTENT)
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, f"bytes={n_bytes}-"]


def test_whole_but_not_yet_checked(place, target):
    def interrupt(done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(place, target, progress=interrupt)
    fetch(place, target)
    assert_whole(target)
    assert len(place.requests) == 1


def test_a_device_without_room(place, target):
    part(target).symlink_to("/dev/full")
    part(target).with_name(target.name + ".part.json").write_text(json.dumps({"url": place.url + "/model.tar.gz"}))
    with pytest.raises(OSError, match="No space left"):
        fetch(place, target)
    assert not target.exists()


@pytest.mark.parametrize("room", [100_001, len(CONTENT) - 1])
def test_a_full_disk_keeps_what_is_sound(place, target, room):
    code = f"""
import resource
from separation.download import download
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
download({place.url + "/model.tar.gz"!r}, __import__("pathlib").Path({str(target)!r}), {SHA256!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert part(target).read_bytes() == CONTENT[:room]
    fetch(place, target)
    assert_whole(target)
    assert place.ranges[-1] == f"bytes={room}-"


def test_killed_and_gone_on_from(place, target):
    place.script = [held(150_000)]
    code = f"""
from pathlib import Path
from separation.download import download
download({place.url + "/model.tar.gz"!r}, Path({str(target)!r}), {SHA256!r})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        until(lambda: part(target).is_file() and part(target).stat().st_size == 150_000)
        process.kill()
    fetch(place, target)
    assert_whole(target)
    assert place.ranges == [None, "bytes=150000-"]
    assert place.n_sent == len(CONTENT)


def test_importing_opens_nothing():
    code = "import sys, separation.download, separation.pull; print('http.client' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
