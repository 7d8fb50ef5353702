"""The server: uvicorn, with time limits that it does not have, and what is told when it starts."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mir.errors import BadRequest

if TYPE_CHECKING:
    from starlette.types import ASGIApp

logger = logging.getLogger(__name__)

HEADERS_S: Final = 10.0
"""How long a visitor may take to say what is wanted."""
KEEP_ALIVE_S: Final = 15
MOST_AT_ONCE: Final = 200
"""Connections; more are told to come again."""


class TimedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; whoever does not finish a request's headers in time is let go."""

    headers_s = HEADERS_S
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that is whole stops the clock, a piece of the next one starts it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        else:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.headers_s, self._late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            logger.info("a visitor was too slow, and let go")
            self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Take an address, before anything else is made.

    Raises
    ------
    BadRequest
        Where it is taken, or is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Where the protocol is said, asyncio sends each part of an answer at once; else the second waits until the first
    # was heard of, 40 ms.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise BadRequest(
            f"cannot listen at {host}, port {port}: {error.strerror}; give another --port or --host"
        ) from error
    return taken


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server that is ready to run: ``server.run(sockets=[listen(host, port)])``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=TimedProtocol,
            ws="none",
            limit_concurrency=MOST_AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=32_768,
            server_header=False,
            access_log=False,
            log_config=None,
            proxy_headers=False,
        )
    )
