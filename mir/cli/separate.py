"""`mir separate`: stems as files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mir.cli.console import JsonOption, print_json, progress, stderr


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("separate")(separate_command)


def separate_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="AUDIO|FOLDER...", help="Files and folders.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Writes DIR/<track>/<stem>.<codec>.", show_default=False)
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Separation model [default: mir-4s].", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="DIR", help="Folder with the weights.", show_default=False)
    ] = None,
    stems: Annotated[
        str | None, typer.Option("--stems", metavar="A,B", help="Only these stems.", show_default=False)
    ] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option("--minus", metavar="A,B", help="The mixture without these; may be repeated.", show_default=False),
    ] = None,
    codec: Annotated[str, typer.Option("--codec", metavar="NAME", help="wav, flac, mp3, ogg, opus or m4a.")] = "wav",
    as_json: JsonOption = False,
) -> None:
    """Take audio files apart into stems, written as files."""
    from mir.config import setting
    from mir.errors import BadRequest
    from mir.scan import Failure
    from mir.stem_files import CODECS, Job, choose, plan, separate_files

    if codec not in CODECS:
        raise BadRequest(f"unknown codec {codec!r}: choose from {', '.join(CODECS)}")
    planned = plan(paths, out)
    failures = list(planned.failures)
    name = str(setting("model", model).value)
    if planned.jobs:
        from separation.separator import Separator

        separator = Separator(name, weights)
        choice = choose(separator.stems, _names(stems), [_names(group) or () for group in minus or ()])
        audio_s = separate_s = 0.0
        with progress("separate", quiet="MIR_QUIET" in os.environ) as bar:
            task = bar.add_task("", total=len(planned.jobs), rate="")

            def show(job: Job) -> None:
                bar.update(task, description=job.path.name)

            for result in separate_files(planned.jobs, separator, choice, codec=codec, on_start=show):
                if isinstance(result, Failure):
                    failures.append(result)
                    bar.update(task, advance=1)
                    continue
                audio_s += result.duration_s
                separate_s += result.separate_s
                bar.update(task, advance=1, rate=f"{audio_s / max(separate_s, 1e-9):.0f}× real time")
                if as_json:
                    print_json(
                        {
                            "input": result.input,
                            "model": name,
                            "duration_s": round(result.duration_s, 3),
                            "separate_s": round(result.separate_s, 3),
                            "stems": result.stems,
                        }
                    )
                else:
                    sys.stdout.writelines(path + "\n" for path in result.stems.values())
                    sys.stdout.flush()
    console = stderr()
    for failure in failures:
        if as_json:
            print_json({"input": failure.path, "model": name, "error": failure.error})
        console.print(f"failed: {failure.path}: {failure.error}", markup=False, soft_wrap=True)
    if failures:
        raise typer.Exit(1)


def _names(text: str | None) -> tuple[str, ...] | None:
    """Names between commas; None where the option was not given."""
    from mir.errors import BadRequest

    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise BadRequest(f"no stem named in {text!r}: give names with commas between them, as vocals,drums")
    return names
