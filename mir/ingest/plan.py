"""What is missing: decided from file sizes, times and the catalog alone; nothing is decoded, nothing heavy loaded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from features import EXTRACTORS
from mir.catalog.records import FileStat
from mir.scan import Failure, Scan

if TYPE_CHECKING:
    from mir.catalog.queries import Done, KnownFile

DoneSpaces = Mapping[str, "Done"]


@dataclass(frozen=True, slots=True)
class Job:
    """A file that needs something.

    Parameters
    ----------
    file
        As it lay on disk when the plan was made.
    why
        ``new``, ``changed``, ``retry`` or ``update``.
    audio_hash
        Known where the file is unchanged; else it has to be computed.
    """

    file: FileStat
    why: str
    audio_hash: str | None = None


@dataclass(slots=True)
class Plan:
    """What to do, and what not.

    Parameters
    ----------
    jobs
        Files that need something, in order.
    skipped
        How many need nothing.
    failed_before
        How many of `skipped` failed earlier and have not changed.
    done
        Audio hash → space → what the catalog has.
    kept
        Audio hashes whose stems are kept; looked up only where stems are to be kept.
    """

    jobs: list[Job] = field(default_factory=list)
    skipped: int = 0
    failed_before: int = 0
    done: Mapping[str, DoneSpaces] = field(default_factory=dict)
    kept: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a track has to have to be complete: spaces, each of its current version, from one source.

    Parameters
    ----------
    source_id
        The separator's.
    retry_failed
        Whether a failed space counts as missing.
    spaces
        Those that the separator has stems for.
    """

    source_id: str
    retry_failed: bool = False
    spaces: tuple[str, ...] = tuple(EXTRACTORS)

    def missing(self, done: DoneSpaces) -> tuple[str, ...]:
        """Spaces that are absent or out of date in `done`."""
        missing = []
        for space in self.spaces:
            extractor, known = EXTRACTORS[space], done.get(space)
            if (
                known is None
                or known.version != extractor.version
                or known.source_id != self.source_id
                or (self.retry_failed and known.state == "failed")
            ):
                missing.append(space)
        return tuple(missing)


def make_plan(
    files: Sequence[FileStat],
    known: Mapping[str, KnownFile],
    done: Mapping[str, DoneSpaces],
    wanted: Wanted,
    kept: frozenset[str] | None = None,
) -> Plan:
    """Decide for each file whether anything is missing.

    Parameters
    ----------
    files
        What was found.
    known, done
        What the catalog has: `mir.catalog.queries.known_files` and `done`.
    kept
        Audio hashes whose stems are kept, None where no stems are wanted.
    """
    plan = Plan(done=done, kept=kept)
    for file in files:
        before = known.get(file.path)
        if before is None:
            plan.jobs.append(Job(file, "new"))
        elif (before.size, before.mtime_ns) != (file.size, file.mtime_ns):
            plan.jobs.append(Job(file, "changed"))
        elif before.state == "failed":
            if wanted.retry_failed:
                plan.jobs.append(Job(file, "retry"))
            else:
                plan.skipped += 1
                plan.failed_before += 1
        elif before.audio_hash is None:
            plan.jobs.append(Job(file, "new"))
        elif wanted.missing(done.get(before.audio_hash, {})) or (kept is not None and before.audio_hash not in kept):
            plan.jobs.append(Job(file, "update", before.audio_hash))
        else:
            plan.skipped += 1
    return plan


def gone(known: Iterable[str], folders: Sequence[str]) -> list[str]:
    """Paths of the catalog under one of the folders that exist no more; what cannot be looked at stays."""
    missing = []
    for path in known:
        if not _below(path, folders):
            continue
        try:
            os.stat(path)  # noqa: PTH116 - thousands of them
        except (FileNotFoundError, NotADirectoryError):
            missing.append(path)
        except OSError:
            continue
    return missing


def new_failures(failures: Sequence[Failure], known: Mapping[str, KnownFile]) -> list[Failure]:
    """Those that the catalog does not hold already, word for word."""
    return [one for one in failures if one.path not in known or known[one.path].reason != one.error]


def recovered(found: Scan, known: Mapping[str, KnownFile]) -> list[str]:
    """Folders that the catalog holds as failures and that were read this time."""
    failing = {failure.path for failure in found.failures}
    return [
        path
        for path, before in known.items()
        if before.state == "failed"
        and (before.size, before.mtime_ns) == (0, 0)
        and path not in failing
        and _below(path, found.folders)
        and _is_folder(path)
    ]


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False
