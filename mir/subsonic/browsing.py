"""Methods that walk through the library: artists, albums, songs, genres, folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from mir.errors import NotInCatalog
from mir.subsonic.answers import Content
from mir.subsonic.call import Call
from mir.subsonic.identify import album_id, artist_id, find, find_album, find_artist, find_song
from mir.subsonic.items import album_folder, album_item, artist_item, song_item
from mir.subsonic.shelves import Album, Shelves
from mir.web.library import Artist

FOLDER: Final = "1"
"""The one music folder: everything in the catalog."""
ARTICLES: Final = ("the", "an", "a", "die", "das", "der", "ein", "eine", "les", "le", "la", "los", "las", "el")


def get_music_folders(call: Call) -> Content:
    """Return the music folders."""
    return {"musicFolders": {"musicFolder": [{"id": int(FOLDER), "name": "Music"}]}}


def get_artists(call: Call) -> Content:
    """Return all artists, by letter."""
    index = _index(call, lambda artist: artist_item(call.shelves, artist))
    return {"artists": {"ignoredArticles": " ".join(ARTICLES), "index": index}}


def get_indexes(call: Call) -> Content:
    """Return all artists as folders; nothing where nothing has changed since `ifModifiedSince`."""
    changed_ms = call.shelves.changed_ms
    since = call.params.maybe_number("ifModifiedSince")
    index = [] if since is not None and since >= changed_ms else _index(call, _folder)
    return {"indexes": {"lastModified": changed_ms, "ignoredArticles": " ".join(ARTICLES), "index": index}}


def get_music_directory(call: Call) -> Content:
    """Return what is in a folder: the albums of an artist, or the songs of an album."""
    wanted = call.params.needed("id")
    if wanted == FOLDER:
        children = [{**_folder(one), "isDir": True, "title": one.artist} for one in _sorted(call.shelves)]
        return {"directory": {"id": FOLDER, "name": "Music", "child": children}}
    found = find(call.shelves, wanted)
    if isinstance(found, Artist):
        albums = call.shelves.albums_of.get(found.artist_id, [])
        children = [album_folder(album) for album in albums]
        return {"directory": {"id": artist_id(found), "parent": FOLDER, "name": found.artist, "child": children}}
    if not isinstance(found, Album):
        raise NotInCatalog(f"{wanted[:80]!r} is no folder: an artist or an album is one")
    parent = None if found.artist is None else artist_id(found.artist)
    children = [song_item(call.shelves, song) for song in found.songs]
    return {"directory": {"id": album_id(found), "parent": parent, "name": found.title, "child": children}}


def get_artist(call: Call) -> Content:
    """Return an artist with their albums."""
    artist = find_artist(call.shelves, call.params.needed("id"))
    albums = [album_item(album) for album in call.shelves.albums_of.get(artist.artist_id, [])]
    return {"artist": {**artist_item(call.shelves, artist), "album": albums}}


def get_album(call: Call) -> Content:
    """Return an album with its songs."""
    album = find_album(call.shelves, call.params.needed("id"))
    songs = [song_item(call.shelves, song) for song in album.songs]
    return {"album": {**album_item(album), "song": songs}}


def get_song(call: Call) -> Content:
    """Return a song."""
    return {"song": song_item(call.shelves, find_song(call.shelves, call.params.needed("id")))}


def get_album_info(call: Call) -> Content:
    """Return what else is known of an album, which is nothing."""
    find(call.shelves, call.params.needed("id"))
    return {"albumInfo": {}}


def get_genres(call: Call) -> Content:
    """Return the genres, tagged or predicted, the most frequent first."""
    counted = sorted(call.shelves.by_genre.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {
        "genres": {
            "genre": [
                {"value": name, "songCount": len(songs), "albumCount": len({song.album_id for song in songs})}
                for name, songs in counted
            ]
        }
    }


def get_top_songs(call: Call) -> Content:
    """Return an artist's songs; nobody counts how often they are played, so they come as on their records."""
    count = call.params.number("count", 50)
    wanted = call.params.text("artistId") or call.params.text("id")
    if wanted is not None:
        artist: Artist | None = find_artist(call.shelves, wanted)
    else:
        from mir.catalog.artists import plain_key

        artist = call.shelves.library.by_name.get(plain_key(call.params.needed("artist")))
    tracks = [] if artist is None else call.shelves.library.tracks_of(artist.artist_id)
    known = [call.shelves.songs[track.track_id] for track in tracks if track.track_id in call.shelves.songs]
    return {"topSongs": {"song": [song_item(call.shelves, song) for song in known[:count]]}}


def _folder(artist: Artist) -> dict[str, Any]:
    return {"id": artist_id(artist), "name": artist.artist, "coverArt": artist_id(artist)}


def _sorted(shelves: Shelves) -> list[Artist]:
    return sorted(shelves.library.artists.values(), key=lambda artist: (_without_article(artist.key), artist.key))


def _index(call: Call, shown: Callable[[Artist], dict[str, Any]]) -> list[dict[str, Any]]:
    by_letter: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for artist in _sorted(call.shelves):
        first = _without_article(artist.key)[:1].upper()
        by_letter[first if first.isalpha() else "#"].append(shown(artist))
    return [{"name": letter, "artist": found} for letter, found in sorted(by_letter.items())]


def _without_article(key: str) -> str:
    first, _, rest = key.partition(" ")
    return rest if rest and first in ARTICLES else key
