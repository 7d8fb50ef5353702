"""Asking an export in SQL, as a catalog is asked; from a local folder or any address that fsspec knows.

DuckDB sees no file: Arrow reads those that the manifest names, after their checksums were seen to be right, and
DuckDB's engine is as sealed as for a catalog.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mir.catalog import answers, engine
from mir.catalog.answers import Rows
from mir.catalog.schema import identifier, literal
from mir.errors import ArtifactRefused, CatalogMissing, ExtraMissing
from mir.export.manifest import NAME, ExportedFile, ExportedTable, Manifest, parse

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

_BLOCK_BYTES = 2**20
_MACROS_NEED = ("tracks", "artists", "track_artists", "spaces", "embeddings")


class Export:
    """An export that was found whole; made by `open_export`.

    Parameters
    ----------
    address
        Where it lies.
    manifest
        What it holds.
    tables
        Each table as an Arrow dataset, by name.
    """

    def __init__(self, address: str, manifest: Manifest, tables: dict[str, Any]) -> None:
        self.address = address
        self.manifest = manifest
        self._tables = tables

    def __repr__(self) -> str:
        return f"Export({self.address!r})"

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Answer a query as a pandas DataFrame; no file but those of the export is read.

        Raises
        ------
        QueryFailed
            Where the query is wrong or asks for what is not allowed.
        """
        with self._asked(query) as con:
            return answers.frame(con, query, parameters)

    def fetch(
        self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False, at_most: int | None = None
    ) -> Rows:
        """Answer a query with plain Python values: all rows, or the first `at_most`; as `sql`.

        Raises
        ------
        QueryFailed
            As `sql`.
        """
        with self._asked(query, allow_files) as con:
            return answers.fetch(con, query, parameters, at_most)

    def arrow(self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False) -> pa.Table:
        """Answer a query as an Arrow table; as `fetch`.

        Raises
        ------
        QueryFailed
            As `sql`.
        """
        with self._asked(query, allow_files) as con:
            return answers.arrow(con, query, parameters)

    @contextmanager
    def _asked(self, query: str, allow_files: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Make an engine in memory for one query, with a view for each table."""
        con = engine.open_alone(Path(":memory:"), read_only=False, sealed=not allow_files)
        try:
            self._furnish(con, query)
            with answers.query_errors(allow_files=allow_files):
                yield con
        finally:
            con.close()

    def _furnish(self, con: duckdb.DuckDBPyConnection, query: str) -> None:
        import duckdb

        from mir.sql.macros import install

        statements = []
        for name, table in self.manifest.tables.items():
            con.register(f"_{name}", self._tables[name])
            columns = ", ".join(
                # JSON is the one type of ours that Parquet has as mere text.
                identifier(column.name) + (f"::JSON AS {identifier(column.name)}" if column.type == "JSON" else "")
                for column in table.columns
            )
            statements.append(f"CREATE VIEW {identifier(name)} AS SELECT {columns} FROM {identifier(f'_{name}')}")  # noqa: S608 - quoted names
            statements += _comments(table)
        if "embeddings" in self.manifest.tables:
            statements += [
                f"CREATE VIEW {identifier(f'embeddings_{space}')} AS SELECT track_id, vector::FLOAT[{max(1, size)}] AS vector"  # noqa: S608, E501
                f" FROM embeddings WHERE space = {literal(space)} AND len(vector) = {max(1, size)}"
                for space, size in self.manifest.vector_sizes.items()
            ]
        try:
            con.execute(";\n".join(statements))
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise ArtifactRefused(f"{self.address} is not what its {NAME} says ({said}); export again") from error
        if all(name in self.manifest.tables for name in _MACROS_NEED):
            install(con, query)


def open_export(address: str | Path) -> Export:
    """Open an export of `mir export parquet`, after a look at every byte of it.

    Parameters
    ----------
    address
        A folder, or an address as ``memory://export``, ``s3://bucket/export`` (with fsspec, and what it needs for it).

    Raises
    ------
    CatalogMissing
        Where there is no export.
    ArtifactRefused
        Where a file is missing or is not the one that the manifest names.
    ExtraMissing
        Where the address needs a package that is not installed.
    """
    files, root = _files(str(address))
    try:
        with files.open_input_stream(f"{root}/{NAME}") as stream:
            text = stream.read()
    except OSError as error:
        raise CatalogMissing(
            f"no export at {address} ({NAME} is not there); `mir export parquet FOLDER` makes one"
        ) from error
    manifest = parse(text, str(address))
    for table in manifest.tables.values():
        for each in table.files:
            _verify(files, root, each, str(address))
    tables = {name: _dataset(files, root, table, str(address)) for name, table in manifest.tables.items()}
    return Export(str(address), manifest, tables)


def _files(address: str) -> tuple[Any, str]:
    """Return an Arrow file system, and where in it the export lies."""
    from pyarrow import fs

    if "://" not in address:
        return fs.LocalFileSystem(), Path(address).expanduser().absolute().as_posix()
    try:
        from fsspec.core import url_to_fs

        found, root = url_to_fs(address)
    except ImportError as error:
        raise ExtraMissing(
            f"{address} needs a package that is not installed ({error}); pip install fsspec, and s3fs for s3://, "
            "gcsfs for gs://, adlfs for abfs://"
        ) from error
    except ValueError as error:
        raise CatalogMissing(f"no export at {address}: {error}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(found)), str(root).rstrip("/")


def _verify(files: Any, root: str, each: ExportedFile, address: str) -> None:  # noqa: ANN401 - pyarrow has no types
    digest, size = hashlib.sha256(), 0
    try:
        with files.open_input_stream(f"{root}/{each.path}") as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise ArtifactRefused(f"{address} lacks {each.path}, which its {NAME} names; export again") from error
    if size != each.size or digest.hexdigest() != each.sha256:
        raise ArtifactRefused(f"{address}: {each.path} is not the file that its {NAME} names; export again")


def _dataset(files: Any, root: str, table: ExportedTable, address: str) -> Any:  # noqa: ANN401
    """Return a table as an Arrow dataset of exactly the files that the manifest names."""
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        found = ds.dataset([f"{root}/{each.path}" for each in table.files], filesystem=files, format="parquet")
    except (pa.ArrowException, OSError) as error:
        raise ArtifactRefused(f"{address}: {table.name} is no readable Parquet ({error}); export again") from error
    missing = {column.name for column in table.columns} - set(found.schema.names)
    if missing:
        raise ArtifactRefused(f"{address}: {table.name} lacks {', '.join(sorted(missing))}; export again")
    return found


def _comments(table: ExportedTable) -> list[str]:
    name = identifier(table.name)
    return [
        f"COMMENT ON VIEW {name} IS {literal(table.comment)}",
        *(
            f"COMMENT ON COLUMN {name}.{identifier(column.name)} IS {literal(column.comment)}"
            for column in table.columns
        ),
    ]
