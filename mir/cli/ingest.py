"""`mir ingest`: music into the catalog."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption, PrecisionOption, print_json, progress, stderr

if TYPE_CHECKING:
    from mir.ingest import Event, IngestReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest")(ingest_command)


def ingest_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="AUDIO|FOLDER...", help="Files and folders.", show_default=False)
    ],
    catalog: CatalogOption = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Separation model, or a run folder (default: mir-4s).", show_default=False),
    ] = None,
    precision: PrecisionOption = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Feature processes (default: one a core).", show_default=False),
    ] = None,
    keep_stems: Annotated[
        str | None,
        typer.Option("--keep-stems", metavar="flac", help="Keep the stems beside the catalog.", show_default=False),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Forget files that are gone under the given folders.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take music into the catalog: separate, measure, remember. What is there already is not done again."""
    from rich.markup import escape

    from mir.config import catalog_path, setting
    from mir.ingest import ingest

    kept = 0
    with progress("ingest", quiet="MIR_QUIET" in os.environ) as bar:
        task = bar.add_task("", total=None, rate="")

        def show(event: Event) -> None:
            nonlocal kept
            if event.state == "started":
                bar.update(task, total=event.total, description=escape(Path(event.path).name[:32]))
                return
            kept += event.state != "failed"
            bar.update(task, total=event.total, completed=event.done, rate=f"{event.speed:.1f}× real time")
            if as_json:
                line = {"path": event.path, "state": event.state, "seconds": round(event.seconds, 3)}
                print_json(line | {"audio_s": event.audio_s} | ({"error": event.error} if event.error else {}))
            elif event.error:
                bar.console.print(f"failed: {event.path}: {event.error}", markup=False)

        try:
            report = ingest(
                paths,
                catalog_path(catalog),
                model=setting("model", model).value,
                precision=precision,
                workers=setting("workers", workers).value,
                on_progress=show,
                retry_failed=retry_failed,
                prune=prune,
                dry_run=dry_run,
                keep_stems=keep_stems,
            )
        except KeyboardInterrupt:
            bar.stop()
            stderr().print(
                f"interrupted; {kept} finished in this run are kept, and the same command goes on from there"
            )
            raise typer.Exit(130) from None
    _print(report, as_json=as_json, dry_run=dry_run)
    if report.failed:
        raise typer.Exit(1)


def _print(report: IngestReport, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        for path, action in report.planned:
            print_json({"path": path, "state": "planned", "action": action})
        print_json(
            {
                "ingested": report.ingested,
                "skipped": report.skipped,
                "failed": [{"path": one.path, "error": one.error} for one in report.failed],
                "audio_s": round(report.audio_s, 3),
                "wall_s": round(report.wall_s, 3),
                "retagged": report.retagged,
                "failed_before": report.failed_before,
                "pruned": report.pruned,
                "not_given": report.not_given,
            }
            | ({"planned": len(report.planned)} if dry_run else {})
        )
        return
    for path, action in report.planned:
        sys.stdout.write(f"{action}\t{path}\n")
    counts = [
        (f"{len(report.planned)} to do", dry_run),
        (f"{report.ingested} ingested", not dry_run),
        (f"{report.retagged} retagged", report.retagged > 0),
        (f"{report.skipped} unchanged", True),
        (f"{report.pruned} forgotten", report.pruned > 0),
        (f"{len(report.failed)} failed", True),
    ]
    line = ", ".join(text for text, wanted in counts if wanted)
    if report.audio_s:
        speed = report.audio_s / report.wall_s
        line += f"; {report.audio_s / 60:.1f} min of music in {report.wall_s:.0f} s ({speed:.1f}× real time)"
    sys.stdout.write(line + "\n")
    console = stderr()
    for one in report.failed:
        console.print(f"failed: {one.path}: {one.error}", markup=False, soft_wrap=True)
    for space, reason in report.not_given.items():
        console.print(f"not measured: {space} {reason}", markup=False, soft_wrap=True)
    if report.not_given:
        console.print("`mir models roles` says what stems with names of your own are", markup=False, soft_wrap=True)
    if report.failed_before:
        console.print(
            f"{report.failed_before} failed before and have not changed: --retry-failed tries them again",
            markup=False,
        )
