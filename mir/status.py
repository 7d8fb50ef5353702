"""What is in the catalog, what is missing or out of date, what failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.ingest import SeparatorSource


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """How many tracks have a space; `missing` and `out_of_date` are what `mir ingest` would compute, if it can.

    Out of date is what an earlier extractor, or another separation model than the present one, made.
    """

    space: str
    instrument: str
    version: int
    ok: int
    silent: int
    failed: int
    missing: int
    out_of_date: int
    not_given: str | None = None
    """Why the present model cannot give what is missing: it has no such stem."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure: of a file (`space` is None), or of one space of a file."""

    path: str
    space: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a catalog.

    `sources` counts tracks by what made their stems; `source_id` is what would make them now (None where the
    model's weights are not on this machine). `gone` are files that the catalog knows and the disk does not.
    """

    catalog: Path
    catalog_id: str
    generation: int
    size_bytes: int
    files: int
    tracks: int
    artists: int
    duration_s: float
    spaces: tuple[SpaceStatus, ...]
    sources: dict[str, int]
    source_id: str | None
    failures: tuple[Failed, ...]
    gone: tuple[str, ...]


def status(catalog: Catalog, model: str | None = None) -> Status:
    """Look at a catalog, and at whether its files are still there.

    Parameters
    ----------
    catalog
        The catalog.
    model
        Separation model that it is held against; None: the setting ``model`` (see `mir.config`).
    """
    source = _source(model)
    with catalog.read() as con:
        catalog_id, generation = con.execute("SELECT catalog_id, generation FROM catalog_info").fetchall()[0]
        tracks, duration_s = con.execute("SELECT count(*), coalesce(sum(duration_s), 0) FROM tracks").fetchall()[0]
        ((artists,),) = con.execute("SELECT count(*) FROM artists").fetchall()
        paths = con.execute("SELECT path, state, reason FROM files ORDER BY path").fetchall()
        counted = con.execute(
            "SELECT space, state, extractor_version, source_id, count(*) FROM extractions GROUP BY ALL"
        ).fetchall()
        sources = dict(
            con.execute(
                "SELECT source_id, count(DISTINCT track_id) FROM stems GROUP BY ALL ORDER BY 2 DESC, 1"
            ).fetchall()
        )
        failed = con.execute(
            "SELECT t.path, e.space, coalesce(e.reason, 'no reason was kept') FROM extractions AS e"
            " JOIN tracks AS t USING (track_id) WHERE e.state = 'failed' ORDER BY ALL"
        ).fetchall()
    failures = [
        Failed(path, None, reason or "no reason was kept") for path, state, reason in paths if state == "failed"
    ]
    gone = tuple(path for path, _, _ in paths if not Path(path).exists())
    return Status(
        catalog=catalog.path,
        catalog_id=catalog_id,
        generation=generation,
        size_bytes=catalog.path.stat().st_size,
        files=len(paths),
        tracks=tracks,
        artists=artists,
        duration_s=duration_s,
        spaces=_spaces(counted, tracks, source),
        sources=sources,
        source_id=None if source is None else source.source_id,
        failures=(*failures, *[Failed(*row) for row in failed]),
        gone=gone,
    )


def _spaces(
    counted: list[tuple[str, str, int, str, int]], tracks: int, source: SeparatorSource | None
) -> tuple[SpaceStatus, ...]:
    from features import EXTRACTORS

    not_given = {} if source is None else source.not_given
    found = []
    for space, extractor in EXTRACTORS.items():
        rows = [row[1:] for row in counted if row[0] == space]
        states = dict.fromkeys(("ok", "silent", "failed"), 0)
        out_of_date = 0
        for state, version, source_id, count in rows:
            if version != extractor.version or (source is not None and source_id != source.source_id):
                out_of_date += count
            else:
                states[state] += count
        missing = tracks - out_of_date - sum(states.values())
        found.append(
            SpaceStatus(
                space,
                extractor.instrument,
                extractor.version,
                **states,
                missing=missing,
                out_of_date=out_of_date,
                not_given=not_given.get(space),
            )
        )
    return tuple(found)


def _source(model: str | None) -> SeparatorSource | None:
    """Return what would separate now; None where the configured model is not on this machine."""
    from mir.config import setting
    from mir.ingest.separators import model_source
    from separation.errors import ModelUnknown, WeightsMissing

    try:
        return model_source(str(setting("model", model).value))
    except (ModelUnknown, WeightsMissing):
        if model is not None:
            raise
        return None
