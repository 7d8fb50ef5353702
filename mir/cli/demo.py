"""`mir demo`: a made-up library, end to end, with no download."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table, progress, stderr

if TYPE_CHECKING:
    from rich.progress import TaskID

    from mir.demo.run import Step

_STAGES = {
    "render": "1 of 4  make up a library",
    "ingest": "2 of 4  take it apart and measure",
    "ask": "3 of 4  ask",
    "report": "4 of 4  report",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo_command)


def demo_command(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for music, catalog and report.")] = Path(
        "mir-demo"
    ),
    model: Annotated[str, typer.Option("--model", help="Separation model.")] = "mir-4s",
    as_json: JsonOption = False,
) -> None:
    """Render a made-up library, take it in like anybody's, and show the answers beside the truth.

    24 tracks by 8 invented artists: each singer sings with two bands and each band has two singers, so that
    whoever compares whole recordings finds the wrong pair. Run again in the same folder, it uses what is
    there.
    """
    from mir.demo.run import run_demo

    with progress("", quiet="MIR_QUIET" in os.environ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: Step) -> None:
            if step.stage not in tasks:
                tasks[step.stage] = bar.add_task(_STAGES[step.stage], total=step.total, rate="")
            bar.update(tasks[step.stage], completed=step.done, total=step.total, rate=step.note)

        result = run_demo(output, model=model, on_step=show)
    if as_json:
        print_json(result.to_json())
    else:
        from mir.demo.tables import artists_table, drums_table, headline, voices_table

        for table in (
            artists_table(result.verdict),
            drums_table(result.verdict),
            voices_table(result.verdict),
        ):
            print_table(table.columns, table.rows, table.title)
            sys.stdout.write("\n")
        for number, what in headline(result.verdict):
            sys.stdout.write(f"{number:>9}  {what}\n")
        sys.stdout.write(f"\ncatalog  {result.catalog}\nreport   {result.report}\n")
    for one in result.ingest.failed:
        stderr().print(f"failed: {one.path}: {one.error}", markup=False, soft_wrap=True)
    if result.ingest.failed:
        raise typer.Exit(1)
