"""Groups of tracks that sound alike by some instruments: found without labels, named by what sets them apart."""

from __future__ import annotations

from mir.clusters.clustering import cluster
from mir.clusters.records import Cluster, Clustering, Distinction, frame
from mir.clusters.store import read_clustering

__all__ = ["Cluster", "Clustering", "Distinction", "cluster", "frame", "read_clustering"]
