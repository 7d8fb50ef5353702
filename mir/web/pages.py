"""The pages, made on the server: they work without scripts, which add sliders that answer at once, and sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from features import EXTRACTORS
from mir.errors import MirError, NothingToCompare, NotInCatalog
from mir.web import asking, looks, schemas
from mir.web.asking import ArtistId, Name, TrackId, site_of
from mir.web.finding import find
from mir.web.library import Track
from mir.web.safety import COOKIE, is_token
from mir.web.site import Site

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Here = Annotated[Site, Depends(site_of)]
AskWeights = Annotated[asking.Weights, Query()]

_SUGGESTED = 12
_FOUND = 30
_RANKED = 10
_TEMPLATES = looks.environment()
_A_YEAR_S = 365 * 24 * 3600
_KEEP = {"Cache-Control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Row:
    """A named number as the page shows it; `path` draws the catalog's distribution, `x` marks this track in it."""

    name: str
    unit: str
    value: float | None
    percentile: float | None
    description: str
    path: str | None
    x: float


def render(request: Request, name: str, code: int = 200, **values: object) -> HTMLResponse:
    """Fill a template; it always knows the site and which part of it this is."""
    site = site_of(request)
    shared = {"catalog_name": site.catalog.path.name, "labels": looks.LABELS, "here": request.url.path, "q": ""}
    return HTMLResponse(_TEMPLATES.get_template(name).render(shared | values), code)


@router.get("/")
def home(request: Request, site: Here) -> HTMLResponse:
    """Show what is here, and where to begin."""
    library = site.library
    most = sorted(library.artists.values(), key=lambda artist: (-artist.tracks, artist.key))[:_SUGGESTED]
    return render(request, "home.html", library=library, most=most)


@router.get("/search")
def search(request: Request, site: Here, q: Name = "") -> Response:
    """Show what a name finds; the only one is shown itself."""
    found = find(site.library, q, _FOUND)
    if found.n_artists == 1 and not found.n_tracks:
        return RedirectResponse(f"/artists/{found.artists[0].artist_id}", status_code=303)
    return render(request, "search.html", q=q, found=found)


@router.get("/artists/{artist_id}")
def artist(request: Request, site: Here, artist_id: ArtistId, weights: AskWeights) -> HTMLResponse:
    """Show an artist, and who sounds alike."""
    one = site.artist(artist_id)
    tracks = site.library.tracks_of(artist_id)
    panel = _panel(site, {"artist_id": artist_id}, weights, [track.track_id for track in tracks])
    return render(request, "artist.html", artist=one, tracks=tracks, **panel)


@router.get("/tracks/{track_id}")
def track(request: Request, site: Here, track_id: TrackId, weights: AskWeights) -> HTMLResponse:
    """Show a track: its stems, its numbers, its genre, and what sounds alike."""
    one = site.track(track_id)
    if "kind" not in weights.model_fields_set:
        weights = weights.model_copy(update={"kind": "tracks"})
    answer = asking.track_answer(site, one)
    return render(
        request,
        "track.html",
        track=answer,
        spaces=[(space, _rows(site, space)) for space in answer.spaces],
        by_each=_by_each(site, one),
        run_id=site.details(track_id).run_id,
        **_panel(site, {"track_id": track_id}, weights, [track_id]),
    )


@router.get("/asked/{upload}")
def asked(request: Request, site: Here, upload: Name, weights: AskWeights) -> Response:
    """Show who sounds like a file that was given."""
    seed = site.seed(upload=upload)
    if seed.track_id is not None:
        return RedirectResponse(f"/tracks/{seed.track_id}", status_code=303)
    there = [] if seed.heard is None else [EXTRACTORS[space].instrument for space in seed.heard.descriptors]
    panel = _panel(site, {"upload": upload}, weights, [], there)
    return render(request, "asked.html", asked=seed, **panel)


@router.get("/genres")
def genres(request: Request, site: Here, browsing: asking.AskBrowsing) -> HTMLResponse:
    """Show the genres, and the tracks that pass the filters."""
    from mir.web.genres import browse_tracks, genre_counts

    found: schemas.Browsed | None = None
    trouble = None
    try:
        found = browse_tracks(site, browsing)
    except NotInCatalog as error:
        trouble = str(error)
    return render(
        request,
        "genres.html",
        genres=genre_counts(site),
        browsing=browsing,
        found=found,
        trouble=trouble,
        sorts=("artist", "title", "year", "duration_s", "tempo_bpm", "syncopation", "vibrato_extent_cents"),
    )


@router.get("/map")
def music_map(request: Request, site: Here, by: Name | None = None) -> HTMLResponse:
    """Show the library as a map."""
    from mir.web.maps import map_names

    names = map_names(site)
    return render(request, "map.html", names=names, by=by if by in names else (names[0] if names else None))


@router.get("/map/map.js")
def map_script() -> Response:
    """Give what draws the map."""
    from mir.maps.page import script

    return Response(script(), media_type="text/javascript", headers=_KEEP)


@router.get("/map/map.css")
def map_style() -> Response:
    """Give how the map looks."""
    from mir.maps.page import style

    return Response(style(), media_type="text/css", headers=_KEEP)


@router.get("/status")
def status(request: Request, site: Here) -> HTMLResponse:
    """Show how the catalog is."""
    from mir.web.health import status_answer

    return render(request, "status.html", status=status_answer(site))


@router.get("/api")
def api(request: Request) -> HTMLResponse:
    """Show what the API can be asked."""
    document = request.app.openapi()
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return render(request, "api.html", operations=operations)


@router.get("/login")
def login(request: Request) -> HTMLResponse:
    """Ask for the token."""
    return render(request, "login.html", wrong=False)


@router.post("/login")
async def logged_in(request: Request) -> Response:
    """Take the token, and remember it in a cookie that no script can read."""
    given = parse_qs((await request.body()).decode("utf-8", "replace")).get("token", [""])[0].strip()
    token = request.app.state.rules.token
    if token is None or not is_token(given, token):
        return render(request, "login.html", 403, wrong=True)
    answer = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=_A_YEAR_S, httponly=True, samesite="strict", secure=secure)
    return answer


def _panel(
    site: Site,
    seed: dict[str, Any],
    weights: asking.Weights,
    track_ids: list[int],
    instruments: list[str] | None = None,
) -> dict[str, Any]:
    """Return what the sliders show, and who sounds alike by them."""
    if "k" not in weights.model_fields_set:
        weights = weights.model_copy(update={"k": _RANKED})
    there = instruments or [name for name in asking.instruments() if _any_has(site, name, track_ids)]
    if not any(name in weights.model_fields_set for name in asking.instruments()):
        first = "vocals" if "vocals" in there or not there else there[0]
        weights = weights.model_copy(update={first: 1.0})
    by = weights.by()
    question = asking.Question(**seed, **weights.model_dump())
    answer, trouble = None, None
    try:
        answer = asking.answer(site, question)
    except (NothingToCompare, MirError) as error:
        trouble = str(error)
    return {
        "seed": urlencode(seed),
        "sliders": [(name, by.get(name, 0.0), name in there) for name in asking.instruments()],
        "weights": weights,
        "answer": answer,
        "trouble": trouble,
        "best": max((hit.score for hit in answer.results), default=1.0) if answer else 1.0,
    }


def _any_has(site: Site, instrument: str, track_ids: list[int]) -> bool:
    import numpy as np

    from mir.web.library import place

    ids = site.library.spaces[instrument].vectors.track_ids
    return bool(place(ids, np.array(track_ids, np.int64))[1].any())


def _by_each(site: Site, track: Track) -> list[tuple[str, list[schemas.SimilarItem]]]:
    """Return the tracks nearest by each instrument that a track has."""
    found = []
    for instrument in site.library.instruments_of(track.track_id):
        question = asking.Question.model_validate(
            {"track_id": track.track_id, "kind": "tracks", "k": 5, instrument: 1.0}
        )
        found.append((instrument, asking.answer(site, question).results))
    return found


def _rows(site: Site, space: schemas.SpaceItem) -> list[Row]:
    """Return a space's numbers with a drawing of each."""
    spread = site.distributions().get(space.space, {})
    rows = []
    for one in space.features:
        known = spread.get(one.name)
        drawn = known is not None and one.value is not None
        rows.append(
            Row(
                name=one.name,
                unit=one.unit,
                value=one.value,
                percentile=one.percentile,
                description=one.description,
                path=looks.histogram(known) if known is not None and drawn else None,
                x=looks.mark(known, one.value) if known is not None and one.value is not None else 0.0,
            )
        )
    return rows
