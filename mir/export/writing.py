"""Writing an export: all tables in one state of the catalog, in a folder that appears whole or not at all."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import quote

from mir.catalog.engine import quoted
from mir.catalog.schema import identifier
from mir.errors import BadRequest
from mir.export.manifest import (
    NAME,
    ExportedColumn,
    ExportedFile,
    ExportedTable,
    Manifest,
    parse,
)
from separation.publishing import scratch_folder

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

Partition = Literal["genre", "year", "none"]
PARTITIONS: Final[tuple[Partition, ...]] = get_args(Partition)
"""What the folders of ``library`` may be named by."""

LEFT_OUT: Final = ("schema_version", "catalog_info", "space_vectors")
"""Tables that the manifest, or the view ``embeddings``, stands for."""

VIEWS: Final = ("library", "embeddings")
"""Views that are written as tables; the others are made of them again."""

_BY_SPACE: Final = ("embeddings", "descriptors", "extractions")
_LONGEST_NAME: Final = 200
_BLOCK_BYTES: Final = 2**20


def export_parquet(
    catalog: Catalog,
    folder: Path,
    *,
    tables: Sequence[str] = (),
    library_by: Partition = "genre",
    overwrite: bool = False,
    done: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Write tables as Parquet files, one folder a table, with a manifest.

    Parameters
    ----------
    catalog
        The catalog; writers wait until it is read.
    folder
        Where to; made here. One that is there must be empty, or be an export and `overwrite` be set.
    tables
        Which; all of them where none is given.
    library_by
        What the folders of ``library`` are named by; vectors, descriptors and extractions lie by space. Folders
        are named as Hive does (``by_genre=drum%20%26%20bass``), without case, ``none`` where there is no value; the
        column itself stays in the files as it is. So no reader has to make a missing value of a folder's name,
        and no file system takes two genres for one.
    done
        Called with the name of each table that is written.

    Raises
    ------
    BadRequest
        Where the catalog has no such table, `folder` is something else's, or a genre is too long for a folder's name.
    """
    if library_by not in PARTITIONS:
        raise BadRequest(f"library cannot be laid out by {library_by!r}; there are {', '.join(PARTITIONS)}")
    folder = folder.absolute()
    _refuse_others(folder, overwrite)
    if not folder.parent.is_dir():
        raise BadRequest(f"no folder {folder.parent} to make the export in; create it first")
    with scratch_folder(folder.parent) as scratch:
        new = scratch / "export"
        new.mkdir()
        with catalog.read() as con:
            manifest = _write(con, new, tables, library_by, done)
        (new / NAME).write_text(manifest.to_json(), encoding="utf-8")
        _put(new, folder, scratch / "before")
    return manifest


def _put(new: Path, folder: Path, before: Path) -> None:
    """Rename a whole export into its place; what was there goes to `before`, and comes back where that fails."""
    if folder.exists():
        folder.rename(before)
    try:
        new.rename(folder)
    except OSError:
        if before.exists():
            before.rename(folder)
        raise


def _refuse_others(folder: Path, overwrite: bool) -> None:
    """See that nothing but an earlier export is replaced.

    Raises
    ------
    BadRequest
        Where something is there.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BadRequest(f"{folder} is no folder; give another name")
    if not any(folder.iterdir()):
        return
    manifest = folder / NAME
    if not manifest.is_file():
        raise BadRequest(f"{folder} holds something that is no export; give another name, or empty it")
    parse(manifest.read_bytes(), str(folder))
    if not overwrite:
        raise BadRequest(f"{folder} is an export already; --overwrite replaces it")


def _write(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    tables: Sequence[str],
    library_by: Partition,
    done: Callable[[str], None],
) -> Manifest:
    from mir import __version__
    from mir.catalog.schema import SCHEMA_VERSION

    there = _exportable(con)
    unknown = [name for name in tables if name not in there]
    if unknown:
        raise BadRequest(f"no table {', '.join(unknown)} to export; there are {', '.join(there)}")
    written = {}
    for name in there:
        if not tables or name in tables:
            by = None if library_by == "none" else library_by
            written[name] = _table(con, folder, name, there[name], "space" if name in _BY_SPACE else by)
            done(name)
    row = con.execute("SELECT catalog_id, generation FROM catalog_info").fetchone() or ("", 0)
    sizes = dict(con.execute("SELECT space, vector_size FROM spaces ORDER BY space").fetchall())
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Manifest(row[0], row[1], SCHEMA_VERSION, __version__, now, sizes, written)


def _exportable(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return what can be exported with its comment, by name."""
    rows = con.execute(
        "SELECT name, comment FROM ("
        " SELECT table_name AS name, comment FROM duckdb_tables() WHERE database_name = current_database()"
        " AND NOT list_contains($out, table_name)"
        " UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE database_name = current_database()"
        " AND list_contains($views, view_name)) ORDER BY name",
        {"out": list(LEFT_OUT), "views": list(VIEWS)},
    ).fetchall()
    return {name: comment or "" for name, comment in rows}


def _table(
    con: duckdb.DuckDBPyConnection, folder: Path, name: str, comment: str, wanted_by: str | None
) -> ExportedTable:
    described = con.execute(
        "SELECT column_name, data_type, coalesce(comment, '') FROM duckdb_columns()"
        " WHERE database_name = current_database() AND table_name = ? ORDER BY column_index",
        [name],
    ).fetchall()
    columns = tuple(ExportedColumn(*row) for row in described)
    by = wanted_by if name in ("library", *_BY_SPACE) else None
    counted = con.execute(f"SELECT count(*) FROM {identifier(name)}").fetchone()  # noqa: S608 - the catalog's own tables
    rows = int(counted[0]) if counted else 0
    if rows == 0:
        by = None  # there is no value to name a folder by
    place = folder / name
    place.mkdir()
    if by is None:
        target, options = place / "data_0.parquet", ""
    else:
        target, options = place, f", PARTITION_BY ({identifier(f'by_{by}')}), OVERWRITE_OR_IGNORE"
        _check_names(con, name, by)
    # With the order fixed, the same catalog gives the same files.
    key = "track_id" if any(column.name == "track_id" for column in columns) else "ALL"
    selected = "*" if by is None else f"*, {_folder(by)} AS {identifier(f'by_{by}')}"
    con.execute(
        f"COPY (SELECT {selected} FROM {identifier(name)} ORDER BY {key}) TO {quoted(target)}"  # noqa: S608 - as above
        f" (FORMAT parquet, COMPRESSION zstd{options})"
    )
    files = tuple(_file(path, folder) for path in sorted(place.rglob("*.parquet")))
    return ExportedTable(name, comment, rows, columns, by, files)


def _folder(by: str) -> str:
    """Return the expression of a folder's name."""
    return f"coalesce(nullif(trim(lower({identifier(by)}::VARCHAR)), ''), 'none')"


def _check_names(con: duckdb.DuckDBPyConnection, table: str, by: str) -> None:
    """See that every value can name a folder.

    Raises
    ------
    BadRequest
        Where one is too long.
    """
    values = con.execute(f"SELECT DISTINCT {_folder(by)} FROM {identifier(table)}").fetchall()  # noqa: S608
    for (value,) in values:
        if len(quote(value, safe="")) > _LONGEST_NAME:
            raise BadRequest(
                f"the {by} {value[:40]!r}… is too long to name a folder by; --library-by none writes one file"
            )


def _file(path: Path, folder: Path) -> ExportedFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return ExportedFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest.hexdigest())
