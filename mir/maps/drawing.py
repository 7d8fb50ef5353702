"""From a catalog to a file: the interactive page, or a picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mir import plots
from mir.clusters.blend import By, blend_weights
from mir.errors import BadRequest
from mir.maps.data import chart_data, read_chart
from mir.maps.points import place

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

PAGE: Final = ".html"
FORMATS: Final = (PAGE, *plots.FORMATS)
"""Suffixes that `draw_map` can write."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn.

    Parameters
    ----------
    by
        Weights, summing to 1.
    tracks
        Points on the map.
    method, colour
        How they were placed, and what they are coloured by.
    reused
        Whether the places lay in the catalog already.
    files
        What was written.
    """

    by: dict[str, float]
    tracks: int
    method: str
    colour: str
    reused: bool
    files: tuple[Path, ...]


def draw_map(
    catalog: Catalog,
    by: By,
    to: Path | str | Sequence[Path | str],
    *,
    colour: str | None = None,
    method: str | None = None,
    anew: bool = False,
    on_step: Callable[[str], None] = logger.info,
) -> Drawn:
    """Draw a map of the tracks that have some instruments.

    Parameters
    ----------
    catalog
        The catalog; places are kept in it, so that they are computed once.
    by
        Instruments with weights, none negative: ``"vocals"``, ``{"vocals": 0.7, "drums": 0.3}``.
    to
        File or files; the suffix says what: ``.html`` an interactive page, ``.png``, ``.svg``, ``.pdf`` a picture.
    colour
        ``genre``, ``cluster``, or any column of the view ``library``; what tells most where it is None.
    method
        ``umap`` or ``pca``; UMAP where it is None, and principal components for fewer than ten tracks.
    anew
        Whether to place the tracks again though nothing changed.
    on_step
        Told what is being done.

    Raises
    ------
    BadRequest
        Where `by`, `to`, `colour` or `method` cannot be.
    NotInCatalog
        Where clusters are asked for and there are none.
    NothingToCompare
        Where no track has these instruments.
    ExtraMissing
        Where UMAP is not installed.

    Examples
    --------
    ::

        mir.maps.draw_map(catalog, "drums", "map.html", colour="tempo_bpm")
    """
    from separation.publishing import write_text

    targets = [Path(one) for one in ([to] if isinstance(to, str | Path) else to)]
    for target in targets:
        if target.suffix.lower() not in FORMATS:
            raise BadRequest(f"cannot write a map as {target.name!r}; the suffixes are {', '.join(FORMATS)}")
    if colour is not None:
        _check_colour(catalog, colour, by)
    points = place(catalog, by, method=method, anew=anew, on_step=on_step)
    on_step("reading names and columns")
    chart = read_chart(catalog, points, colour)
    for target in targets:
        on_step(f"writing {target.name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix.lower() == PAGE:
            from mir.maps.page import page

            write_text(target, page(chart_data(catalog, chart)))
        else:
            from mir.maps.picture import draw

            plots.save(draw(chart), target)
    return Drawn(
        points.weights, len(chart.titles), str(points.parameters["method"]), chart.colour, points.reused, tuple(targets)
    )


def _check_colour(catalog: Catalog, colour: str, by: By) -> None:
    """Refuse a column that is not there before minutes are spent."""
    from mir.maps.columns import CLUSTER, column_called, library_columns

    if colour != CLUSTER:
        with catalog.read() as con:
            column_called(library_columns(con), colour, blend_weights(by))
