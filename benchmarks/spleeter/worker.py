"""A long-lived process that answers requests, a JSON line each way; the standard library alone, for Python 3.10 too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]


class Worker:
    """A process of some interpreter that runs one module of this package until it is closed.

    Parameters
    ----------
    python
        The interpreter.
    module
        Which module to run; it calls `serve`.
    log
        Where its standard error goes.
    """

    def __init__(self, python: str | Path, module: str, log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True,
            )  # fmt: skip

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """Have one request done.

        Raises
        ------
        RuntimeError
            The process ended before it answered; with the last lines it wrote.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        answer = ""
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            pass  # it is gone: told below
        if not answer:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{do} {arguments}: the worker ended without an answer:\n{tail}")
        return json.loads(answer)


def serve(handlers: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answer requests from standard input until it ends; whatever else is printed goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            request = json.loads(line)
            answers.write(json.dumps(handlers[request.pop("do")](**request)) + "\n")
            answers.flush()
