"""Tempo of drums by drummers the weights have not heard, beside essentia's RhythmExtractor2013.

`python -m benchmarks.drum_tempo --data DATA`: beats of the Groove MIDI Dataset, rendered with a General MIDI kit. One
drummer at a time, stroke voices and tempo weights are fitted to all others, and his beats' tempo is estimated.
Accuracy 1 is the share of tempi right within 4 %, accuracy 2 forgives a factor of 2 or 3. Intervals are 95 %, by a
bootstrap over drummers.

References
----------
Gouyon et al.: "An experimental comparison of audio tempo induction algorithms", IEEE TASLP 2006.
Zapata, Davies, Gómez: "Multi-feature beat tracking", IEEE/ACM TASLP 2014.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks.drums.corpus import N_BEATS, hear_corpus, in_parallel
from benchmarks.drums.fit import add_corpus_options, scores_of
from benchmarks.drums.groove import beats
from benchmarks.drums.held_out import essentia_tempo, without_drummer
from benchmarks.drums.render import missing
from mir.retrieval.scores import interval

TOLERANCE = 0.04
RELATED = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)

Doubles = NDArray[np.float64]


def main() -> None:
    """Estimate both ways, print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0], prog="python -m benchmarks.drum_tempo")
    add_corpus_options(parser)
    options = parser.parse_args()
    if lacking := missing():
        print(f"skipped: {lacking}")
        return
    if find_spec("essentia") is None:
        print('skipped: the peer to compare with is not installed: pip install "mir-stems[reference]"')
        return
    with scores_of(options, parser) as scores:
        chosen = beats(scores.root, options.beats)
        players = np.array([beat.drummer for beat in chosen])
        if np.unique(players).size < 2:
            parser.error(f"all {len(chosen)} beats are by {players[0]}, and one drummer is left out; give --beats more")
        corpus = hear_corpus(scores, options.beats, options.jobs)
        essentia = np.array(in_parallel(partial(essentia_tempo, scores), chosen, options.jobs))
    bpm = np.array([beat.bpm for beat in chosen])
    drummers = sorted(set(players.tolist()), key=lambda name: int(name.removeprefix("drummer")))
    found = dict(
        pair for pairs in in_parallel(partial(without_drummer, corpus), drummers, options.jobs) for pair in pairs
    )
    ours = np.array([found[beat.name] for beat in chosen])
    show({"features, drummer left out": ours, "essentia": essentia}, bpm, players, drummers)


def right(estimates: Doubles, bpm: Doubles, factors: Sequence[float] = (1.0,)) -> Doubles:
    """1 where an estimate is within `TOLERANCE` of the tempo times one of the factors, 0 elsewhere."""
    ratio = estimates[:, None] / bpm[:, None] / np.asarray(factors)
    hits: Doubles = (np.abs(ratio - 1) < TOLERANCE).any(axis=1).astype(np.float64)
    return hits


def show(estimates: dict[str, Doubles], bpm: Doubles, players: NDArray[np.str_], drummers: Sequence[str]) -> None:
    """Print accuracies, then accuracy 1 by drummer, then all as JSON."""
    print(f"{bpm.size} beats by {len(drummers)} drummers")
    if bpm.size < N_BEATS:
        print(f"the weights hear no more than these: compare with all {N_BEATS} beats only")
    print(f"{'':28}{'accuracy 1 (95 %)':24}accuracy 2 (95 %)")
    result: dict[str, object] = {"beats": int(bpm.size), "drummers": len(drummers)}
    for name, tempi in estimates.items():
        cells: dict[str, float] = {}
        row = f"{name:28}"
        for label, factors in (("accuracy_1", (1.0,)), ("accuracy_2", RELATED)):
            hits = right(tempi, bpm, factors)
            low, high = interval(hits, players)
            cells |= {label: float(hits.mean()), f"{label}_low": low, f"{label}_high": high}
            row += f"{hits.mean():.3f} ({low:.3f}–{high:.3f})".ljust(24)
        print(row)
        result[name] = cells
    first, second = (right(tempi, bpm) for tempi in estimates.values())
    low, high = interval(first - second, players)
    print(f"difference in accuracy 1: {np.mean(first - second):+.3f}, 95 % {low:+.3f} to {high:+.3f} (paired)")
    result["difference_1"] = {"mean": float(np.mean(first - second)), "low": low, "high": high}
    for drummer in drummers:
        mine = players == drummer
        shares = "  ".join(f"{name} {right(tempi, bpm)[mine].mean():.3f}" for name, tempi in estimates.items())
        print(f"{drummer:10} {mine.sum():4d} beats   {shares}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
