"""The web page under load: a made-up library of 100,000 tracks, one question at a time, then fifty at once.

`python -m benchmarks.web_load [--tracks 100000] [--folder FOLDER] [--questions 200] [--at-once 50] [--out FILE]`

The catalog is made once and kept in the folder: descriptors at random about each transform's median, five tracks an
artist, every table filled. The server is `mir serve`, a process of its own on this machine; questions are artists
and tracks at random, each with weights at random on one to five instruments, half of them negative beyond the first;
none is asked twice, so that no answer comes from a cache. `--data` is accepted and not used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from features import EXTRACTORS, INSTRUMENTS

TRACKS_AN_ARTIST = 5
GENRES = ("House", "Jazz", "Rock", "Folk", "Hip Hop", "Techno", "Soul", "Metal")
STEMS = ("vocals", "drums", "bass", "other")
SEED = 0
PORT = 8766
BLOCK = 10_000


def make_catalog(path: Path, n_tracks: int) -> None:
    """Write a catalog of made-up tracks."""
    from mir.catalog import create_catalog

    catalog = create_catalog(path)
    n_artists = max(n_tracks // TRACKS_AN_ARTIST, 1)
    with catalog.write() as con:
        con.execute(
            "INSERT INTO artists SELECT i, 'Artist ' || i, 'artist ' || i, NULL FROM range(?) AS n(i)", [n_artists]
        )
        con.execute(
            "INSERT INTO tracks (track_id, audio_hash, path, title, artist, album, year, genre, compilation,"
            " duration_s, sample_rate_hz, n_channels, codec)"
            " SELECT i, 'hash ' || i, '/music/' || i || '.flac', 'Track ' || i,"
            " 'Artist ' || (i % ?), 'Album ' || (i % ?), 1960 + i % 60, list_extract(?::VARCHAR[], 1 + i % ?), false,"
            " 120 + i % 240, 44100, 2, 'flac' FROM range(?) AS n(i)",
            [n_artists, n_artists, list(GENRES), len(GENRES), n_tracks],
        )
        con.execute(
            "INSERT INTO track_artists SELECT track_id, track_id % ?, 'artist', 0 FROM tracks ORDER BY ALL", [n_artists]
        )
        con.execute("INSERT INTO track_genres SELECT track_id, genre, 'tag', NULL, NULL FROM tracks")
        con.execute("INSERT INTO files SELECT path, 1000, 1, track_id, 'ok', NULL, now()::TIMESTAMP FROM tracks")
        con.execute(
            "INSERT INTO stems SELECT track_id, unnest(?::VARCHAR[]), 'made:up', -20, 0.5, NULL FROM tracks",
            [list(STEMS)],
        )
    for number, space in enumerate(EXTRACTORS):
        _fill(path, space, n_tracks, np.random.default_rng(SEED + number))


def _fill(path: Path, space: str, n_tracks: int, random: np.random.Generator) -> None:
    import pyarrow as pa

    from mir.catalog import open_catalog
    from mir.spaces import current_transform

    transform, extractor = current_transform(None, space), EXTRACTORS[space]
    names = ", ".join(f'"{column.name}"' for column in extractor.columns)
    values = ", ".join(f"{column.low} + {column.high - column.low} * random()" for column in extractor.columns)
    for start in range(0, n_tracks, BLOCK):
        ids = np.arange(start, min(start + BLOCK, n_tracks))
        raw = (transform.median + transform.scale * random.normal(size=(len(ids), transform.n_in))).astype(np.float32)
        rows = {"track_id": ids, "raw": list(raw), "vector": list(transform.apply(raw))}
        with open_catalog(path).write() as con:
            con.register("made", pa.table(rows))
            con.execute("INSERT INTO descriptors SELECT track_id, ?, ?, raw FROM made", [space, transform.version])
            con.execute(
                "INSERT INTO space_vectors SELECT track_id, ?, ?, ?, vector FROM made",
                [space, transform.version, transform.transform_id],
            )
            con.execute(
                "INSERT INTO extractions (track_id, space, extractor_version, source_id, state)"
                " SELECT track_id, ?, ?, 'made:up', 'ok' FROM made",
                [space, transform.version],
            )
            con.execute(f'INSERT INTO "{space}" (track_id, {names}) SELECT track_id, {values} FROM made')  # noqa: S608
            con.execute(
                "UPDATE spaces SET transform_id = ?, vector_size = ? WHERE space = ?",
                [transform.transform_id, transform.n_out, space],
            )


@contextmanager
def served(catalog: Path) -> Iterator[float]:
    """Run `mir serve` for the block; gives the seconds until its first page was there."""
    command = [sys.executable, "-m", "mir.cli", "serve", "--catalog", str(catalog), "--port", str(PORT)]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    try:
        while True:
            try:
                ask(HTTPConnection("127.0.0.1", PORT, timeout=120), "/")
                break
            except ConnectionError:
                if process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(connection: HTTPConnection, path: str) -> float:
    """Ask for a page or an answer, and return how long it took, in seconds; anything but a 200 is an error."""
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return time.perf_counter() - started


def questions(n: int, n_tracks: int, seed: int) -> list[str]:
    """Make up questions that are all different."""
    random = np.random.default_rng(seed)
    names = list(INSTRUMENTS)
    found = []
    for _ in range(n):
        chosen = random.permutation(names)[: random.integers(1, len(names) + 1)]
        weights = {name: round(float(random.uniform(0.05, 1)), 4) for name in chosen}
        for name in chosen[1:]:
            if random.random() < 0.5:
                weights[name] = -weights[name]
        one = {"artist_id": int(random.integers(max(n_tracks // TRACKS_AN_ARTIST, 1)))}
        if random.random() < 0.5:
            one = {"track_id": int(random.integers(n_tracks))}
        kind = ("artists", "tracks")[random.integers(2)]
        found.append("/api/v1/similar?" + urlencode({**one, **weights, "kind": kind}))
    return found


def one_by_one(paths: Sequence[str]) -> list[float]:
    """Ask one after the other, on one connection."""
    connection = HTTPConnection("127.0.0.1", PORT, timeout=120)
    return [ask(connection, path) for path in paths]


def at_once(paths: Sequence[str], clients: int) -> tuple[list[float], float]:
    """Ask by many clients, each of which asks its next question when the last is answered; also the wall time."""
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(one_by_one, [paths[client::clients] for client in range(clients)]))
    return [each for client in times for each in client], time.perf_counter() - started


def figures(times: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and longest, in milliseconds."""
    p50, p95, longest = (1000 * np.percentile(times, (50, 95, 100))).tolist()
    return {"p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "max_ms": round(longest, 1), "n": len(times)}


def main() -> None:
    """Make the catalog where it is not there, run the server, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("runs/web_load"))
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--data", help="not used")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    catalog = arguments.folder / f"made-up-{arguments.tracks}.duckdb"
    if not catalog.exists():
        print(f"making {catalog}", flush=True)
        unfinished = catalog.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        make_catalog(unfinished, arguments.tracks)
        unfinished.rename(catalog)
    before = os.getloadavg()[0]
    with served(catalog) as ready_s:
        one_by_one(questions(20, arguments.tracks, SEED + 2))
        alone = one_by_one(questions(arguments.questions, arguments.tracks, SEED))
        clients = arguments.at_once
        crowd, wall_s = at_once(questions(clients * 10, arguments.tracks, SEED + 1), clients)
        pages = {
            name: figures([ask(HTTPConnection("127.0.0.1", PORT, timeout=120), path) for path in paths])
            for name, paths in {
                "first page": ["/"] * 20,
                "artist page": [f"/artists/{number}" for number in range(20)],
                "track page": [f"/tracks/{number}" for number in range(20)],
                "search": [f"/api/v1/search?q=track+{number}" for number in range(20)],
            }.items()
        }
    rows = {"similar, alone": figures(alone), f"similar, {clients} at once": figures(crowd), **pages}
    print(f"{arguments.tracks:,} tracks; first page {ready_s:.1f} s after the start; load before {before:.1f}")
    print(f"{clients} at once: {len(crowd) / wall_s:.0f} answers a second, no error")
    print(f"{'':24}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}")
    for name, row in rows.items():
        print(f"{name:24}{row['p50_ms']:>10}{row['p95_ms']:>10}{row['max_ms']:>10}")
    if arguments.out is not None:
        told = {"tracks": arguments.tracks, "ready_s": round(ready_s, 1), "load": before, "rows": rows}
        arguments.out.write_text(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
