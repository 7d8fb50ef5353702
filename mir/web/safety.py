"""What every request passes: whose page this is, who may ask, how much and how slowly.

The guard is plain ASGI and the outermost layer, so that a refused request reaches nothing else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response

from mir.errors import BadRequest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "mir_token"
UPLOAD_PATH: Final = "/api/v1/uploads"
UPLOAD_BYTES: Final = 100_000_000
"""Of a file that is asked with."""
BODY_BYTES: Final = 65_536
"""Of any other request."""
OPEN_PATHS: Final = ("/login", "/static/")
"""What needs no token: the place to give it, and what that page looks like."""
SHORTEST_TOKEN: Final = 16
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may ask what.

    Parameters
    ----------
    names
        Host names that this page is known by, lower case.
    addresses
        Whether a host may also be any literal address: no foreign site can have a visitor's browser send that.
    token
        What has to be shown; None where none is needed.
    open_paths
        What needs no token.
    upload_bytes, body_bytes
        The most that a request may bring.
    quiet_s
        The longest pause in a request's body, and the longest that a reader may take for a piece of the answer.
    patient_paths, patient_s
        Where a reader may take longer: a player that is paused reads nothing.
    """

    names: frozenset[str] = frozenset(LOCAL_NAMES)
    addresses: bool = False
    token: str | None = None
    open_paths: tuple[str, ...] = OPEN_PATHS
    upload_bytes: int = UPLOAD_BYTES
    body_bytes: int = BODY_BYTES
    quiet_s: float = 30.0
    patient_paths: tuple[str, ...] = ()
    patient_s: float = 600.0


class TooLarge(Exception):
    """A body that grew past what it may."""


class TooSlow(Exception):
    """A body, or a reader, that keeps us waiting."""


class Guard:
    """Let through what the rules allow, and say on every answer what a browser may do with it."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        keep = "no-cache" if scope["path"].startswith("/static/") else "no-store"
        outlet = _Outlet(send, self._patience_s(scope), keep)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, outlet)
            return
        inlet = _Inlet(receive, self._limit(scope), self.rules.quiet_s)
        try:
            await self.app(scope, inlet, outlet)
        except TooLarge:
            await _unless_begun(outlet, _error(413, self._too_large(scope)), scope, receive)
        except TooSlow:
            await _unless_begun(outlet, _error(408, "the request came too slowly; try again"), scope, receive)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._known_host(headers):
            return _error(400, "this page is not known by that name; see `mir serve --help`: --allow-host")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and not same_origin(headers):
            return _error(403, "this request comes from another page; it is refused")
        if not self._may_ask(scope, headers):
            if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/"):
                return RedirectResponse("/login", status_code=303)
            answer = _error(401, "a token is needed: Authorization: Bearer TOKEN, or /login in a browser")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit():
            return _error(400, "the length of the request is no number")
        if int(declared) > self._limit(scope):
            return _error(413, self._too_large(scope), close=True)
        return None

    def _known_host(self, headers: Headers) -> bool:
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return False
        name = host_name(hosts[0])
        if name in self.rules.names:
            return True
        return self.rules.addresses and _is_address(name)

    def _may_ask(self, scope: Scope, headers: Headers) -> bool:
        if self.rules.token is None or any(_under(scope["path"], path) for path in self.rules.open_paths):
            return True
        return any(is_token(given, self.rules.token) for given in _tokens(headers))

    def _limit(self, scope: Scope) -> int:
        return self.rules.upload_bytes if scope["path"] == UPLOAD_PATH else self.rules.body_bytes

    def _patience_s(self, scope: Scope) -> float:
        patient = any(_under(scope["path"], path) for path in self.rules.patient_paths)
        return self.rules.patient_s if patient else self.rules.quiet_s

    def _too_large(self, scope: Scope) -> str:
        return f"the request is too large: at most {self._limit(scope):,} bytes are taken here"


class _Inlet:
    """The body on its way in, measured and timed."""

    def __init__(self, receive: Receive, limit: int, quiet_s: float) -> None:
        self._receive = receive
        self._left = limit
        self._quiet_s = quiet_s
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is the visitor leaving, for which there is no time limit
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._quiet_s)
        except TimeoutError:
            raise TooSlow from None
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                raise TooLarge
        return message


class _Outlet:
    """The answer on its way out: headers added, and readers that stop reading left."""

    def __init__(self, send: Send, quiet_s: float, keep: str) -> None:
        self._send = send
        self._keep = keep
        self._quiet_s = quiet_s
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", self._keep)
        try:
            await asyncio.wait_for(self._send(message), self._quiet_s)
        except TimeoutError:
            raise TooSlow from None


def same_origin(headers: Headers) -> bool:
    """Whether a request that changes something comes from this page, or from no page at all (a program)."""
    origin = headers.get("origin")
    if origin is not None:
        return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def host_name(host: str) -> str:
    """Return a Host header without its port, lower case; empty where it is no host.

    Examples
    --------
    >>> host_name("LocalHost:8765"), host_name("[::1]:8765")
    ('localhost', '::1')
    """
    try:
        parts = urlsplit(f"//{host}")
        fine = parts.netloc == host and "@" not in host and (parts.port is None or parts.port > 0)
    except ValueError:
        return ""
    return (parts.hostname or "").lower() if fine else ""


def is_token(given: str, token: str) -> bool:
    """Compare without telling by time how much of it was right."""
    return secrets.compare_digest(given.encode(), token.encode())


def rules_for(host: str, names: Collection[str] = ()) -> Rules:
    """Return the rules of a page at an address: this machine alone, or a token.

    The token is ``$MIR_TOKEN``, or a new one.

    Raises
    ------
    BadRequest
        Where ``$MIR_TOKEN`` is too short to keep anybody out.
    """
    if is_loopback(host):
        return Rules(names=own_names(host, names))
    token = os.environ.get("MIR_TOKEN", "").strip() or secrets.token_urlsafe(24)
    if len(token) < SHORTEST_TOKEN:
        raise BadRequest(f"$MIR_TOKEN has {len(token)} characters; {SHORTEST_TOKEN} or more keep strangers out")
    return Rules(names=own_names(host, names), addresses=True, token=token)


def own_names(host: str, more: Collection[str] = ()) -> frozenset[str]:
    """Return the names that a page bound to `host` is known by."""
    import socket

    names = {*LOCAL_NAMES, host.lower(), *(name.lower() for name in more)}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _under(path: str, place: str) -> bool:
    return path.startswith(place) if place.endswith("/") else path == place


def _tokens(headers: Headers) -> list[str]:
    found = []
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        found.append(value.strip())
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return found
    return [*found, cookies[COOKIE].value] if COOKIE in cookies else found


def _error(status: int, detail: str, *, close: bool = False) -> Response:
    names = {400: "BadRequest", 401: "NotAllowed", 403: "NotAllowed", 408: "TooSlow", 413: "TooLarge"}
    headers = {"Connection": "close"} if close or status in (408, 413) else None
    return JSONResponse({"error": names[status], "detail": detail}, status, headers)


async def _unless_begun(outlet: _Outlet, answer: Response, scope: Scope, receive: Receive) -> None:
    if outlet.begun:
        raise ConnectionError("the answer was cut off")
    await answer(scope, receive, outlet)
