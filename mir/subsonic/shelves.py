"""The library as players walk through it: artists, their albums, the songs on these; made once per generation."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mir.catalog.artists import plain_key
from mir.errors import MirError
from mir.web.library import Artist, Library, Track

if TYPE_CHECKING:
    import duckdb

    from mir.web.site import Site

logger = logging.getLogger(__name__)

NO_ALBUM: Final = "[Unknown Album]"
VARIOUS: Final = "Various Artists"


class Facts(NamedTuple):
    """What the library in memory does not hold of a track, in the order in which it is read."""

    album_artist: str | None
    compilation: bool
    sample_rate_hz: int | None
    n_channels: int | None
    created: datetime | None
    size: int | None
    tempo_bpm: float | None


_NO_FACTS: Final = Facts(None, False, None, None, None, None, None)


@dataclass(frozen=True, slots=True)
class Song:
    """A track, with its album's id and its artists in their order."""

    track: Track
    facts: Facts
    album_id: str
    artists: tuple[Artist, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Album:
    """Songs that belong together: the same title by the same owner.

    Parameters
    ----------
    album_id, title
        The id is made of the title and the owner, so that it stays.
    owner
        Whose it is, in words.
    artist
        The same, where it is an artist of the catalog.
    songs
        In the order of their files, which is that of the record where names begin with numbers.
    key
        What a search looks through.
    """

    album_id: str
    title: str
    owner: str
    artist: Artist | None
    songs: tuple[Song, ...]
    key: str

    @property
    def year(self) -> int | None:
        """The earliest year of its songs."""
        return min((song.track.year for song in self.songs if song.track.year is not None), default=None)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres of its songs, the most frequent first."""
        return tuple(genre for genre, _ in Counter(one for song in self.songs for one in song.genres).most_common())

    @property
    def created(self) -> datetime | None:
        """When its last song came in."""
        return max((song.facts.created for song in self.songs if song.facts.created is not None), default=None)


class Shelves:
    """A library in the order of players.

    Parameters
    ----------
    library
        What is shelved.
    facts, artists, genres
        More of its tracks, by track.
    mbids
        Artists by MusicBrainz id.
    changed_ms
        When the catalog was last written to, in milliseconds since 1970.
    """

    def __init__(
        self,
        library: Library,
        facts: Mapping[int, Facts],
        artists: Mapping[int, list[int]],
        genres: Mapping[int, list[str]],
        mbids: Mapping[str, int],
        changed_ms: int,
    ) -> None:
        self.library = library
        self.mbids = mbids
        self.changed_ms = changed_ms
        self.root = _common_folder(track.path for track in library.tracks.values())
        self.songs: dict[int, Song] = {}
        self.by_file_name: dict[str, list[Song]] = defaultdict(list)
        self.by_genre: dict[str, list[Song]] = defaultdict(list)
        self.mbid_of = {artist_id: mbid for mbid, artist_id in mbids.items()}
        stacks: dict[str, list[Song]] = defaultdict(list)
        owners: dict[str, tuple[str, Artist | None]] = {}
        known_ids: dict[tuple[str, str], str] = {}
        for track_id, track in library.tracks.items():
            known = facts.get(track_id, _NO_FACTS)
            people = tuple(library.artists[one] for one in artists.get(track_id, ()) if one in library.artists)
            owner, artist = _owner(library, track, known, people)
            title = track.album or NO_ALBUM
            album_id = known_ids.get((owner, title)) or known_ids.setdefault((owner, title), _album_id(owner, title))
            song = Song(track, known, album_id, people, tuple(genres.get(track_id, ())))
            self.songs[track_id] = song
            self.by_file_name[plain_path(track.path.rpartition("/")[2])].append(song)
            for genre in song.genres:
                self.by_genre[genre].append(song)
            stacks[album_id].append(song)
            owners.setdefault(album_id, (owner, artist))
        self.albums = {album_id: _album(album_id, *owners[album_id], songs) for album_id, songs in stacks.items()}
        by_artist: dict[int, dict[str, Album]] = defaultdict(dict)
        for album in self.albums.values():
            for artist in (album.artist, *(one for song in album.songs for one in song.artists)):
                if artist is not None:
                    by_artist[artist.artist_id][album.album_id] = album
        self.albums_of: dict[int, list[Album]] = {
            artist_id: sorted(found.values(), key=lambda album: (album.year or 0, album.key))
            for artist_id, found in by_artist.items()
        }

    def relative(self, path: str) -> str:
        """Return a track's path as players see it: from the music folder on, with slashes."""
        return Path(os.path.relpath(path, self.root)).as_posix()


class Shelf:
    """The shelves of a site, kept up to date; questions go on with the old ones while new ones are made."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._made: Shelves | None = None
        self._making = threading.Lock()

    def shelves(self) -> Shelves:
        """Return the shelves as last made; the first call makes them.

        Raises
        ------
        CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
            Where the catalog could not be read even once.
        """
        library = self._site.library
        if self._made is None:
            with self._making:
                if self._made is None:
                    self._made = self._make(library)
        elif self._made.library is not library and self._making.acquire(blocking=False):
            threading.Thread(target=self._make_again, args=[library], name="shelves", daemon=True).start()
        return self._made

    def _make_again(self, library: Library) -> None:
        try:
            self._made = self._make(library)
        except MirError as error:  # the shelves before go on answering
            logger.warning("the catalog could not be read again: %s", error)
        finally:
            self._making.release()

    def _make(self, library: Library) -> Shelves:
        with self._site.read() as con:
            facts = _facts(con)
            artists = _grouped(con, "SELECT track_id, artist_id FROM track_artists ORDER BY track_id, position")
        with self._site.read() as con:
            genres = _grouped(con, "SELECT DISTINCT track_id, genre FROM track_genres ORDER BY track_id, genre")
            mbids = con.execute("SELECT lower(musicbrainz_id), artist_id FROM artists WHERE musicbrainz_id IS NOT NULL")
            by_mbid = dict(mbids.fetchall())
        changed_ms = self._site.catalog.path.stat().st_mtime_ns // 1_000_000
        return Shelves(library, facts, artists, genres, by_mbid, changed_ms)


def plain_path(path: str) -> str:
    """Return a path so that two ways to write the same accents are one."""
    return unicodedata.normalize("NFC", path)


def _facts(con: duckdb.DuckDBPyConnection) -> dict[int, Facts]:
    rows = con.execute(
        "SELECT t.track_id, t.album_artist, t.compilation, t.sample_rate_hz, t.n_channels, t.ingested_at, f.size,"
        " d.tempo_bpm FROM tracks AS t LEFT JOIN files AS f USING (path) LEFT JOIN drum_rhythm AS d"
        " ON d.track_id = t.track_id"
    ).fetchall()
    return {track_id: Facts(*rest) for track_id, *rest in rows}


def _grouped(con: duckdb.DuckDBPyConnection, query: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for track_id, value in con.execute(query).fetchall():
        found[track_id].append(value)
    return found


def _owner(library: Library, track: Track, facts: Facts, people: tuple[Artist, ...]) -> tuple[str, Artist | None]:
    """Return whose album a track is on, in words and as an artist of the catalog."""
    if facts.album_artist:
        return facts.album_artist, library.by_name.get(plain_key(facts.album_artist))
    if facts.compilation:
        return VARIOUS, None
    return (people[0].artist, people[0]) if people else (track.artist, None)


def _album_id(owner: str, title: str) -> str:
    return hashlib.sha256(f"{plain_key(owner)}\n{plain_key(title)}".encode("utf-8", "replace")).hexdigest()[:16]


def _album(album_id: str, owner: str, artist: Artist | None, songs: list[Song]) -> Album:
    title = songs[0].track.album or NO_ALBUM
    ordered = tuple(sorted(songs, key=lambda song: song.track.path))
    return Album(album_id, title, owner, artist, ordered, plain_key(f"{owner} - {title}"))


def _common_folder(paths: Iterable[str]) -> str:
    """Return the deepest folder that all files lie in; the file system's root where there is none."""
    folders = {path.rpartition("/")[0] or "/" for path in paths}
    try:
        return os.path.commonpath(folders) if folders else os.sep
    except ValueError:  # relative and absolute ones, or several drives
        return os.sep
