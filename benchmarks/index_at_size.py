"""Speed and recall of the indexes at a million vectors, beside flat FAISS and hnswlib, on one thread.

`python -m benchmarks.index_at_size --data DATA [--n 1000000] [--gaussian N] [--folder FOLDER] [--out FILE]`

Vectors of 64 numbers are resampled from real ones: voice and mixture of each MUSDB18 preview are described,
standardised robustly and turned onto their principal axes; a vector is a random convex mixture of one of them and
three of its ten nearest, plus noise whose length is a quarter of the usual distance of nearest neighbours. Queries
are made in the same way, with another seed. Gaussian vectors, which have no structure for an index to use, stand
beside them. The truth is an exhaustive search. Time is processor time of the one thread that searches, so that other
work on the machine counts little. What was described and built is kept in the folder: an interrupted run goes on
where it stopped. hnswlib (`pip install hnswlib`) takes part where it is installed, with our M and efConstruction, and
the least efSearch of our ladder whose recall is no less than ours.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, Stems
from features.errors import StemSilent, TooShort
from indexes import KINDS, ExactIndex, HnswIndex, Index, IvfPqIndex
from indexes.hnsw import EF_CONSTRUCTION, M
from separation.audio import load
from separation.musdb import STREAMS, find_tracks

Matrix = NDArray[np.float32]
Search = Callable[[Matrix, int], NDArray[np.int64]]

DIMENSION = 64
K = 10
N_QUERIES = 1000
N_FLAT_QUERIES = 200
NEIGHBOURS = 10
PARTS = 4
NOISE = 0.25
SEED = 0
BLOCK = 50_000
LEAST_S = 1.0
SPACES = ("vocal_timbre", "mixture")


@dataclass(frozen=True)
class Row:
    """One line of the table; rates are queries a second of processor time."""

    vectors: str
    engine: str
    setting: str
    recall_at_10: float
    batch_per_s: float
    single_per_s: float
    times_flat: float
    bytes_per_vector: float
    build_s: float


def real_vectors(data: Path, folder: Path) -> NDArray[np.float64]:
    """Describe the previews once; return unit vectors of shape ``(n, 64)``."""
    kept = folder / "descriptors.npy"
    if not kept.exists():
        rows = []
        for track in find_tracks(data / "musdb18-7s"):
            mixture, sr = load(track.path, stream=STREAMS["mixture"])
            vocals, _ = load(track.path, stream=STREAMS["vocals"])
            n = min(vocals.shape[1], mixture.shape[1])
            stems = Stems({"vocals": vocals[:, :n], "mixture": mixture[:, :n]}, sr)
            try:
                rows.append(np.concatenate([EXTRACTORS[space].extract(stems).descriptor for space in SPACES]))
            except (StemSilent, TooShort):
                continue
        np.save(kept, np.stack(rows), allow_pickle=False)
    described = np.load(kept, allow_pickle=False).astype(np.float64)
    spread = np.subtract(*np.percentile(described, (75, 25), axis=0)) / 1.349
    z = np.clip((described - np.median(described, axis=0)) / np.where(spread > 0, spread, 1), -4, 4)
    z -= z.mean(axis=0)
    x = z @ np.linalg.svd(z, full_matrices=False)[2][:DIMENSION].T
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def resampled(x: NDArray[np.float64], n: int, seed: int) -> Matrix:
    """Make n unit vectors that lie among the rows of x."""
    random = np.random.default_rng(seed)
    likeness = x @ x.T
    np.fill_diagonal(likeness, -2)
    near = np.argsort(-likeness, axis=1)[:, :NEIGHBOURS]
    noise = NOISE * np.linalg.norm(x - x[near[:, 0]], axis=1).mean() / np.sqrt(DIMENSION)
    made = np.empty((n, DIMENSION), np.float32)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        first = random.integers(0, len(x), m)
        weights = random.dirichlet(np.ones(PARTS), m)
        others = np.take_along_axis(near[first], random.integers(0, NEIGHBOURS, (m, PARTS - 1)), axis=1)
        y = np.einsum("nk,nkd->nd", weights, x[np.column_stack([first, others])])
        y += random.normal(size=(m, DIMENSION)) * noise
        made[start : start + m] = y / np.linalg.norm(y, axis=1, keepdims=True)
    return made


def gaussian(n: int, seed: int) -> Matrix:
    """Make n unit vectors in all directions alike."""
    x = np.random.default_rng(seed).normal(size=(n, DIMENSION)).astype(np.float32)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Share of the true neighbours that were found."""
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), truth.tolist(), strict=True)]))


def rates(search: Search, queries: Matrix) -> tuple[float, float]:
    """Queries a second, all at once and one by one: the best of several passes of processor time."""
    return _rate(lambda: search(queries, K), len(queries)), _rate(
        lambda: [search(query[None], K) for query in queries[:100]], min(100, len(queries))
    )


def _rate(work: Callable[[], object], n: int) -> float:
    best, spent = np.inf, 0.0
    while spent < LEAST_S:
        started = time.thread_time()
        work()
        took = time.thread_time() - started
        best, spent = min(best, took), spent + took
    return n / best


def built(kind: str, rows: Matrix, folder: Path, name: str) -> tuple[Index, float, float]:
    """Build one of our indexes, or read the one that is there; with bytes a vector and seconds."""
    path, note = folder / f"{name}-{kind}.faiss", folder / f"{name}-{kind}.json"
    if not note.exists():
        index = KINDS[kind](DIMENSION)
        started = time.thread_time()
        index.add(np.arange(len(rows)), rows)
        took = time.thread_time() - started
        index.write(path)
        note.write_text(json.dumps({"build_s": took}))
    index = KINDS[kind].read(path)
    index.tune()
    return index, path.stat().st_size / len(rows), float(json.loads(note.read_text())["build_s"])


def hnswlib_graph(rows: Matrix, folder: Path, name: str) -> tuple[Any, float, float] | None:
    """Do the same with hnswlib; None where it is not installed."""
    try:
        import hnswlib  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        print("hnswlib is not installed; it would take part: pip install hnswlib")
        return None
    path, note = folder / f"{name}-hnswlib.bin", folder / f"{name}-hnswlib.json"
    graph = hnswlib.Index("ip", DIMENSION)
    if not note.exists():
        graph.init_index(len(rows), ef_construction=EF_CONSTRUCTION, M=M, random_seed=SEED)
        graph.set_num_threads(1)
        started = time.thread_time()
        graph.add_items(rows, np.arange(len(rows)), num_threads=1)
        took = time.thread_time() - started
        graph.save_index(str(path))
        note.write_text(json.dumps({"build_s": took}))
    else:
        graph.load_index(str(path))
    graph.set_num_threads(1)
    return graph, path.stat().st_size / len(rows), float(json.loads(note.read_text())["build_s"])


def measure(vectors: str, rows: Matrix, queries: Matrix, folder: Path) -> list[Row]:
    """Measure every engine on the same vectors; the first row is flat FAISS."""
    flat = ExactIndex(DIMENSION)
    started = time.thread_time()
    flat.add(np.arange(len(rows)), rows)
    flat_s = time.thread_time() - started
    truth = flat.search(queries, K).ids
    batch, single = rates(lambda q, k: flat.search(q, k).ids, queries[:N_FLAT_QUERIES])
    table = [Row(vectors, "flat", "", 1.0, batch, single, 1.0, 4 * DIMENSION + 8, flat_s)]
    _show(table[-1])
    name = f"{vectors}-{len(rows)}"
    for kind in (HnswIndex.kind, IvfPqIndex.kind):
        index, size, build_s = built(kind, rows, folder, name)

        def search(q: Matrix, k: int, index: Index = index) -> NDArray[np.int64]:
            return index.search(q, k).ids

        fast, alone = rates(search, queries)
        setting = " ".join(f"{key}={value:g}" for key, value in index.parameters.items())
        found = recall(search(queries, K), truth)
        table.append(Row(vectors, kind, setting, found, fast, alone, fast / batch, size, build_s))
        _show(table[-1])
    other = hnswlib_graph(rows, folder, name)
    if other is not None:
        graph, size, build_s = other
        for (ef,) in HnswIndex.efforts:
            graph.set_ef(ef)
            found = recall(graph.knn_query(queries, K)[0].astype(np.int64), truth)
            if found >= table[1].recall_at_10:
                break
        fast, alone = rates(lambda q, k: graph.knn_query(q, k)[0], queries)
        table.append(Row(vectors, "hnswlib", f"ef={ef}", found, fast, alone, fast / batch, size, build_s))
        _show(table[-1])
    return table


def _show(row: Row) -> None:
    print(
        f"{row.vectors:9s} {row.engine:8s} recall@10 {row.recall_at_10:.4f}  {row.batch_per_s:9.0f} q/s"
        f" (one by one {row.single_per_s:7.0f})  {row.times_flat:6.1f} x flat"
        f"  {row.bytes_per_vector:5.0f} bytes a vector  built in {row.build_s:6.1f} s  {row.setting}",
        flush=True,
    )


def main() -> None:
    """Measure, print a table and the same as JSON."""
    import faiss
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=1_000_000, help="how many vectors")
    parser.add_argument("--gaussian", type=int, help="how many Gaussian ones (as many by default; 0 for none)")
    parser.add_argument("--folder", type=Path, default=Path("runs/index_at_size"), help="what is kept between runs")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        real = real_vectors(arguments.data, arguments.folder)
        print(f"{arguments.n:,} x {DIMENSION} out of {len(real)} real vectors, k = {K}, one thread", flush=True)
        table = measure(
            "real", resampled(real, arguments.n, SEED), resampled(real, N_QUERIES, SEED + 1), arguments.folder
        )
        n = arguments.n if arguments.gaussian is None else arguments.gaussian
        if n:
            table += measure("gaussian", gaussian(n, SEED), gaussian(N_QUERIES, SEED + 1), arguments.folder)
    text = json.dumps([asdict(row) for row in table])
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
