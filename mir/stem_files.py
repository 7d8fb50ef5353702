"""What `mir separate` is to do: which files, which stems, and where each goes."""

from __future__ import annotations

import os
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mir.errors import BadRequest
from mir.scan import Failure, scan

CODECS = ("wav", "flac", "mp3", "ogg", "opus", "m4a", "stem.mp4")
STEM_FILE = "stem.mp4"
"""The codec that puts the mixture and four stems into one file."""
STEMS_OF_A_STEM_FILE = ("drums", "bass", "other", "vocals")

_FIELDS = ("filename", "instrument", "foldername", "codec")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where stems go, relative to the folder that keeps the input's place in its tree.

    Parameters
    ----------
    pattern
        A path with the fields ``{filename}`` (of the input, without suffix), ``{instrument}`` (of the stem),
        ``{foldername}`` (that the input lies in) and ``{codec}``, as Spleeter has them.

    Raises
    ------
    BadRequest
        Another field, an absolute path or one that leaves the folder.
    """

    pattern: str

    def __post_init__(self) -> None:
        try:
            fields = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(self.pattern)]
        except ValueError as error:
            raise BadRequest(f"--filename-format {self.pattern!r}: {error}") from error
        for name, spec, how in fields:
            if name is not None and (name not in _FIELDS or spec or how):
                allowed = ", ".join(f"{{{one}}}" for one in _FIELDS)
                raise BadRequest(f"--filename-format {self.pattern!r}: no field {{{name}}}; there are {allowed}")
        path = Path(self.pattern)
        if path.is_absolute() or ".." in path.parts or not self.pattern.strip("/. "):
            raise BadRequest(f"--filename-format {self.pattern!r} must be a path inside the output folder")

    def path(self, job: Job, instrument: str, codec: str) -> Path:
        """Place of one stem."""
        values = {"filename": job.name, "instrument": instrument, "foldername": job.path.parent.name, "codec": codec}
        return job.folder / self.pattern.format_map(values)


SEPARATE = Layout("{filename}/{instrument}.{codec}")
TOGETHER = Layout("{filename}.{codec}")
"""Default for files that hold all stems."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to separate.

    Parameters
    ----------
    shown
        Its name as the user gave it.
    path
        Where it is.
    folder
        Folder for its stems: the output folder, and below it the input's place in its tree.
    name
        Its name without suffix, made different from that of every other input in the same place.
    """

    shown: str
    path: Path
    folder: Path
    name: str


@dataclass(slots=True)
class Plan:
    """What is to be done, and what cannot be."""

    jobs: list[Job] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files come out.

    Parameters
    ----------
    stems
        Stems to write, each to a file of its name.
    minus
        Groups of stems to take away from the mixture; each group makes one file `minus-<stem>-<stem>`.
    """

    stems: tuple[str, ...]
    minus: tuple[tuple[str, ...], ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what is written."""
        return (*self.stems, *("minus-" + "-".join(group) for group in self.minus))

    @property
    def needed(self) -> tuple[str, ...]:
        """Stems that have to be separated for that."""
        return tuple(dict.fromkeys([*self.stems, *(stem for group in self.minus for stem in group)]))


def plan(paths: Iterable[str | Path], out: str | Path) -> Plan:
    """Find the audio and give each file a name of its own under `out`.

    Folders keep their tree. Two files of one name get two names (the suffix, then a number, is added to the later
    ones). Stems that an earlier run wrote into a folder inside the searched one are not taken for music.
    """
    target = Path(out)
    result = Plan()
    found: dict[Path, tuple[str, Path]] = {}
    for given in paths:
        scanned = scan([given])
        result.failures.extend(scanned.failures)
        root = Path(os.path.realpath(Path(given).expanduser()))  # Path.resolve raises where a link leads to itself
        for file in scanned.files:
            path = Path(file.path)
            written = Path(os.path.realpath(target))
            if written != root and written.is_relative_to(root) and path.is_relative_to(written):
                continue
            if root.is_dir() and path.is_relative_to(root):
                relative = path.relative_to(root)
                found.setdefault(path, (str(Path(given) / relative), relative))
            else:
                found.setdefault(path, (str(given) if path == root else str(path), Path(path.name)))
    taken: set[str] = set()
    for path, (shown, relative) in found.items():
        free = _free_name(relative, taken)
        result.jobs.append(Job(shown=shown, path=path, folder=target / free.parent, name=free.name))
    return result


def choose(available: Sequence[str], stems: Sequence[str] | None = None, minus: Sequence[Sequence[str]] = ()) -> Choice:
    """Check what was asked for against what the model gives; nothing asked for means every stem.

    Raises
    ------
    BadRequest
        A stem that the model does not give.
    """
    for stem in [*(stems or ()), *(stem for group in minus for stem in group)]:
        if stem not in available:
            raise BadRequest(f"this model gives no stem {stem!r}: choose from {', '.join(available)}")
    if stems is None:
        stems = () if minus else available
    return Choice(stems=tuple(dict.fromkeys(stems)), minus=tuple(tuple(dict.fromkeys(group)) for group in minus))


def _free_name(relative: Path, taken: set[str]) -> Path:
    """Name for a file's stems that no earlier file has, on file systems that ignore case too."""
    stem = relative.name.removesuffix(".stem.mp4") if relative.name.endswith(".stem.mp4") else relative.stem
    candidates = (relative.with_name(name) for name in _names(stem.rstrip(". ") or relative.name, relative.name))
    free = next(one for one in candidates if str(one).casefold() not in taken)
    taken.add(str(free).casefold())
    return free


def _names(stem: str, name: str) -> Iterator[str]:
    yield stem
    yield name
    number = 2
    while True:
        yield f"{name} ({number})"
        number += 1
