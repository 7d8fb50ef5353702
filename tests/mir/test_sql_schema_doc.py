"""The generated page of the schema."""

from __future__ import annotations

from pathlib import Path

from mir.sql.schema_doc import markdown


def test_the_page_in_the_documents_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "schema.md"
    assert page.read_text(encoding="utf-8") == markdown(), "python -m mir.sql.schema_doc > docs/schema.md"


def test_every_column_has_a_meaning() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert [row for row in rows if row.endswith("|  |")] == []
