"""The options that narrow and choose answers, spelled once for every command that has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mir.similarity import Filters

PANEL = "Which may answer"
CHOOSE = "How they are chosen"

GenreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--genre",
        help="Of this genre, labelled or predicted; repeat for any of several.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
MinProbabilityOption = Annotated[
    float | None,
    typer.Option(
        "--min-probability",
        metavar="0.6",
        help="With --genre: predictions count from this probability on; labels always do.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
YearOption = Annotated[
    str | None,
    typer.Option(
        "--year",
        metavar="1990..1999",
        help="Released then; 1990.., ..1999 and 1994 do too.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
TempoOption = Annotated[
    str | None,
    typer.Option(
        "--tempo",
        metavar="120..140",
        help="Beats a minute, as heard in the drums.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ArtistOption = Annotated[
    list[str] | None,
    typer.Option(
        "--artist",
        help="By this artist; repeat for any of several.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        "--without",
        metavar="ARTIST",
        help="Leave this artist out; repeat for several.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
KnownOption = Annotated[
    Path | None,
    typer.Option(
        "--known",
        metavar="FILE",
        help="Leave out the artists in this text file, one a line.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
DiversityOption = Annotated[
    float,
    typer.Option(
        "--diversity", help="0: the most similar; up to 1: ever more unlike each other.", rich_help_panel=CHOOSE
    ),
]


def filters_of(
    *,
    genre: Sequence[str] | None = None,
    min_probability: float | None = None,
    year: str | None = None,
    tempo: str | None = None,
    artist: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    known: Path | None = None,
) -> Filters:
    """Return the filters that options as typed stand for.

    Raises
    ------
    BadRequest
        Where a range is none, or a file of names cannot be read.
    """
    from mir.similarity import Filters, parse_range, read_names

    return Filters(
        genre=tuple(genre or ()),
        min_probability=min_probability,
        year=None if year is None else parse_range(year, "--year", whole=True),
        tempo_bpm=None if tempo is None else parse_range(tempo, "--tempo"),
        artist=tuple(artist or ()),
        exclude=tuple(exclude or ()),
        known=() if known is None else read_names(known),
    )
