"""Stems of a track as the API tells of them."""

from __future__ import annotations

from mir.errors import MirError, NotInCatalog
from mir.web import schemas
from mir.web.jobs import Job
from mir.web.library import Track
from mir.web.site import Site, is_sound
from mir.web.stems import Stems


def stems_answer(site: Site, track: Track) -> schemas.StemsAnswer:
    """Return where a track's stems are, or how far they are."""
    found = site.stems.find(track)
    if found is not None:
        return _there(track, found)
    job = site.stems.job(track)
    if job is None or job.state == "done":  # what was done has been thrown away since
        return schemas.StemsAnswer(state="none", fraction=0.0, ahead=0)
    return _under_way(site, job)


def order_stems(site: Site, track: Track) -> schemas.StemsAnswer:
    """Have a track's stems made, where they are not there.

    Raises
    ------
    NotInCatalog
        Where the track's file is gone.
    QueueFull
        Where too much waits already.
    MirError
        Where the separation model is not on this machine.
    """
    found = site.stems.find(track)
    if found is not None:
        return _there(track, found)
    kept = _kept(site, track)
    if not kept:
        if site.stems.source_id is None:
            raise NotInCatalog(f"the model {site.model} is not on this machine; `mir models pull {site.model}` gets it")
        site.sound_file(track)
    try:
        return _under_way(site, site.stems.order(track, kept))
    except OSError as error:
        raise MirError(f"stems cannot be kept in {site.stems.folder.name}: {error.strerror}") from error


def _kept(site: Site, track: Track) -> dict[str, str]:
    """Return the stems that an ingest kept, where all are there and the present model made them."""
    stems = site.details(track.track_id).stems
    paths = {stem.stem: stem.path for stem in stems if stem.path is not None}
    whole = len(paths) == len(stems) and all(stem.source_id == site.stems.source_id for stem in stems)
    sounds = all(is_sound(path) for path in paths.values())
    return paths if paths and whole and sounds else {}


def _there(track: Track, stems: Stems) -> schemas.StemsAnswer:
    address = f"/api/v1/tracks/{track.track_id}/stems"
    numbers = {name: stems.sketch[name] for name in ("sample_rate_hz", "n_channels", "n_samples", "data_offset")}
    return schemas.StemsAnswer(
        state="done",
        fraction=1.0,
        ahead=0,
        **numbers,
        stems=[
            schemas.StemItem(
                stem=stem,
                audio=f"{address}/{stem}.wav",
                spectrogram=f"{address}/{stem}.png",
                outline=one["outline"],
                level_db=one["level_db"],
            )
            for stem, one in stems.sketch["stems"].items()
        ],
    )


def _under_way(site: Site, job: Job) -> schemas.StemsAnswer:
    state = job.state if job.state != "done" else "working"  # done and not yet found: about to be
    return schemas.StemsAnswer(state=state, fraction=job.fraction, ahead=site.jobs.ahead(job), reason=job.reason)
