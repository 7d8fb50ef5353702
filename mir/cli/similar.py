"""`mir similar`: who sounds like whom."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mir.cli.console import CatalogOption, JsonOption, KOption, print_json, print_table, stderr
from mir.cli.filtering import CHOOSE, DiversityOption, filtering
from mir.errors import BadRequest

if TYPE_CHECKING:
    from mir.similarity import ArtistHit, Filters, TrackHit

_ALIKE_SHOWN = 4
_APART_SHOWN = 3
_BAR_WIDTH = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("similar")(similar_command)


@filtering
def similar_command(
    *,
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="ARTIST|TRACK|FILE",
            help="Name, title, number, path, or an audio file; several are averaged, each counting the same.",
        ),
    ],
    by: Annotated[
        str,
        typer.Option("--by", help="Instruments, weighted if you like: vocals=0.7,drums=0.3; negative too."),
    ] = "vocals",
    tracks: Annotated[bool, typer.Option("--tracks", help="Answer with tracks, not artists.")] = False,
    k: KOption = 10,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which named features make them alike, and which apart.")
    ] = False,
    filters: Filters,
    diversity: DiversityOption = 0.0,
    per_artist: Annotated[
        int | None,
        typer.Option(
            "--per-artist",
            metavar="N",
            help="With --tracks: at most N by one artist.",
            rich_help_panel=CHOOSE,
            show_default=False,
        ),
    ] = None,
    artists_by: Annotated[
        str | None,
        typer.Option(
            "--artists-by",
            metavar="centroid|medoid|chamfer",
            help="Compare artists by their mean, their most typical track, or track with track.",
            rich_help_panel=CHOOSE,
            show_default="centroid",
        ),
    ] = None,
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
    from mir.similarity.artists import way

    if tracks and artists_by is not None:
        raise BadRequest("--artists-by compares artists; leave it out with --tracks")
    if per_artist is not None and not tracks:
        raise BadRequest("--per-artist goes with --tracks: each artist is one answer otherwise")
    weights, chosen = parse_by(by), way(artists_by or "centroid")
    opened = open_catalog(catalog_path(catalog))
    separator = setting("model", model).value
    hits: Sequence[ArtistHit | TrackHit]
    if tracks:
        hits = similar_tracks(
            opened,
            query,
            weights,
            k,
            filters=filters,
            diversity=diversity,
            per_artist=per_artist,
            explain=explain,
            model=separator,
        )
    else:
        hits = similar_artists(
            opened,
            query,
            weights,
            k,
            filters=filters,
            diversity=diversity,
            artists_by=chosen,
            explain=explain,
            model=separator,
        )
    if as_json:
        asked = {"query": query[0] if len(query) == 1 else query, "by": weights, "filters": filters.to_plain()}
        how = {"diversity": diversity, **({"per_artist": per_artist} if tracks else {"artists_by": chosen})}
        print_json({**asked, **how, "results": [to_plain(hit) for hit in hits]})
        return
    if not hits:
        kept = " among the tracks that the filters keep" if filters.to_plain() else ""
        stderr().print(f"nothing else in {opened.path.name} has {' and '.join(weights)}{kept}", markup=False)
        return
    _print_hits(hits, f"like {' + '.join(query)}, by {by}")
    if explain:
        _print_explanations(hits, weights)


def _print_hits(hits: Sequence[ArtistHit | TrackHit], title: str) -> None:
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
    print_table([*columns, ""] if shown else columns, rows, title=title)


def _bar(similarity: float, best: float) -> str:
    """Draw a similarity beside the best one, in eighths of a block; nothing where it is not positive."""
    if similarity <= 0 or best <= 0:
        return ""
    eighths = round(similarity / best * _BAR_WIDTH * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _print_explanations(hits: Sequence[ArtistHit | TrackHit], weights: Mapping[str, float]) -> None:
    """Show what makes each hit alike and apart; the rest in one line, so that the numbers add up to the score.

    A contribution raises or lowers the score; with a negative weight it is being apart that raises it.
    """
    rows: list[list[Any]] = []
    for hit in hits:
        name = getattr(hit, "track", hit.artist)
        ordered = sorted(hit.explanation, key=lambda one: -abs(one.contribution))
        alike = [one for one in ordered if one.contribution * weights[one.instrument] > 0]
        apart = [one for one in ordered if one.contribution * weights[one.instrument] < 0]
        shown = [("alike", one) for one in alike[:_ALIKE_SHOWN]] + [("apart", one) for one in apart[:_APART_SHOWN]]
        for word, one in shown:
            label = f"{one.instrument}: {one.feature}"
            rows.append([name, word, label, one.contribution, one.query_value, one.hit_value, one.unit or ""])
        rest = alike[_ALIKE_SHOWN:] + apart[_APART_SHOWN:]
        if rest:
            label = f"{len(rest)} other features"
            rows.append([name, "", label, sum(one.contribution for one in rest), None, None, ""])
        rows.append([name, "", "score", hit.score, None, None, ""])
    if sys.stdout.isatty():
        for upper, lower in reversed(list(pairwise(rows))):
            lower[0] = "" if lower[0] == upper[0] else lower[0]
    print_table(["hit", "", "feature", "contribution", "query", "hit has", "unit"], rows)
