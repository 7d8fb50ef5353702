"""A call as the methods get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mir.subsonic.params import Params
from mir.subsonic.shelves import Shelves
from mir.web.site import Recent, Site


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has been let in.

    Parameters
    ----------
    site, shelves
        What is asked about.
    params
        What is asked.
    by
        Weight by instrument where the call does not say.
    user
        Whose account it is.
    covers
        Pictures that were asked for last.
    """

    site: Site
    shelves: Shelves
    params: Params
    by: Mapping[str, float]
    user: str
    covers: Recent
