"""Genres: which there are, which tracks have them, and why a run says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mir.errors import NotInCatalog
from mir.web import schemas

if TYPE_CHECKING:
    from mir.web.asking import Browsing
    from mir.web.library import Track
    from mir.web.site import Site

COLUMNS: Final = ("track_id", "artist", "title", "album", "year", "genre", "genre_source", "duration_s", "tempo_bpm")
_MOST_REASONS: Final = 12


def genre_counts(site: Site) -> list[schemas.GenreCount]:
    """Return the genres, the most frequent first."""

    def read() -> list[schemas.GenreCount]:
        with site.read() as con:
            rows = con.execute(
                "SELECT genre, count(DISTINCT track_id) FROM track_genres GROUP BY genre ORDER BY 2 DESC, 1"
            ).fetchall()
        return [schemas.GenreCount(genre=genre, tracks=tracks) for genre, tracks in rows]

    return site.answers.get(("genres", site.library.generation), read)


def browse_tracks(site: Site, browsing: Browsing) -> schemas.Browsed:
    """Return tracks that pass the filters.

    Raises
    ------
    BadRequest
        Where there is no column to sort by, or a range is empty.
    NotInCatalog
        Where nothing passes; the message says what there is.
    """
    from mir.catalog.browse import browse

    columns = [*COLUMNS, *(() if browsing.sort.casefold() in COLUMNS else (browsing.sort,))]
    with site.turns.turn():
        found = browse(
            site.catalog,
            filters=browsing.filters(),
            sort=browsing.sort,
            descending=browsing.descending,
            columns=columns,
            k=browsing.k + 1,
        )
    shown = [dict(zip(found.columns, row, strict=True)) for row in found.rows[: browsing.k]]
    return schemas.Browsed(columns=list(found.columns), rows=shown, more=len(found.rows) > browsing.k)


def explain_genre(site: Site, track: Track) -> schemas.GenreAnswer:
    """Return the genre of a track by the promoted run, and what speaks for it.

    Raises
    ------
    NotInCatalog
        Where no run is promoted.
    NothingToCompare
        Where the track has nothing that the run reads.
    """

    def read() -> schemas.GenreAnswer:
        from mir.genre.explanation import explain

        with site.turns.turn():
            explained = explain(site.catalog, track.path)
        found = next((one for one in explained if one.track_id == track.track_id), None)
        if found is None:
            raise NotInCatalog(f"no track {track.track_id} in {site.catalog.path.name} any more")
        return schemas.GenreAnswer(
            run_id=found.run_id,
            genre=found.label,
            probability=found.probability,
            probabilities=found.probabilities,
            rival=found.rival,
            headline=found.headline(),
            stems=[
                schemas.GenreReason(instrument=one.instrument, feature=None, contribution=one.contribution)
                for one in found.stems
            ],
            features=[
                schemas.GenreReason(
                    instrument=one.instrument,
                    feature=one.name,
                    contribution=one.contribution,
                    unit=one.unit,
                    value=one.value,
                    percentile=one.percentile,
                )
                for one in found.features[:_MOST_REASONS]
            ],
        )

    return site.answers.get(("why", site.library.generation, track.track_id), read)
