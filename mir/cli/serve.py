"""`mir serve`: the web page and its API."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, stderr

if TYPE_CHECKING:
    from mir.subsonic.app import Subsonic
    from mir.web.site import Site


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve_command)


def serve_command(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="Another name that the page is known by; repeatable.", show_default=False),
    ] = None,
    stems_cache: Annotated[
        Path | None,
        typer.Option(
            "--stems-cache", help="Folder of stems to listen to (default: beside the catalog).", show_default=False
        ),
    ] = None,
    stems_gb: Annotated[float, typer.Option("--stems-gb", min=0.1, help="What these may take, in GB.")] = 10.0,
    model: Annotated[
        str | None, typer.Option("--model", help="Separation model (default: the setting).", show_default=False)
    ] = None,
    subsonic: Annotated[
        bool,
        typer.Option("--subsonic", help="Also serve players of the Subsonic family; see `mir subsonic`."),
    ] = False,
    subsonic_by: Annotated[
        str, typer.Option("--subsonic-by", help="What these mean by similar: instruments with weights.")
    ] = "vocals",
    catalog: CatalogOption = None,
) -> None:
    """Serve the web page: search, similar artists with sliders, stems to listen to, the map, genres; JSON at /api.

    Only this machine can reach it, unless --host says otherwise: then a token is needed, $MIR_TOKEN or one that is
    made and printed. Nothing is written to the catalog.
    """
    from mir.catalog import open_catalog
    from mir.config import catalog_path
    from mir.web import require_web

    require_web()
    from mir.web.app import create_app
    from mir.web.safety import rules_for
    from mir.web.server import listen, make_server
    from mir.web.site import Settings, Site
    from mir.web.stems import GB

    rules = rules_for(host, allow_host or ())
    opened = open_catalog(catalog_path(catalog))
    with listen(host, port) as taken:
        site = Site(opened, Settings(stems_cache, int(stems_gb * GB), model=model))
        # uvicorn ends in order and then sends itself the signal again: all has to be cleared away first.
        signal.signal(signal.SIGTERM, _end)
        try:
            library = site.library
            shown = f"[{host}]" if ":" in host else host
            say = stderr().print
            say(f"{len(library.tracks):,} tracks by {len(library.artists):,} artists", markup=False)
            say(f"http://{shown}:{port}/   (Ctrl-C ends it)", markup=False, soft_wrap=True)
            if rules.token is not None:
                say(f"token: {rules.token}", markup=False, soft_wrap=True)
            players = _players(site, subsonic_by, f"http://{shown}:{port}") if subsonic else None
            site.warm()
            make_server(create_app(site, rules, players)).run(sockets=[taken])
        finally:
            site.close()


def _players(site: Site, by: str, address: str) -> Subsonic:
    """Open the door for players; a password that is made for it is shown this once."""
    from mir.similarity.weights import parse_by
    from mir.subsonic.account import Accounts
    from mir.subsonic.app import Subsonic

    weights = parse_by(by)
    accounts = Accounts()
    new = not accounts.exists()
    account = accounts.account()
    secret = f"password {account.password}" if new else "password: see `mir subsonic password`"
    stderr().print(f"players: server {address}, user {account.user}, {secret}", markup=False, soft_wrap=True)
    return Subsonic(site, accounts, weights)


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
