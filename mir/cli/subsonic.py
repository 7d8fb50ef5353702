"""`mir subsonic`: the account that players of the Subsonic family log in with."""

from __future__ import annotations

from typing import Annotated

import typer

from mir.cli.console import JsonOption, print_json, print_table, stderr

group = typer.Typer(name="subsonic", help="The account for players: its password and API keys.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called, for example the player's.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@group.command("password")
def password_command(
    new: Annotated[bool, typer.Option("--new", help="Make another one; the old one opens nothing any more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the user and the password to put into a player. mir made it, for this alone; it is no password of yours."""
    from mir.subsonic.account import Accounts

    accounts = Accounts()
    account = accounts.renew_password() if new else accounts.account()
    if as_json:
        print_json({"user": account.user, "password": account.password, "file": accounts.path})
        return
    print_table(["user", "password"], [[account.user, account.password]])


@group.command("key")
def key_command(name: NameArgument, as_json: JsonOption = False) -> None:
    """Make an API key, for players that take one instead of a password. It is shown this once."""
    from mir.subsonic.account import Accounts

    made = Accounts().add_key(name)
    if as_json:
        print_json({"name": name, "api_key": made})
        return
    print_table(["name", "api_key"], [[name, made]])
    stderr().print("it is not kept, so it cannot be shown again; `mir subsonic revoke` takes it back", soft_wrap=True)


@group.command("keys")
def keys_command(as_json: JsonOption = False) -> None:
    """List the API keys that are valid, by name."""
    from mir.subsonic.account import Accounts

    keys = Accounts().account().keys
    if as_json:
        for key in keys:
            print_json({"name": key.name, "created": key.created})
        return
    print_table(["name", "created"], [[key.name, key.created] for key in keys])


@group.command("revoke")
def revoke_command(name: NameArgument) -> None:
    """Take an API key back; what logs in with it is shut out from now on."""
    from mir.subsonic.account import Accounts

    Accounts().revoke(name)
    stderr().print(f"the key {name} opens nothing any more", markup=False, soft_wrap=True)
