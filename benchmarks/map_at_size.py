"""Clusters and maps of 100,000 made-up tracks: seconds, megabytes, and how the page feels in a browser.

`python -m benchmarks.map_at_size [--n 100000] [--folder FOLDER] [--chromium PATH] [--out FILE]`

Tracks lie in 40 crowds of uneven sizes and shapes (8 hidden directions) and, a fifth of them, anywhere between; their
vectors are as long as those of drum_rhythm, their columns follow the hidden directions. The page is opened in a
headless Chromium (`pip install playwright`; it draws without a graphics processor there, so that frames are slower
than on a desk) and panned, zoomed, hovered and searched with the mouse and the keyboard; times are taken inside the
page. Without playwright or a browser that part is left out, and said so. What was made is kept in the folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS
from mir.catalog import Catalog, create_catalog, open_catalog

SPACE = "drum_rhythm"
CROWDS = 40
HIDDEN = 8
ALONE = 0.2
GENRES = ("House", "Techno", "Drum & Bass", "Hip Hop", "Rock", "Pop", "Jazz", "Folk", "Soul", "Metal")


def made_up(path: Path, n: int, seed: int = 0) -> Catalog:
    """Make a catalog of `n` tracks with drum vectors and columns, in bulk."""
    catalog = create_catalog(path)
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(CROWDS, 1.5))
    crowd = random.choice(CROWDS, n, p=shares)
    alone = random.random(n) < ALONE
    places = random.normal(size=(CROWDS, HIDDEN)) * 2.0
    shapes = random.normal(size=(CROWDS, HIDDEN, HIDDEN)) * 0.18
    hidden = places[crowd] + np.einsum("nij,nj->ni", shapes[crowd], random.normal(size=(n, HIDDEN)))
    hidden[alone] = random.normal(size=(int(alone.sum()), HIDDEN)) * 2.0
    track_ids = np.sort(random.choice(2**53, n, replace=False)).astype(np.int64)
    _insert(catalog, track_ids, hidden, crowd, random)
    return catalog


def _insert(
    catalog: Catalog,
    track_ids: NDArray[np.int64],
    hidden: NDArray[np.float64],
    crowd: NDArray[np.int64],
    random: np.random.Generator,
) -> None:
    import pandas as pd

    from mir.spaces import current_transform

    n, declared, transform = len(track_ids), EXTRACTORS[SPACE], current_transform(catalog, SPACE)
    vectors = hidden @ random.normal(size=(HIDDEN, transform.n_out)) + random.normal(size=(n, transform.n_out)) * 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    columns: dict[str, Any] = {"track_id": track_ids}
    for place, column in enumerate(declared.columns):
        z = 0.3 * hidden[:, place % HIDDEN] + 0.3 * hidden[:, (3 * place + 1) % HIDDEN] + 0.2 * random.normal(size=n)
        columns[column.name] = column.low + (column.high - column.low) / (1 + np.exp(-z))
    wide = pd.DataFrame(columns)
    artist = random.integers(0, max(1, n // 12), n)
    tracks = pd.DataFrame(
        {
            "track_id": track_ids,
            "title": [f"Song {number} of the <Night>" for number in range(n)],
            "artist": [f"Artist {number} & Friends" for number in artist],
            "genre": [GENRES[each % len(GENRES)] for each in crowd],
            "year": random.integers(1960, 2025, n),
        }
    )
    stored = pd.DataFrame({"track_id": track_ids, "vector": list(vectors.astype(np.float32))})
    with catalog.write() as con:
        for name, table in (("tracks_", tracks), ("wide_", wide), ("stored_", stored)):
            con.register(name, table)
        con.execute(
            "INSERT INTO tracks (track_id, audio_hash, path, title, artist, year, genre, compilation, duration_s,"
            " sample_rate_hz, n_channels, codec) SELECT track_id, 'made-up-' || track_id, '/music/' || track_id, title,"
            " artist, year, genre, false, 180.0, 44100, 2, 'flac' FROM tracks_"
        )
        con.execute("INSERT INTO track_genres (track_id, genre, source) SELECT track_id, genre, 'tag' FROM tracks_")
        names = ", ".join(wide.columns)
        con.execute(f"INSERT INTO {SPACE} ({names}) SELECT {names} FROM wide_")  # noqa: S608 - declared names
        con.execute(
            "INSERT INTO space_vectors SELECT track_id, ?, ?, ?, vector FROM stored_",
            [SPACE, declared.version, transform.transform_id],
        )
        for name in ("tracks_", "wide_", "stored_"):
            con.unregister(name)


def timed(what: str, work: Any) -> tuple[Any, dict[str, Any]]:  # noqa: ANN401 - whatever the work gives
    """Do it; return what came of it, and a row of the table."""
    wall, cpu = time.perf_counter(), time.process_time()
    given = work()
    row = {
        "step": what,
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print(
        f"{what:34s} {row['wall_s']:7.1f} s  {row['cpu_s']:7.1f} s of processor  peak {row['peak_mb']} MB", flush=True
    )
    return given, row


PAN = """async (step) => {
  const view = document.getElementById("map").mirMap, spent = [];
  for (let k = 0; k < 40; k++) {
    if (step) view.pan(k % 2 ? step : -step, 3); else view.zoom(k % 2 ? 1.25 : 0.8);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    spent.push(view.frameMs);
  }
  return spent;
}"""
HOVER = """() => {
  const view = document.getElementById("map").mirMap, spent = [];
  for (let k = 0; k < 1000; k++) {
    const at = { x: (k * 97) % view.width, y: (k * 61) % view.height };
    const started = performance.now();
    view.hover(at);
    spent.push(performance.now() - started);
  }
  view.hover(null);
  return spent;
}"""
SEARCH = """(text) => {
  const view = document.getElementById("map").mirMap, started = performance.now();
  view.find(text);
  return performance.now() - started;
}"""


def in_browser(path: Path, chromium: str) -> list[dict[str, Any]]:
    """Open the page and use it; times in milliseconds, as the page measures them."""
    from playwright.sync_api import sync_playwright

    rows: list[dict[str, Any]] = []

    def tell(what: str, spent: list[float]) -> None:
        row = {
            "step": what,
            "median_ms": round(float(np.median(spent)), 1),
            "p95_ms": round(float(np.percentile(spent, 95)), 1),
        }
        rows.append(row)
        print(f"{what:34s} {row['median_ms']:7.1f} ms  95 %: {row['p95_ms']:.1f} ms", flush=True)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        started = time.perf_counter()
        page.goto(f"file://{path.resolve()}")
        page.wait_for_function("document.getElementById('map').mirMap?.frameMs > 0")
        tell("page: until it is drawn", [1000 * (time.perf_counter() - started)])
        tell("page: frame, moving all points", page.evaluate(PAN, 8))
        tell("page: frame, zooming", page.evaluate(PAN, 0))
        tell("page: what lies under the mouse", page.evaluate(HOVER))
        tell("page: first search", [page.evaluate(SEARCH, "song 99")])
        tell("page: next searches", [page.evaluate(SEARCH, f"song {number}") for number in range(10, 20)])
        page.evaluate(SEARCH, "")
        page.evaluate("document.getElementById('map').mirMap.fit()")
        page.wait_for_timeout(300)
        for number in range(4):
            page.screenshot(path=path.with_name(f"{path.stem}-{number}.png"))
            page.evaluate("document.getElementById('map').mirMap.zoom(2.5)")
            page.wait_for_timeout(300)
        browser.close()
        assert not wrong, wrong
    return rows


def main() -> None:
    """Make, cluster, draw and use it; print a table and the same as JSON."""
    from mir.clusters import cluster
    from mir.maps import draw_map, place

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000, help="how many tracks")
    parser.add_argument("--data", type=Path, help="not needed: everything is made up")
    parser.add_argument("--method", choices=("umap", "pca"), default="umap", help="how tracks are placed")
    parser.add_argument("--folder", type=Path, default=Path("runs/map_at_size"), help="what is kept between runs")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"), help="browser")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"{arguments.n}.duckdb"
    table: list[dict[str, Any]] = []

    def step(what: str, work: Any) -> Any:  # noqa: ANN401
        given, row = timed(what, work)
        table.append(row)
        return given

    catalog = open_catalog(path) if path.exists() else step("make the library", lambda: made_up(path, arguments.n))
    found = step("cluster", lambda: cluster(catalog, "drums"))
    print("; ".join(found.statements()))
    step(f"place ({arguments.method})", lambda: place(catalog, "drums", method=arguments.method, anew=True))
    page, picture = path.with_suffix(".html"), path.with_suffix(".png")
    step("write the page", lambda: draw_map(catalog, "drums", page, method=arguments.method))
    step("draw the picture", lambda: draw_map(catalog, "drums", picture, method=arguments.method))
    table.append({"step": "size of the page", "bytes": page.stat().st_size})
    print(f"the page has {page.stat().st_size / 1e6:.1f} MB")
    try:
        import playwright  # noqa: F401

        table += in_browser(page, arguments.chromium) if arguments.chromium else []
    except ImportError:
        print("playwright is not installed; the page would be used with it: pip install playwright")
    if not arguments.chromium:
        print("no browser found; give --chromium PATH")
    print(json.dumps(table))
    if arguments.out:
        arguments.out.write_text(json.dumps(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
