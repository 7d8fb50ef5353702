"""Methods about the server itself, and those that players call though nothing of the kind is kept here."""

from __future__ import annotations

from typing import Any, Final

from mir.subsonic.answers import Code, Content, Refused
from mir.subsonic.call import Call

EXTENSIONS: Final = ("apiKeyAuthentication", "formPost", "sonicSimilarity", "topSongsByArtistId")


def ping(call: Call) -> Content:
    """Say that the server is there."""
    return {}


def get_license(call: Call) -> Content:
    """Say that no licence is needed."""
    return {"license": {"valid": True}}


def extensions() -> Content:
    """Return what of OpenSubsonic there is; whoever asks may know."""
    return {"openSubsonicExtensions": [{"name": name, "versions": [1]} for name in EXTENSIONS]}


def token_info(call: Call) -> Content:
    """Return whose API key it is."""
    return {"tokenInfo": {"username": call.user}}


def get_user(call: Call) -> Content:
    """Return what the account may do: listen."""
    wanted = call.params.text("username")
    if wanted not in (None, call.user):
        raise Refused(Code.NOT_ALLOWED, "an account is shown to itself alone")
    may_not = ("admin", "settings", "upload", "playlist", "coverArt", "comment", "podcast", "jukebox", "share")
    roles: dict[str, Any] = {f"{name}Role": False for name in (*may_not, "videoConversion")}
    return {
        "user": {
            "username": call.user,
            "scrobblingEnabled": False,
            **roles,
            "streamRole": True,
            "downloadRole": True,
            "folder": [1],
        }
    }


def get_scan_status(call: Call) -> Content:
    """Return how many songs there are; `mir ingest` takes in new ones."""
    return {"scanStatus": {"scanning": False, "count": len(call.shelves.songs)}}


def scrobble(call: Call) -> Content:
    """Take note of nothing: who listens to what is not kept."""
    return {}


def not_kept(call: Call) -> Content:
    """Refuse what would have to be remembered.

    Raises
    ------
    Refused
        Always.
    """
    raise Refused(Code.NOT_ALLOWED, "this server only reads: it keeps no stars, ratings, bookmarks or playlists")


NOTHING: Final[dict[str, Content]] = {
    "getBookmarks": {"bookmarks": {}},
    "getInternetRadioStations": {"internetRadioStations": {}},
    "getNewestPodcasts": {"newestPodcasts": {}},
    "getNowPlaying": {"nowPlaying": {}},
    "getPlaylists": {"playlists": {"playlist": []}},
    "getPodcasts": {"podcasts": {}},
    "getShares": {"shares": {}},
    "getStarred": {"starred": {}},
    "getStarred2": {"starred2": {}},
    "getVideos": {"videos": {}},
}
"""Answers to what players ask at the start, where there is none of it."""
NOT_KEPT: Final = (
    "createBookmark",
    "createPlaylist",
    "createShare",
    "deletePlaylist",
    "savePlayQueue",
    "setRating",
    "star",
    "startScan",
    "unstar",
    "updatePlaylist",
)
