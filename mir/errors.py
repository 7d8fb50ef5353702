"""The product's errors; `exit_code` is what the shell sees."""

from __future__ import annotations

from typing import ClassVar


class MirError(Exception):
    """Root of this package's errors."""

    exit_code: ClassVar[int] = 1


class BadRequest(MirError, ValueError):
    """An argument that asks for what does not exist; the message lists what does."""

    exit_code = 2


class NotInCatalog(MirError, LookupError):
    """No such artist, track or path in the catalog; the message offers the nearest."""


class NothingToCompare(MirError, LookupError):
    """The query is known, but it lacks the instrument that was asked for."""


class CatalogMissing(MirError, FileNotFoundError):
    """No catalog at that path yet."""


class CatalogBusy(MirError, TimeoutError):
    """Another process kept the catalog locked for longer than we wait."""


class CatalogTooNew(MirError, RuntimeError):
    """The catalog was written by a later version of mir."""


class CatalogDamaged(MirError, RuntimeError):
    """The file is no catalog, or a broken one."""


class TooFewLabels(MirError, ValueError):
    """Not enough labelled tracks to train or evaluate on."""


class ArtifactRefused(MirError, ValueError):
    """A stored model that is not what its record says: checksum, versions or types differ."""


class ExtraMissing(MirError, ImportError):
    """An optional dependency is not installed; the message has the line that installs it."""


class CatalogTooOld(MirError, RuntimeError):
    """The catalog has an earlier schema; the message has the command that migrates it."""


class QueryFailed(MirError, ValueError):
    """A SQL query that is wrong, or asks for what is not allowed."""
