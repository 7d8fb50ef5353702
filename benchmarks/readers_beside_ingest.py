"""An ingest with readers beside it: errors, how long readers wait, and what the ingest loses by them.

`python -m benchmarks.readers_beside_ingest --data DATA [--seconds 60] [--rounds 2] [--out FILE]`

The music is MUSDB18's previews, cut a little shorter each time until there is enough of it, so that a track is
committed as often as it ever is. Beside the ingest run `mir serve`, asked twice a second by one client (a track's
page, similar artists); a notebook that asks once a second (similar artists, SQL); and a notebook that asked once and
sits there. Three runs are compared: ``alone``, ``beside`` (readers of the same catalog) and ``apart`` (the same readers
on a copy, so that they take processor time and no lock), forth in the first round, back in the second. Every process
tells how long it waited for the file's lock, how long it kept it, and its processor time, for on two cores readers
cost an ingest more by that than by locks. Of a machine with other work, believe the waits and not the rates.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from benchmarks.beside.players import SINGERS, Question, Report, asked_until

SEED_TRACKS = 8
"""Tracks that are there before, for readers to ask about."""
TRACKS_A_SECOND = 4
"""More than an ingest does: so much music is made ready."""
CUT_S = 0.05
PAGE_EVERY_S = 0.5
MODES = ("alone", "beside", "apart")


def page_questions(port: int, artists: Sequence[int]) -> list[Question]:
    """Return what the client asks `mir serve`: tracks' pages, and similar artists as JSON."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def get(path: str) -> bytes:
        connection.request("GET", path)
        try:
            answer = connection.getresponse()
            body = answer.read()
        except OSError:
            connection.close()  # the next question begins anew
            raise
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    listed = json.loads(get("/api/v1/search?q=a&limit=100"))
    tracks = [item["track_id"] for item in listed["tracks"]]
    return [
        lambda turn: get(f"/tracks/{tracks[turn // 2 % len(tracks)]}"),
        lambda turn: get(f"/api/v1/similar?artist_id={artists[turn // 2 % len(artists)]}&vocals=1&kind=artists"),
    ]


class Player:
    """A process of this benchmark: starts in a part, ends when told, and then reports."""

    def __init__(self, part: str, *words: object) -> None:
        command = [sys.executable, "-m", "benchmarks.beside.players", part, *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_ready(self) -> None:
        """Wait until it asks."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"a reader did not start: {self.process.args}")

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def report(self, *, terminate: bool = False) -> Report:
        """End it, and return what it tells."""
        if terminate:
            self.process.terminate()
        out = self.process.communicate(timeout=600)[0]
        told: Report = json.loads(out.splitlines()[-1])
        return told


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Readers:
    """The page, its client, and two notebooks."""

    def __init__(self, catalog: Path) -> None:
        from mir.catalog import open_catalog

        self.port = free_port()
        self.artists = [row[0] for row in open_catalog(catalog).fetch(SINGERS).rows]
        self.players = {
            "page": Player("serve", catalog, self.port),
            "notebook": Player("notebook", catalog),
            "idle notebook": Player("idle", catalog),
        }
        self.over = threading.Event()
        self.client: Report = {}
        self.players["notebook"].wait_ready()
        self.players["idle notebook"].wait_ready()
        questions = self._served()
        for question in questions:
            question(0)
        self.thread = threading.Thread(
            target=lambda: self.client.update(asked_until(self.over, questions, PAGE_EVERY_S))
        )
        self.began = time.monotonic()
        self.used = {name: player.cpu_s() for name, player in self.players.items()}
        self.thread.start()

    def _served(self) -> list[Question]:
        for _ in range(600):
            try:
                return page_questions(self.port, self.artists)
            except ConnectionError:
                time.sleep(0.2)
        raise RuntimeError("mir serve did not start")

    def reports(self) -> dict[str, Report]:
        """End all, and return what they tell, with the share of one core that each used."""
        wall_s = time.monotonic() - self.began
        shares = {name: (player.cpu_s() - self.used[name]) / wall_s for name, player in self.players.items()}
        self.over.set()
        self.thread.join()
        told = {name: player.report(terminate=name == "page") for name, player in self.players.items()}
        told["page"] |= self.client
        for name, report in told.items():
            report["core_share"] = shares[name]
        return told

    def kill(self) -> None:
        """See that none is left, whatever went wrong."""
        self.over.set()
        for player in self.players.values():
            player.process.kill()
            player.process.wait()


def prepare(data: Path, folder: Path, n_tracks: int) -> None:
    """Write clips: every preview whole, then all again a little shorter, and so on."""
    from separation.audio import load, save

    files = sorted((data / "musdb18-7s" / "train").glob("*.stem.mp4"))
    if not files:
        raise FileNotFoundError(f"no previews at {data / 'musdb18-7s' / 'train'}; give --data FOLDER")
    copies = -(-n_tracks // len(files))
    for file in files:
        y, sr = load(file)
        for copy in range(copies):
            name = file.name.removesuffix(".stem.mp4") + (f", take {copy + 1}" if copy else "")
            save(folder / f"{name}.flac", 0.9 * y[:, int(copy * CUT_S * sr) :], sr)  # so that nothing clips


def seeded(clips: Path, folder: Path) -> Path:
    """Make the catalog that every run begins with."""
    from mir.ingest import ingest

    first = sorted(clips.iterdir())[:: len(list(clips.iterdir())) // SEED_TRACKS][:SEED_TRACKS]
    path = folder / "seed.duckdb"
    report = ingest(first, path)
    if report.failed:
        raise RuntimeError(f"the first tracks could not be ingested: {report.failed}")
    return path


def run(mode: str, seed: Path, clips: Path, folder: Path, seconds: float) -> Report:
    """Ingest once, with readers of the same catalog, of another, or none."""
    written, other = folder / f"{mode}.duckdb", folder / f"{mode}.copy.duckdb"
    for path in (written, other):
        shutil.copy(seed, path)
    readers = None if mode == "alone" else Readers(written if mode == "beside" else other)
    load = os.getloadavg()[0]
    try:
        told = {"ingest": Player("ingest", written, clips, seconds).report()}
        if readers is not None:
            told |= readers.reports()
    finally:
        if readers is not None:
            readers.kill()
    for path in (written, other):
        path.unlink()
    rate = told["ingest"]["tracks"] / told["ingest"]["window_s"]
    return {"mode": mode, "load": load, "tracks_a_second": rate, "parts": told}


def waits(runs: Sequence[Report], part: str, key: str) -> list[float]:
    """Return a figure of one part in all runs, lists joined."""
    found = [each["parts"][part][key] for each in runs if part in each["parts"]]
    return [value for one in found for value in (one if isinstance(one, list) else [one])]


def summary(runs: Sequence[Report]) -> Report:
    """Bring all runs together: what the issue asks for, and where the time went."""
    rates = {mode: [each["tracks_a_second"] for each in runs if each["mode"] == mode] for mode in MODES}
    mean = {mode: float(np.mean(values)) for mode, values in rates.items()}
    beside = [each for each in runs if each["mode"] == "beside"]
    ingests = [each["parts"]["ingest"] for each in beside]
    lost = sum(each["lock_waited_s"] for each in ingests) / sum(each["window_s"] for each in ingests)
    return {
        "errors": [error for each in runs for part in each["parts"].values() for error in part["errors"]],
        "rates": rates,
        "ingest_slowed": 1 - mean["beside"] / mean["alone"],
        "ingest_slowed_apart": 1 - mean["apart"] / mean["alone"],
        "ingest_waited_for_locks": lost,
        "ingest_kept_lock_p50_s": float(np.median(waits(beside, "ingest", "lock_kept_p50_s"))),
        "ingest_kept_lock_max_s": max(waits(beside, "ingest", "lock_kept_max_s")),
        "readers": {
            f"{part}, {mode}": reader_row([each for each in runs if each["mode"] == mode], part)
            for mode in MODES[1:]
            for part in ("page", "notebook")
        },
        "readers_share_of_cores": sum(
            float(np.mean(waits(beside, part, "core_share"))) for part in ("page", "notebook", "idle notebook")
        )
        / (os.cpu_count() or 1),
    }


def reader_row(runs: Sequence[Report], part: str) -> Report:
    """Return one reader's waits, in seconds."""
    p50, p95, longest = np.percentile(waits(runs, part, "answered_s"), (50, 95, 100)).tolist()
    return {
        "asked": len(waits(runs, part, "answered_s")),
        "p50_s": p50,
        "p95_s": p95,
        "longest_s": longest,
        "lock_longest_s": max(waits(runs, part, "lock_longest_wait_s")),
    }


def show(told: Report) -> None:
    """Print the tables."""
    print(f"{'ingest':24}" + "".join(f"{f'round {n + 1}':>12}" for n in range(len(told["rates"]["alone"]))))
    for mode, rates in told["rates"].items():
        print(f"{mode + ', tracks a second':24}" + "".join(f"{rate:>12.3f}" for rate in rates))
    print(f"slowed by readers: {told['ingest_slowed']:.1%}; by readers of a copy: {told['ingest_slowed_apart']:.1%}")
    print(f"of its time, the ingest waited for the lock: {told['ingest_waited_for_locks']:.2%}")
    print(f"of the processor, readers took: {told['readers_share_of_cores']:.1%}")
    kept = 1000 * told["ingest_kept_lock_p50_s"], 1000 * told["ingest_kept_lock_max_s"]
    print(f"a commit keeps the lock for {kept[0]:.0f} ms (median), {kept[1]:.0f} ms (longest)")
    print(f"{'wait, ms':24}{'asked':>8}{'p50':>8}{'p95':>8}{'longest':>10}{'longest for lock':>18}")
    for name, row in told["readers"].items():
        p50, p95, longest, lock = (1000 * row[key] for key in ("p50_s", "p95_s", "longest_s", "lock_longest_s"))
        print(f"{name:24}{row['asked']:>8}{p50:>8.0f}{p95:>8.0f}{longest:>10.0f}{lock:>18.0f}")
    print(f"errors: {len(told['errors'])}")
    for error in told["errors"][:10]:
        print(f"  {error}")


def main() -> None:
    """Make the music ready, run all, and print the tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="of ingest, from its first commit on")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, clips = Path(scratch), Path(scratch) / "music"
        clips.mkdir()
        prepare(arguments.data, clips, int(arguments.seconds * TRACKS_A_SECOND))
        seed = seeded(clips, folder)
        runs = []
        for turn in range(arguments.rounds):
            for mode in MODES if turn % 2 == 0 else reversed(MODES):
                runs.append(run(mode, seed, clips, folder, arguments.seconds))
                print(
                    f"{mode}: {runs[-1]['tracks_a_second']:.3f} tracks a second, load {runs[-1]['load']:.1f}",
                    flush=True,
                )
    told = summary(runs)
    show(told)
    print(json.dumps(told))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({**told, "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
