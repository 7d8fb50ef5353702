"""`mir doctor`: whether everything is in order here."""

from __future__ import annotations

from dataclasses import asdict

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table, stderr


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor_command)


def doctor_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Look at versions, processor, memory, weights, catalog, disk, shadowed packages; say what to do."""
    from mir.config import catalog_path
    from mir.doctor import examine

    findings = examine(catalog_path(catalog))
    if as_json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        print_table(["what", "state", "found"], [[each.name, each.level, each.value] for each in findings])
        for each in findings:
            if each.advice:
                stderr().print(f"{each.level}: {each.name}: {each.advice}", markup=False, soft_wrap=True)
    if any(each.level == "problem" for each in findings):
        raise typer.Exit(1)
