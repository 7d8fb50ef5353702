"""Is this machine, this installation and this catalog in order? Each finding says what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ok", "note", "problem"]

PACKAGES = ("separation", "features", "indexes", "mir")
"""The top-level packages of this distribution; names that other installations may have too."""

LIBRARIES = (
    "numpy",
    "scipy",
    "tensorflow",
    "keras",
    "librosa",
    "scikit-learn",
    "pandas",
    "pyarrow",
    "faiss-cpu",
    "duckdb",
    "soundfile",
    "av",
    "soxr",
    "mutagen",
    "skops",
)

_LEAST_MEMORY_GB = 2.0
_LEAST_DISK_GB = 1.0
_LOCK_WAIT_S = 0.5
_FEATURES = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "bfloat16 (AVX-512)": "avx512_bf16",
    "bfloat16 (AMX)": "amx_bf16",
    "NEON": "asimd",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `value` for people, `advice` where something is to be done."""

    name: str
    level: Level
    value: str
    advice: str = ""


def examine(catalog: Path) -> list[Finding]:
    """Look at versions, shadowed packages, processor, memory, weights, catalog and disk."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        _shadowed,
        _processor,
        _memory,
        _weights,
        lambda: _catalog(catalog),
        lambda: _disk(catalog),
    )
    return [finding for look in looks for finding in look()]


def _versions() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from mir import __version__

    yield Finding("mir", "ok", __version__)
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Finding(
        "python",
        "ok" if fits else "problem",
        platform.python_version(),
        "" if fits else "mir runs on Python 3.11, 3.12 and 3.13; make an environment with one of them",
    )
    for library in LIBRARIES:
        try:
            yield Finding(library, "ok", version(library))
        except PackageNotFoundError:
            yield Finding(library, "problem", "not installed", "pip install --force-reinstall mir-stems")
    yield Finding("ffmpeg", "ok", "not needed: decoders come with soundfile and av")


def _shadowed() -> Iterator[Finding]:
    """Another package of the same name that comes first on ``sys.path`` would answer in the place of ours."""
    from importlib.machinery import PathFinder

    home = Path(__file__).resolve().parents[1]
    for package in PACKAGES:
        found = PathFinder.find_spec(package, sys.path)
        places = [found.origin] if found is not None and found.origin else []
        if found is not None and not places:
            places = list(found.submodule_search_locations or [])
        strangers = [place for place in places if home not in Path(place).resolve().parents]
        loaded = getattr(sys.modules.get(package), "__file__", None)
        if loaded is not None and home not in Path(loaded).resolve().parents:
            strangers.append(loaded)
        if strangers:
            yield Finding(
                f"package {package}",
                "problem",
                f"shadowed by {strangers[0]}",
                "start mir from another folder, or take that one off PYTHONPATH or out of the environment",
            )
        else:
            yield Finding(f"package {package}", "ok", str(home / package))


def _processor() -> Iterator[Finding]:
    from separation.backend import usable_cores

    info = _read(Path("/proc/cpuinfo"))
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    flags = set()
    for line in re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", info, re.MULTILINE)[:1]:
        flags = set(line.split())
    has = [name for name, flag in _FEATURES.items() if flag in flags]
    yield Finding("processor", "ok", f"{model.group(1) if model else platform.processor() or platform.machine()}")
    if flags:
        slow = not {"avx2", "asimd"} & flags
        advice = "separation and FAISS will be slow: neither AVX2 nor NEON" if slow else ""
        yield Finding("processor features", "note" if slow else "ok", ", ".join(has) or "none", advice)
    set_threads = [f"{name}={os.environ[name]}" for name in _THREAD_VARIABLES if os.environ.get(name)]
    yield Finding("threads", "ok", ", ".join([f"{usable_cores()} usable", *set_threads]))


_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def _memory() -> Iterator[Finding]:
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _read(Path("/proc/meminfo")), re.MULTILINE))
    if "MemAvailable" not in found:
        yield Finding("memory", "note", "unknown on this system")
        return
    total, free = (int(found[name]) * 1024 / 1e9 for name in ("MemTotal", "MemAvailable"))
    tight = free < _LEAST_MEMORY_GB
    yield Finding(
        "memory",
        "problem" if tight else "ok",
        f"{free:.1f} GB free of {total:.1f} GB",
        f"separation wants {_LEAST_MEMORY_GB:g} GB; close something" if tight else "",
    )


def _weights() -> Iterator[Finding]:
    from mir.config import setting
    from separation.errors import SeparationError
    from separation.models import available, verify

    wanted = str(setting("model").value)
    for name in sorted({*available(), wanted}):
        try:
            yield Finding(f"model {name}", "ok", f"weights verified, SHA-256 {verify(name)[:16]}…")
        except SeparationError as error:
            yield Finding(f"model {name}", "problem", "weights missing or damaged", str(error))


def _catalog(path: Path) -> Iterator[Finding]:
    from mir.catalog import open_catalog
    from mir.errors import CatalogBusy, CatalogMissing, MirError

    try:
        identity = open_catalog(path, wait_s=_LOCK_WAIT_S).identity()
    except CatalogMissing as error:
        yield Finding("catalog", "note", f"none yet at {path}", str(error))
    except CatalogBusy as error:
        yield Finding("catalog", "note", "locked", str(error))
    except MirError as error:
        yield Finding("catalog", "problem", "cannot be used", str(error))
    else:
        size = path.stat().st_size / 1e6
        yield Finding("catalog", "ok", f"{path}, {size:.1f} MB, {identity.generation} writes, not locked")
        if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
            yield Finding(
                "catalog writable",
                "note",
                "no",
                "reading works; `mir ingest` needs write access to file and folder",
            )


def _disk(catalog: Path) -> Iterator[Finding]:
    folder = next(parent for parent in catalog.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free / 1e9
    tight = free < _LEAST_DISK_GB
    yield Finding(
        "disk",
        "problem" if tight else "ok",
        f"{free:.1f} GB free at {folder}",
        f"a catalog wants {_LEAST_DISK_GB:g} GB of room; make some, or give another --catalog" if tight else "",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
