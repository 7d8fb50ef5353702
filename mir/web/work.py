"""What the working process does: a track's stems for listening, with their pictures; and hearing a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from separation import Separator

Progress = Callable[[float], None]

SKETCH: Final = "sketch.json"
"""Written last: a folder that has it is whole."""
_DRAWING: Final = 0.08
"""Share of the work that pictures take."""

_separators: dict[str, Separator] = {}


def serve(wire: Connection) -> None:
    """Work off tasks until the other end is gone; errors of ours are told, and the next task is taken."""
    if hasattr(os, "nice"):
        os.nice(5)  # pages come first
    with suppress(EOFError, OSError):
        while True:
            task, arguments = wire.recv()
            try:
                result = TASKS[task](lambda fraction: wire.send(("progress", fraction)), **arguments)
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:  # noqa: BLE001 - the edge of the process: whatever a file does, the next one is worked on
                wire.send(("failed", _told(error)))
            else:
                wire.send(("done", result))


def make_stems(progress: Progress, path: str, folder: str, model: str, kept: dict[str, str]) -> list[str]:
    """Put a track's stems into a folder as 16-bit WAV, with a picture of each and a sketch of all.

    Parameters
    ----------
    progress
        Hears how much is done, 0 to 1.
    path
        The track's file.
    folder
        Where to; it is there and empty.
    model
        What separates.
    kept
        Stems that an ingest kept, by name: they are copied instead.

    Returns
    -------
    list of str
        Names of the stems.

    Raises
    ------
    MirError, SeparationError, OSError
        Where it cannot be done.
    """
    from mir.web.sketch import draw

    target = Path(folder)
    if kept:
        for number, (stem, source) in enumerate(kept.items()):
            _copy(Path(source), target / f"{stem}.wav")
            progress((1 - _DRAWING) * (number + 1) / len(kept))
        stems = list(kept)
    else:
        stems = _separate(progress, Path(path), target, model)
    sketch = draw(target, stems, lambda share: progress(1 - _DRAWING * (1 - share)))
    (target / SKETCH).write_text(json.dumps(sketch), encoding="utf-8")
    return stems


def hear(progress: Progress, path: str, name: str, catalog: str, model: str) -> Any:  # noqa: ANN401 - a Query
    """Find out what a file is to the catalog: a track that it has, or one that is measured here.

    Returns
    -------
    Query
        Called by the file's own name.

    Raises
    ------
    MirError
        Where it holds no sound, or cannot be measured.
    """
    from dataclasses import replace

    from features import EXTRACTORS
    from mir.catalog import open_catalog
    from mir.errors import MirError
    from mir.similarity.query import find_query
    from separation.errors import SeparationError

    progress(0.05)
    try:
        found = find_query(open_catalog(catalog), Path(path), list(EXTRACTORS), model)
    except (MirError, SeparationError) as error:
        raise MirError(str(error).replace(path, name)) from error  # where it lies for the while is nobody's business
    return found if found.heard is None else replace(found, label=name)


TASKS: Final[dict[str, Callable[..., Any]]] = {"stems": make_stems, "hear": hear}
"""What can be asked for, by name."""


def _separate(progress: Progress, path: Path, target: Path, model: str) -> list[str]:
    from mir.config import setting
    from mir.errors import MirError
    from mir.scan import Failure
    from mir.stem_files import Job, Layout, choose
    from mir.stem_writing import Options, separate_files
    from separation import Separator
    from separation.encode import Encoding

    separator = _separators.get(model)
    if separator is None:
        _separators.clear()
        precision = str(setting("precision").value)
        separator = _separators[model] = Separator(model, precision=precision)
    options = Options(
        choice=choose(separator.stems), encoding=Encoding("wav"), layout=Layout("{instrument}.{codec}"), tags=False
    )
    job = Job(shown=path.name, path=path, folder=target, name="stems")

    def told(done_s: float, total_s: float | None) -> None:
        if total_s:
            progress((1 - _DRAWING) * min(done_s / total_s, 1.0))

    for outcome in separate_files([job], separator, options, on_progress=told):
        if isinstance(outcome, Failure):
            raise MirError(outcome.error)
    return list(separator.stems)


def _copy(source: Path, target: Path) -> None:
    from separation.encode import Encoding, open_writer
    from separation.source import open_source

    with open_source(source) as audio, open_writer(target, audio.sr, audio.n_channels, Encoding("wav")) as writer:
        for block in audio.blocks:
            writer.write(block)


def _told(error: Exception) -> str:
    """Say what went wrong; of a bug its kind alone, because the page shows this."""
    from features.errors import FeatureError
    from mir.errors import MirError
    from separation.errors import SeparationError

    if isinstance(error, MirError | SeparationError | FeatureError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    import logging

    logging.getLogger(__name__).exception("a task failed")
    return f"an error of mir's own ({type(error).__name__}); the terminal has the details"
