"""How the catalog is, and how the page is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mir.web import schemas

if TYPE_CHECKING:
    from mir.web.site import Site

_MOST_FAILURES = 100


def status_answer(site: Site) -> schemas.StatusAnswer:
    """Return what `mir status` tells, and what the page holds; files by their names alone."""
    from mir.status import status

    with site.turns.turn():
        found = status(site.catalog)
    return schemas.StatusAnswer(
        catalog=found.catalog.name,
        size_bytes=found.size_bytes,
        files=found.files,
        gone=len(found.gone),
        tracks=found.tracks,
        artists=found.artists,
        duration_s=found.duration_s,
        generation=found.generation,
        spaces=[schemas.SpaceState.model_validate(space, from_attributes=True) for space in found.spaces],
        failures=[
            schemas.FailureItem(file=Path(one.path).name, space=one.space, reason=one.reason)
            for one in found.failures[:_MOST_FAILURES]
        ],
        stems_bytes=site.stems.size_bytes(),
        stems_limit_bytes=site.stems.most_bytes,
        model=site.model,
        jobs=site.jobs.counts(),
    )
