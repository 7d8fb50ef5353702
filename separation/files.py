"""From what a caller names or holds to an open file that the decoders can read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from separation.errors import AudioInvalid, AudioMissing, AudioUnreadable


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says about its sound; for some formats (MP3 without a header) the duration is an estimate."""

    duration_s: float
    """Seconds, 0 where the file does not say."""
    sample_rate_hz: int
    n_channels: int
    codec: str
    container: str


class AudioFile:
    """An open file as decoders want it: it has a name, and answers to the impossible where Python would raise.

    Exceptions cannot pass through the C libraries that call these methods: they would be printed, and forgotten. A
    Ctrl-C is held for as long as they do, see `separation.interrupts`.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none where the medium fails, which then reads like a file cut off there."""
        try:
            return self._file.read(size)
        except OSError:
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; -1 where there is no such one, as FFmpeg expects."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._file.tell()


@contextmanager
def open_file(source: str | Path | BinaryIO) -> Iterator[AudioFile]:
    """Open a path, or take a binary file object, which stays open and is read from its beginning.

    A file object that cannot seek (a pipe) is copied to a temporary file first.

    Raises
    ------
    AudioMissing
        There is no such file.
    AudioUnreadable
        It is a folder, a device, empty, or not ours to read.
    AudioInvalid
        A file object that is closed or holds text.
    """
    if isinstance(source, (str, os.PathLike)):
        with _open_path(Path(source)) as opened:
            yield _from_start(opened, str(source))
        return
    given = getattr(source, "name", None)
    name = given if isinstance(given, str) else "the given file object"
    if getattr(source, "closed", False):
        raise AudioInvalid(f"{name} is closed: open it again, or give its path")
    if isinstance(source.read(0), str):
        raise AudioInvalid(f"{name} is open as text: open it with mode 'rb'")
    if getattr(source, "seekable", lambda: False)():
        yield _from_start(source, name)
        return
    with tempfile.TemporaryFile() as copy:
        try:
            shutil.copyfileobj(source, copy)
        except OSError as error:
            raise AudioUnreadable(f"{name} cannot be copied to a temporary file: {error.strerror or error}") from error
        yield _from_start(copy, name)


def _from_start(file: BinaryIO, name: str) -> AudioFile:
    audio_file = AudioFile(file, name)
    audio_file.seek(0)
    if not audio_file.read(1):
        raise AudioUnreadable(f"{name} is empty (0 bytes): copy or download it again")
    audio_file.seek(0)
    return audio_file


def _open_path(path: Path) -> BinaryIO:
    if "\0" in str(path):
        raise AudioMissing(f"no such audio file, names have no zero byte: {str(path)!r}")
    try:
        if path.is_dir():
            raise AudioUnreadable(f"{path} is a folder, not an audio file")
        if path.exists() and not path.is_file():
            raise AudioUnreadable(f"{path} is no regular file (a device or a pipe)")
        return path.open("rb")
    except FileNotFoundError as error:
        raise AudioMissing(f"no such audio file: {path}") from error
    except OSError as error:
        raise AudioUnreadable(f"{path} cannot be opened: {error.strerror or error}") from error
