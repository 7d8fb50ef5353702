"""`mir report`: a page of one track, or of the library."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from mir.cli.console import CatalogOption, JsonOption, print_json, progress, stderr
from mir.errors import CatalogMissing

if TYPE_CHECKING:
    from mir.catalog import Catalog


class _BareCatalog(TyperCommand):
    """Take ``--catalog`` without a file for what it means without a track: the library as a whole."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own, or click's
        kept = [one for one, after in pairwise([*args, "-"]) if one != "--catalog" or not after.startswith("-")]
        rest: list[str] = super().parse_args(ctx, kept)
        return rest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", cls=_BareCatalog)(report_command)


def report_command(
    track: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="An audio file, or a track of the catalog by title, Artist - Title or path. None: the whole catalog.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PAGE.html", help="Where to.", show_default="NAME.report.html, here"),
    ] = None,
    no_audio: Annotated[
        bool, typer.Option("--no-audio", help="Stored numbers only: nothing is separated, no sound is drawn.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Separation model, where something is separated.", show_default=False)
    ] = None,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page of one track, or of the catalog as a whole: one HTML file that needs no other and no network."""
    from mir.config import catalog_path, setting
    from mir.report.library import library_page
    from mir.report.track import track_page
    from separation.publishing import write_text

    path = catalog_path(catalog)
    opened = _open(path, needed=track is None or catalog is not None)
    with progress("report") as bar:
        task = bar.add_task("reading", total=None, rate="")

        def on_step(what: str) -> None:
            bar.update(task, description=what)

        facts: Any
        if track is None:
            if opened is None:
                raise CatalogMissing(f"no catalog at {path}; `mir ingest FOLDER` makes one")
            page, facts = library_page(opened, on_step=on_step)
            name = path.stem
        else:
            separator = str(setting("model", model).value)
            page, facts = track_page(opened, track, model=separator, audio=not no_audio, on_step=on_step)
            name = Path(facts.about.path).stem
    target = (output or Path(f"{name}.report.html")).absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, page)
    if as_json:
        print_json({"report": target, **facts.to_plain()})
    else:
        stderr().print(f"written: {target} ({len(page.encode()) / 1000:.0f} kB)", markup=False, soft_wrap=True)


def _open(path: Path, *, needed: bool) -> Catalog | None:
    """Open the catalog; None where there is none and none is needed: a file can be looked at alone."""
    from mir import open_catalog

    try:
        return open_catalog(path)
    except CatalogMissing:
        if needed:
            raise
        stderr().print(f"no catalog at {path}: the track is compared with nobody", markup=False, soft_wrap=True)
        return None
