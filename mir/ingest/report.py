"""What an ingest says while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from mir.scan import Failure

EventState = Literal["started", "ok", "retagged", "failed"]


@dataclass(frozen=True, slots=True)
class Event:
    """One file is begun, or finished (and committed).

    Parameters
    ----------
    path, state
        The file, and what became of it: ``started`` (its separation begins; another event follows), ``ok``
        (analysed), ``retagged`` (known audio: tags and path), ``failed``.
    seconds
        From the start of its separation to its commit; 0 where it only begins.
    audio_s
        Music in it, seconds; 0 where nothing was analysed.
    error
        Reason of a failure.
    done, total
        Files finished and files to do in this run.
    speed
        Music analysed in this run a second of wall time (× real time).
    """

    path: str
    state: EventState
    seconds: float
    audio_s: float
    error: str | None
    done: int
    total: int
    speed: float


Listener = Callable[[Event], None]


@dataclass(slots=True)
class IngestReport:
    """What a run did.

    Parameters
    ----------
    ingested
        Files analysed and committed.
    skipped
        Files for which nothing was missing; those that failed before and have not changed are among them.
    failed
        Files and folders that could not be taken in, with the reasons.
    audio_s, wall_s
        Seconds of music analysed, and seconds the run took.
    retagged
        Files of known audio whose path or tags were read again.
    failed_before
        Those of `skipped` that an earlier run failed on.
    pruned
        Files forgotten because they are gone.
    planned
        Of a dry run: path and what would be done (``new``, ``changed``, ``retry``, ``retag``, ``update: …``,
        ``forget``).
    not_given
        Spaces that are not measured because the model has no stems for them, with the reasons.
    """

    ingested: int = 0
    skipped: int = 0
    failed: list[Failure] = field(default_factory=list)
    audio_s: float = 0.0
    wall_s: float = 0.0
    retagged: int = 0
    failed_before: int = 0
    pruned: int = 0
    planned: list[tuple[str, str]] = field(default_factory=list)
    not_given: dict[str, str] = field(default_factory=dict)
