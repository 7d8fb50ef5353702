"""Unpacking archives from strangers: plain files in one folder, bounded, all of them or none."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from separation.errors import ArchiveUnsafe

_BLOCK_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"
_LONGEST_NAME_BYTES = 255
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}

_UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError)
"""What comes of damaged archives; the last two from forged headers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an archive may become.

    Parameters
    ----------
    n_members
        Entries, folders and skipped files included.
    member_bytes
        One file.
    total_bytes
        The whole archive, decompressed.
    """

    n_members: int = 64
    member_bytes: int = 1 << 30
    total_bytes: int = 1 << 31


LIMITS = Limits()
"""Ten times what the largest of Spleeter's models needs."""


class _Bounded(io.BufferedReader):
    """A stream that goes no further than a limit, and hands out little at a time.

    `tarfile` reads the headers of long names and extended attributes in one piece, whatever size they claim.
    """

    def __init__(self, raw: gzip.GzipFile | io.FileIO, limit: int) -> None:
        super().__init__(raw)
        self._limit = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _BLOCK_BYTES:
            raise ArchiveUnsafe(f"a header claims {size} bytes")
        block = super().read(size)
        if self.tell() > self._limit:
            raise ArchiveUnsafe(f"it holds more than {self._limit} bytes")
        return block


def unpack(archive: Path, folder: Path, limits: Limits = LIMITS) -> dict[str, str]:
    """Unpack a ``.tar`` or ``.tar.gz`` whose files lie at its top, or all in one folder, into a new flat folder.

    Files whose name begins with a dot (what macOS adds, for one) are left out. Owners, permissions and times are not
    taken over. After an error the folder is gone again.

    Parameters
    ----------
    archive
        The file; its checksum is the caller's business.
    folder
        Made here; must not exist.
    limits
        Sizes beyond which it is refused.

    Returns
    -------
    dict
        SHA-256 of each file that was written, by name.

    Raises
    ------
    ArchiveUnsafe
        Where it is no such archive, is damaged or too large, or has a member that is no plain file or folder, whose
        path is absolute or has ``..``, whose name was there before, or that lies in another folder than the rest.
    OSError
        Where the files cannot be written.
    """
    folder.mkdir()
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            digests = _unpack(archive, folder, limits)
        except ArchiveUnsafe as error:
            raise ArchiveUnsafe(f"{archive} was refused: {error}; nothing was unpacked") from error
        except _UNREADABLE as error:
            raise ArchiveUnsafe(f"{archive} is no whole .tar.gz ({error}); nothing was unpacked") from error
        undo.pop_all()
    return digests


def _unpack(archive: Path, folder: Path, limits: Limits) -> dict[str, str]:
    with archive.open("rb", buffering=0) as file:
        compressed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        raw = gzip.GzipFile(fileobj=file) if compressed else file
        with _Bounded(raw, limits.total_bytes) as stream, tarfile.TarFile(fileobj=stream) as tar:
            digests = _write_members(tar, folder, limits)
            stream.seek(tar.offset)
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise ArchiveUnsafe("it breaks off after its last whole member")
            while stream.read(_BLOCK_BYTES):  # up to the checksum at the end of what is compressed
                pass
            return digests


def _write_members(tar: tarfile.TarFile, folder: Path, limits: Limits) -> dict[str, str]:
    digests: dict[str, str] = {}
    taken: set[str] = set()
    parent: PurePosixPath | None = None
    for index, member in enumerate(tar):
        if index >= limits.n_members:
            raise ArchiveUnsafe(f"it has more than {limits.n_members} members")
        path = _checked(member, limits)
        if member.isdir() or any(part.startswith(".") for part in path.parts):
            continue
        if path.parent != (parent or path.parent):
            raise ArchiveUnsafe(f"member {member.name!r} lies outside {str(parent)!r}, where the others are")
        if path.name.casefold() in taken:
            raise ArchiveUnsafe(f"member {member.name!r} is there twice")
        parent = path.parent
        taken.add(path.name.casefold())
        digests[path.name] = _write(tar, member, folder / path.name)
    return digests


def _checked(member: tarfile.TarInfo, limits: Limits) -> PurePosixPath:
    """Path of a member that may be written; raises for any other."""
    name = member.name
    path = PurePosixPath(name)
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    if not plain and not member.isdir():
        raise ArchiveUnsafe(f"member {name!r} is {_KINDS.get(member.type, 'of an unknown type')}, not a plain file")
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveUnsafe(f"member {name!r} leads out of the folder")
    sound = name.isprintable() and not set(name) & set("\\:") and len(path.name.encode()) <= _LONGEST_NAME_BYTES
    if not sound or (plain and not path.name):
        raise ArchiveUnsafe(f"member {name!r} has a name that is not the same on every system")
    if not 0 <= member.size <= limits.member_bytes:
        raise ArchiveUnsafe(f"member {name!r} claims {member.size} bytes; {limits.member_bytes} are allowed")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    digest = hashlib.sha256()
    with cast(IO[bytes], tar.extractfile(member)) as content, target.open("xb") as file:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
