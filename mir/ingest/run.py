"""`ingest`: look, plan, and do what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mir.analysis import Describe, describing
from mir.catalog import create_catalog, open_catalog
from mir.catalog.commit import commit_failure
from mir.catalog.commit import prune as forget_missing
from mir.catalog.queries import done as done_spaces
from mir.catalog.queries import known_files
from mir.catalog.records import FileStat
from mir.config import setting
from mir.errors import BadRequest
from mir.ingest.pipeline import Pipeline
from mir.ingest.plan import Plan, Wanted, gone, make_plan, new_failures, recovered
from mir.ingest.report import IngestReport, Listener
from mir.ingest.separators import SeparatorSource, model_source
from mir.ingest.source import Source
from mir.ingest.writing import written
from mir.scan import Failure, Scan, scan
from separation.errors import SeparationError

if TYPE_CHECKING:
    from mir.catalog import Catalog
    from mir.catalog.queries import KnownFile


def ingest(
    paths: Iterable[str | Path],
    catalog_path: str | Path,
    *,
    model: str = "mir-4s",
    precision: str | None = None,
    workers: int | None = None,
    on_progress: Listener | None = None,
    retry_failed: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    keep_stems: str | None = None,
    separator: SeparatorSource | None = None,
    describe: Describe | None = None,
) -> IngestReport:
    """Take files and folders into a catalog; what is there already is not done again.

    Memory does not grow with the number of files: one track is decoded ahead, one is being separated, and
    each worker has one. 20 minutes of stereo are 0.4 GB, their stems 1.7 GB; longer files are described from
    excerpts of 20 minutes together, and their stems cannot be kept.

    Parameters
    ----------
    paths
        Audio files and folders.
    catalog_path
        The catalog, made where there is none.
    model
        Separation model, by name or path. Spaces that it has no stems for are not measured; the report says which.
    precision
        Arithmetic of its network; None: the setting ``precision`` (see `mir.config`).
    workers
        Feature processes; None: the setting ``workers`` (see `mir.config`).
    on_progress
        Called before and after each file, in order and one call at a time, in the thread that commits. What it raises
        ends the run.
    retry_failed
        Try again what failed and has not changed.
    prune
        Forget files that are gone under the given folders.
    dry_run
        Only say what would be done; nothing is written.
    keep_stems
        ``"flac"`` keeps the stems beside the catalog; None keeps none.
    separator
        Another separator than `model`'s.
    describe
        What workers run, a function of a module; None: `mir.analysis.describe`.

    Returns
    -------
    IngestReport
        Failures are in it; they do not stop the rest.

    Raises
    ------
    BadRequest
        For a `keep_stems` or a number of workers that does not exist.
    separation.errors.SeparationError
        Where the model is unknown or has no weights.
    CatalogBusy, CatalogMissing, CatalogTooNew, CatalogDamaged, CatalogNotWritten
        Where the catalog cannot be read or written. What was committed is kept.
    WorkersUnavailable
        Where feature workers cannot be started.
    """
    started = time.monotonic()
    if keep_stems not in (None, "flac"):
        raise BadRequest(f"stems can be kept as flac, not as {keep_stems!r}")
    if workers is not None and workers < 1:
        raise BadRequest(f"at least one worker is needed, {workers} were asked for")
    separator = separator or model_source(model, precision)
    catalog_file = Path(catalog_path).expanduser()
    found = scan(paths)
    wanted = Wanted(separator.source_id, retry_failed, separator.spaces)
    describe = describe or describing(separator.roles)
    catalog: Catalog | None = None
    if catalog_file.exists():
        catalog = open_catalog(catalog_file) if dry_run else create_catalog(catalog_file)
    known = known_files(catalog) if catalog else {}
    kept = None if keep_stems is None else _kept(catalog)
    plan = make_plan(found.files, known, done_spaces(catalog) if catalog else {}, wanted, kept)
    missing = gone(known, found.folders) if prune else []
    report = IngestReport(
        skipped=plan.skipped,
        failed_before=plan.failed_before,
        failed=list(found.failures),
        not_given=separator.not_given,
    )
    if dry_run:
        _rehearse(plan, wanted, missing, report)
    else:
        if plan.jobs and catalog is None:
            catalog = written(catalog_file, lambda: create_catalog(catalog_file))
        if catalog is not None:
            _keep_books(catalog, found, known)
        if plan.jobs and catalog is not None:
            pipeline = Pipeline(catalog, plan, wanted, separator, describe, report, on_progress, started)
            pipeline.run(workers or int(setting("workers").value))
        if missing and catalog is not None:  # last: a moved file's track must not go before its new path is known
            report.pruned = written(catalog.path, partial(forget_missing, catalog, missing))
    report.wall_s = time.monotonic() - started
    return report


def _rehearse(plan: Plan, wanted: Wanted, missing: Iterable[str], report: IngestReport) -> None:
    """Fill in what would be done; reads packets to tell moved files from new ones."""
    source = Source(plan, wanted)
    for job in plan.jobs:
        try:
            audio_hash, spaces, keep = source.missing(job)
        except SeparationError as error:
            report.failed.append(Failure(job.file.path, str(error)))
            continue
        if not spaces and not keep:
            what = "retag"
        elif audio_hash in plan.done:
            what = f"update: {', '.join(spaces) or 'stems'}"
        else:
            what = job.why
        report.planned.append((job.file.path, what))
    report.planned.extend((path, "forget") for path in missing)


def _keep_books(catalog: Catalog, found: Scan, known: Mapping[str, KnownFile]) -> None:
    """Keep paths that lead nowhere as failures, and drop those failures whose folder is good again."""
    for failure in new_failures(found.failures, known):
        written(catalog.path, partial(commit_failure, catalog, FileStat(failure.path, 0, 0), failure.error))
    again = recovered(found, known)
    if again:
        written(catalog.path, partial(forget_missing, catalog, again))


def _kept(catalog: Catalog | None) -> frozenset[str]:
    """Audio hashes of the tracks whose stems are all kept and still there."""
    if catalog is None:
        return frozenset()
    with catalog.read() as connection:
        rows = connection.execute(
            "SELECT t.audio_hash, s.path FROM stems AS s JOIN tracks AS t USING (track_id)"
        ).fetchall()
    lost = {audio_hash for audio_hash, path in rows if path is None or not Path(path).is_file()}
    return frozenset({audio_hash for audio_hash, _ in rows} - lost)
