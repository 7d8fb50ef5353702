"""Execute the notebooks on a catalog: ``python notebooks/run.py --catalog mir.duckdb``.

The notebooks themselves stay as they are, without outputs; executed copies go to a folder of their own.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))
EXECUTED = HERE / "executed"

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, the seconds that it took, and the error that ended it early, if one did."""

    notebook: NotebookNode
    seconds: float
    error: str | None


def execute(path: Path, catalog: Path, folder: Path, timeout_s: float | None = None) -> Executed:
    """Run a notebook from top to bottom in a kernel of its own.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    catalog
        What ``$MIR_CATALOG`` says inside.
    folder
        Where the kernel runs.
    timeout_s
        Longest time that one cell may take; None waits for ever.
    """
    import nbformat
    from jupyter_client import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = nbformat.read(path, as_version=4)
    environment = {**os.environ, "MIR_CATALOG": os.fspath(catalog.resolve()), "JUPYTER_PLATFORM_DIRS": "1"}
    where = {"metadata": {"path": os.fspath(folder)}}
    started, error = time.monotonic(), None
    with tempfile.TemporaryDirectory(prefix="mir-") as sockets:
        # Over TCP every user of this machine could listen.
        manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        try:
            client = NotebookClient(notebook, km=manager, timeout=timeout_s, resources=where)
            client.execute(env=environment, cleanup_kc=True)
        except CellExecutionError as stopped:
            error = _COLOURS.sub("", f"{stopped.ename}: {stopped.evalue}")
        except CellTimeoutError:
            error = f"a cell took longer than {timeout_s:g} s"
    return Executed(notebook, time.monotonic() - started, error)


def main(words: Sequence[str] | None = None) -> int:
    """Execute notebooks, write the copies, and say what each took; 1 where one stopped early."""
    import nbformat

    parser = argparse.ArgumentParser(description="Execute the notebooks on a catalog.")
    parser.add_argument("--catalog", type=Path, default=os.environ.get("MIR_CATALOG"), help="default: $MIR_CATALOG")
    parser.add_argument("-o", "--output", type=Path, default=EXECUTED, help="folder for the executed copies")
    parser.add_argument("notebooks", nargs="*", type=Path, default=NOTEBOOKS, help="default: all")
    given = parser.parse_args(words)
    if given.catalog is None or not given.catalog.is_file():
        parser.error(f"no catalog {given.catalog or ''}: give --catalog FILE, or make one with `mir demo -o mir-demo`")
    given.output.mkdir(parents=True, exist_ok=True)
    stopped = 0
    for path in given.notebooks:
        done = execute(path, given.catalog, given.output)
        copy = given.output / path.name
        nbformat.write(done.notebook, copy)
        stopped += done.error is not None
        print(f"{copy}  {done.seconds:.0f} s" + (f"  stopped: {done.error}" if done.error else ""), flush=True)
    return int(stopped > 0)


if __name__ == "__main__":
    sys.exit(main())
