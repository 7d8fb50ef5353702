"""The demo from end to end: render, ingest, ask, compare, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mir.demo.answers import Answers, ask
from mir.demo.library import Song, songs, write_library
from mir.demo.verdict import Verdict, compare, read_truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mir.catalog import Catalog
    from mir.ingest import IngestReport, SeparatorSource
    from mir.ingest.report import Event
    from mir.ingest.separators import SeparatorLike

CATALOG_NAME = "mir.duckdb"
SHOWN_TRACK = "Salt Meridian - Paper Lighthouse.flac"
"""Whose stems are kept, to be heard and seen in the report."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a stage is: ``render``, ``ingest``, ``ask`` or ``report``."""

    stage: str
    done: int
    total: int
    note: str = ""


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out, and where it lies."""

    catalog: Path
    report: Path
    answers: Answers
    verdict: Verdict
    ingest: IngestReport
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``mir demo --json``."""
        return {
            **self.verdict.summary(),
            "acts": [
                {
                    "artist": act.artist,
                    "singer": act.singer,
                    "band": act.band,
                    "same_singer": act.partner,
                    "nearest": dict(act.first),
                    "same_singer_rank": dict(act.rank),
                }
                for act in self.verdict.acts
            ],
            "genre_protocol": self.answers.genre_protocol,
            "ingested": self.ingest.ingested,
            "skipped": self.ingest.skipped,
            "failed": [{"path": one.path, "error": one.error} for one in self.ingest.failed],
            "catalog": self.catalog,
            "report": self.report,
            "seconds": {stage: round(value, 2) for stage, value in self.seconds.items()},
        }


def run_demo(
    folder: Path,
    *,
    model: str = "mir-4s",
    separator: SeparatorSource | None = None,
    on_step: OnStep | None = None,
) -> DemoResult:
    """Make the library where it is missing, treat it as anybody's music, compare answers and truth.

    Parameters
    ----------
    folder
        Gets ``music/``, ``stems/`` of one track, ``truth.json``, ``mir.duckdb`` and ``report.html``. What is
        there already is used again.
    model
        Separation model.
    separator
        Another separator than `model`'s.
    on_step
        Hears of progress.

    Raises
    ------
    separation.errors.SeparationError
        Where the model is unknown or has no weights.
    """
    from mir.catalog import open_catalog
    from mir.ingest import ingest
    from mir.ingest.separators import model_source

    tell = on_step or (lambda step: None)
    seconds: dict[str, float] = {}
    source = separator or model_source(model)  # a model without weights is refused before anything is rendered
    folder.mkdir(parents=True, exist_ok=True)

    with _timed(seconds, "render"):
        done, total = 0, len(songs())

        def on_song(song: Song) -> None:
            nonlocal done
            done += 1
            tell(Step("render", done, total, song.title))

        write_library(folder, on_song)

    with _timed(seconds, "ingest"):
        loaded: list[SeparatorLike] = []

        def load() -> SeparatorLike:
            loaded.append(source.load())
            return loaded[-1]

        def on_file(event: Event) -> None:
            tell(Step("ingest", event.done, event.total, f"{event.speed:.0f}× real time"))

        report = ingest(
            [folder / "music"],
            folder / CATALOG_NAME,
            on_progress=on_file,
            separator=replace(source, load=load),
            prune=True,
        )

    catalog = open_catalog(folder / CATALOG_NAME)
    with _timed(seconds, "fit"):
        _fit_spaces(catalog, again=report.ingested > 0)

    with _timed(seconds, "ask"):
        answers = ask(catalog, lambda done, total, what: tell(Step("ask", done, total, what)))

    # Not before every answer is in.
    verdict = compare(answers, read_truth(folder))

    with _timed(seconds, "report"):
        from mir.demo.report import write_report

        tell(Step("report", 0, 2, "stems of one track"))
        sounds, sr = _shown(folder, lambda: loaded[0] if loaded else source.load())
        tell(Step("report", 1, 2, "pictures"))
        page = write_report(folder / "report.html", answers, verdict, sounds, sr, SHOWN_TRACK)
        tell(Step("report", 2, 2))
    return DemoResult(catalog.path, page, answers, verdict, report, seconds)


def _fit_spaces(catalog: Catalog, *, again: bool) -> None:
    """Do what ``mir spaces fit`` does, for every space: learn what is usual here, from descriptors, without labels."""
    from mir.spaces import fit, list_spaces
    from mir.transforms import TooFewTracks

    for info in list_spaces(catalog):
        if again or info.origin != "fitted":
            with suppress(TooFewTracks):
                fit(catalog, info.space)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[stage] = time.monotonic() - started


def _shown(folder: Path, separator: Callable[[], SeparatorLike]) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Return the shown track's mixture and stems (kept in ``stems/``), and their rate in Hz."""
    from separation.audio import load, save

    track = folder / "music" / SHOWN_TRACK
    mixture, sr = load(track)
    sounds = {"mixture": mixture}
    names = ("vocals", "drums", "bass", "other")
    paths = {name: folder / "stems" / f"{track.stem} - {name}.flac" for name in names}
    if all(path.is_file() and path.stat().st_mtime_ns >= track.stat().st_mtime_ns for path in paths.values()):
        return sounds | {name: load(path)[0] for name, path in paths.items()}, sr
    stems = separator().separate(mixture, sr)
    # A stem can peak above the mixture; all are turned down alike, so that they still sum to it.
    peak = max(float(abs(stems[name]).max()) for name in names)
    gain = min(1.0, 0.99 / max(peak, 1e-9))
    paths[names[0]].parent.mkdir(exist_ok=True)
    for name in names:
        sounds[name] = stems[name] * gain
        save(paths[name], sounds[name], sr)
    return sounds, sr
