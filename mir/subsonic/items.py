"""Songs, albums and artists as the protocol shows them (its Child, AlbumID3, ArtistID3)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mir.subsonic.identify import album_id, artist_id, song_id
from mir.subsonic.shelves import NO_ALBUM, Album, Shelves, Song
from mir.web.library import Artist

SOUND_TYPES: Final = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
    ".wv": "audio/x-wavpack",
}


def sound_type(path: str) -> str:
    """Return the media type of a sound file, by its name."""
    return SOUND_TYPES.get(Path(path).suffix.lower(), "application/octet-stream")


def song_item(shelves: Shelves, song: Song) -> dict[str, Any]:
    """Return a song."""
    track, facts = song.track, song.facts
    first = song.artists[0] if song.artists else None
    seconds = round(track.duration_s)
    rate = round(8 * facts.size / 1000 / track.duration_s) if facts.size and track.duration_s > 0 else None
    return {
        "id": song_id(song),
        "parent": f"al-{song.album_id}",
        "isDir": False,
        "title": track.title,
        "album": track.album or NO_ALBUM,
        "albumId": f"al-{song.album_id}",
        "artist": track.artist,
        "artistId": None if first is None else artist_id(first),
        "artists": [{"id": artist_id(one), "name": one.artist} for one in song.artists],
        "displayArtist": track.artist,
        "coverArt": f"al-{song.album_id}" if track.album else song_id(song),
        "duration": seconds,
        "year": track.year,
        "genre": track.genre or (song.genres[0] if song.genres else None),
        "genres": [{"name": name} for name in song.genres],
        "bpm": None if facts.tempo_bpm is None else round(facts.tempo_bpm),
        "size": facts.size,
        "bitRate": rate,
        "samplingRate": facts.sample_rate_hz,
        "channelCount": facts.n_channels,
        "suffix": Path(track.path).suffix.lower().removeprefix("."),
        "contentType": sound_type(track.path),
        "path": shelves.relative(track.path),
        "created": _time(facts.created),
        "isVideo": False,
        "type": "music",
        "mediaType": "song",
    }


def album_item(album: Album) -> dict[str, Any]:
    """Return an album, without its songs."""
    genres = album.genres
    return {
        "id": album_id(album),
        "name": album.title,
        "artist": album.owner,
        "artistId": None if album.artist is None else artist_id(album.artist),
        "displayArtist": album.owner,
        "coverArt": album_id(album),
        "songCount": len(album.songs),
        "duration": round(sum(song.track.duration_s for song in album.songs)),
        "created": _time(album.created) or _time(datetime(1970, 1, 1)),
        "year": album.year,
        "genre": genres[0] if genres else None,
        "genres": [{"name": name} for name in genres],
    }


def album_folder(album: Album) -> dict[str, Any]:
    """Return an album as players see it that walk through folders."""
    shown = album_item(album)
    return {
        **{name: shown[name] for name in ("id", "artist", "artistId", "coverArt", "duration", "created", "year")},
        "genre": shown["genre"],
        "songCount": shown["songCount"],
        "parent": shown["artistId"],
        "isDir": True,
        "title": album.title,
        "album": album.title,
        "name": album.title,
    }


def artist_item(shelves: Shelves, artist: Artist) -> dict[str, Any]:
    """Return an artist, without their albums."""
    return {
        "id": artist_id(artist),
        "name": artist.artist,
        "coverArt": artist_id(artist),
        "albumCount": len(shelves.albums_of.get(artist.artist_id, ())),
        "musicBrainzId": shelves.mbid_of.get(artist.artist_id),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"
