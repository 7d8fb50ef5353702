"""The web page and its API: what `mir` knows, in a browser, for this machine alone unless told otherwise."""

from __future__ import annotations

from importlib import import_module

from mir.errors import ExtraMissing


def require_web() -> None:
    """See that what the page is made with is installed.

    Raises
    ------
    ExtraMissing
        Where it is not; the message has the line that installs it.
    """
    for module in ("fastapi", "jinja2", "uvicorn"):
        try:
            import_module(module)
        except ImportError as error:
            raise ExtraMissing(
                f'mir serve needs {module}, which is not installed: pip install "mir-stems[web]"'
            ) from error
