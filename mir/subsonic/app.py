"""The protocol's door in the web page: every call is read, let in or refused, and answered in its own forms."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mir.errors import BadRequest, MirError, NothingToCompare, NotInCatalog
from mir.similarity.weights import check_by
from mir.subsonic import browsing, listing, sonic, sound, system
from mir.subsonic.account import Accounts, admit
from mir.subsonic.answers import Code, Content, Form, Refused, render, render_error
from mir.subsonic.call import Call
from mir.subsonic.params import Params
from mir.subsonic.shelves import Shelf
from mir.web.safety import Rules
from mir.web.site import Recent, Site

logger = logging.getLogger(__name__)

PREFIX: Final = "/rest/"
_COVERS: Final = 256
_FORM: Final = "application/x-www-form-urlencoded"

Method = Callable[[Call], Content | Response]

METHODS: Final[Mapping[str, Method]] = {
    "ping": system.ping,
    "getLicense": system.get_license,
    "tokenInfo": system.token_info,
    "getUser": system.get_user,
    "getScanStatus": system.get_scan_status,
    "scrobble": system.scrobble,
    "getMusicFolders": browsing.get_music_folders,
    "getIndexes": browsing.get_indexes,
    "getMusicDirectory": browsing.get_music_directory,
    "getArtists": browsing.get_artists,
    "getArtist": browsing.get_artist,
    "getAlbum": browsing.get_album,
    "getAlbumInfo": browsing.get_album_info,
    "getAlbumInfo2": browsing.get_album_info,
    "getSong": browsing.get_song,
    "getGenres": browsing.get_genres,
    "getTopSongs": browsing.get_top_songs,
    "getAlbumList": listing.get_album_list,
    "getAlbumList2": listing.get_album_list2,
    "getRandomSongs": listing.get_random_songs,
    "getSongsByGenre": listing.get_songs_by_genre,
    "search2": listing.search2,
    "search3": listing.search3,
    "getSimilarSongs": sonic.get_similar_songs,
    "getSimilarSongs2": sonic.get_similar_songs2,
    "getArtistInfo": sonic.get_artist_info,
    "getArtistInfo2": sonic.get_artist_info2,
    "getSonicSimilarTracks": sonic.get_sonic_similar_tracks,
    "findSonicPath": sonic.find_sonic_path,
    "stream": sound.stream,
    "download": sound.download,
    "getCoverArt": sound.get_cover_art,
    **dict.fromkeys(system.NOT_KEPT, system.not_kept),
}
"""What can be called, beside what `system.NOTHING` answers and the list of extensions."""


class Subsonic:
    """A site for players.

    Parameters
    ----------
    site
        What is served.
    accounts
        Who may listen.
    by
        Weight by instrument where a player does not say; vocals where nothing is given.

    Raises
    ------
    BadRequest
        Where the weights are none.
    """

    def __init__(self, site: Site, accounts: Accounts | None = None, by: Mapping[str, float] | None = None) -> None:
        self.site = site
        self.accounts = accounts or Accounts()
        self.by = check_by(by or {"vocals": 1.0})
        self.shelf = Shelf(site)
        self.covers = Recent(_COVERS)

    def mount(self, app: FastAPI, rules: Rules) -> Rules:
        """Add the calls to the web page; return its rules with this door open: calls bring secrets of their own."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(PREFIX + "{method}", self.serve, methods=["GET", "HEAD", "POST"], response_model=None)
        app.include_router(router)
        return replace(rules, open_paths=(*rules.open_paths, PREFIX), patient_paths=(*rules.patient_paths, PREFIX))

    async def serve(self, request: Request) -> Response:
        """Answer a call; what goes wrong is an error of the protocol's, with status 200 as players expect."""
        body = b""
        if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0].strip() == _FORM:
            body = await request.body()
        name = request.path_params["method"].removesuffix(".view")
        return await run_in_threadpool(self._serve, name, request.url.query, body)

    def _serve(self, name: str, query: str, body: bytes) -> Response:
        form: Form = "xml"
        try:
            params = Params.read(query, body.decode("utf-8", "replace"))
            form = params.form()
            answer = self._answer(name, params)
        except MirError as error:
            return _response(render_error(_code(error), str(error), form))
        except Exception:  # the outermost edge: a player is told a number, which the log has too
            number = uuid.uuid4().hex[:8]
            logger.exception("error %s at %s", number, name)  # never the parameters: they hold secrets
            return _response(render_error(Code.OTHER, f"an error of mir's own; its log has it as {number}", form), 500)
        return answer if isinstance(answer, Response) else _response(render(answer, form))

    def _answer(self, name: str, params: Params) -> Content | Response:
        if name == "getOpenSubsonicExtensions":
            return system.extensions()
        account = self.accounts.account()
        admit(params, account)
        params.check_version()
        if name in system.NOTHING:
            return system.NOTHING[name]
        method = METHODS.get(name)
        if method is None:
            raise Refused(Code.OTHER, f"no method {name[:60]!r} here; docs/subsonic.md lists those there are")
        return method(Call(self.site, self.shelf.shelves(), params, self.by, account.user, self.covers))


def _code(error: MirError) -> Code:
    if isinstance(error, Refused):
        return error.code
    if isinstance(error, NotInCatalog | NothingToCompare):
        return Code.NOT_FOUND
    if not isinstance(error, BadRequest):
        logger.warning("%s", error)
    return Code.OTHER


def _response(rendered: tuple[bytes, str], status: int = 200) -> Response:
    body, media_type = rendered
    return Response(body, status, media_type=media_type)
