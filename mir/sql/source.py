"""What can be asked in SQL: a catalog, or an export of one; and what its tables and columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from mir.catalog.answers import Rows


class Source(Protocol):
    """Answers one query at a time and holds nothing between them."""

    def fetch(
        self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False, at_most: int | None = None
    ) -> Rows:
        """Answer with plain Python values: all rows, or the first `at_most`."""
        ...

    def arrow(self, query: str, parameters: Sequence[object] = (), *, allow_files: bool = False) -> pa.Table:
        """Answer with an Arrow table."""
        ...


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its type in SQL, and what its comment says."""

    name: str
    kind: str
    comment: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view (`kind`), with what its comment says and its columns in their order."""

    name: str
    kind: str
    comment: str
    columns: tuple[Field, ...]


_RELATIONS = """
SELECT t.name, t.kind, coalesce(t.comment, ''), c.column_name, c.data_type, coalesce(c.comment, '')
FROM (
  SELECT table_name AS name, 'table' AS kind, comment FROM duckdb_tables() WHERE database_name = current_database()
  UNION ALL
  SELECT view_name, 'view', comment FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
) AS t JOIN duckdb_columns() AS c ON c.table_name = t.name AND c.database_name = current_database()
ORDER BY t.name, c.column_index
"""


def relations(source: Source) -> tuple[Relation, ...]:
    """Return the tables and views of a source, by name; the view ``library`` first."""
    found: dict[str, tuple[str, str, list[Field]]] = {}
    for name, kind, comment, column, column_kind, column_comment in source.fetch(_RELATIONS).rows:
        found.setdefault(name, (kind, comment, []))[2].append(Field(column, column_kind, column_comment))
    _lend_comments(found)
    ordered = sorted(found, key=lambda name: (name != "library", name))
    return tuple(Relation(name, found[name][0], found[name][1], tuple(found[name][2])) for name in ordered)


def _lend_comments(found: dict[str, tuple[str, str, list[Field]]]) -> None:
    """Give the columns of views over ``space_vectors``, which have no comment of their own, those of the table."""
    lent = {each.name: each for each in found.get("space_vectors", ("", "", []))[2]}
    for name, (_, _, columns) in found.items():
        if name.startswith("embeddings"):
            columns[:] = [
                Field(each.name, each.kind, lent[each.name].comment) if not each.comment and each.name in lent else each
                for each in columns
            ]
