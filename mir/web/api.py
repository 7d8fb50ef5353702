"""The answers as JSON, under ``/api/v1``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse

from mir.errors import NotInCatalog
from mir.web import asking, schemas
from mir.web.asking import ArtistId, AskBrowsing, AskQuestion, AskWhy, Name, TrackId, site_of
from mir.web.finding import find
from mir.web.site import Site
from mir.web.uploads import take

router = APIRouter(
    prefix="/api/v1",
    responses={
        400: {"model": schemas.Problem, "description": "What was asked for does not exist"},
        404: {"model": schemas.Problem, "description": "Not in the catalog"},
        422: {"model": schemas.Problem, "description": "A parameter out of its range, or nothing to compare"},
        503: {"model": schemas.Problem, "description": "Busy; Retry-After says when to come again"},
    },
)
Here = Annotated[Site, Depends(site_of)]


@router.get("/library", tags=["library"])
def library(site: Here) -> schemas.Summary:
    """Tell what is in the library."""
    there = site.library
    return schemas.Summary(
        catalog_id=there.catalog_id,
        generation=there.generation,
        tracks=len(there.tracks),
        artists=len(there.artists),
        duration_s=there.duration_s,
        instruments={name: len(space.vectors.track_ids) for name, space in there.spaces.items()},
    )


@router.get("/search", tags=["library"])
def search(site: Here, q: Name, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> schemas.Found:
    """Find artists and tracks by a piece of their name; every word has to be in it."""
    found = find(site.library, q, limit)
    return schemas.Found(
        artists=[asking.artist_item(artist) for artist in found.artists],
        tracks=[asking.track_item(track) for track in found.tracks],
        n_artists=found.n_artists,
        n_tracks=found.n_tracks,
    )


@router.get("/artists/{artist_id}", tags=["library"])
def artist(site: Here, artist_id: ArtistId) -> schemas.ArtistAnswer:
    """Tell of an artist, and the tracks they play on."""
    one = site.artist(artist_id)
    tracks = [asking.track_item(track) for track in site.library.tracks_of(artist_id)]
    return schemas.ArtistAnswer(**asking.artist_item(one).model_dump(), catalog=tracks)


@router.get("/tracks/{track_id}", tags=["library"])
def track(site: Here, track_id: TrackId) -> schemas.TrackAnswer:
    """Tell all of a track: its named numbers, and where each stands among the catalog's."""
    return asking.track_answer(site, site.track(track_id))


@router.get("/tracks/{track_id}/audio", tags=["sound"], response_class=FileResponse)
def audio(site: Here, track_id: TrackId) -> FileResponse:
    """Give the track's own file; ranges are served."""
    return FileResponse(site.sound_file(site.track(track_id)), headers={"Cache-Control": "private, max-age=3600"})


@router.get("/tracks/{track_id}/genre", tags=["library"])
def genre(site: Here, track_id: TrackId) -> schemas.GenreAnswer:
    """Tell the track's genre as the promoted run hears it, and what makes it say so."""
    from mir.web.genres import explain_genre

    return explain_genre(site, site.track(track_id))


@router.get("/tracks/{track_id}/stems", tags=["sound"])
def stems(site: Here, track_id: TrackId) -> schemas.StemsAnswer:
    """Tell where the track's stems are, or how far they are."""
    from mir.web.listening import stems_answer

    return stems_answer(site, site.track(track_id))


@router.post("/tracks/{track_id}/stems", tags=["sound"], status_code=202)
def make_stems(site: Here, track_id: TrackId) -> schemas.StemsAnswer:
    """Have the track separated; at most a few wait at a time."""
    from mir.web.listening import order_stems

    return order_stems(site, site.track(track_id))


@router.get("/tracks/{track_id}/stems/{stem}.wav", tags=["sound"], response_class=FileResponse)
def stem_audio(site: Here, track_id: TrackId, stem: str) -> FileResponse:
    """Give a stem as 16-bit WAV; ranges are served."""
    return _stem_file(site, track_id, stem, ".wav", "audio/wav")


@router.get("/tracks/{track_id}/stems/{stem}.png", tags=["sound"], response_class=FileResponse)
def stem_picture(site: Here, track_id: TrackId, stem: str) -> FileResponse:
    """Give a stem's spectrogram: 40 Hz to 16 kHz upwards, even in octaves, 75 dB from dark to bright."""
    return _stem_file(site, track_id, stem, ".png", "image/png")


@router.get("/similar", tags=["similarity"])
def similar(site: Here, question: AskQuestion) -> schemas.SimilarAnswer:
    """Tell who, or what, sounds alike: by any instruments, weighted from −1 to 1."""
    return asking.answer(site, question)


@router.get("/similar/why", tags=["similarity"])
def why(site: Here, question: AskWhy) -> schemas.WhyAnswer:
    """Tell which named features make one answer alike, and which apart."""
    return asking.explain(site, question)


@router.post(
    "/uploads",
    tags=["similarity"],
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, site: Here, name: Name = "the file") -> schemas.JobAnswer:
    """Ask with a file: its bytes are the body. It is separated and measured here, and nothing of it is kept."""
    return await take(request, site, name)


@router.get("/jobs/{job_id}", tags=["similarity"])
def job(site: Here, job_id: Name) -> schemas.JobAnswer:
    """Tell how far a piece of work is."""
    from mir.web.uploads import job_answer

    found = site.jobs.find(job_id)
    if found is None:
        raise NotInCatalog("no such piece of work, or it was long ago")
    return job_answer(site, found)


@router.get("/genres", tags=["library"])
def genres(site: Here) -> list[schemas.GenreCount]:
    """List the genres, labelled or predicted, the most frequent first."""
    from mir.web.genres import genre_counts

    return genre_counts(site)


@router.get("/browse", tags=["library"])
def browse(site: Here, browsing: AskBrowsing) -> schemas.Browsed:
    """List tracks by genre, year and tempo, in the order of any column of the view `library`."""
    from mir.web.genres import browse_tracks

    return browse_tracks(site, browsing)


@router.get("/map", tags=["library"])
def map_points(site: Here, by: Name | None = None) -> dict[str, Any]:
    """Give a map's points: by instruments, as `mir map --by` was told; the newest where none are named."""
    from mir.web.maps import map_answer

    return map_answer(site, by)


@router.get("/status", tags=["library"])
def status(site: Here) -> schemas.StatusAnswer:
    """Tell the state of the catalog, and of this page."""
    from mir.web.health import status_answer

    return status_answer(site)


def _stem_file(site: Site, track_id: int, stem: str, suffix: str, kind: str) -> FileResponse:
    found = site.stems.find(site.track(track_id))
    path = None if found is None else found.file(stem, suffix)
    if path is None:
        raise NotInCatalog(
            f"no stem {stem!r} of track {track_id} here; POST /api/v1/tracks/{track_id}/stems makes them"
        )
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})
