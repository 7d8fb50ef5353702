"""From audio files to stem files: what `mir separate` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mir.errors import BadRequest
from mir.scan import Failure, scan

if TYPE_CHECKING:
    from separation.audio import Samples

CODECS = ("wav", "flac", "mp3", "ogg", "opus", "m4a")


class Separates(Protocol):
    """What is needed of a separator."""

    @property
    def stems(self) -> Sequence[str]:
        """Names of its stems."""
        ...

    def separate(self, y: Samples, sr: int) -> Mapping[str, Samples]:
        """Stems of `y`, each `(n_channels, n_samples)` like it."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One file to separate: its name as the user gave it, where it is, and the folder for its stems."""

    shown: str
    path: Path
    folder: Path


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


@dataclass(frozen=True, slots=True)
class Separated:
    """One file done: name → path of what was written."""

    input: str
    duration_s: float
    separate_s: float
    stems: dict[str, str]


def plan(paths: Iterable[str | Path], out: str | Path) -> Plan:
    """Find the audio and give each file a folder of its own under `out`.

    Folders keep their tree. Two files of one name get two folders (the suffix, then a number, is added to the later
    ones). Stems that an earlier run wrote into a folder inside the searched one are not taken for music.
    """
    target = Path(out)
    result = Plan()
    found: dict[Path, tuple[str, Path]] = {}
    for given in paths:
        scanned = scan([given])
        result.failures.extend(scanned.failures)
        root = Path(given).expanduser().resolve()
        for file in scanned.files:
            path = Path(file.path)
            written = target.resolve()
            if written != root and written.is_relative_to(root) and path.is_relative_to(written):
                continue
            if root.is_dir() and path.is_relative_to(root):
                relative = path.relative_to(root)
                found.setdefault(path, (str(Path(given) / relative), relative))
            else:
                found.setdefault(path, (str(given) if path == root else str(path), Path(path.name)))
    taken: set[str] = set()
    for path, (shown, relative) in found.items():
        result.jobs.append(Job(shown=shown, path=path, folder=target / _free_name(relative, taken)))
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


def separate_files(
    jobs: Iterable[Job],
    separator: Separates,
    choice: Choice,
    *,
    codec: str = "wav",
    on_start: Callable[[Job], None] | None = None,
) -> Iterator[Separated | Failure]:
    """Separate files one after the other; one that fails is reported, and the rest goes on.

    Parameters
    ----------
    jobs
        From `plan`.
    separator
        Loaded once, used for all.
    choice
        From `choose`.
    codec
        One of `CODECS`; wav and flac are written with 16 bits.
    on_start
        Called before each file.
    """
    from separation.errors import SeparationError

    for job in jobs:
        if on_start is not None:
            on_start(job)
        try:
            yield _separate_file(job, separator, choice, codec)
        except (SeparationError, OSError) as error:
            yield Failure(job.shown, str(error))


def _separate_file(job: Job, separator: Separates, choice: Choice, codec: str) -> Separated:
    from separation.audio import load, save

    y, sr = load(job.path)
    started = time.perf_counter()
    stems = separator.separate(y, sr)
    separate_s = time.perf_counter() - started
    outputs = {stem: stems[stem] for stem in choice.stems}
    for group in choice.minus:
        # what is left of the mixture, so that nothing is lost even where a model's stems do not add up to it
        rest = y.copy()
        for stem in group:
            rest -= stems[stem]
        outputs["minus-" + "-".join(group)] = rest
    written = {}
    for name, samples in outputs.items():
        path = job.folder / f"{name}.{codec}"
        save(path, samples, sr)
        written[name] = str(path)
    return Separated(input=job.shown, duration_s=y.shape[1] / sr, separate_s=separate_s, stems=written)


def _free_name(relative: Path, taken: set[str]) -> Path:
    """Folder for a file's stems that no earlier file has, on file systems that ignore case too."""
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
