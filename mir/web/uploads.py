"""Files that are asked with: taken in piece by piece, heard by the working process, thrown away."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from mir.errors import BadRequest, MirError
from mir.similarity.query import Query
from mir.web import schemas
from mir.web.jobs import Job, QueueFull
from mir.web.site import Site


async def take(request: Request, site: Site, name: str) -> schemas.JobAnswer:
    """Take a file in and have it heard.

    The guard has measured and timed the body: what is too large or too slow never gets here whole.

    Raises
    ------
    BadRequest
        Where nothing was sent.
    QueueFull
        Where too much waits already, or several files are coming in.
    MirError
        Where it cannot be kept for the while: the disk is full.
    """
    site.jobs.need_room()
    if not site.uploading.acquire(blocking=False):
        raise QueueFull("several files are being sent already; try again in a moment", 10)
    try:
        path = await _receive(request, site.scratch)
    except OSError as error:
        raise MirError(f"the file could not be taken in: {error.strerror or type(error).__name__}") from error
    finally:
        site.uploading.release()
    return await run_in_threadpool(_order, site, path, Path(name).name or "the file")


def job_answer(site: Site, job: Job) -> schemas.JobAnswer:
    """Return how far a job is."""
    heard = site.uploads.find(job.job_id) if job.task == "hear" else None
    return schemas.JobAnswer(
        job_id=job.job_id,
        state=job.state,
        fraction=job.fraction,
        ahead=site.jobs.ahead(job),
        reason=job.reason,
        upload=None if heard is None else job.job_id,
        label=heard.label if isinstance(heard, Query) else None,
    )


async def _receive(request: Request, folder: Path) -> Path:
    with NamedTemporaryFile(dir=folder, suffix=".upload", delete=False) as file:
        path = Path(file.name)
        try:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
            file.flush()
            if not path.stat().st_size:
                raise BadRequest("the body is the file, and it is empty")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path


def _order(site: Site, path: Path, name: str) -> schemas.JobAnswer:
    def finish(job: Job) -> None:
        path.unlink(missing_ok=True)
        if isinstance(job.result, Query):
            site.uploads.put(job.job_id, job.result)

    arguments = {"path": str(path), "name": name, "catalog": str(site.catalog.path), "model": site.model}
    try:
        job = site.jobs.submit("hear", str(path), arguments, finish)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return job_answer(site, job)
