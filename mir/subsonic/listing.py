"""Methods that list: albums in some order, songs at random or of a genre, and what a search finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import SystemRandom
from typing import Any, Final

from mir.subsonic.answers import Code, Content, Refused
from mir.subsonic.call import Call
from mir.subsonic.items import album_folder, album_item, artist_item, song_item
from mir.subsonic.shelves import Album, Song
from mir.web.finding import find

MOST: Final = 500
_DEEPEST: Final = 10**9
_NOBODY_COUNTS: Final = ("frequent", "recent", "highest", "starred")
"""Orders by what is not kept here: plays, ratings, stars."""
_RANDOM: Final = SystemRandom()


def get_album_list(call: Call) -> Content:
    """Return albums in some order, as folders."""
    return {"albumList": {"album": [album_folder(album) for album in _albums(call)]}}


def get_album_list2(call: Call) -> Content:
    """Return albums in some order."""
    return {"albumList2": {"album": [album_item(album) for album in _albums(call)]}}


def get_random_songs(call: Call) -> Content:
    """Return songs at random, of a genre and of some years where that is wanted."""
    genre = call.params.text("genre")
    first, last = call.params.maybe_number("fromYear"), call.params.maybe_number("toYear")
    songs: Sequence[Song] = list(call.shelves.songs.values()) if not genre else call.shelves.by_genre.get(genre, [])
    if first is not None or last is not None:
        songs = [song for song in songs if _in_years(song.track.year, first, last)]
    some = _RANDOM.sample(songs, min(call.params.number("size", 10), len(songs)))
    return {"randomSongs": {"song": [song_item(call.shelves, song) for song in some]}}


def get_songs_by_genre(call: Call) -> Content:
    """Return the songs of a genre."""
    songs = call.shelves.by_genre.get(call.params.needed("genre"), [])
    start, count = _page(call, "offset", "count", 10)
    return {"songsByGenre": {"song": [song_item(call.shelves, song) for song in songs[start : start + count]]}}


def search2(call: Call) -> Content:
    """Return what a search finds, albums as folders."""
    artists, albums, songs = _search(call)
    shown = [{"id": f"ar-{one.artist_id}", "name": one.artist} for one in artists]
    return {"searchResult2": {"artist": shown, "album": [album_folder(one) for one in albums], "song": songs}}


def search3(call: Call) -> Content:
    """Return what a search finds; everything, page by page, where the query is empty."""
    artists, albums, songs = _search(call)
    shown = [artist_item(call.shelves, one) for one in artists]
    return {"searchResult3": {"artist": shown, "album": [album_item(one) for one in albums], "song": songs}}


def _search(call: Call) -> tuple[Sequence[Any], Sequence[Album], list[dict[str, Any]]]:
    if call.params.text("query") is None:
        raise Refused(Code.MISSING, "the parameter query is missing; an empty one finds everything")
    query = (call.params.text("query") or "").strip("\"'* ")
    library = call.shelves.library
    (a_from, a_count), (b_from, b_count), (s_from, s_count) = (
        _page(call, f"{kind}Offset", f"{kind}Count", 20) for kind in ("artist", "album", "song")
    )
    if query:
        found = find(library, query, max(a_from + a_count, s_from + s_count))
        artists, tracks = found.artists, found.tracks
    else:
        artists, tracks = tuple(library.artists.values()), tuple(library.tracks.values())
    albums = _albums_called(call, query)
    known = [call.shelves.songs[one.track_id] for one in tracks[s_from : s_from + s_count]]
    songs = [song_item(call.shelves, song) for song in known]
    return artists[a_from : a_from + a_count], albums[b_from : b_from + b_count], songs


def _albums_called(call: Call, query: str) -> list[Album]:
    """Return the albums whose title or owner has every word, those whose title begins so first."""
    from mir.catalog.artists import plain_key

    words = plain_key(query).split()
    text = " ".join(words)
    found = [one for one in call.shelves.albums.values() if all(word in one.key for word in words)]
    return sorted(found, key=lambda one: (not plain_key(one.title).startswith(text), one.key)) if words else found


def _albums(call: Call) -> list[Album]:
    order = call.params.needed("type")
    start, count = _page(call, "offset", "size", 10)
    albums = list(call.shelves.albums.values())
    if order == "random":
        return _RANDOM.sample(albums, min(count, len(albums)))
    if order == "newest":
        albums.sort(key=lambda album: (album.created or datetime.min, album.key), reverse=True)
    elif order == "alphabeticalByName":
        albums.sort(key=lambda album: (album.title.casefold(), album.key))
    elif order == "alphabeticalByArtist":
        albums.sort(key=lambda album: album.key)
    elif order == "byYear":
        albums = _by_year(call, albums)
    elif order == "byGenre":
        genre = call.params.needed("genre")
        wanted = {song.album_id for song in call.shelves.by_genre.get(genre, [])}
        albums = [album for album in albums if album.album_id in wanted]
    elif order in _NOBODY_COUNTS:
        albums = []
    else:
        raise Refused(Code.OTHER, f"no order {order[:40]!r} of albums")
    return albums[start : start + count]


def _by_year(call: Call, albums: list[Album]) -> list[Album]:
    """Return the albums of some years; the latest first where the years are given so."""
    first, last = (int(call.params.number(name, 0, 0, 9999)) for name in ("fromYear", "toYear"))
    for name in ("fromYear", "toYear"):
        call.params.needed(name)
    low, high = min(first, last), max(first, last)
    dated = [(album.year, album) for album in albums]
    kept = [(year, album) for year, album in dated if year is not None and low <= year <= high]
    kept.sort(key=lambda pair: (pair[0], pair[1].key), reverse=first > last)
    return [album for _, album in kept]


def _in_years(year: int | None, first: int | None, last: int | None) -> bool:
    return year is not None and (first is None or year >= first) and (last is None or year <= last)


def _page(call: Call, offset: str, count: str, default: int) -> tuple[int, int]:
    return call.params.number(offset, 0, 0, _DEEPEST), call.params.number(count, default, 0, MOST)
