"""From what was typed to what is compared: seeds found, filters applied, the vectors of either side at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mir.errors import BadRequest, NothingToCompare
from mir.indexing import open_shelf
from mir.similarity.filters import Filters, allowed_tracks, left_out
from mir.similarity.links import Ids, Links, Matrix, read_links
from mir.similarity.query import Query, find_query, lacking
from mir.similarity.ranking import Seed, Voice, chance_of
from mir.similarity.weights import check_by, parse_by
from mir.spaces import space_of, transform_in

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog
    from mir.indexing import Shelf

logger = logging.getLogger(__name__)

Asking = str | Path | Sequence[str | Path]
"""An artist, a track or an audio file; or several of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that has been understood.

    Parameters
    ----------
    seeds
        What is asked with.
    links
        Who plays on what, in the whole catalog.
    voices
        What is compared, by instrument.
    allowed
        Tracks that may answer; None for all.
    strangers
        Artists who may not, whoever asks.
    """

    seeds: tuple[Query, ...]
    links: Links
    voices: list[Voice]
    allowed: Ids | None
    strangers: Ids

    def answering(self) -> Links:
        """Return who plays on what among the tracks that may answer."""
        return self.links if self.allowed is None else self.links.only(self.allowed)

    def seed_artists(self) -> Ids:
        """Return the artists among the seeds, and those of the tracks among them."""
        found = [seed.artist_id for seed in self.seeds if seed.artist_id is not None]
        tracks = [self.links.of_track(seed.track_id) for seed in self.seeds if seed.track_id is not None]
        return np.unique(np.concatenate([np.array(found, np.int64), *tracks]))

    def artists_left_out(self) -> Ids:
        """Return the artists who are no answers: the seeds' own, excluded and known ones."""
        return np.union1d(self.seed_artists(), self.strangers)

    def tracks_left_out(self) -> Ids:
        """Return the tracks that are no answers.

        These are the seeds, and all by seed artists and by artists who are excluded or known. One track alone
        asks for tracks like it, whoever made them; several describe a taste, whose artists are known.
        """
        own = [seed.track_id for seed in self.seeds if seed.track_id is not None]
        artists = [seed.artist_id for seed in self.seeds if seed.artist_id is not None]
        known = self.seed_artists() if len(self.seeds) > 1 else np.array(artists, np.int64)
        return np.union1d(np.array(own, np.int64), self.links.tracks_by(np.union1d(known, self.strangers)))


def weights_of(by: Mapping[str, float] | str) -> dict[str, float]:
    """Return the weight of each instrument, as written or as given.

    Raises
    ------
    BadRequest
        Where an instrument is unknown or no weight is positive.
    """
    return parse_by(by) if isinstance(by, str) else check_by(by)


def find_seeds(catalog: Catalog, asking: Asking, weights: Mapping[str, float], model: str) -> tuple[Query, ...]:
    """Find what is asked with; what is given twice counts once.

    Raises
    ------
    BadRequest
        Where nothing is given.
    NotInCatalog, AudioUnreadable
        As `find_query`.
    """
    given = [asking] if isinstance(asking, str | Path) else list(asking)
    if not given:
        raise BadRequest("nothing to ask with: give an artist, a track or an audio file, or several")
    spaces = [space_of(instrument) for instrument in weights]
    found: dict[tuple[object, ...], Query] = {}
    for each in dict.fromkeys(given):
        seed = find_query(catalog, each, spaces, model)
        found.setdefault((seed.kind, seed.artist_id, seed.track_id, seed.heard and seed.label), seed)
    return tuple(found.values())


def ask(
    catalog: Catalog,
    con: duckdb.DuckDBPyConnection,
    seeds: tuple[Query, ...],
    weights: Mapping[str, float],
    filters: Filters | None,
) -> Asked:
    """Open the spaces of a question, and see which tracks may answer it.

    Raises
    ------
    NothingToCompare
        Where no seed has a positively weighted instrument, or a seed is nobody's name. A negatively weighted
        instrument that no seed has is left out, because it adds nothing to any score.
    NotInCatalog
        Where the filters let nothing pass.
    IndexDamaged, IndexIncompatible
        Where an index cannot answer.
    """
    filters = filters or Filters()
    allowed, strangers = allowed_tracks(con, filters), left_out(con, filters)
    links = read_links(con)
    for seed in seeds:
        if seed.artist_id is not None and not len(links.of_artist(seed.artist_id)[0]):
            raise NothingToCompare(
                f"{seed.label!r} stands for many artists or for nobody known; ask with an artist or a track of theirs"
            )
    voices = []
    for instrument, weight in weights.items():
        voice = _voice(catalog, con, seeds, links, instrument, weight)
        if voice is not None:
            voices.append(voice)
    return Asked(seeds, links, voices, allowed, strangers)


def _voice(
    catalog: Catalog,
    con: duckdb.DuckDBPyConnection,
    seeds: Sequence[Query],
    links: Links,
    instrument: str,
    weight: float,
) -> Voice | None:
    space = space_of(instrument)
    shelf = open_shelf(catalog, con, space)
    found = [_seed(con, seed, links, space, shelf) for seed in seeds]
    there = tuple(one for one in found if one is not None)
    if there:
        for seed, one in zip(seeds, found, strict=True):
            if one is None and weight > 0:
                logger.warning(
                    "%s %r has no %s: there the other seeds alone are asked", seed.kind, seed.label, instrument
                )
        return Voice(instrument, space, weight, shelf, chance_of(shelf), there)
    if weight < 0:
        return None
    first = lacking(con, seeds[0], space, instrument)
    if len(seeds) == 1:
        raise first
    raise NothingToCompare(f"none of the {len(seeds)} seeds has {instrument} to compare; the first: {first}")


def _seed(con: duckdb.DuckDBPyConnection, query: Query, links: Links, space: str, shelf: Shelf) -> Seed | None:
    """Return what a seed is in a space, None where it is nothing."""
    if query.heard is not None:
        descriptor = query.heard.descriptors.get(space)
        if descriptor is None:
            return None
        rows = transform_in(con, space).apply(descriptor[None]).astype(np.float64)
        return Seed(np.empty(0, np.int64), rows, np.ones(1), descriptor, query.heard.values[space])
    track_ids, durations_s = _own_tracks(query, links)
    here = np.isin(track_ids, shelf.ids)
    return Seed(track_ids[here], shelf.rows(track_ids[here]), durations_s[here]) if here.any() else None


def _own_tracks(query: Query, links: Links) -> tuple[Ids, Matrix]:
    if query.artist_id is not None:
        return links.of_artist(query.artist_id)
    return np.array([query.track_id], np.int64), np.ones(1)
