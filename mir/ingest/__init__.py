"""A folder of music into the catalog: look, decide, separate, measure, commit; killed, it goes on from there."""

from __future__ import annotations

from mir.ingest.report import Event, IngestReport
from mir.ingest.run import ingest
from mir.ingest.separators import SeparatorSource
from mir.scan import Failure

__all__ = ["Event", "Failure", "IngestReport", "SeparatorSource", "ingest"]
