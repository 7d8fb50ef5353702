"""Loading Keras sooner: 5 s of processor time are 2.5 without what no command needs of it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

KERAS_EXTRAS = frozenset({"IPython", "matplotlib", "pandas", "sklearn"})
"""What Keras imports where it is installed, for pictures, tables and wrappers: 1,300 modules, 1.5 s of its start."""


@contextmanager
def absent(names: Collection[str]) -> Iterator[None]:
    """Let this thread's imports in the block not find these packages, unless they are loaded already.

    Who meets their absence remembers it for the life of the process: only for a process that is ours alone.
    """
    finder = _Absent(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def quick_start() -> Iterator[None]:
    """Let Keras, where it is imported in this block, do without its extras, if `MIR_KERAS_EXTRAS` is ``0``.

    The command line sets that. A notebook's Keras is its owner's, and gets all that he has installed. Nothing is
    collected meanwhile: of half a million new objects, none is garbage.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with absent(KERAS_EXTRAS if os.environ.get("MIR_KERAS_EXTRAS") == "0" else ()):
            yield
    finally:
        if collecting:
            gc.enable()


class _Absent(MetaPathFinder):
    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise where one of the names is looked for; leave everything else to the other finders."""
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {fullname!r}: it is not wanted here", name=fullname)
        return None
