"""Who sounds like whom: by any instrument, or any weighted mix of them."""

from __future__ import annotations

from mir.similarity.artists import WAYS, ArtistsBy, artist_similarities
from mir.similarity.asking import Asking
from mir.similarity.filters import Filters, Range, parse_range, read_names
from mir.similarity.hits import ArtistHit, Contribution, TrackHit, frame, to_plain
from mir.similarity.search import similar_artists, similar_tracks
from mir.similarity.weights import check_by, parse_by

Hit = ArtistHit | TrackHit

__all__ = [
    "WAYS",
    "ArtistHit",
    "ArtistsBy",
    "Asking",
    "Contribution",
    "Filters",
    "Hit",
    "Range",
    "TrackHit",
    "artist_similarities",
    "check_by",
    "frame",
    "parse_by",
    "parse_range",
    "read_names",
    "similar_artists",
    "similar_tracks",
    "to_plain",
]
