"""`mir spaces`: what instruments are described by, and the transforms behind similarity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr

if TYPE_CHECKING:
    from mir.retrieval import Evaluation

DEFAULT_WHITENING, DEFAULT_FORGETTING = 0.0, 0.5
"""Those of `mir.fitting`, which is not imported for a help page; a test holds them together."""

WhiteningOption = Annotated[
    float, typer.Option("--whitening", help="0: keep correlations; 1: all directions count the same.")
]
ForgettingOption = Annotated[
    float, typer.Option("--forgetting", help="How much of what varies within a track is taken out, 0 to 1.")
]
SizeOption = Annotated[int | None, typer.Option("--size", min=1, help="Keep this many directions.", show_default=False)]
ByArtistOption = Annotated[
    bool, typer.Option("--by-artist", help="Learn what varies within an artist too, from the tags.")
]

spaces_app = typer.Typer(no_args_is_help=True, help="Spaces, and the transforms behind similarity.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(spaces_app, name="spaces")


@spaces_app.command("list")
def list_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """List the spaces: version, size, tracks, and the transform in use."""
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.spaces import list_spaces

    spaces = list_spaces(open_catalog(catalog_path(catalog)))
    if as_json:
        for space in spaces:
            print_json(asdict(space))
        return
    print_table(
        ["instrument", "space", "version", "columns", "numbers", "vector", "tracks", "transform", "origin"],
        [
            [
                space.instrument,
                space.space,
                space.version,
                space.columns,
                space.descriptor_size,
                space.vector_size,
                space.tracks,
                space.transform_id,
                space.origin,
            ]
            for space in spaces
        ],
    )


@spaces_app.command("fit")
def fit_command(
    by: Annotated[str, typer.Option("--by", help="Instruments to fit: vocals, or vocals,drums.")],
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write the transform as JSON too.", show_default=False),
    ] = None,
    whitening: WhiteningOption = DEFAULT_WHITENING,
    forgetting: ForgettingOption = DEFAULT_FORGETTING,
    size: SizeOption = None,
    by_artist: ByArtistOption = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the transform of a space on the catalog's own tracks, and embed all of them again.

    Nothing is heard again. `mir spaces evaluate` with the same options says how well it will find artists.
    """
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.errors import BadRequest
    from mir.fitting import Recipe
    from mir.indexing import verify
    from mir.spaces import fit
    from separation.publishing import write_text

    spaces = _spaces(by)
    if export is not None and len(spaces) > 1:
        raise BadRequest("--export writes one transform: give one instrument")
    opened = open_catalog(catalog_path(catalog))
    for space in spaces:
        transform = fit(opened, space, Recipe(whitening, forgetting, size, by_artist))
        if export is not None:
            write_text(export, transform.to_json() + "\n")
        told = {
            "space": space,
            "transform_id": transform.transform_id,
            "tracks": transform.n_tracks,
            "method": transform.method,
            "vector_size": transform.n_out,
        }
        if as_json:
            print_json(told)
        else:
            print_table(list(told), [list(told.values())])
        if verify(opened, space).state == "incompatible":
            stderr().print(f"the index of {space} has the old vectors; build it again: mir index build")


@spaces_app.command("evaluate")
def evaluate_command(
    by: Annotated[
        str | None, typer.Option("--by", help="Instruments: vocals, or vocals,mix; all by default.", show_default=False)
    ] = None,
    whitening: WhiteningOption = DEFAULT_WHITENING,
    forgetting: ForgettingOption = DEFAULT_FORGETTING,
    size: SizeOption = None,
    by_artist: ByArtistOption = False,
    same_album: Annotated[
        bool, typer.Option("--same-album", help="Let tracks of one album find each other: same room, same desk.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it too: .png, .svg, .pdf.", show_default=False)
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well each space finds other tracks by the same artist.

    Every track that has another one by its artist, on another album, asks; transforms are fitted without that artist; a
    track that the space does not describe scores 0. Chance stands beside it.
    """
    from mir import open_catalog
    from mir.config import catalog_path
    from mir.fitting import Recipe
    from mir.retrieval import evaluate

    found = evaluate(
        open_catalog(catalog_path(catalog)),
        None if by is None else _spaces(by),
        recipe=Recipe(whitening, forgetting, size, by_artist),
        same_album=same_album,
    )
    if plot is not None:
        from mir import plots
        from mir.retrieval.pictures import draw

        plots.save(draw(found), plot)
    if as_json:
        print_json(found.to_plain())
        return
    print_table(
        ["instrument", "level", "transform", "mAP", "from", "to", "chance", "hit@1", "recall@10", "missing"],
        [
            [
                row.instrument,
                row.level,
                row.transform,
                told["map"],
                *told["map_interval"],
                told["chance_map"],
                told["hit_at_1"],
                told["recall_at_10"],
                told["missing"],
            ]
            for row in found.rows
            for told in (row.to_plain(),)
        ],
    )
    stderr().print(_summary(found))


def _spaces(by: str) -> list[str]:
    from mir.spaces import space_of

    return [space_of(instrument.strip()) for instrument in by.split(",")]


def _summary(found: Evaluation) -> str:
    """Say in words what was asked, what the transforms gain, and how artists are found best."""
    albums = "of any album" if found.same_album else "never of the same album"
    lines = [
        f"{found.queries} queries by {found.artists} artists among {found.tracks} tracks, {albums}; 95 % intervals"
    ]
    lines += [
        f"{gain['space']}: {gain['transform']} over plain {gain['map']:+.3f} mAP "
        f"({gain['map_interval'][0]:+.3f} to {gain['map_interval'][1]:+.3f}, paired by artist)"
        for gain in found.gains()
    ]
    for space in dict.fromkeys(row.space for row in found.rows):
        best = found.best(space)
        if best is not None:
            lines.append(f"{space}: artists are found best by {best.level}, mAP {best.scores.mean:.3f}")
    return "\n".join(lines)
