"""Similarity in SQL: table macros that every question to a catalog or an export finds ready.

They are temporary, made for the query that names them, and no part of the schema: so they are always this program's, an
older catalog and an export have them too, and a catalog stays plain tables and views that any DuckDB reads.
``python -m mir.sql.macros`` prints them for DuckDB's own shell.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mir.catalog.schema import literal

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Macro:
    """A table macro: its name, how it is called, and what it says."""

    name: str
    call: str
    comment: str


_FOLD = "trim(regexp_replace(strip_accents(lower(nfc_normalize({}))), '\\s+', ' ', 'g'))"
"""A name without case, accents and superfluous space."""

_SPACE = """
space AS (
  SELECT CASE WHEN count(*) = 0 THEN error(
      'no space or instrument ''' || by_space || '''; there are ' || (SELECT string_agg(space, ', ' ORDER BY space) FROM spaces)
    ) ELSE min(space) END AS name
  FROM spaces WHERE space = by_space OR instrument = by_space
),
vectors AS (
  SELECT track_id, vector FROM embeddings WHERE space = (SELECT name FROM space)
)"""  # noqa: E501 - one message

_TRACKS = f"""
WITH written AS MATERIALIZED (
  SELECT track_id FROM tracks WHERE CAST(track_id AS VARCHAR) = CAST(seed AS VARCHAR)
), titled AS MATERIALIZED (
  SELECT track_id FROM tracks WHERE CAST(seed AS VARCHAR) IN (title, artist || ' - ' || title, path)
), folded AS MATERIALIZED (
  SELECT track_id FROM tracks
  WHERE CASE WHEN (SELECT count(*) FROM written) + (SELECT count(*) FROM titled) > 0 THEN false
    ELSE {_FOLD.format("CAST(seed AS VARCHAR)")}
      IN ({_FOLD.format("title")}, {_FOLD.format("artist || ' - ' || title")}) END
), called AS (
  FROM written UNION ALL (FROM titled WHERE NOT EXISTS (FROM written)) UNION ALL FROM folded
),
asked AS (
  SELECT CASE
      WHEN count(*) = 0 THEN error('no track ''' || seed || '''; give its track_id, title, Artist - Title or path')
      WHEN count(*) > 1 THEN error(count(*) || ' tracks are called ''' || seed || '''; give the track_id of one: '
        || string_agg(track_id, ', ' ORDER BY track_id))
      ELSE min(track_id) END AS track_id
  FROM called
),{_SPACE},
heard AS MATERIALIZED (
  SELECT CASE WHEN count(*) = 0 THEN error(
      '''' || seed || ''' has no vector in ' || by_space || ': silent there, or not measured')
    ELSE any_value(vector) END AS vector
  FROM vectors WHERE track_id = (SELECT track_id FROM asked)
)
SELECT t.track_id, t.artist, t.title, list_cosine_similarity(v.vector, (SELECT vector FROM heard)) AS similarity
FROM vectors AS v JOIN tracks AS t USING (track_id)
WHERE v.track_id <> (SELECT track_id FROM asked)
ORDER BY similarity DESC, t.track_id LIMIT k"""  # noqa: S608 - of our own texts

_ARTISTS = """
WITH named AS (
  SELECT a.artist_id, a.artist, count(*) AS n, CASE WHEN a.artist = seed THEN 1 ELSE 2 END AS how
  FROM artists AS a JOIN track_artists AS ta USING (artist_id)
  WHERE ta.role = 'artist' AND (a.artist = seed OR {fold_name} = {fold_seed})
  GROUP BY ALL
),
asked AS (
  SELECT CASE WHEN count(*) = 0 THEN error('no artist ''' || seed || '''')
    ELSE arg_min(artist_id, (how, -n, artist_id)) END AS artist_id
  FROM named
),{space},
owned AS MATERIALIZED (
  SELECT a.artist_id, a.artist, v.vector, greatest(t.duration_s, 1e-3) AS weight
  FROM vectors AS v JOIN tracks AS t USING (track_id) JOIN track_artists AS ta USING (track_id)
    JOIN artists AS a USING (artist_id)
  WHERE ta.role = 'artist' AND a.name_key NOT IN ({nobody}) AND coalesce(a.musicbrainz_id, '') NOT IN ({nobody_ids})
),
sums AS MATERIALIZED (
  SELECT artist_id, place, sum(weight * number) AS total FROM (
    SELECT artist_id, weight, unnest(vector) AS number, generate_subscripts(vector, 1) AS place FROM owned
  ) GROUP BY artist_id, place
),
lengths AS (
  SELECT artist_id, sqrt(sum(total * total)) AS length FROM sums GROUP BY artist_id
),
heard AS MATERIALIZED (
  SELECT CASE WHEN count(*) = 0 THEN error(
      '''' || seed || ''' has no vector in ' || by_space || ': silent there, or not measured')
    ELSE list(total ORDER BY place) END AS vector
  FROM sums WHERE artist_id = (SELECT artist_id FROM asked)
),
against AS (
  SELECT artist_id, any_value(artist) AS artist, count(*) AS tracks,
    sum(weight * list_inner_product(vector::DOUBLE[], (SELECT vector FROM heard))) AS along
  FROM owned GROUP BY artist_id
)
SELECT artist_id, artist, tracks,
  along / (length * (SELECT length FROM lengths WHERE artist_id = (SELECT artist_id FROM asked))) AS similarity
FROM against JOIN lengths USING (artist_id)
WHERE artist_id <> (SELECT artist_id FROM asked) AND length > 1e-9
ORDER BY similarity DESC, artist_id LIMIT k"""


MACROS = (
    Macro(
        "similar_tracks",
        "similar_tracks(track, space, k)",
        "Tracks by cosine to one (track_id, title, 'Artist - Title' or path) in a space; the k nearest.",
    ),
    Macro(
        "similar_artists",
        "similar_artists(artist, space, k)",
        "Artists by cosine of their mean directions, tracks weighted by duration, as `mir similar`; the k nearest.",
    ),
)
"""The macros, in the order in which they are shown."""


def install(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Make the macros that a query names in its connection; they end with it."""
    for macro in MACROS:
        if macro.name in query.casefold():
            con.execute(definition(macro, temporary=True))


def definition(macro: Macro, *, temporary: bool) -> str:
    """Return the statement that makes a macro."""
    kind = "TEMP MACRO" if temporary else "MACRO"
    body = _TRACKS if macro.name == "similar_tracks" else _artists()
    return f"CREATE OR REPLACE {kind} {macro.name}(seed, by_space, k := 10) AS TABLE {body}"


@cache
def _artists() -> str:
    from mir.similarity.links import NOBODY, NOBODY_IDS

    return (
        _ARTISTS.replace("{space}", _SPACE)
        .replace("{fold_name}", _FOLD.format("a.artist"))
        .replace("{fold_seed}", _FOLD.format("seed"))
        .replace("{nobody}", ", ".join(map(literal, sorted(NOBODY))))
        .replace("{nobody_ids}", ", ".join(map(literal, NOBODY_IDS)))
    )


if __name__ == "__main__":
    for each in MACROS:
        sys.stdout.write(f"-- {each.comment}\n{definition(each, temporary=False)};\n\n")
