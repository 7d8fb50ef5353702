"""Which tracks may answer, of every question about tracks: by genre, year, tempo and artist."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mir.catalog.artists import plain_key
from mir.errors import BadRequest, NotInCatalog

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

Ids = NDArray[np.int64]
Range = tuple[float | None, float | None]
"""Lowest and highest that pass, both included; None where that side is open."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the answers of a question; it never changes what is asked with, nor any score of a track.

    Filters choose tracks; an artist is compared by those of their tracks that pass.

    Parameters
    ----------
    genre
        Any of these, whatever the case and accents: of the tags, set by a person, or predicted by the promoted
        run. One name or several.
    year
        Of release, as ``(1990, 1999)``; tracks without a year do not pass.
    tempo_bpm
        As measured from the drums, in beats a minute; tracks without drums do not pass.
    min_probability
        From 0 to 1: how sure a prediction of `genre` must be; what tags or a person say always counts.
    artist
        Any of these artists, whatever the case and accents; all of them are in the catalog.
    exclude
        Artists that are no answers; all of them are in the catalog.
    known
        Artists that are known already, and so no answers either; names that the catalog lacks are passed over.

    Raises
    ------
    BadRequest
        Where a range is empty or no range, or a probability is none or has no genre to go with.
    """

    genre: tuple[str, ...] = ()
    year: Range | None = None
    tempo_bpm: Range | None = None
    exclude: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    min_probability: float | None = None
    artist: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Take a single name for one of several, and check the ranges."""
        for name in ("genre", "exclude", "known", "artist"):
            given: str | Sequence[str] = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        for name, example in (("year", "(1990, 1999)"), ("tempo_bpm", "(120, 140)")):
            limits: object = getattr(self, name)
            if limits is not None:
                object.__setattr__(self, name, check_range(limits, name, example))
        if self.min_probability is not None:
            object.__setattr__(self, "min_probability", _probability(self.min_probability, self.genre))

    def to_plain(self) -> dict[str, Any]:
        """Return what was set, as JSON can hold it; the names of `known` as their number."""
        plain: dict[str, Any] = {
            "genre": list(self.genre),
            "min_probability": self.min_probability,
            "year": self.year and list(self.year),
            "tempo_bpm": self.tempo_bpm and list(self.tempo_bpm),
            "artist": list(self.artist),
            "exclude": list(self.exclude),
            "known": len(self.known),
        }
        return {name: value for name, value in plain.items() if value}


def parse_range(text: str, name: str, *, whole: bool = False) -> Range:
    """Read ``120..140``, ``120..`` or ``..140``; with `whole`, whole numbers, and ``1994`` alone too.

    Raises
    ------
    BadRequest
        Where it is none of these.

    Examples
    --------
    >>> parse_range("120..140", "tempo"), parse_range("..1999", "year", whole=True)
    ((120, 140), (None, 1999))
    """
    example = "1990..1999, 1990.., ..1999 or 1994" if whole else "120..140, 120.. or ..140"
    low, dots, high = (piece.strip() for piece in text.partition(".."))
    if not (low or high) or not (dots or whole):
        raise BadRequest(f"{name} is a range, as {example}; not {text!r}")
    number = int if whole else float
    try:
        least, most = (number(limit) if limit else None for limit in (low, high if dots else low))
    except ValueError:
        raise BadRequest(f"{name} is a range of numbers, as {example}; not {text!r}") from None
    return check_range((least, most), name, example)


def read_names(path: Path) -> tuple[str, ...]:
    """Read artist names from a text file in UTF-8: one a line, empty lines and lines that begin with ``# `` aside.

    Raises
    ------
    BadRequest
        Where there is no such file, or it is no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise BadRequest(f"no file {path}; a text file with one artist a line is needed") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise BadRequest(f"{path} is no text in UTF-8; a text file with one artist a line is needed") from None
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("# "))


def allowed_tracks(con: duckdb.DuckDBPyConnection, filters: Filters) -> Ids | None:
    """Return the tracks that pass genre, year, tempo and artist, by rising id; None where nothing of these was asked.

    Raises
    ------
    NotInCatalog
        Where no track passes; the message says what there is.
    """
    passing = {}
    if filters.genre:
        sure = f" at {filters.min_probability:g} or more" if filters.min_probability else ""
        name = f"genre {' or '.join(filters.genre)}{sure}"
        passing[name] = _of_genres(con, filters.genre, filters.min_probability or 0.0)
    if filters.year is not None:
        passing[f"year {shown(filters.year)}"] = _of_years(con, filters.year)
    if filters.tempo_bpm is not None:
        passing[f"tempo {shown(filters.tempo_bpm)} BPM"] = _of_tempi(con, filters.tempo_bpm)
    if filters.artist:
        passing[f"artist {' or '.join(filters.artist)}"] = _of_artists(con, filters.artist)
    if not passing:
        return None
    lists = list(passing.values())
    together = lists[0]
    for more in lists[1:]:
        together = np.intersect1d(together, more)
    if not len(together):
        counted = ", ".join(f"{name}: {len(ids)}" for name, ids in passing.items())
        raise NotInCatalog(f"no track passes all filters together (tracks that pass each: {counted}); widen one")
    return together


def left_out(con: duckdb.DuckDBPyConnection, filters: Filters) -> Ids:
    """Return the artists who are no answers, because they were excluded or are known.

    Raises
    ------
    NotInCatalog
        Where an excluded artist is not there; the message offers the nearest names.
    """
    if not filters.exclude and not filters.known:
        return np.empty(0, np.int64)
    by_key, spelled = _artists(con)
    found = [each for name in filters.exclude for each in _called(name, by_key, spelled, "to leave out")]
    missing = [name for name in filters.known if plain_key(name) not in by_key]
    if missing:
        logger.info("%d of %d known artists are not in the catalog", len(missing), len(filters.known))
    for name in filters.known:
        found += by_key.get(plain_key(name), [])
    return np.unique(np.array(found, np.int64))


def shown(limits: Range) -> str:
    """Write a range as it is typed."""
    low, high = ("" if limit is None else f"{limit:g}" for limit in limits)
    return low if low == high else f"{low}..{high}"


def check_range(limits: object, name: str, example: str) -> Range:
    """Return a range that was given as lowest and highest; whole numbers as int.

    Raises
    ------
    BadRequest
        Where it is no range, or an empty one.
    """
    if isinstance(limits, str) or not isinstance(limits, Sequence) or len(limits) != 2:
        raise BadRequest(f"{name} is lowest and highest, as {example}; not {limits!r}")
    low, high = (_limit(limit, name, example) for limit in limits)
    if low is not None and high is not None and low > high:
        raise BadRequest(f"{name} {shown((low, high))} is empty: the lower number comes first, as {example}")
    return low, high


def _probability(given: object, genre: Sequence[str]) -> float:
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 <= float(given) <= 1:
        raise BadRequest(f"min_probability goes from 0 to 1, as 0.6; not {given!r}")
    if not genre:
        raise BadRequest("min_probability says which predictions of a genre count: give a genre too")
    return float(given)


def _limit(limit: object, name: str, example: str) -> float | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, Real) or not math.isfinite(limit):
        raise BadRequest(f"{name} is between finite numbers, as {example}; not {limit!r}")
    number = float(limit)
    return int(number) if number.is_integer() else number


def _artists(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, list[int]], dict[str, str]]:
    """Return the ids of artists and the spelling of their names, both by plain key."""
    by_key: dict[str, list[int]] = {}
    spelled: dict[str, str] = {}
    for artist_id, artist in con.execute("SELECT artist_id, artist FROM artists ORDER BY artist_id").fetchall():
        by_key.setdefault(plain_key(artist), []).append(artist_id)
        spelled[plain_key(artist)] = artist
    return by_key, spelled


def _called(name: str, by_key: dict[str, list[int]], spelled: dict[str, str], what_for: str) -> list[int]:
    if plain_key(name) in by_key:
        return by_key[plain_key(name)]
    near = [spelled[key] for key in get_close_matches(plain_key(name), spelled, n=5)]
    there = f"near: {', '.join(near)}" if near else "`mir status` shows what there is"
    raise NotInCatalog(f"no artist {name!r} {what_for}; {there}")


def _of_artists(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> Ids:
    by_key, spelled = _artists(con)
    ids = [each for name in names for each in _called(name, by_key, spelled, "to choose from")]
    sql = "SELECT DISTINCT track_id FROM track_artists WHERE artist_id IN (SELECT unnest(?::BIGINT[])) ORDER BY 1"
    return _ids(con, sql, [ids])


def _of_genres(con: duckdb.DuckDBPyConnection, genres: Sequence[str], least: float) -> Ids:
    known = [each for (each,) in con.execute("SELECT DISTINCT genre FROM track_genres ORDER BY 1").fetchall()]
    spellings: list[str] = []
    for genre in genres:
        found = [each for each in known if plain_key(each) == plain_key(genre)]
        if not found:
            near = get_close_matches(genre, known, n=5) or known[:12]
            there = f"near: {', '.join(near)}" if near else "no track has a genre yet (mir genre apply predicts them)"
            raise NotInCatalog(f"no track of genre {genre!r}; {there}")
        spellings += found
    sql = (
        "SELECT DISTINCT track_id FROM track_genres WHERE genre IN (SELECT unnest(?::VARCHAR[]))"
        " AND (source <> 'predicted' OR coalesce(probability, 0) >= ?) ORDER BY 1"
    )
    ids = _ids(con, sql, [spellings, least])
    if not len(ids):
        sql = "SELECT coalesce(max(probability), 0) FROM track_genres WHERE genre IN (SELECT unnest(?::VARCHAR[]))"
        ((most,),) = con.execute(sql, [spellings]).fetchall()
        asked = " or ".join(genres)
        raise NotInCatalog(f"no track of genre {asked!r} at probability {least:g} or more; the surest has {most:.2f}")
    return ids


def _of_years(con: duckdb.DuckDBPyConnection, limits: Range) -> Ids:
    # A limit that is NULL is open; a track without a year is within nothing.
    sql = "SELECT track_id FROM tracks WHERE year >= coalesce(?, year) AND year <= coalesce(?, year) ORDER BY 1"
    found = _ids(con, sql, limits)
    if not len(found):
        sql = "SELECT min(year), max(year), count(year), count(*) FROM tracks"
        low, high, dated, total = con.execute(sql).fetchall()[0]
        there = f"they go from {low} to {high} ({dated} of {total} tracks have one)" if dated else "no track has a year"
        raise NotInCatalog(f"no track of year {shown(limits)}; {there}")
    return found


def _of_tempi(con: duckdb.DuckDBPyConnection, limits: Range) -> Ids:
    sql = (
        "SELECT track_id FROM drum_rhythm WHERE tempo_bpm >= coalesce(?, tempo_bpm)"
        " AND tempo_bpm <= coalesce(?, tempo_bpm) ORDER BY 1"
    )
    found = _ids(con, sql, limits)
    if not len(found):
        sql = "SELECT min(tempo_bpm), max(tempo_bpm), count(tempo_bpm) FROM drum_rhythm"
        low, high, timed = con.execute(sql).fetchall()[0]
        there = f"tempi go from {low:.0f} to {high:.0f} ({timed} tracks have one)" if timed else "no track has a tempo"
        raise NotInCatalog(f"no track at {shown(limits)} BPM; {there}")
    return found


def _ids(con: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object]) -> Ids:
    (found,) = con.execute(sql, list(parameters)).fetchnumpy().values()
    return np.asarray(found).astype(np.int64)
