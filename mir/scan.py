"""Which audio files are meant by the paths that somebody gave."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mir.catalog.records import FileStat

SKIPPED_FOLDERS = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that could not be taken in, and why."""

    path: str
    error: str


@dataclass(slots=True)
class Scan:
    """What was found.

    Parameters
    ----------
    files
        Each audio file once, sorted by path; paths are absolute and resolved.
    failures
        Paths that are missing, unreadable, or hold no audio.
    folders
        Given folders that were read and hold audio, resolved.
    """

    files: list[FileStat] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


def scan(paths: Iterable[str | Path]) -> Scan:
    """Find the audio files in files and folders.

    Folders are searched whole; symbolic links are followed, each folder once, so loops end. Hidden files and
    folders and macOS's ``._`` companions are passed over. A file that is named explicitly is taken whatever
    its suffix.

    Returns
    -------
    Scan
        Problems are collected in `Scan.failures`, never raised: the rest of a batch goes on.
    """
    result = Scan()
    found: dict[str, FileStat] = {}
    for given in paths:
        path = Path(given).expanduser()
        try:
            mode = path.stat().st_mode
        except OSError as error:
            there = os.path.abspath(path)  # noqa: PTH100 - a link to itself cannot be resolved
            result.failures.append(Failure(_shown(there), _reason(error)))
            continue
        if stat.S_ISDIR(mode):
            _take_folder(path, found, result)
        elif stat.S_ISREG(mode):
            _take_file(os.path.realpath(path), found, result)
        else:
            result.failures.append(Failure(_shown(os.path.realpath(path)), "neither a file nor a folder"))
    result.files = [found[path] for path in sorted(found)]
    return result


def _take_folder(path: Path, found: dict[str, FileStat], result: Scan) -> None:
    from separation.audio import AUDIO_SUFFIXES

    root = os.path.realpath(path)
    failures_before, any_audio = len(result.failures), False
    visited: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        for entry in _entries(pending.pop(), visited, result):
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself
                continue
            target = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if is_folder:
                pending.append(target)
            elif is_file and os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES:  # noqa: PTH122
                any_audio = True
                _take_file(target, found, result)
    if any_audio:
        result.folders.append(root)
    elif len(result.failures) == failures_before:
        result.failures.append(Failure(_shown(root), "no audio in this folder"))


def _entries(folder: str, visited: set[tuple[int, int]], result: Scan) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden; nothing the second time."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - a large library is scanned in strings
        if (status.st_dev, status.st_ino) in visited:
            return []
        visited.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            return [one for one in entries if not one.name.startswith(".") and one.name not in SKIPPED_FOLDERS]
    except OSError as error:
        result.failures.append(Failure(_shown(folder), _reason(error)))
        return []


def _take_file(path: str, found: dict[str, FileStat], result: Scan) -> None:
    if path in found:
        return
    if _shown(path) != path:
        result.failures.append(Failure(_shown(path), "the file's name is not valid Unicode; rename it to take it in"))
        return
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        result.failures.append(Failure(path, _reason(error)))
        return
    found[path] = FileStat(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns)


def _shown(path: str) -> str:
    """Give the path as text that can be stored and printed (undecodable bytes become ``?``)."""
    return path.encode("utf-8", "replace").decode("utf-8")


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "not readable: permission denied"
    return f"not readable: {error.strerror or error}"
