"""Every declared column of every space as Markdown: ``python -m features.declarations > docs/features.md``."""

from __future__ import annotations

import sys

from features import EXTRACTORS, Column, Extractor


def markdown() -> str:
    """Render what all extractors declare, one table a space."""
    head = (
        "# Features\n\n"
        "Generated from the extractors' declarations by `python -m features.declarations`; do not edit.\n\n"
        "Each space is one table of the catalog. An empty cell is a number that could not be measured on that\n"
        "track; a track whose stem is silent has no row.\n"
    )
    return "\n".join([head, *(_space(extractor) for extractor in EXTRACTORS.values())])


def _space(extractor: Extractor) -> str:
    """One space: its summary, what it reads, and its columns."""
    stems = ", ".join(f"`{stem}`" for stem in extractor.stems)
    more = "".join(f", and `{stem}` where it is there" for stem in extractor.if_there)
    summary = (type(extractor).__doc__ or "").strip().splitlines()[0]
    lines = [
        f"## {extractor.space}",
        "",
        f"{summary} Asked for with `--by {extractor.instrument}`; reads {stems} (the first decides silence){more}; "
        f"version {extractor.version}; {extractor.embedding_size} numbers in the embedding.",
        "",
        "| column | unit | range | meaning | source |",
        "|---|---|---|---|---|",
        *(_row(column) for column in extractor.columns),
        "",
    ]
    return "\n".join(lines)


def _row(column: Column) -> str:
    """One column as a row of the table."""
    cells = (
        f"`{column.name}`",
        column.unit,
        f"{column.low:g} … {column.high:g}",
        column.description,
        column.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
