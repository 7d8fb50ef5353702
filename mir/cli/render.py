"""`mir render`: aligned stems to train on, from MIDI files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table, progress, stderr


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("render")(render)


def render(
    midi: Annotated[list[Path], typer.Argument(help="MIDI files, or folders to search for them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for a folder a song.")],
    soundfont: Annotated[
        list[Path] | None,
        typer.Option(
            help="SoundFont file; can be repeated (default: all under /usr/share/sounds).", show_default=False
        ),
    ] = None,
    drumkits: Annotated[
        Path | None,
        typer.Option(help="Folder of Hydrogen drum kits (default: where Debian has them).", show_default=False),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so much music (default: all of it).", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides every arrangement and sound.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Render MIDI into stems to train a separator on: drums, bass and other, a folder a song, aligned.

    Needs FluidSynth and a soundfont: apt install fluidsynth fluid-soundfont-gm. Songs that are there already are
    left as they are, so the same command goes on where it was stopped.
    """
    from mir.errors import BadRequest
    from separation.training.multitracks import (
        DRUMKIT_FOLDER,
        Outcome,
        default_soundfonts,
        find_midi,
        plan_songs,
        render_songs,
    )
    from separation.training.render import fluidsynth

    fluidsynth()
    for path in (*(soundfont or ()), *((drumkits,) if drumkits else ())):
        if not path.exists():
            raise BadRequest(f"no file or folder {path}")
    kits = drumkits or (DRUMKIT_FOLDER if DRUMKIT_FOLDER.is_dir() else None)
    quiet = "MIR_QUIET" in os.environ
    with progress("reading", quiet=quiet) as bar:
        task = bar.add_task("MIDI", total=None, rate="")
        found = find_midi(midi, lambda name: bar.update(task, advance=1, rate=name))
    plans = plan_songs(found, seed, minutes)
    with progress("rendering", quiet=quiet) as bar:
        task = bar.add_task("songs", total=len(plans), rate="")

        def show(outcome: Outcome) -> None:
            bar.update(task, advance=1, rate=outcome.name)

        outcomes = render_songs(plans, output, soundfont or default_soundfonts(), kits, workers, show)
    failed = [{"song": one.name, "error": one.error} for one in outcomes if one.error]
    rendered = [one for one in outcomes if not one.error]
    audio_s = sum(one.seconds for one in rendered)
    if as_json:
        print_json({"folder": output, "songs": len(rendered), "audio_s": audio_s, "failed": failed})
    else:
        print_table(("songs", "minutes", "failed"), [(len(rendered), audio_s / 60.0, len(failed))])
    for one in failed:
        stderr().print(f"failed: {one['song']}: {one['error']}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
