"""A real HTTP server on this machine whose every answer a test decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_S = 30.0


class Place:
    """What a server gives: `content`, in the ways of `script`, one a request, and honestly after these."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.validators = {"ETag": '"first"'}
        self.script: list[Callable[[Answer], None]] = []
        self.requests: list[dict[str, str]] = []
        self.n_sent = 0
        self.gate = threading.Event()
        self.url = ""

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request."""
        return [request.get("Range") for request in self.requests]


class Answer(BaseHTTPRequestHandler):
    def __init__(self, place: Place, *arguments) -> None:
        self.place = place
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.place.requests.append({"path": self.path, **dict(self.headers)})
        (self.place.script.pop(0) if self.place.script else honest)(self)

    def head(self, status: int, headers: dict[str, object]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def body(self, data: bytes) -> None:
        self.place.n_sent += len(data)  # before the client can be done with them
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass


def honest(answer: Answer, *, cut: int | None = None, length: int | None = None, ranges: bool = True) -> None:
    """Answer as servers should; or close after `cut` bytes, claim another `length`, or know no `ranges`."""
    place = answer.place
    start, wanted = 0, answer.headers["Range"]
    condition = answer.headers["If-Range"]
    if wanted and ranges and condition in (None, *place.validators.values()):
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    n_bytes = len(place.content)
    if start and start >= n_bytes:
        answer.head(416, {"Content-Range": f"bytes */{n_bytes}"})
        return
    headers = place.validators | {"Content-Length": n_bytes - start if length is None else length}
    if start:
        headers["Content-Range"] = f"bytes {start}-{n_bytes - 1}/{n_bytes}"
    answer.head(206 if start else 200, headers)
    answer.body(place.content[start:][:cut])


def cut(n_bytes: int, **ways) -> Callable[[Answer], None]:
    """Answer that closes the connection after some bytes."""
    return partial(honest, cut=n_bytes, **ways)


def status(code: int, **headers: str) -> Callable[[Answer], None]:
    """Answer with nothing but a status."""
    return lambda answer: answer.head(code, {"Content-Length": 0} | headers)


def held(n_bytes: int) -> Callable[[Answer], None]:
    """Answer that stops after some bytes until the gate opens, and then closes."""

    def behave(answer: Answer) -> None:
        honest(answer, cut=n_bytes)
        answer.place.gate.wait(WAIT_S)

    return behave


@contextmanager
def serving(content: bytes) -> Iterator[Place]:
    """Serve `content` for the block."""
    place = Place(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Answer, place))
    server.handle_error = lambda *_: None  # a client that went away
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield place
    finally:
        place.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
