"""The one writer's patience: commits that wait for readers, and clear words where the disk refuses."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mir.errors import CatalogBusy, MirError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

PATIENCE = 30
"""How often a commit is tried while others read; each try waits as long as the catalog does (10 s)."""

logger = logging.getLogger("mir.ingest")


class CatalogNotWritten(MirError, OSError):
    """The catalog could not be written: no room, or the disk refuses."""


def written(path: Path, commit: Callable[[], T]) -> T:
    """Run a commit; hours of work do not end because somebody's query takes longer than usual.

    Parameters
    ----------
    path
        The catalog, for messages.
    commit
        One transaction; run again where it found the catalog locked.

    Raises
    ------
    CatalogBusy
        Where the catalog stayed locked through all tries.
    CatalogNotWritten
        Where it could not be written.
    """
    refused: tuple[type[Exception], ...] = (*_refusals(), OSError)
    for left in range(PATIENCE - 1, -1, -1):
        try:
            return commit()
        except CatalogBusy as error:
            if not left:
                raise
            logger.warning("waiting to write: %s", error)
        except MirError:
            raise
        except RuntimeError as error:
            if "Query interrupted" in str(error):  # what DuckDB makes of Ctrl-C; its transaction is undone
                raise KeyboardInterrupt from error
            raise
        except refused as error:
            full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
            why = "no space left on its disk" if full else str(error).splitlines()[0]
            raise CatalogNotWritten(
                f"{path} cannot be written: {why}. What was committed before is kept; "
                "put that right and run the same command again"
            ) from error
    raise RuntimeError("unreachable: the last try raises")


def _refusals() -> tuple[type[Exception], ...]:
    """What DuckDB raises where a file cannot be written; a commit says it as a transaction's error."""
    import duckdb

    return duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException
