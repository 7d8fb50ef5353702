"""A file from the network: resumed where the connection was cut, bounded, and there only once its checksum is right.

This is the only module that opens a connection, and only when it is called.

References
----------
R. Fielding, M. Nottingham, J. Reschke (eds.): HTTP Semantics, RFC 9110, 2022; sections 13.1.5 (If-Range), 14 (ranges).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from separation.errors import ChecksumWrong, DownloadFailed

if TYPE_CHECKING:
    from email.message import Message
    from http.client import HTTPMessage, HTTPResponse
    from urllib.request import OpenerDirector, Request

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here, and with how many there will be where the server told."""

MAX_BYTES = 2_000_000_000
TIMEOUT_S = 30.0
PAUSES_S = (0.5, 1.0, 2.0, 4.0)

_BLOCK_BYTES = 1 << 16
_PARTIAL_CONTENT = 206
_RANGE_REFUSED = 416
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_ELSEWHERE = "or get the file elsewhere and give it with --from FILE"

logger = logging.getLogger(__name__)


class _Cut(Exception):
    """What another attempt may mend."""


class _Changed(_Cut):
    """The part belongs to nothing that is still there."""


def download(
    url: str,
    target: Path,
    sha256: str,
    *,
    progress: Progress | None = None,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    pauses_s: Sequence[float] = PAUSES_S,
) -> None:
    """Download a file of known checksum; goes on from what a cut, Ctrl-C or a full disk left in ``TARGET.part``.

    Parameters
    ----------
    url
        An http or https address. Redirects lead to https, to this machine, or to the http host that was given.
    target
        Appears under this name when it is whole and verified. The caller sees to it that nobody else writes it.
    sha256
        Of the whole file, 64 lower-case hexadecimal digits.
    progress
        Hears of every block.
    max_bytes
        Larger files are refused, whatever size the server claims.
    timeout_s
        Longest silence of the server.
    pauses_s
        Waits before further attempts, begun anew after each that brought more than there was.

    Raises
    ------
    DownloadFailed
        Where the server does not give the file, or the address is none of those allowed.
    ChecksumWrong
        Where it gives another one, which is thrown away.
    OSError
        Where the disk does not take it.
    """
    part = _Part(target.with_name(f"{target.name}.part"))
    if target.is_file() and _digest(target) == sha256:
        part.discard()
        return
    opener = _opener(url)
    furthest = part.n_bytes
    pauses = iter(pauses_s)
    while True:
        try:
            _transfer(opener, url, part, progress, max_bytes, timeout_s)
            break
        except _Cut as cut:
            if isinstance(cut, _Changed):
                part.discard()
            if part.n_bytes > furthest:
                furthest, pauses = part.n_bytes, iter(pauses_s)
            pause_s = next(pauses, None)
            if pause_s is None:
                kept = f"{part.n_bytes} bytes are kept: run it again to go on" if part.n_bytes else "Try again later"
                raise DownloadFailed(f"{url}: {cut}. {kept}, {_ELSEWHERE}") from cut
            logger.info("%s: %s; trying again in %g s", url, cut, pause_s)
            time.sleep(pause_s)
    actual = _digest(part.path)
    if actual != sha256:
        n_bytes = part.n_bytes
        part.discard()
        raise ChecksumWrong(
            f"{url}: the SHA-256 of its {n_bytes} bytes is {actual}, expected {sha256}; they were thrown away. "
            f"Run it again, {_ELSEWHERE}"
        )
    part.path.replace(target)
    part.discard()


def _digest(path: Path) -> str:
    """SHA-256 of what is there now: `separation.checksum` remembers, and what it remembers was not verified."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Edition:
    """What a server told of a file: parts of one edition fit together."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    n_bytes: int | None = None

    def differs(self, other: _Edition) -> bool:
        """Whether something that both tell is not the same."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return any(mine != theirs for mine, theirs in pairs if mine is not None and theirs is not None)

    def conditions(self, n_bytes: int) -> dict[str, str]:
        """Headers that ask for what follows the first `n_bytes`, or for all of another edition."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None  # If-Range takes no weak ones
        validator = strong or self.last_modified
        return {"Range": f"bytes={n_bytes}-"} | ({"If-Range": validator} if validator else {})


class _Part:
    """The first bytes of a file, and beside them a note of the edition that they are from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.json")

    @property
    def n_bytes(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def edition(self, url: str) -> _Edition:
        """Edition of the bytes; discards them where it is not known, or not of this address."""
        try:
            noted = _Edition(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            noted = _Edition("")
        if noted.url != url:
            self.discard()
        return noted

    def open(self, start: int, edition: _Edition) -> FileIO:
        """Open for the bytes from `start` on: 0, or what is here; unbuffered, so that after any stop they are sound."""
        file = self.path.open("ab" if start else "wb", buffering=0)
        if not start:
            self._note.write_text(json.dumps(asdict(edition)), encoding="utf-8")
        return file

    def discard(self) -> None:
        """Remove the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _transfer(
    opener: OpenerDirector, url: str, part: _Part, progress: Progress | None, max_bytes: int, timeout_s: float
) -> None:
    """Bring a part nearer to the whole; returns when it is all there."""
    kept = part.edition(url)
    n_bytes = part.n_bytes
    if n_bytes and n_bytes == kept.n_bytes:
        return
    response = _ask(opener, url, n_bytes, kept, timeout_s)
    if response is None:
        return
    with response:
        start, edition = _answer(response, url)
        if start not in (0, n_bytes) or (start and edition.differs(kept)):
            raise _Changed("the file is not the one whose download began")
        _check_size(edition.n_bytes or 0, max_bytes, part, url)
        with part.open(start, edition) as file:
            for block in _blocks(response, None if edition.n_bytes is None else edition.n_bytes - start):
                start += len(block)
                _check_size(start, max_bytes, part, url)
                _write(file, block)
                if progress is not None:
                    progress(start, edition.n_bytes)


def _check_size(n_bytes: int, max_bytes: int, part: _Part, url: str) -> None:
    if n_bytes > max_bytes:
        part.discard()
        raise DownloadFailed(f"{url}: it has more than {max_bytes} bytes, no model is that large; check the address")


def _ask(opener: OpenerDirector, url: str, n_bytes: int, kept: _Edition, timeout_s: float) -> HTTPResponse | None:
    """Ask for what follows the first `n_bytes`; None where the server says that nothing does."""
    import ssl
    from http.client import HTTPException, InvalidURL
    from urllib.error import HTTPError
    from urllib.request import Request

    headers = {"User-Agent": "mir-stems", "Accept-Encoding": "identity"} | (kept.conditions(n_bytes) if n_bytes else {})
    try:
        return opener.open(Request(url, headers=headers), timeout=timeout_s)  # noqa: S310 - `_opener` knows no other
    except DownloadFailed:
        raise
    except HTTPError as error:
        error.close()
        told = f"HTTP {error.code} {error.reason}"
        if error.code == _RANGE_REFUSED and n_bytes:
            if _content_range(error.headers)[1] == n_bytes:
                return None
            raise _Changed(told) from error
        if error.code in _TRY_AGAIN:
            raise _Cut(told) from error
        raise DownloadFailed(f"{url}: {told}; check the address, {_ELSEWHERE}") from error
    except (InvalidURL, ValueError) as error:
        raise DownloadFailed(f"{url}: no valid address ({error})") from error
    except (HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise DownloadFailed(f"{url}: {reason}; check the address and the clock, {_ELSEWHERE}") from error
        raise _Cut(str(reason) or type(reason).__name__) from error


def _answer(response: HTTPResponse, url: str) -> tuple[int, _Edition]:
    """Where the bytes of an answer begin, and what they are part of."""
    start, n_bytes = 0, response.length
    if response.status == _PARTIAL_CONTENT:
        start, n_bytes = _content_range(response.headers)
    return start, _Edition(url, response.headers["ETag"], response.headers["Last-Modified"], n_bytes)


def _content_range(headers: Message) -> tuple[int, int | None]:
    """First byte of a range (-1 where there is none), and size of the whole where it is told."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", headers.get("Content-Range", ""))
    start, n_bytes = found.groups() if found else (None, None)
    return int(start or -1), int(n_bytes) if n_bytes else None


def _blocks(response: HTTPResponse, n_left: int | None) -> Iterator[bytes]:
    """What arrives, as it arrives: `n_left` bytes, or until the end."""
    from http.client import HTTPException

    while n_left is None or n_left > 0:
        try:
            block = response.read1(_BLOCK_BYTES if n_left is None else min(_BLOCK_BYTES, n_left))
        except (HTTPException, OSError) as error:
            raise _Cut(f"the connection was cut ({error})") from error
        if not block:
            if n_left is None:
                return
            raise _Cut(f"the connection was cut with {n_left} bytes to come")
        n_left = None if n_left is None else n_left - len(block)
        yield block


def _write(file: FileIO, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]


def _opener(given: str) -> OpenerDirector:
    """What opens http and https addresses and nothing else, and follows redirects to where it may."""
    from urllib import request

    class Redirects(request.HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            fp.close()  # urllib would read it to its end
            _check_address(newurl, given)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    _check_address(given, given)
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        Redirects,
    ):
        opener.add_handler(handler())
    return opener


def _check_address(url: str, given: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts, origin = urlsplit(url), urlsplit(given)
    except ValueError as error:
        raise DownloadFailed(f"{url}: no valid address ({error})") from error
    host = parts.hostname or ""
    allowed = parts.scheme == "https" or (
        parts.scheme == "http" and ((origin.scheme, origin.hostname) == ("http", host) or _is_this_machine(host))
    )
    if not host or not allowed:
        led = "" if url == given else f"{given} leads to "
        raise DownloadFailed(f"{led}{url}: refused, not https; check the address, {_ELSEWHERE}")


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
