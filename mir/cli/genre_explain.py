"""`mir genre explain`: which features of which stem spoke for a genre, and which against it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr
from mir.errors import BadRequest

if TYPE_CHECKING:
    from mir.genre.explanation import Explanation, Feature, Share


def explain(
    query: Annotated[str, typer.Argument(metavar="FILE|TRACK|ARTIST", help="Whose genre to explain.")],
    run: Annotated[str | None, typer.Option("--run", help="Run to explain (default: the promoted one).")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Genre to explain (default: the likeliest).")] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Compare with this genre alone (default: with all others).")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many features to show.")] = 10,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Draw it too: a .png, .svg or .pdf file.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same answer.")] = 0,
    model: Annotated[str | None, typer.Option("--model", help="Separation model for a file not ingested.")] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which features of which stem speak for a track's genre, and which against it.

    Contributions are in log-odds: 0.7 doubles the odds, and together they lead from an average track of the catalog to
    this one. The middle half of the tracks of the genre, and of its nearest rival, stand beside each value.
    """
    from mir import open_catalog
    from mir.config import catalog_path, setting
    from mir.genre.explanation import explain as explain_

    found = explain_(
        open_catalog(catalog_path(catalog)),
        query,
        run_id=run,
        label=label,
        against=against,
        separator=str(setting("model", model).value),
        seed=seed,
    )
    if output is not None:
        from mir.genre.explanation_picture import draw
        from mir.plots import save

        if len(found) > 1:
            titles = "; ".join(each.title for each in found[:5])
            raise BadRequest(f"-o draws one track, and {query!r} has {len(found)}: give one of {titles}")
        stderr().print(f"wrote {save(draw(found[0], k), output)}", markup=False)
    for place, each in enumerate(found):
        if as_json:
            print_json(each.to_json())
            continue
        if place:
            sys.stdout.write("\n")
        _print(each, k)


def _print(one: Explanation, k: int) -> None:
    sys.stdout.write(f"{one.headline()}\n\n")
    exact = max(feature.error for feature in one.features) < _EXACT
    shown = set(one.features[:k])
    rows: list[list[object]] = []
    for stem in one.stems:
        own = [feature for feature in one.features if feature.instrument == stem.instrument]
        rows.append([stem.instrument, "in all", *_added(stem, exact), *_NOTHING])
        rows += [["", *_row(feature, exact)] for feature in own if feature in shown]
        rest = [feature.contribution for feature in own if feature not in shown]
        if rest and len(rest) < len(own):
            rows.append(["", f"{len(rest)} other features", _signed(sum(rest)), *([] if exact else [""]), *_NOTHING])
    for what, value in ((f"mean of {one.background} other tracks", one.background_log_odds), ("sum", one.log_odds)):
        rows.append(["", what, _signed(value), *([] if exact else [""]), *_NOTHING])
    columns = ["stem", "feature", "log-odds", *([] if exact else ["±"]), "value", "unit", "percentile"]
    print_table([*columns, one.label, one.rival], rows)
    for feature in one.features[:k]:
        if feature.unit is None:
            sys.stderr.write(f"note: {feature.instrument}, {feature.name}: {feature.description}\n")
    if max(abs(one.log_odds), abs(one.background_log_odds)) > _MILLION_TO_ONE:
        sys.stderr.write(
            "note: the model claims odds beyond a million to one, which no library can teach it: compare "
            "contributions with one another only\n"
        )
    how = "exact" if exact else "± is the standard error of the sampling"
    sys.stderr.write(f"note: stems add up to the sum, features to their stems; {how}\n")


_EXACT = 1e-6
_MILLION_TO_ONE = 13.8
_NOTHING = ("", "", "", "", "")


def _row(feature: Feature, exact: bool) -> Sequence[object]:
    name = feature.name if feature.unit is not None or feature.numbers == 1 else f"{feature.name} ({feature.numbers})"
    return (
        name,
        *_added(feature, exact),
        "" if feature.unit is None else feature.value,
        feature.unit or "",
        "" if feature.percentile is None else f"{feature.percentile:.0f} %",
        _range(feature.label_range),
        _range(feature.rival_range),
    )


def _added(share: Share, exact: bool) -> list[object]:
    return [_signed(share.contribution), *([] if exact else [f"{share.error:.2f}"])]


def _signed(value: float) -> str:
    return f"{value:+.2f}"


def _range(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"
