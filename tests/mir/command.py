"""One command of `mir`, run as from the shell: exit code, standard output, and what is said of an error."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from mir.cli.app import _exit_code, _message


def invoke(app: typer.Typer, *words: object) -> tuple[int, str, str]:
    """Exit code, stdout, and stderr or the message of an error of ours; a bug is raised."""
    outcome = CliRunner().invoke(app, [str(word) for word in words])
    if outcome.exception is None or isinstance(outcome.exception, SystemExit):
        return outcome.exit_code, outcome.stdout, outcome.stderr
    if not isinstance(outcome.exception, Exception) or (code := _exit_code(outcome.exception)) is None:
        raise outcome.exception
    return code, outcome.stdout, _message(outcome.exception)
