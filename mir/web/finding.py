"""Finding artists and tracks by a piece of their name, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeVar

from mir.catalog.artists import plain_key
from mir.web.library import Artist, Library, Track

One = TypeVar("One", Artist, Track)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, best first; `n_artists`, `n_tracks` count all that fits."""

    artists: tuple[Artist, ...]
    tracks: tuple[Track, ...]
    n_artists: int
    n_tracks: int


def find(library: Library, text: str, limit: int) -> Found:
    """Search names, whatever the case and accents; every word has to be in the name.

    A name that is the text comes first, then those that begin with it, then those of which a word begins so.
    """
    words = plain_key(text).split()
    if not words:
        return Found((), (), 0, 0)
    artists, n_artists = _best(library.artists.values(), words, limit)
    tracks, n_tracks = _best(library.tracks.values(), words, limit)
    return Found(artists, tracks, n_artists, n_tracks)


def _best(every: Iterable[One], words: list[str], limit: int) -> tuple[tuple[One, ...], int]:
    first, *more = words
    found = [one for one in every if first in one.key]
    for word in more:
        found = [one for one in found if word in one.key]
    text = " ".join(words)

    def rank(one: One) -> tuple[int, int, str]:
        key = one.key
        title = key.rpartition(" - ")[2]
        if text in (key, title):
            order = 0
        elif key.startswith(text) or title.startswith(text):
            order = 1
        else:
            order = 2 if f" {text}" in key else 3
        return order, len(key), key

    return tuple(nsmallest(limit, found, key=rank)), len(found)
