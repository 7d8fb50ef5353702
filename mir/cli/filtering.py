"""The options that narrow and choose answers, spelled once for every command that has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mir.similarity import Filters

PANEL = "Which may answer"
CHOOSE = "How they are chosen"

_filter = partial(typer.Option, rich_help_panel=PANEL, show_default=False)

_FILTERS: Final[dict[str, Any]] = {
    "genre": Annotated[
        list[str] | None, _filter("--genre", help="Of this genre, labelled or predicted; repeat for any of several.")
    ],
    "min_probability": Annotated[
        float | None,
        _filter(
            "--min-probability",
            metavar="0.6",
            help="With --genre: predictions count from this probability on; labels always do.",
        ),
    ],
    "year": Annotated[
        str | None, _filter("--year", metavar="1990..1999", help="Released then; 1990.., ..1999 and 1994 do too.")
    ],
    "tempo": Annotated[
        str | None, _filter("--tempo", metavar="120..140", help="Beats a minute, as heard in the drums.")
    ],
    "artist": Annotated[list[str] | None, _filter("--artist", help="By this artist; repeat for any of several.")],
    "exclude": Annotated[
        list[str] | None,
        _filter("--exclude", "--without", metavar="ARTIST", help="Leave this artist out; repeat for several."),
    ],
    "known": Annotated[
        Path | None,
        _filter("--known", metavar="FILE", help="Leave out the artists in this text file, one a line."),
    ],
}
"""What `filters_of` takes, as it is typed."""

DiversityOption = Annotated[
    float,
    typer.Option(
        "--diversity", help="0: the most similar; up to 1: ever more unlike each other.", rich_help_panel=CHOOSE
    ),
]


def filtering(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its filters: it takes `filters`, and whoever calls it by the shell types the options of them.

    They stand in its help where `filters` stands among its parameters, all of which are keywords.
    """
    # Filters are not imported before a command runs: that would load numpy for every --help.
    types = get_type_hints(command, localns={"Filters": object}, include_extras=True)
    parameters: list[Parameter] = []
    for one in signature(command).parameters.values():
        if one.name == "filters":
            parameters += [
                Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=option)
                for name, option in _FILTERS.items()
            ]
        else:
            parameters.append(one.replace(annotation=types[one.name]))

    @wraps(command)
    def called(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        filters = filters_of(**{name: given.pop(name, None) for name in _FILTERS})
        command(filters=filters, **given)

    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in parameters}
    return called


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
