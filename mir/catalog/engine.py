"""DuckDB itself: its configuration, one warm engine for the process, a sealed one for strangers' queries.

Starting an engine costs more than a commit. So the process keeps one, in memory and with no file, and a
catalog is attached to it for one block; that is when the file is locked. `mir sql` gets an engine of its own,
sealed.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

Config = dict[str, str | bool | int | float | list[str]]


def config(*, sealed: bool) -> Config:
    """Return DuckDB's configuration: threads and memory set on purpose, no extension ever fetched."""
    from mir.config import setting

    settings: Config = {
        "threads": setting("threads").value,
        "memory_limit": f"{setting('memory_mb').value}MB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "default_block_size": "16384",  # a commit touches every table a little: ten times less to write
    }
    if sealed:
        settings |= {"enable_external_access": False, "temp_directory": ""}
    return settings


def open_alone(path: Path, *, read_only: bool = True, sealed: bool = True) -> duckdb.DuckDBPyConnection:
    """Open a file in an engine of its own.

    A sealed one touches no other file and cannot be told otherwise. ``enable_external_access`` alone would leave it
    the database's own files, and so let a query write a log that the next writer replays; hence no file system.
    """
    import duckdb

    opened = duckdb.connect(str(path), read_only=read_only, config=config(sealed=sealed))
    if sealed:
        opened.execute("SET disabled_filesystems = 'LocalFileSystem'")
        opened.execute("SET lock_configuration = true")
    return opened


class Host:
    """The process's warm engine; made when first needed, made anew after a fatal error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: duckdb.DuckDBPyConnection | None = None

    def attach(self, path: Path, alias: str, *, read_only: bool) -> None:
        """Attach a catalog, which takes the file's lock, or raise what DuckDB raises."""
        mode = " (READ_ONLY)" if read_only else ""
        self.cursor().execute(f"ATTACH {quoted(path)} AS {alias}{mode}")

    def detach(self, alias: str) -> None:
        """Let go of a catalog: its log is written into the file, its lock is given up."""
        import duckdb

        try:
            self.cursor().execute(f"DETACH {alias}")
        except duckdb.Error:
            # What was committed is safe in the log; an engine in which something broke is not kept.
            with self._lock:
                if self._engine is not None:
                    self._engine.close()
                self._engine = None

    def cursor(self, alias: str | None = None) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own, with an attached catalog as its default database."""
        import duckdb

        with self._lock:
            if self._engine is None:
                scratch = str(Path(tempfile.gettempdir()) / f"mir-{os.getpid()}")  # made only when memory is short
                self._engine = duckdb.connect(config=config(sealed=False) | {"temp_directory": scratch})
                self._engine.execute("SET GLOBAL TimeZone = 'UTC'")  # times are stored as UTC, whoever writes
            made = self._engine.cursor()
        if alias is not None:
            made.execute(f"USE {alias}")
        return made


HOST = Host()


def quoted(path: Path) -> str:
    """Quote a path for the statements that take no parameter (ATTACH)."""
    return "'" + str(path).replace("'", "''") + "'"
