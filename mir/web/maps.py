"""The library as a map, as `mir map` has drawn and kept it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mir.errors import NotInCatalog

if TYPE_CHECKING:
    from mir.web.site import Site


def map_names(site: Site) -> list[str]:
    """Return the choices of instruments by which there is a map, the newest first."""

    def read() -> list[str]:
        with site.read() as con:
            rows = con.execute("SELECT instruments FROM maps ORDER BY created_at DESC, instruments").fetchall()
        return [name for (name,) in rows]

    return site.answers.get(("maps", site.library.generation), read)


def map_answer(site: Site, by: str | None) -> dict[str, Any]:
    """Return a map as ``map.js`` takes it; the newest where none is named.

    Raises
    ------
    BadRequest
        Where `by` is no choice of instruments.
    NotInCatalog
        Where there is no such map; the message has the command that makes it.
    """
    from mir.maps import map_data

    names = map_names(site)
    if by is None and not names:
        raise NotInCatalog("there is no map yet: mir map --by mix makes one")
    wanted = names[0] if by is None else by

    def read() -> dict[str, Any]:
        with site.turns.turn():
            return map_data(site.catalog, wanted)

    return site.maps.get(("map", site.library.generation, wanted), read)
