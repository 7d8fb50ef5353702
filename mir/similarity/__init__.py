"""Who sounds like whom: by any instrument, or any weighted mix of them."""

from __future__ import annotations

from mir.similarity.hits import ArtistHit, Contribution, TrackHit, frame, to_plain
from mir.similarity.search import similar_artists, similar_tracks
from mir.similarity.weights import check_by, parse_by

Hit = ArtistHit | TrackHit

__all__ = [
    "ArtistHit",
    "Contribution",
    "Hit",
    "TrackHit",
    "check_by",
    "frame",
    "parse_by",
    "similar_artists",
    "similar_tracks",
    "to_plain",
]
