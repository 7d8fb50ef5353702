"""The catalog's tables and views as Markdown, from their own comments.

``python -m mir.sql.schema_doc > docs/schema.md`` writes the page.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from mir.sql.source import Relation, relations

HEAD: Final = """# Schema

Generated from the catalog's own comments by `python -m mir.sql.schema_doc > docs/schema.md`; do not edit.

One DuckDB file holds everything (schema version {version}). Analysts start from the view [`library`](#library). The
same comments come from the catalog itself: `.tables` and `.columns TABLE` in `mir sql`, or
`SELECT table_name, column_name, comment FROM duckdb_columns()`. [SQL for analysts](sql.md) has worked questions.
"""


def markdown() -> str:
    """Return the page, from a catalog that is made for it."""
    from mir.catalog import create_catalog
    from mir.catalog.schema import SCHEMA_VERSION
    from mir.catalog.wide import declarations

    with tempfile.TemporaryDirectory() as folder:
        found = {each.name: each for each in relations(create_catalog(Path(folder) / "mir.duckdb"))}
    spaces = list(declarations())
    vectors = ["embeddings", *(f"embeddings_{space}" for space in spaces), "space_vectors", "descriptors", "transforms"]
    ordered = {
        "Where to start": ["library"],
        "What each instrument does: one table a space": spaces,
        "Vectors": vectors,
    }
    named = {name for names in ordered.values() for name in names}
    ordered["Everything else"] = [name for name in found if name not in named]
    parts = [HEAD.format(version=SCHEMA_VERSION)]
    for heading, names in ordered.items():
        parts.append(f"## {heading}\n")
        parts += [_section(found[name]) for name in names]
    return "\n".join(parts)


def _section(relation: Relation) -> str:
    """One table: what it is, and its columns."""
    rows = [f"| `{each.name}` | {_cell(each.kind)} | {_cell(each.comment)} |" for each in relation.columns]
    lines = [
        f"### {relation.name}",
        f"{relation.comment} ({relation.kind.capitalize()}.)",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(markdown())
