"""The application: routes put together, errors turned into answers once, and the guard around it all."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from mir.errors import BadRequest, CatalogBusy, MirError, NothingToCompare, NotInCatalog
from mir.web import api, looks, pages
from mir.web.jobs import QueueFull
from mir.web.safety import Guard, Rules
from mir.web.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from mir.subsonic.app import Subsonic

logger = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotInCatalog, 404),
    (BadRequest, 400),
    (NothingToCompare, 422),
    (QueueFull, 503),
    (CatalogBusy, 503),
)


def create_app(site: Site, rules: Rules | None = None, subsonic: Subsonic | None = None) -> ASGIApp:
    """Put the page together for one catalog.

    Parameters
    ----------
    site
        What is served; whoever made it closes it.
    rules
        Who may ask what; this machine alone where nothing is given.
    subsonic
        The door for players, where there is one.

    Returns
    -------
    ASGI application
        With everything that `mir.web.safety` refuses refused.
    """
    from mir import __version__

    rules = rules or Rules()

    app = FastAPI(
        title="mir",
        version=__version__,
        summary="Who sounds like whom: by any instrument, or any weighted mix of them.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere; /api lists the operations
        redoc_url=None,
    )
    app.state.site = site
    app.state.rules = rules
    app.include_router(api.router)
    app.include_router(pages.router)
    if subsonic is not None:
        rules = subsonic.mount(app, rules)
    app.mount("/static", StaticFiles(directory=looks.HERE / "static"), name="static")
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(MirError, _expected)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
    return Guard(app, rules)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it was registered for
    told = "; ".join(f"{'.'.join(str(part) for part in one['loc'][1:])}: {one['msg']}" for one in error.errors())
    return _problem(request, 422, "BadRequest", told)


async def _expected(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
    answer = _problem(request, status, type(error).__name__, str(error))
    if status == 503:
        logger.warning("%s: %s", request.url.path, error)
        answer.headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
    return answer


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it was registered for
    answer = _problem(
        request, error.status_code, "NotInCatalog" if error.status_code == 404 else "BadRequest", error.detail
    )
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _gone(request: Request, _: Exception) -> Response:
    """Answer a visitor who has left, which nobody reads."""
    return _problem(request, 400, "BadRequest", "the request was broken off")


async def _unexpected(request: Request, error: Exception) -> Response:
    """Tell a visitor nothing but a number, which the log has too."""
    number = uuid.uuid4().hex[:8]
    logger.error("error %s at %s", number, request.url.path, exc_info=error)
    return _problem(request, 500, "InternalError", f"an error of mir's own; the log has it as {number}")


def _problem(request: Request, status: int, name: str, detail: str) -> Response:
    """Say what is wrong: to a browser as a page, to a program as JSON."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": name, "detail": detail}, status)
    return pages.render(request, "problem.html", status, status=status, detail=detail)
