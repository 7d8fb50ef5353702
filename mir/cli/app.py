"""The `mir` command: its parts put together, and errors turned into exit codes, once."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="mir",
    help="Take a music library apart into stems, describe every instrument, and ask who sounds like whom.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from mir import __version__

        typer.echo(f"mir {__version__}")
        raise typer.Exit


@app.callback()
def root(
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more; twice for debugging.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Errors only, no progress.")] = False,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", help="Append the log here too.", show_default=False)
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set up logging once for every command."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setLevel(level)
    if log_file is not None:
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for package in ("mir", "separation", "features", "indexes"):
        logger = logging.getLogger(package)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.handlers[:] = handlers
    if quiet:
        os.environ["MIR_QUIET"] = "1"


def register_commands() -> None:
    """Import the command modules; each costs typer alone until it is run."""
    from importlib import import_module

    for name in COMMAND_MODULES:
        import_module(f"mir.cli.{name}").register(app)


COMMAND_MODULES = (
    "demo",
    "ingest",
    "status",
    "similar",
    "genre",
    "tracks",
    "cluster",
    "map",
    "playlist",
    "report",
    "serve",
    "subsonic",
    "sql",
    "export",
    "separate",
    "evaluate",
    "train",
    "render",
    "models",
    "spaces",
    "index",
    "catalog",
    "forget",
    "config",
    "doctor",
)
"""Modules of `mir.cli` with a ``register(app)``, in the order in which help shows them."""


def main() -> None:
    """Run the command line; every error of ours becomes one line and an exit code."""
    os.environ.setdefault("MIR_KERAS_EXTRAS", "0")  # a command's Keras needs no notebook and no tables; 1.5 s sooner
    atexit.register(gc.freeze)  # nothing needs to be collected at the end; with TensorFlow that took a second
    register_commands()
    try:
        app()
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        if isinstance(error, RuntimeError) and "Query interrupted" in str(error):  # Ctrl-C while DuckDB works
            _interrupted()
        code = _exit_code(error)
        if code is None:
            raise
        sys.stderr.write(f"error: {_message(error)}\n")
        sys.exit(code)


def _interrupted() -> NoReturn:
    sys.stderr.write("interrupted; what was finished is kept\n")
    sys.exit(130)


def _exit_code(error: Exception) -> int | None:
    """Exit code of an expected error, None for a bug (whose traceback we want to see)."""
    from features.errors import FeatureError
    from indexes.errors import IndexesError
    from mir.errors import MirError
    from separation.errors import ConfigInvalid, ModelUnknown, PrecisionUnsupported, SeparationError, StemUnknown

    if isinstance(error, MirError):
        return error.exit_code
    if isinstance(error, ConfigInvalid | ModelUnknown | PrecisionUnsupported | StemUnknown):
        return 2
    if isinstance(error, SeparationError | FeatureError | IndexesError | OSError):
        return 1
    return None


def _message(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
