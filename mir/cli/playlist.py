"""`mir playlist`: tracks that are alike, in an order that flows, as M3U8."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr
from mir.cli.filtering import CHOOSE, DiversityOption, filtering
from mir.errors import BadRequest

if TYPE_CHECKING:
    from mir.playlists import Playlist
    from mir.similarity import Filters

_MISSING_NAMED = 10
_WALK = "A walk instead"
_WHERE = "Where it goes"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("playlist")(playlist_command)


@filtering
def playlist_command(
    *,
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="ARTIST|TRACK|FILE",
            help="What it shall sound like; repeat to average several. Without it, what the filters keep.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="Instruments, weighted if you like: vocals=0.7,drums=0.3.",
            show_default="vocals; mix without --like",
        ),
    ] = None,
    k: Annotated[int | None, typer.Option("-k", min=1, help="How many tracks.", show_default="25")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="60", help="At most so long.", show_default=False)
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="smooth|similar|tempo",
            help="Small jumps in tempo, key, loudness and sound; best first; or slowest first.",
            show_default="smooth",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="ARTIST|TRACK",
            help="Walk gradually from here…",
            rich_help_panel=_WALK,
            show_default=False,
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="ARTIST|TRACK", help="…to there.", rich_help_panel=_WALK, show_default=False),
    ] = None,
    filters: Filters,
    diversity: DiversityOption = 0.0,
    per_artist: Annotated[
        int | None,
        typer.Option(
            "--per-artist", metavar="N", help="At most N by one artist.", rich_help_panel=CHOOSE, show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Separation model for a file outside the catalog.",
            rich_help_panel=CHOOSE,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="LIST.m3u8",
            help="Write it there, whole or not at all.",
            rich_help_panel=_WHERE,
            show_default="print it",
        ),
    ] = None,
    relative: Annotated[
        bool,
        typer.Option("--relative", help="Paths relative to the list (printed: to here).", rich_help_panel=_WHERE),
    ] = False,
    catalog: CatalogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a playlist (M3U8) of tracks that sound alike or pass filters, in an order that flows."""
    from mir import open_catalog
    from mir.config import catalog_path, setting
    from mir.playlists import make, walk

    opened = open_catalog(catalog_path(catalog))
    if start is None and end is None:
        playlist = make(
            opened,
            like or None,
            by,
            k,
            minutes=minutes,
            order=order or "smooth",
            filters=filters,
            diversity=diversity,
            per_artist=per_artist,
            model=setting("model", model).value,
            on_disk=True,
        )
    else:
        others = {"--like": like, "--minutes": minutes, "--order": order, "--per-artist": per_artist}
        given = [name for name, value in {**others, "--diversity": diversity}.items() if value]
        if start is None or end is None or given:
            raise BadRequest(f"a walk needs --from and --to{', and no ' + ', no '.join(given) if given else ''}")
        playlist = walk(opened, start, end, by or "vocals", k or 10, filters=filters, on_disk=True)
    _tell(playlist)
    if not playlist.entries:
        stderr().print("no track is left; nothing is written", markup=False)
        raise typer.Exit(1)
    _give(playlist, output, relative=relative, as_json=as_json)


def _give(playlist: Playlist, output: Path | None, *, relative: bool, as_json: bool) -> None:
    """Write the list, and print what was asked for."""
    from mir.playlists import m3u8
    from separation.publishing import write_text

    if output is not None:
        output = output.absolute()
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, m3u8(playlist, output.parent if relative else None))
        stderr().print(f"written: {output}", markup=False)
    if as_json:
        print_json({**playlist.to_plain(), "output": output})
    elif output is None and not sys.stdout.isatty():
        sys.stdout.write(m3u8(playlist, Path.cwd() if relative else None))
    elif sys.stdout.isatty():
        _print(playlist)


def _print(playlist: Playlist) -> None:
    from mir.keys import key_name

    columns = ["", "artist", "title", "score", "tempo_bpm", "key", "loudness_lufs", "length"]
    rows = [
        [
            place,
            one.artist,
            one.title,
            one.score,
            one.tempo_bpm,
            key_name(one.key_pitch_class, one.mode_is_major),
            one.loudness_lufs,
            f"{int(one.duration_s // 60)}:{int(one.duration_s % 60):02d}",
        ]
        for place, one in enumerate(playlist.entries, 1)
    ]
    print_table(columns, rows, title=playlist.title)


def _say(text: str) -> None:
    stderr().print(text, markup=False, soft_wrap=True)


def _tell(playlist: Playlist) -> None:
    """Say on stderr what the list is, what is not in it, and how well it flows."""
    for one in playlist.missing[:_MISSING_NAMED]:
        _say(f"left out, its file is gone: {one.artist} - {one.title} ({one.path})")
    if len(playlist.missing) > _MISSING_NAMED:
        _say(f"left out, their files are gone: {len(playlist.missing) - _MISSING_NAMED} more (mir status lists them)")
    count = len(playlist.entries)
    _say(f"{playlist.title}: {count} tracks, {playlist.duration_s / 60:.0f} min")
    now, before = playlist.jumps, playlist.unsorted
    if playlist.order == "walk" and now.cosine is not None:
        _say(f"mean cosine between neighbours {now.cosine:.2f}")
    if playlist.order == "walk" or count < 3:
        return
    change = f"{before.jump:.2f} → {now.jump:.2f}"
    share = 100.0 * (1.0 - now.jump / before.jump) if before.jump > 0 else 0.0
    smoother = f", {share:.0f} % smoother than in order of similarity" if share >= 0.5 else ""
    _say(f"mean jump between neighbours {change}{smoother}")
    parts = (
        ("tempo", before.tempo_percent, now.tempo_percent, "%", 1),
        ("key", before.key_fifths, now.key_fifths, "fifths", 1),
        ("loudness", before.loudness_lu, now.loudness_lu, "LU", 1),
        ("cosine", before.cosine, now.cosine, "", 2),
    )
    known = [
        f"{name} {old:.{digits}f} → {new:.{digits}f} {unit}".rstrip()
        for name, old, new, unit, digits in parts
        if old is not None and new is not None
    ]
    if known:
        _say(f"  {', '.join(known)}")
