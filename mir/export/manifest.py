"""What an export holds: its tables, what they mean, and a checksum of every file. What it does not name is not read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mir.errors import ArtifactRefused

NAME = "manifest.json"
FORMAT = "mir-export"
FORMAT_VERSION = 1

_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file: where it lies in the export (with ``/``), bytes, checksum in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportedColumn:
    """A column: its type in the catalog, and its comment."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table: its comment, rows, columns in order, the column by whose values its files lie, the files."""

    name: str
    comment: str
    rows: int
    columns: tuple[ExportedColumn, ...]
    partitioned_by: str | None
    files: tuple[ExportedFile, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """An export, as its ``manifest.json`` has it.

    Parameters
    ----------
    catalog_id, generation
        Which catalog it was made of, and in which state.
    schema_version, mir_version
        Of that catalog, and of the program that wrote it.
    created_at
        When, ISO 8601 in UTC.
    vector_sizes
        Numbers in a vector, by space.
    tables
        By name.
    """

    catalog_id: str
    generation: int
    schema_version: int
    mir_version: str
    created_at: str
    vector_sizes: dict[str, int]
    tables: dict[str, ExportedTable]

    def to_json(self) -> str:
        """Return the manifest as text."""
        head = {"format": FORMAT, "format_version": FORMAT_VERSION}
        body = asdict(self) | {"tables": [asdict(table) for table in self.tables.values()]}
        return json.dumps(head | body, indent=1, ensure_ascii=False) + "\n"


def parse(text: bytes, where: str) -> Manifest:
    """Read a manifest, trusting nothing in it.

    Raises
    ------
    ArtifactRefused
        Where it is none, is of a later format, or names files outside its folder.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise KeyError("format")
        version = int(found["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactRefused(f"{where}: its {NAME} is not one of `mir export parquet`; export again") from error
    if version > FORMAT_VERSION:
        raise ArtifactRefused(
            f"{where} has export format {version}, this mir reads up to {FORMAT_VERSION}; upgrade mir"
        )
    try:
        tables = [_table(each) for each in found["tables"]]
        return Manifest(
            str(found["catalog_id"]),
            int(found["generation"]),
            int(found["schema_version"]),
            str(found["mir_version"]),
            str(found["created_at"]),
            {_name(space): int(size) for space, size in found["vector_sizes"].items()},
            {table.name: table for table in tables},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactRefused(f"{where}: its {NAME} is damaged ({error}); export again") from error


def _table(found: Mapping[str, Any]) -> ExportedTable:
    name = _name(found["name"])
    columns = tuple(ExportedColumn(str(c["name"]), str(c["type"]), str(c["comment"])) for c in found["columns"])
    by = found["partitioned_by"]
    if by is not None and by not in {column.name for column in columns}:
        raise ValueError(f"{name} has no column {by!r}")
    files = tuple(_file(each, name) for each in found["files"])
    if not files or not columns:
        raise ValueError(f"{name} has no files or no columns")
    return ExportedTable(name, str(found["comment"]), int(found["rows"]), columns, by, files)


def _file(found: Mapping[str, Any], table: str) -> ExportedFile:
    """Read a file's entry; it must lie in its table's folder, and nowhere else."""
    path, sha256 = str(found["path"]), str(found["sha256"])
    parts = path.split("/")
    if parts[0] != table or len(parts) < 2 or any(part in ("", ".", "..") or "\\" in part for part in parts):
        raise ValueError(f"{path!r} is no file in the folder {table}")
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{path!r} has no checksum")
    return ExportedFile(path, int(found["size"]), sha256)


def _name(text: object) -> str:
    if not isinstance(text, str) or not _TABLE.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a table")
    return text
