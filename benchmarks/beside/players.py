"""The parts that `benchmarks.readers_beside_ingest` gives to processes of their own; each ends with a line of JSON.

A reader says "ready" when it has asked everything once, and asks until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

NOTEBOOK_EVERY_S = 1.0
QUESTION = "SELECT genre, count(*) AS tracks, avg(duration_s) AS seconds FROM library GROUP BY genre ORDER BY genre"
SINGERS = """
SELECT DISTINCT a.artist_id, a.artist
FROM artists AS a JOIN track_artists USING (artist_id) JOIN space_vectors AS v USING (track_id)
WHERE v.space = 'vocal_timbre' ORDER BY ALL"""
"""Artists who can be compared by their voice."""

Report = dict[str, Any]
Question = Callable[[int], object]


class LockLog(logging.Handler):
    """Keeps what `mir.catalog.lock` logs of this process: seconds waited for the file, and seconds that it was kept."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.waited_s: list[float] = []
        self.kept_s: list[float] = []
        logger = logging.getLogger("mir.catalog.lock")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take the seconds out of a line."""
        if isinstance(record.args, tuple):
            (self.waited_s if "waited" in record.msg else self.kept_s).append(float(str(record.args[-1])))

    def clear(self) -> None:
        """Forget what was before the measurement."""
        self.waited_s.clear()
        self.kept_s.clear()


class Enough(Exception):
    """The ingest has run for as long as it should."""


def play_ingest(catalog: str, music: str, seconds: float) -> Report:
    """Ingest until `seconds` after the first track was committed."""
    from mir.ingest import ingest
    from mir.ingest.report import Event

    log = LockLog()
    done: list[float] = []
    failures: list[str] = []

    def listen(event: Event) -> None:
        now = time.monotonic()
        if event.state == "failed":
            failures.append(f"{event.path}: {event.error}")
        elif event.state == "ok":
            if not done:
                log.clear()
            done.append(now)
            if now - done[0] >= seconds:
                raise Enough

    with suppress(Enough):
        ingest([music], catalog, on_progress=listen)
    window_s = done[-1] - done[0]
    return {"errors": failures, "tracks": len(done) - 1, "window_s": window_s, **locks(log)}


def play_notebook(catalog: str) -> Report:
    """Ask once a second, until standard input ends."""
    from mir import open_catalog

    log = LockLog()
    opened = open_catalog(catalog)
    artists = [row[1] for row in opened.fetch(SINGERS).rows]
    questions: tuple[Question, ...] = (
        lambda turn: opened.similar_artists(artists[turn // 2 % len(artists)], k=5),
        lambda _: opened.sql(QUESTION),
    )
    for question in questions:
        question(0)
    ready()
    log.clear()
    return asked_until(ended(), questions, NOTEBOOK_EVERY_S) | locks(log)


def play_idle(catalog: str) -> Report:
    """Open the catalog, ask once, and sit there; ask again at the end."""
    from mir import open_catalog

    opened = open_catalog(catalog)
    before = opened.identity()
    ready()
    ended().wait()
    after = opened.identity()
    same = before.catalog_id == after.catalog_id and before.generation <= after.generation
    return {"errors": [] if same else [f"{before} became {after}"]}


def play_serve(catalog: str, port: int) -> Report:
    """Run `mir serve` until it is told to end."""
    from mir.cli.app import main

    log = LockLog()
    sys.argv = ["mir", "serve", "--catalog", catalog, "--port", str(port)]
    with suppress(SystemExit):
        main()
    return {"errors": [], **locks(log)}


def locks(log: LockLog) -> Report:
    """Tell of the file's lock, in seconds."""
    waited, kept = log.waited_s or [0.0], log.kept_s or [0.0]
    return {
        "lock_waited_s": sum(waited),
        "lock_longest_wait_s": max(waited),
        "lock_kept_p50_s": float(np.median(kept)),
        "lock_kept_max_s": max(kept),
        "lock_kept_s": sum(kept),
    }


def ready() -> None:
    """Tell the main process that the questions begin."""
    print("ready", flush=True)


def ended() -> threading.Event:
    """Return what is set when standard input ends."""
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    return over


def asked_until(over: threading.Event, questions: Sequence[Question], every_s: float) -> Report:
    """Ask in turn, each `every_s` after the one before began; whatever goes wrong is told."""
    answered_s: list[float] = []
    errors: list[str] = []
    turn = 0
    due = time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        began = time.monotonic()
        try:
            questions[turn % len(questions)](turn)
        except Exception as error:  # noqa: BLE001 - what is counted here
            errors.append(f"{type(error).__name__}: {error}")
        answered_s.append(time.monotonic() - began)
        turn += 1
        due = max(due + every_s, time.monotonic())
    return {"errors": errors, "answered_s": answered_s}


def main() -> None:
    """Play one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    for name, words in {"ingest": ("music", "seconds"), "serve": ("port",), "notebook": (), "idle": ()}.items():
        part = parts.add_parser(name)
        part.add_argument("catalog")
        for word in words:
            part.add_argument(word, type={"seconds": float, "port": int}.get(word, str))
    told = vars(parser.parse_args())
    play: Callable[..., Report] = {
        "ingest": play_ingest,
        "serve": play_serve,
        "notebook": play_notebook,
        "idle": play_idle,
    }[told.pop("part")]
    print(json.dumps(play(**told)), flush=True)


if __name__ == "__main__":
    main()
