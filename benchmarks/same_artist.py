"""Same-artist retrieval by voice: true vocal stems, separated ones and mixtures side by side, and known singers.

`python -m benchmarks.same_artist --data DATA [--source true --source separated …] [--model NAME | --fold RUN …]`

Queries are all tracks of artists with two tracks or more ("Music Delta" is a project, not a singer, and is none);
candidates are all other tracks; a track without a voice scores 0. Transforms never see the query's artist: ``plain``
standardises, ``learned`` also forgets what varies within a voice (windows and equalisers of all other artists' tracks,
no labels), ``mfcc`` is mean and deviation of 20 MFCC of the same signal. ``equalised`` is the learned one where every
query went through a random equaliser. The transform's settings were chosen on these queries (true stems): see
docs/spaces.md; ``nested`` chooses them anew for each artist, on all the others' queries.

With `--fold` (run folders of a cross-fitted training, all of them) each track is separated by a run that left it out;
with `--unheard` fewer runs will do, and queries and candidates are only the tracks that they left out.
The singers of `singing/` are queried for their other songs only, with transforms fitted on the previews alone.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from benchmarks.kept import keep
from benchmarks.retrieval.separators import Separators
from benchmarks.retrieval.voices import SPACE, Flags, Matrix, Voices, describe, vocal_timbre
from features import EXTRACTORS
from mir.fitting import DEFAULT_FORGETTING, fit_transform
from mir.retrieval.queries import Query, Recording, make_queries
from mir.retrieval.ranking import Apply, Fit, rank_tracks
from mir.retrieval.scores import MISSING, Scores, difference, interval
from separation.audio import load
from separation.musdb import find_tracks

SOURCES = ("true", "separated", "mixture")
FORGETTINGS = (0.0, 0.25, 0.5, 0.75)
"""What `nested` chooses from."""


def standardise(rows: Matrix) -> Fit:
    """Fit z-scores and compare by cosine."""

    def fit(seen: Flags) -> Apply:
        mean, deviation = rows[seen].mean(axis=0), np.maximum(rows[seen].std(axis=0), 1e-9)

        def apply(x: Matrix) -> Matrix:
            z = (x - mean) / deviation
            return np.asarray(z / np.linalg.norm(z, axis=1, keepdims=True))

        return apply

    return fit


def learn(voices: Voices, forgetting: float = DEFAULT_FORGETTING) -> Fit:
    """Fit what ships, on the tracks that a query's transform may see."""
    version = EXTRACTORS[SPACE].version

    def fit(seen: Flags) -> Apply:
        within = voices.within(seen) if forgetting > 0 else None
        rows = voices.whole[seen]
        return fit_transform(rows, space=SPACE, version=version, within=within, forgetting=forgetting).apply

    return fit


def nested(voices: Voices, queries: list[Query]) -> tuple[Scores, list[float]]:
    """Choose the forgetting for each artist by the other artists' queries; return its scores and the choices."""
    tried = [rank_tracks(voices.whole, queries, learn(voices, forgetting)) for forgetting in FORGETTINGS]
    table = np.array([scores.average_precision for scores in tried])
    groups = tried[0].groups
    choices = [int(table[:, groups != artist].mean(axis=1).argmax()) for artist in groups]
    rows = [
        MISSING if tried[0].missing[i] else (table[c, i], tried[c].hit_at_1[i], tried[c].recall_at_10[i])
        for i, c in enumerate(choices)
    ]
    chance = tried[0].chance.tolist()
    return Scores.collect(groups.tolist(), rows, chance), [FORGETTINGS[choice] for choice in choices]


def singers(folder: Path, voices: Voices, cache: Path) -> dict[str, Scores]:
    """Same-singer retrieval across songs on the a-cappella clips of named singers; nothing was fitted on them."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        listed = [row for row in csv.DictReader(file) if row["singer"] and row["source"] == "makam"]
    clips = [Recording(i, row["file"], (row["singer"],), song_of(row["file"]), 1.0) for i, row in enumerate(listed)]
    kept = cache / f"makam-v{EXTRACTORS[SPACE].version}.npz"
    if not kept.is_file():
        sounds = (load(folder / row["file"]) for row in listed)
        keep(kept, whole=np.array([vocal_timbre(y, y, sr) for y, sr in sounds]))
    with np.load(kept, allow_pickle=False) as found_there:
        described = found_there["whole"].astype(np.float64)
    queries = make_queries(clips)
    seen = np.isfinite(voices.whole).all(axis=1)
    found = {}
    for name, fit in (("plain", learn(voices, 0.0)), ("learned", learn(voices))):
        fitted = fit(seen)
        found[name] = rank_tracks(described, queries, lambda _seen, fitted=fitted: fitted)
    return found


def song_of(file: str) -> str:
    """Song of a clip: the first word of its name that is no number (``makam__idil__05_Semahat_…``)."""
    words = file.split("__")[2].replace("-", "_").lower().split("_")
    word = next(word for word in words if word and not word.isdigit())
    return "aksam" if word == "bu" else word


def report(scores: Scores, valid: Flags | None = None) -> dict[str, object]:
    """Numbers of one retrieval for the JSON."""
    row = scores.to_plain()
    if valid is not None:
        row["map_validation_queries"] = float(scores.average_precision[valid].mean())
        row["map_validation_interval"] = list(interval(scores.average_precision[valid], scores.groups[valid]))
    return row


def measure(source: str, voices: Voices, queries: list[Query]) -> dict[str, Scores]:
    """Score one source in every way."""
    found = {
        "plain": rank_tracks(voices.whole, queries, learn(voices, 0.0)),
        "learned": rank_tracks(voices.whole, queries, learn(voices)),
        "equalised": rank_tracks(voices.whole, queries, learn(voices), asking=voices.equalised),
        "mfcc": rank_tracks(voices.mfcc, queries, standardise(voices.mfcc)),
    }
    found["nested"], choices = nested(voices, queries)
    print(f"{source}: nested chose a forgetting of {dict(zip(*np.unique(choices, return_counts=True), strict=True))}")
    return found


def compare(found: dict[tuple[str, str], Scores]) -> dict[str, dict[str, object]]:
    """Paired differences worth knowing."""
    pairs: list[tuple[tuple[str, str], tuple[str, str]]] = []
    for source in SOURCES:
        pairs += [
            ((source, a), (source, b)) for a, b in (("learned", "plain"), ("nested", "plain"), ("learned", "mfcc"))
        ]
        pairs.append(((source, "equalised"), (source, "learned")))
        if source != "mixture":
            pairs.append(((source, "learned"), ("mixture", "learned")))
    return {
        f"{'/'.join(a)} − {'/'.join(b)}": difference(found[a], found[b]) for a, b in pairs if a in found and b in found
    }


def main() -> None:
    """Measure, print a table and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", action="append", choices=SOURCES, help="which signals (all three by default)")
    parser.add_argument("--model", default="mir-4s", help="separator of all tracks")
    parser.add_argument("--fold", type=Path, action="append", help="run folder that left a part of the tracks out")
    parser.add_argument("--unheard", action="store_true", help="only tracks that one of the runs left out")
    parser.add_argument("--cache", type=Path, default=Path("runs/retrieval"), help="where descriptors are kept")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    if arguments.unheard and not arguments.fold:
        parser.error("--unheard is about runs that left tracks out: give --fold RUN")
    everything = find_tracks(arguments.data / "musdb18-7s")
    separators = Separators(arguments.model, arguments.fold or (), everything, unheard=arguments.unheard)
    tracks = separators.tracks
    found: dict[tuple[str, str], Scores] = {}
    answer: dict[str, dict[str, object]] = {}
    for source in arguments.source or SOURCES:
        voices = describe(tracks, source, separators, arguments.cache)
        queries = make_queries(voices.recordings)
        valid = voices.valid[[query.place for query in queries]]
        for name, scores in measure(source, voices, queries).items():
            found[source, name] = scores
            answer[f"{source}/{name}"] = report(scores, valid)
        if source == "true":
            clips = singers(arguments.data / "singing", voices, arguments.cache)
            answer |= {f"singers/{name}": report(scores) for name, scores in clips.items()}
            answer["singers/learned − singers/plain"] = difference(clips["learned"], clips["plain"])
    answer |= compare(found)
    show(answer)
    text = json.dumps(answer, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


def show(answer: dict[str, dict[str, object]]) -> None:
    """Print one line a figure."""
    for label, row in answer.items():
        low, high = row["map_interval"]  # type: ignore[misc]
        rest = ""
        if "chance_map" in row:
            rest = f"chance {row['chance_map']:.3f}  hit@1 {row['hit_at_1']:.2f}  recall@10 {row['recall_at_10']:.2f}"
            rest += f"  missing {row['missing']}"
        if "map_validation_queries" in row:
            rest += f"  validation queries {row['map_validation_queries']:.3f}"
        print(f"{label:42s} mAP {row['map']:6.3f}   [{low:6.3f}, {high:6.3f}]   {rest}")


if __name__ == "__main__":
    main()
