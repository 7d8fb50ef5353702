"""The catalog as an object: a path, and connections that live for one block."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mir.catalog import answers, engine, lock
from mir.catalog.answers import Rows as Rows
from mir.catalog.schema import SCHEMA_VERSION
from mir.errors import CatalogDamaged, CatalogMissing, CatalogTooNew, CatalogTooOld
from separation.publishing import unfinished_name

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from mir.export import Manifest, Partition
    from mir.similarity import ArtistsBy, Asking, Filters, Range

WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Which catalog, and its state: `generation` goes up by one with every committed write."""

    catalog_id: str
    generation: int


class Catalog:
    """A catalog file. No connection is held between calls; several threads may share one object.

    Parameters
    ----------
    path
        The DuckDB file; made by `create_catalog`, opened by `open_catalog`.
    wait_s
        How long to wait for another process's lock, in seconds.
    """

    def __init__(self, path: str | Path, wait_s: float = WAIT_S) -> None:
        self.path = Path(path)
        self.wait_s = wait_s
        self._checked = False

    def __repr__(self) -> str:
        return f"Catalog({str(self.path)!r})"

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for reading for one block; keep no relation or cursor of it.

        Raises
        ------
        CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
        """
        with self._connection("read") as con:
            yield con

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open as the one writer for one transaction: committed at the end of the block, undone on an error.

        Raises
        ------
        CatalogMissing, CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
        """
        with self._connection("write") as con, transaction(con):
            yield con

    def fetch(
        self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False, at_most: int | None = None
    ) -> Rows:
        """Answer a query with plain Python values, without pandas; sealed off, unless `allow_files`.

        All rows are given, or the first `at_most`.

        Raises
        ------
        QueryFailed
            Where the query is wrong or asks for what is not allowed; plus what `read` raises.
        """
        with self._asked(query, allow_files) as con:
            return answers.fetch(con, query, parameters, at_most)

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Answer a query as a pandas DataFrame: read-only, no files but the catalog, configuration locked.

        Raises
        ------
        QueryFailed
            Where the query is wrong or asks for what is not allowed; plus what `read` raises.
        """
        with self._asked(query) as con:
            return answers.frame(con, query, parameters)

    def arrow(self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False) -> pa.Table:
        """Answer a query as an Arrow table; as `fetch`.

        Raises
        ------
        QueryFailed
            As `fetch`.
        """
        with self._asked(query, allow_files) as con:
            return answers.arrow(con, query, parameters)

    def export_parquet(
        self,
        folder: str | Path,
        *,
        tables: Sequence[str] = (),
        library_by: Partition = "genre",
        overwrite: bool = False,
    ) -> Manifest:
        """Write the catalog as Parquet files that `mir.open_export` reads back; as `mir.export.export_parquet`."""
        from mir.export import export_parquet

        return export_parquet(self, Path(folder), tables=tables, library_by=library_by, overwrite=overwrite)

    def identity(self) -> Identity:
        """Return the catalog's id and generation."""
        with self.read() as con:
            row = con.execute("SELECT catalog_id, generation FROM catalog_info").fetchone()
        if row is None:
            raise CatalogDamaged(f"{self.path} has lost its identity; put a backup in its place")
        return Identity(*row)

    def similar_artists(
        self,
        query: Asking,
        by: Mapping[str, float] | None = None,
        k: int = 10,
        *,
        filters: Filters | None = None,
        diversity: float = 0.0,
        artists_by: ArtistsBy = "centroid",
    ) -> pd.DataFrame:
        """Return the `k` artists nearest to an artist (or a track, an audio file, several of these), best first.

        `by` weighs instruments; ``{"vocals": 1.0}`` where nothing is given. The rest is as in
        `mir.similarity.similar_artists`, which also explains its answers.
        """
        from mir.similarity import frame, similar_artists

        weights = by or {"vocals": 1.0}
        hits = similar_artists(self, query, weights, k, filters=filters, diversity=diversity, artists_by=artists_by)
        return frame(hits)

    def similar_tracks(
        self,
        query: Asking,
        by: Mapping[str, float] | None = None,
        k: int = 10,
        *,
        filters: Filters | None = None,
        diversity: float = 0.0,
        per_artist: int | None = None,
    ) -> pd.DataFrame:
        """Return the `k` tracks nearest to an artist, a track or an audio file; as `similar_artists`."""
        from mir.similarity import frame, similar_tracks

        weights = by or {"vocals": 1.0}
        hits = similar_tracks(self, query, weights, k, filters=filters, diversity=diversity, per_artist=per_artist)
        return frame(hits)

    def tracks(
        self,
        *,
        genre: str | Sequence[str] = (),
        min_probability: float | None = None,
        year: Range | None = None,
        tempo_bpm: Range | None = None,
        artist: str | Sequence[str] = (),
        where: Mapping[str, Range] | None = None,
        sort: str = "artist",
        descending: bool = False,
        columns: Sequence[str] = (),
        k: int | None = None,
    ) -> pd.DataFrame:
        """Return the tracks that pass, in the order of any column of ``library``; as `mir.catalog.browse.browse`.

        The filters are those of `mir.similarity.Filters`; `where` is lowest and highest by any column of numbers.
        """
        import pandas as pd

        from mir.catalog.browse import browse
        from mir.similarity import Filters

        names = (genre,) if isinstance(genre, str) else tuple(genre)
        artists = (artist,) if isinstance(artist, str) else tuple(artist)
        filters = Filters(names, year, tempo_bpm, min_probability=min_probability, artist=artists)
        found = browse(self, filters=filters, where=where, sort=sort, descending=descending, columns=columns, k=k)
        return pd.DataFrame(found.rows, columns=list(found.columns))

    @contextmanager
    def _asked(self, query: str, allow_files: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for one query of a stranger, with the macros that it names."""
        from mir.sql.macros import install

        kind: lock.Kind = "files" if allow_files else "sealed"
        with self._connection(kind) as con, answers.query_errors(allow_files=allow_files):
            install(con, query)
            yield con

    @contextmanager
    def _connection(self, kind: lock.Kind) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        with lock.connection(self.path, kind, self.wait_s) as con:
            try:
                self._check(con)
                yield con
            except duckdb.Error as error:
                if lock.is_damage(error):
                    raise lock.unreadable(self.path, error) from error
                raise

    def _check(self, con: duckdb.DuckDBPyConnection) -> None:
        """See once an object that this is a catalog, of the schema that we know."""
        if self._checked:
            return
        version = schema_version(con, self.path)
        if version > SCHEMA_VERSION:
            raise CatalogTooNew(f"{self.path} has schema {version}, this mir knows up to {SCHEMA_VERSION}; upgrade mir")
        if version < SCHEMA_VERSION:
            raise CatalogTooOld(
                f"{self.path} has schema {version}, this mir works with {SCHEMA_VERSION}; "
                f"`mir catalog migrate --catalog {self.path}` brings it up (and keeps a backup)"
            )
        self._checked = True


def schema_version(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return a catalog's schema version.

    Raises
    ------
    CatalogDamaged
        Where this is a database of something else.
    """
    import duckdb

    try:
        row = con.execute("SELECT max(version) FROM schema_version").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or row[0] is None:
        raise CatalogDamaged(
            f"{path} is a DuckDB file but no catalog of mir (no schema_version); give another --catalog"
        )
    return int(row[0])


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what the block does, with the generation one higher, or undo all of it."""
    import duckdb

    con.execute("BEGIN")
    try:
        yield
        con.execute("UPDATE catalog_info SET generation = generation + 1")
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # the first error is the one to tell
            con.execute("ROLLBACK")
        raise


def open_catalog(path: str | Path, wait_s: float = WAIT_S) -> Catalog:
    """Open an existing catalog, after a look whether it is one.

    Raises
    ------
    CatalogMissing
        Where there is none at `path`.
    CatalogBusy, CatalogDamaged, CatalogTooNew, CatalogTooOld
        Where it cannot be read now, ever, or by this mir.
    """
    catalog = Catalog(path, wait_s)
    with catalog.read():
        return catalog


def create_catalog(path: str | Path, wait_s: float = WAIT_S) -> Catalog:
    """Open a catalog for work, making or migrating it where needed; its spaces follow the declarations.

    Raises
    ------
    CatalogMissing
        Where the folder for it is not there.
    CatalogBusy, CatalogDamaged, CatalogTooNew
        As `open_catalog`.
    """
    from mir.catalog.migrations import upgrade

    catalog = Catalog(path, wait_s)
    if not catalog.path.exists():
        _make(catalog.path)
    upgrade(catalog)
    return catalog


def _make(path: Path) -> None:
    """Make an empty catalog under another name and put it in place whole; whoever comes first wins."""
    if not path.parent.is_dir():
        raise CatalogMissing(f"no folder {path.parent} to make the catalog {path.name} in; create it first")
    temporary = unfinished_name(path)
    try:
        fill(temporary)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".wal")):
            leftover.unlink(missing_ok=True)


def fill(path: Path) -> None:
    """Write an empty catalog of the present schema to a new file."""
    from mir import __version__
    from mir.catalog.schema import create_all

    con = engine.open_alone(path, read_only=False, sealed=False)
    try:
        con.execute("BEGIN")
        create_all(con, uuid.uuid4().hex, __version__)
        con.execute("COMMIT")
    finally:
        con.close()
