"""Models from elsewhere: their archives by name, where they go, and whether they are whole there."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from separation.checksum import sha256 as sha256_of
from separation.download import Progress, download
from separation.errors import (
    ArchiveUnsafe,
    ChecksumWrong,
    ModelUnknown,
    PullBusy,
    WeightsDamaged,
    WeightsMissing,
    WriteFailed,
)
from separation.spleeter.config import published

BASE_URL = "https://github.com/deezer/spleeter/releases/download/v1.4.0"
"""Where Deezer publishes its models; ``$MIR_MODELS_URL`` names another place."""

ARCHIVES = {
    "2stems": "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    "4stems": "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8",
    "5stems": "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218",
}
"""SHA-256 of Deezer's archives, by the name of the folder they become."""

PULLABLE = tuple(published())
"""Models that can be pulled by name alone; the two variants of one share their weights."""

MANIFEST = "sha256.json"
"""File in a pulled model's folder with the SHA-256 of the archive and of each file."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here now.

    Parameters
    ----------
    name
        Name of the model.
    folder
        Its files.
    archive_sha256
        Checksum of the archive that they came in.
    source
        Address or path of the archive; None where the model was here before.
    """

    name: str
    folder: Path
    archive_sha256: str
    source: str | None


def models_folder() -> Path:
    """Folder that pulled models go to: ``$MIR_MODELS``, or ``mir/models`` in the user's data folder."""
    if chosen := os.environ.get("MIR_MODELS"):
        return Path(chosen)
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data if data.is_absolute() else Path.home() / ".local" / "share") / "mir" / "models"


def folder_of(name: str) -> Path:
    """Folder of a pulled model, there or not: laid out as Spleeter does, or named for the model."""
    return models_folder() / (published()[name].folder if name in PULLABLE else name)


def pull(
    name: str,
    source: str | Path | None = None,
    *,
    sha256: str | None = None,
    base_url: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Pulled:
    """Get a model's archive, verify it, and unpack it into `models_folder`; does nothing where that was done before.

    The model's folder appears complete or not at all. What was downloaded before an interruption is gone on from.

    Parameters
    ----------
    name
        One of `PULLABLE`; any other plain word where `source` and `sha256` are given.
    source
        Address or path of the archive instead of the known place.
    sha256
        Checksum of the archive instead of the known one, in hexadecimal digits.
    base_url
        Instead of ``$MIR_MODELS_URL`` and `BASE_URL`: where ``4stems.tar.gz`` and the others are.
    force
        Replace what is there.
    progress
        Hears of every block of a download.

    Raises
    ------
    ModelUnknown
        Where the name says nothing and the rest is not given.
    DownloadFailed, ChecksumWrong, ArchiveUnsafe
        Where the archive cannot be had, is another one, or cannot be unpacked safely into a model.
    WeightsDamaged
        Where the folder is there, but damaged or from another archive, and `force` is not set.
    WeightsMissing
        Where `source` is a path without a file.
    PullBusy
        Where another process is getting this model.
    WriteFailed
        Where there is no room.
    """
    expected = _expected(name, source, sha256)
    folder = folder_of(name)
    if source is None:
        base_url = base_url or os.environ.get("MIR_MODELS_URL") or BASE_URL
        source = f"{base_url.rstrip('/')}/{folder.name}.tar.gz"
    if folder.exists() and not force:
        return _already(name, folder, expected)
    downloads = folder.with_name(".downloads")
    with _room(folder.parent), _alone(downloads / f"{folder.name}.lock", name):
        if folder.exists() and not force:
            return _already(name, folder, expected)
        if "://" not in str(source):
            _install(_verified(Path(source), expected), folder, expected)
        else:
            archive = downloads / f"{folder.name}.tar.gz"
            download(str(source), archive, expected, progress=progress)
            try:
                _install(archive, folder, expected)
            except ArchiveUnsafe:
                archive.unlink()
                raise
            archive.unlink()
    return Pulled(name, folder, expected, str(source))


def check(folder: Path) -> str:
    """Check every file of a pulled model; returns the SHA-256 of the archive that it came in.

    Raises
    ------
    WeightsDamaged
        Where a file is missing or not the one that was unpacked, or nothing tells what that was.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsDamaged(f"{folder} has no {MANIFEST}, so nothing tells whether it is whole") from error
    except ValueError as error:
        raise WeightsDamaged(f"{folder / MANIFEST} is no JSON ({error})") from error
    match manifest:
        case {"archive_sha256": str(archive_sha256), "files": dict(files)}:
            pass
        case _:
            raise WeightsDamaged(f"{folder / MANIFEST} lacks archive_sha256 or files")
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise WeightsDamaged(f"{path} is missing")
        if (actual := sha256_of(path)) != expected:
            raise WeightsDamaged(f"{path}: SHA-256 is {actual}, expected {expected}")
    return archive_sha256


def _expected(name: str, source: str | Path | None, sha256: str | None) -> str:
    """SHA-256 that the archive must have."""
    known = ", ".join(PULLABLE)
    if name not in PULLABLE:
        taken = name in ARCHIVES or name.endswith(".json")  # a folder of theirs, the path of a configuration
        if taken or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
            raise ModelUnknown(f"no model {name!r}; there are {known}; a model of your own is named by a plain word")
        if source is None or sha256 is None:
            raise ModelUnknown(f"no model {name!r}; there are {known}; one of your own needs --from and --sha256")
    if sha256 is None:
        return ARCHIVES[folder_of(name).name]
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", sha256):
        raise ChecksumWrong(f"a SHA-256 has 64 hexadecimal digits, got {sha256!r}")
    return sha256.lower()


def _already(name: str, folder: Path, expected: str) -> Pulled:
    try:
        found = check(folder)
    except WeightsDamaged as error:
        raise WeightsDamaged(f"{error}; --force replaces {folder}") from error
    if found != expected:
        raise WeightsDamaged(f"{folder} is from the archive {found}, not {expected}; --force replaces it")
    return Pulled(name, folder, found, None)


def _verified(archive: Path, expected: str) -> Path:
    if not archive.is_file():
        raise WeightsMissing(f"{archive}: no such file; give the path or the http(s) address of a .tar.gz")
    actual = sha256_of(archive)
    if actual != expected:
        raise ChecksumWrong(f"{archive}: SHA-256 is {actual}, expected {expected}; if it is right, give it as --sha256")
    return archive


def _install(archive: Path, folder: Path, archive_sha256: str) -> None:
    from separation.archive import unpack

    unfinished, old = (folder.with_name(f".{folder.name}.{state}") for state in ("unfinished", "old"))
    _remove(unfinished)
    _remove(old)
    try:
        files = unpack(archive, unfinished)
        files.pop(MANIFEST, None)  # of an archive that was made from a pulled model
        prefixes = [name.removesuffix("index") + "data-" for name in files if name.endswith(".index")]
        if not any(name.startswith(prefix) for name in files for prefix in prefixes):
            raise ArchiveUnsafe(f"{archive} has no checkpoint of TensorFlow, only {', '.join(files) or 'no files'}")
        manifest = {"archive_sha256": archive_sha256, "files": files}
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        unfinished.rename(folder)
    finally:
        _remove(unfinished)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Hold the lock of a model for the block; the system drops a dead process's lock."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise PullBusy(f"{name} is being pulled by another process ({holder}); wait until it is done") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Say what to do where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise WriteFailed(
            error.errno,
            f"no room in {folder} ({error.strerror}); what was downloaded is kept: free some space and run it again, "
            "or set MIR_MODELS to a folder on another disk",
        ) from error
