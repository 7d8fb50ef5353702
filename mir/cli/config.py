"""`mir config`: each setting, its value, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict

import typer

from mir.cli.console import CatalogOption, JsonOption, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("config")(config_command)


def config_command(catalog: CatalogOption = None, as_json: JsonOption = False) -> None:
    """Show each setting, its value, and where it comes from: flag, environment, mir.toml or default."""
    from mir.config import setting, settings

    found = [setting("catalog", catalog) if each.name == "catalog" else each for each in settings()]
    if as_json:
        for each in found:
            print_json(asdict(each))
        return
    print_table(
        ["setting", "value", "from", "is"],
        [[each.name, each.value, each.detail, each.description] for each in found],
    )
