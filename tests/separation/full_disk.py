"""A disk that is full, without filling one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def files_no_larger_than(n_bytes: int) -> Iterator[None]:
    """The system refuses to let a file grow further, with the same kind of error as when the disk is full."""
    resource = pytest.importorskip("resource", reason="needs a system with limits for processes")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
