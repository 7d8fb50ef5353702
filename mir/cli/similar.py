"""`mir similar`: who sounds like whom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mir.cli.console import CatalogOption, JsonOption, KOption, print_json, print_table, stderr

if TYPE_CHECKING:
    from mir.similarity import ArtistHit, TrackHit

_FEATURES_SHOWN = 6
_BAR_WIDTH = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("similar")(similar_command)


def similar_command(
    query: Annotated[str, typer.Argument(metavar="ARTIST|TRACK|FILE", help="Name, title, path, or an audio file.")],
    by: Annotated[
        str,
        typer.Option("--by", help="Instruments, weighted if you like: vocals=0.7,drums=0.3; negative too."),
    ] = "vocals",
    tracks: Annotated[bool, typer.Option("--tracks", help="Answer with tracks, not artists.")] = False,
    k: KOption = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Say which named features make them alike.")] = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Separation model for a file outside the catalog.", show_default=False),
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find artists (or tracks) with similar vocals, drums, bass, or any mix of instruments."""
    from mir import open_catalog
    from mir.config import catalog_path, setting
    from mir.similarity import parse_by, similar_artists, similar_tracks, to_plain

    weights = parse_by(by)
    opened = open_catalog(catalog_path(catalog))
    search = similar_tracks if tracks else similar_artists
    hits = search(opened, query, weights, k, explain=explain, model=setting("model", model).value)
    if as_json:
        print_json({"query": query, "by": weights, "results": [to_plain(hit) for hit in hits]})
        return
    if not hits:
        stderr().print(f"nothing else in {opened.path.name} has {' and '.join(weights)}", markup=False)
        return
    _print_hits(hits)
    if explain:
        _print_explanations(hits)


def _print_hits(hits: Sequence[ArtistHit | TrackHit]) -> None:
    from mir.similarity import TrackHit

    instruments = list(hits[0].cosines)
    several = len(instruments) > 1
    shown = sys.stdout.isatty()
    best = max(hit.similarity for hit in hits)
    rows: list[list[Any]] = []
    for place, hit in enumerate(hits, 1):
        names = [hit.track, hit.artist] if isinstance(hit, TrackHit) else [hit.artist]
        row = [place, *names, hit.similarity]
        row += [hit.cosines[instrument] for instrument in instruments] if several else []
        rows.append([*row, _bar(hit.similarity, best)] if shown else row)
    columns = ["", *(["track"] if isinstance(hits[0], TrackHit) else []), "artist", "similarity"]
    columns += instruments if several else []
    print_table([*columns, ""] if shown else columns, rows)


def _bar(similarity: float, best: float) -> str:
    """Draw a similarity beside the best one, in eighths of a block; nothing where it is not positive."""
    if similarity <= 0 or best <= 0:
        return ""
    eighths = round(similarity / best * _BAR_WIDTH * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _print_explanations(hits: Sequence[ArtistHit | TrackHit]) -> None:
    """Show the features that count most for each hit; the rest in one line, so that the numbers add up."""
    rows: list[list[Any]] = []
    for hit in hits:
        name = getattr(hit, "track", hit.artist)
        ordered = sorted(hit.explanation, key=lambda one: -abs(one.contribution))
        for one in ordered[:_FEATURES_SHOWN]:
            label = f"{one.instrument}: {one.feature}"
            rows.append([name, label, one.contribution, one.query_value, one.hit_value, one.unit or ""])
        rest = ordered[_FEATURES_SHOWN:]
        if rest:
            label = f"{len(rest)} other features"
            rows.append([name, label, sum(one.contribution for one in rest), None, None, ""])
        rows.append([name, "score", hit.score, None, None, ""])
    print_table(["alike", "feature", "contribution", "query", "hit", "unit"], rows)
