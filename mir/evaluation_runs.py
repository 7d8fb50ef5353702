"""Evaluations that are kept: every track's scores as soon as they are known, and what they add up to.

A run folder holds `run.json` (what was evaluated on what), `tracks/NAME.json` and `baselines/BASELINE/NAME.json` (the
scores), and at the end `report.json`, `tracks.parquet` and `boxplot.png`. Each file appears whole or not at all.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mir import __version__
from mir.errors import BadRequest
from separation.evaluation import Evaluation, Failure, Scorers, Separates, Track, TrackScore, results
from separation.publishing import UNFINISHED, sweep, whole, write_text
from separation.scores import METRICS, PROTOCOL

OnTrack = Callable[[int, int, str, TrackScore | Failure], None]
"""Hears how many of how many are done, and whose score of a track is the latest."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A separator that is evaluated, made only where there is something to separate."""

    name: str
    source_id: str
    """Model, weights and precision."""
    make: Callable[[], Separates]
    stems: tuple[str, ...] | None = None
    """Stems to score, where others than its own."""


class RunFolder:
    """Where the scores of one evaluation are kept, so that a second run goes on where the first one ended.

    Parameters
    ----------
    path
        New, empty, or the folder of the same evaluation.
    lead
        Who is evaluated; all others are baselines.
    data, split
        The tracks.
    dither
        Whether faint noise is added before scoring.

    Raises
    ------
    BadRequest
        The folder holds another evaluation, or something else.
    """

    def __init__(self, path: Path, lead: Entrant, *, data: Path, split: str, dither: bool = False) -> None:
        self.path = path
        for folder in (path, *path.glob("tracks"), *path.glob("baselines/*")):
            sweep(folder)
        self._lead = lead.name
        identity = {
            "model": lead.name,
            "source_id": lead.source_id,
            "protocol": PROTOCOL,
            "mir": __version__,
            "data": str(data.resolve()),
            "split": split,
            "dither": dither,
        }
        there = _read(path / "run.json")
        if there is not None:
            other = [key for key, value in identity.items() if there.get(key) != value]
            if other:
                what = "; ".join(f"{key} is {there.get(key)!r} there, {identity[key]!r} now" for key in other)
                raise BadRequest(f"{path} holds another evaluation: {what}. Name another folder with -o")
        elif path.is_file() or (path.is_dir() and any(each.suffix != UNFINISHED for each in path.iterdir())):
            raise BadRequest(f"{path} is there and holds no evaluation: -o names a new or empty folder, or FILE.json")
        else:
            write_json(path / "run.json", identity)

    def known(self, entrant: Entrant, tracks: Sequence[Track]) -> dict[str, TrackScore]:
        """Return scores from before, by track; those of tracks whose files have changed since do not count."""
        found = {}
        for track in tracks:
            table = _read(self._file(entrant, track.name))
            if table is not None and table.get("files") == _stamp(track):
                found[track.name] = TrackScore.from_json(table)
        return found

    def keep(self, entrant: Entrant, track: Track, score: TrackScore) -> None:
        """Write a track's scores."""
        write_json(self._file(entrant, track.name), {**score.to_json(), "files": _stamp(track)})

    def finish(self, evaluations: Sequence[Evaluation], report: dict[str, Any]) -> None:
        """Write what the scores add up to: the report, a table for SQL, a picture."""
        from mir.evaluation_pictures import write

        write_parquet(self.path / "tracks.parquet", evaluations)
        write(evaluations, self.path)
        write_json(self.path / "report.json", report)

    def _file(self, entrant: Entrant, track: str) -> Path:
        folder = Path("tracks") if entrant.name == self._lead else Path("baselines", entrant.name)
        return self.path / folder / f"{track}.json"


def run(
    entrants: Sequence[Entrant],
    tracks: Sequence[Track],
    *,
    workers: int,
    folder: RunFolder | None = None,
    on_track: OnTrack | None = None,
    dither: bool = False,
) -> list[Evaluation]:
    """Evaluate one separator after the other on the same tracks, but for what the folder has already.

    Parameters
    ----------
    entrants
        The separator in question, then its baselines.
    tracks
        From `separation.evaluation.find_tracks`.
    workers
        Processes that score; few tracks are scored in this one.
    folder
        Where scores are kept, None for nowhere.
    on_track
        Called after each track.
    dither
        See `separation.evaluation.results`.
    """
    known = {entrant.name: folder.known(entrant, tracks) if folder else {} for entrant in entrants}
    to_do = {name: [track for track in tracks if track.name not in scores] for name, scores in known.items()}
    separators = {entrant.name: entrant.make() for entrant in entrants if to_do[entrant.name]}
    done, total = 0, sum(map(len, to_do.values()))
    by_name = {track.name: track for track in tracks}
    evaluations = []
    with Scorers(min(workers, total // 2)) as scorers:  # a process takes a second to start
        for entrant in entrants:
            found: dict[str, TrackScore | Failure] = {**known[entrant.name]}
            if entrant.name in separators:
                fresh = results(
                    separators[entrant.name], to_do[entrant.name], stems=entrant.stems, scorers=scorers, dither=dither
                )
                for result in fresh:
                    done += 1
                    found[result.track] = result
                    if folder is not None and isinstance(result, TrackScore):
                        folder.keep(entrant, by_name[result.track], result)
                    if on_track is not None:
                        on_track(done, total, entrant.name, result)
            evaluations.append(Evaluation.of(entrant.name, [found[track.name] for track in tracks]))
    return evaluations


def report(
    evaluations: Sequence[Evaluation], lead: Entrant, *, data: Path, split: str, dither: bool = False
) -> dict[str, Any]:
    """Return the report on the first evaluation, ready for JSON, with what the others add up to as `baselines`."""
    return {
        **evaluations[0].as_dict(),
        "source_id": lead.source_id,
        "data": str(data),
        "split": split,
        "dither": dither,
        "baselines": {each.model: each.summary() for each in evaluations[1:]},
    }


def write_parquet(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write a row for each model, track, stem and second; dB, null where a stem is silent."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(
        [("model", pa.string()), ("track", pa.string()), ("stem", pa.string()), ("frame", pa.int32())]
        + [(metric, pa.float64()) for metric in METRICS]
    )
    rows = [
        {"model": evaluation.model, "track": score.track, "stem": stem, "frame": frame}
        | {metric: None if math.isnan(value) else value for metric, value in zip(METRICS, values, strict=True)}
        for evaluation in evaluations
        for score in evaluation.tracks
        for stem in score.stems
        for frame, values in enumerate(zip(*(score.frames[metric][stem] for metric in METRICS), strict=True))
    ]
    with whole(path) as unfinished:
        parquet.write_table(pa.Table.from_pylist(rows, schema), unfinished)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file, all of it or nothing; its folder is made where missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def _read(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file of ours holds; None where it is not there, or is not whole."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        logger.warning("%s is damaged: it is made again", path)
        return None
    return table if isinstance(table, dict) else None


def _stamp(track: Track) -> list[list[int]]:
    """Size and time of change of a track's files; other ones make it another track."""
    stats = [file.stat() for file in dict.fromkeys(track.files.values()) if file.is_file()]
    return [[stat.st_size, stat.st_mtime_ns] for stat in stats]
