"""Same-artist retrieval by voice: true vocal stems, separated ones and mixtures side by side, and known singers.

`python -m benchmarks same_artist --data DATA [--source true --source separated --source mixture] [--out FILE]`

Queries are all tracks of artists with two tracks or more ("Music Delta" is a project, not a singer, and is none);
candidates are all other tracks. Descriptors are standardised without the query's artist and compared by cosine; a track
without a voice scores 0. Plain MFCC statistics of the same signal stand beside ours. The singers of `singing/` are
queried for their other songs only, with the same songs by other singers among the candidates.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, Stems
from features.errors import StemSilent, TooShort
from separation.audio import load
from separation.musdb import STREAMS, Track, find_tracks

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]
Fit = Callable[[Matrix], Callable[[Matrix], Matrix]]

SOURCES = ("true", "separated", "mixture")
NO_SINGER = "Music Delta"
N_BOOTSTRAP = 2000
SEED = 0


@dataclass(frozen=True)
class Retrieval:
    """Average precision of each query, with the artist it belongs to."""

    precision: Matrix
    artists: tuple[str, ...]
    missing: int

    @property
    def mean(self) -> float:
        """Mean average precision over the queries."""
        return float(self.precision.mean())


def standardise(rows: Matrix) -> Callable[[Matrix], Matrix]:
    """Fit z-scores on rows of shape ``(n, d)``; what comes back applies them."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    return lambda x: (x - mean) / np.maximum(deviation, 1e-9)


def retrieve(
    rows: Matrix,
    artists: list[str],
    *,
    query: Flags | None = None,
    relevant: Callable[[int], Flags] | None = None,
    fit: Fit = standardise,
) -> Retrieval:
    """Rank all other rows for each query.

    Parameters
    ----------
    rows
        Descriptors, shape ``(n, d)``; a row of NaN is a track without one: it scores 0 as a query and is never found.
    artists
        Of each row.
    query
        Which rows ask, shape ``(n,)``; all those whose artist has two rows by default.
    relevant
        From a query's number to the flags of what it should find; rows of its artist that are not among them are no
        candidates. All other rows of the artist by default.
    fit
        Makes a transform from the rows of all *other* artists.
    """
    names = np.array(artists)
    there = np.isfinite(rows).all(axis=1)
    counts = {name: int((names == name).sum()) for name in artists}
    if query is None:
        query = np.array([counts[name] > 1 and name != NO_SINGER for name in artists])
    precision = []
    for i in np.flatnonzero(query):
        same = names == names[i]
        wanted = relevant(i) if relevant else same & (np.arange(len(rows)) != i)
        if not there[i]:
            precision.append(0.0)
            continue
        vectors = fit(rows[there & ~same])(np.nan_to_num(rows))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        order = np.argsort(-np.where(there, vectors @ vectors[i], -np.inf), kind="stable")
        order = order[(wanted | ~same)[order]]
        hit = (wanted & there)[order]
        ranks = np.flatnonzero(hit) + 1
        # Relevant tracks without a voice are never found: they count in the denominator.
        precision.append(float(np.sum(np.arange(1, ranks.size + 1) / ranks) / wanted.sum()))
    return Retrieval(np.array(precision), tuple(names[query]), int((query & ~there).sum()))


def interval(values: Matrix, artists: tuple[str, ...]) -> tuple[float, float]:
    """Give the 95 % bootstrap interval of a mean, artists drawn with replacement."""
    groups = [values[np.array(artists) == name] for name in sorted(set(artists))]
    sums, sizes = np.array([group.sum() for group in groups]), np.array([group.size for group in groups])
    drawn = np.random.default_rng(SEED).integers(0, len(groups), (N_BOOTSTRAP, len(groups)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), (2.5, 97.5))
    return float(low), float(high)


def mfcc_statistics(stems: Stems) -> NDArray[np.float32]:
    """Mean and deviation of 20 MFCC with c0 of the vocals: what one would do first."""
    import librosa

    mfcc = librosa.feature.mfcc(y=stems.mono("vocals"), sr=stems.sr, n_mfcc=20)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


def vocal_timbre(stems: Stems) -> NDArray[np.float32]:
    """Our descriptor; NaN where there is no voice."""
    extractor = EXTRACTORS["vocal_timbre"]
    try:
        return extractor.extract(stems).descriptor
    except (StemSilent, TooShort):
        return np.full(extractor.embedding_size, np.nan, np.float32)


DESCRIPTORS: dict[str, Callable[[Stems], NDArray[np.float32]]] = {"vocal_timbre": vocal_timbre, "mfcc": mfcc_statistics}


def voices(tracks: list[Track], source: str) -> Iterator[Stems]:
    """Yield the mixture of each track and what plays the vocals' role beside it."""
    separator = None
    if source == "separated":
        from separation import Separator

        separator = Separator("mir-4s")
    for track in tracks:
        mixture, sr = load(track.path, stream=STREAMS["mixture"])
        if separator is not None:
            vocals = separator.separate(mixture, sr)["vocals"]
        else:
            vocals = load(track.path, stream=STREAMS["vocals"])[0] if source == "true" else mixture
        n = min(vocals.shape[1], mixture.shape[1])
        yield Stems({"vocals": vocals[:, :n], "mixture": mixture[:, :n]}, sr)


def measure(stems: Iterator[Stems]) -> dict[str, Matrix]:
    """Describe each track in every way."""
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in DESCRIPTORS}
    for track in stems:
        for name, describe in DESCRIPTORS.items():
            rows[name].append(describe(track))
    return {name: np.array(found, np.float64) for name, found in rows.items()}


def singers(folder: Path) -> dict[str, Retrieval]:
    """Same-singer retrieval across songs on the a-cappella clips of named singers."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        listed = [row for row in csv.DictReader(file) if row["singer"] and row["source"] == "makam"]
    names = [row["singer"] for row in listed]
    songs = np.array([_song(row["file"]) for row in listed])
    rows = measure(_clips([folder / row["file"] for row in listed]))

    def other_songs(i: int) -> Flags:
        return (np.array(names) == names[i]) & (songs != songs[i])

    query = np.array([other_songs(i).any() for i in range(len(names))])
    return {name: retrieve(found, names, query=query, relevant=other_songs) for name, found in rows.items()}


def _clips(paths: list[Path]) -> Iterator[Stems]:
    for path in paths:
        y, sr = load(path)
        yield Stems({"vocals": y, "mixture": y}, sr)


def _song(file: str) -> str:
    """Song of a clip: the first word of its name that is no number (``makam__idil__05_Semahat_…``)."""
    words = file.split("__")[2].replace("-", "_").lower().split("_")
    word = next(word for word in words if word and not word.isdigit())
    return "aksam" if word == "bu" else word


def report(retrieval: Retrieval, valid: Flags | None = None) -> dict[str, object]:
    """Numbers of one retrieval for the JSON."""
    low, high = interval(retrieval.precision, retrieval.artists)
    row: dict[str, object] = {
        "map": retrieval.mean,
        "interval": [low, high],
        "queries": len(retrieval.artists),
        "missing": retrieval.missing,
    }
    if valid is not None:
        row["map_validation_queries"] = float(retrieval.precision[valid].mean())
    return row


def difference(a: Retrieval, b: Retrieval) -> dict[str, object]:
    """Paired difference of two retrievals with the same queries."""
    low, high = interval(a.precision - b.precision, a.artists)
    return {"map": a.mean - b.mean, "interval": [low, high]}


def main() -> None:
    """Measure, print a table and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", action="append", choices=SOURCES, help="which signals (all three by default)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    tracks = find_tracks(arguments.data / "musdb18-7s")
    artists = [track.name.split(" - ")[0] for track in tracks]
    asks = [artists.count(name) > 1 and name != NO_SINGER for name in artists]
    valid = np.array([track.split == "valid" for track, asked in zip(tracks, asks, strict=True) if asked])
    found: dict[tuple[str, str], Retrieval] = {}
    for source in arguments.source or SOURCES:
        for name, rows in measure(voices(tracks, source)).items():
            found[source, name] = retrieve(rows, artists)
    answer: dict[str, dict[str, object]] = {f"{a}/{b}": report(r, valid) for (a, b), r in found.items()}
    for (source, name), retrieval in found.items():
        rival = (source, "mfcc") if name == "vocal_timbre" else None
        if rival in found:
            answer[f"{source}/vocal_timbre − {source}/mfcc"] = difference(retrieval, found[rival])
        if name == "vocal_timbre" and source != "mixture" and ("mixture", name) in found:
            answer[f"{source}/{name} − mixture/{name}"] = difference(retrieval, found["mixture", name])
    answer |= {f"singers/{name}": report(retrieval) for name, retrieval in singers(arguments.data / "singing").items()}
    for label, row in answer.items():
        low, high = row["interval"]  # type: ignore[misc]
        print(f"{label:42s} mAP {row['map']:6.3f}   [{low:6.3f}, {high:6.3f}]   missing {row.get('missing', '')}")
    text = json.dumps(answer, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
