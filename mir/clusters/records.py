"""What a clustering is, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Distinction:
    """One column in which a cluster differs from the rest.

    Parameters
    ----------
    words
        What the difference is called (``bright hats``).
    instrument, column, unit
        Whose number it is.
    effect
        Cliff's delta, −1 to 1: how much more often a track of the cluster has the larger value than the smaller one,
        against tracks outside.
    median, rest_median
        Inside and outside.
    """

    words: str
    instrument: str
    column: str
    unit: str
    effect: float
    median: float
    rest_median: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster.

    Parameters
    ----------
    cluster_id, name, size
        The id lasts, the name is unique within the clustering, the size is in tracks.
    medoid_track_id, artist, title
        The most typical track; None where it has been forgotten.
    genre, genre_share
        Commonest genre among its tracks, and the share of its tracks that have it; None without genres.
    distinguishes
        What sets it apart, most telling first.
    """

    cluster_id: int
    name: str
    size: int
    medoid_track_id: int | None
    artist: str | None
    title: str | None
    genre: str | None
    genre_share: float | None
    distinguishes: tuple[Distinction, ...]


@dataclass(frozen=True, slots=True)
class Clustering:
    """All clusters by some instruments, largest first.

    Parameters
    ----------
    instruments
        As the catalog writes it.
    by
        Weights, summing to 1.
    tracks, noise
        Tracks that have the instruments, and how many of them are in no cluster.
    generation
        Generation of the catalog that it was made from.
    clusters
        The clusters.
    parameters
        How it was done.
    """

    instruments: str
    by: dict[str, float]
    tracks: int
    noise: int
    generation: int
    clusters: tuple[Cluster, ...]
    parameters: dict[str, Any]

    def to_plain(self) -> dict[str, Any]:
        """Return the answer of ``mir cluster --json``."""
        return asdict(self)

    def statements(self) -> list[str]:
        """Say in words what was done, and what that leaves open."""
        done = self.parameters
        if not self.clusters:
            least = done["min_size"]
            why = (
                f"{self.tracks} tracks have {self.instruments}, two clusters of {least} need {2 * least}"
                if self.tracks < 2 * least
                else f"no {least} of {self.tracks} tracks stand closer together than the others"
            )
            todo = (
                "try a smaller --min-size, or other instruments" if self.tracks > 3 else "add music: mir ingest FOLDER"
            )
            return [f"no clusters by {self.instruments}: {why}; {todo}"]
        said = [
            f"{self.tracks:,} tracks by {self.instruments}: {len(self.clusters)} clusters of {done['min_size']} or "
            f"more, {self.noise:,} tracks ({self.noise / self.tracks:.0%}) in none",
            f"HDBSCAN on the {done['dimensions']} main directions ({done['variance_kept']:.0%} of the variance)",
        ]
        if done.get("assigned"):
            said.append(
                f"clustered {done['sampled']:,} tracks; the other {done['assigned']:,} went with most of their five "
                "nearest among these"
            )
        return said


def frame(clustering: Clustering) -> pd.DataFrame:
    """Return the clusters as a pandas DataFrame, one row each."""
    import pandas as pd

    rows = [{**asdict(one), "distinguishes": [each.words for each in one.distinguishes]} for one in clustering.clusters]
    return pd.DataFrame(rows, columns=list(Cluster.__dataclass_fields__))
