"""Forward migrations: one transaction for all steps, after a backup; a newer schema is never touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mir.catalog import lock, schema, steps
from mir.errors import CatalogTooNew, CatalogTooOld

if TYPE_CHECKING:
    import duckdb

    from mir.catalog.store import Catalog

Migration = Callable[["duckdb.DuckDBPyConnection"], None]

MIGRATIONS: Mapping[int, Migration] = {2: steps.clusters_and_maps}
"""Schema version → the step that leads to it from the one before. A released step is never changed."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did: schema reached, backup made (None: the schema was right), spaces built anew."""

    schema: int
    backup: Path | None
    rebuilt: tuple[str, ...]


def upgrade(catalog: Catalog) -> Upgrade:
    """Bring a catalog to the present schema, and its spaces to what the extractors declare.

    Raises
    ------
    CatalogTooNew, CatalogTooOld
        As `migrate`.
    """
    from mir.catalog.wide import build_spaces, changed_spaces

    saved = migrate(catalog)
    with catalog.read() as con:
        changed = changed_spaces(con)
    if changed:
        with catalog.write() as con:
            build_spaces(con)
    return Upgrade(schema.SCHEMA_VERSION, saved, tuple(changed))


def migrate(
    catalog: Catalog, target: int | None = None, migrations: Mapping[int, Migration] | None = None
) -> Path | None:
    """Bring a catalog to a schema; return the backup, None where there was nothing to do.

    Parameters
    ----------
    catalog
        The catalog.
    target, migrations
        Schema to reach and steps to take; those of this program where nothing is given.

    Raises
    ------
    CatalogTooNew
        Where the catalog is newer than `target`.
    CatalogTooOld
        Where a step is missing.
    """
    from mir import __version__
    from mir.catalog.maintenance import backup
    from mir.catalog.store import schema_version, transaction

    goal = schema.SCHEMA_VERSION if target is None else target
    steps = MIGRATIONS if migrations is None else migrations
    with lock.connection(catalog.path, "read", catalog.wait_s) as con:
        version = schema_version(con, catalog.path)
    if version > goal:
        raise CatalogTooNew(f"{catalog.path} has schema {version}, this mir knows up to {goal}; upgrade mir")
    if version == goal:
        return None
    missing = [number for number in range(version + 1, goal + 1) if number not in steps]
    if missing:
        raise CatalogTooOld(
            f"{catalog.path} has schema {version}, no way leads from it to {goal}; ingest into a new catalog"
        )
    saved = backup(catalog, catalog.path.with_name(f"{catalog.path.name}.backup-v{version}"))
    with lock.connection(catalog.path, "write", catalog.wait_s) as con, transaction(con):
        for number in range(schema_version(con, catalog.path) + 1, goal + 1):
            steps[number](con)
            con.execute("INSERT INTO schema_version (version, mir_version) VALUES (?, ?)", [number, __version__])
    return saved
