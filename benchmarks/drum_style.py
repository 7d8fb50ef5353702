"""Style and tempo from the drums alone, of drummers never heard: as they are rendered, and separated out of music.

`python -m benchmarks.drum_style --data DATA`: beats of the Groove MIDI Dataset, rendered with a General MIDI kit. One
drummer at a time, everything that learns is fitted to all others: the voices that tell strokes apart, the tempo weights
and the classifier, which is that of `mir genre`. It sees what `drum_rhythm` measures and nothing else. Four sounds:

whole      each beat as long as it is, which is what an ingest would hear of it;
rendered   the first minute of each, as the fits hear it;
excerpt    the first 12 seconds of each (or of `--excerpts` of them, always the same ones);
separated  those 12 seconds under vocals, bass and other of two songs of MUSDB18's validation part, taken out again.

Macro-F1 over all styles asked for, and over those with 25 beats or more. Accuracy 1 is the share of tempi right within
4 %, accuracy 2 forgives a factor of 2 or 3. Intervals are 95 %, by a bootstrap over drummers. The session in which all
drummers play the same ten scores is left out. Sounds, fits and descriptors are kept in the cache and used again.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drum_tempo import RELATED, right
from benchmarks.drums.corpus import WHOLE_S, Scores
from benchmarks.drums.described import Sound, described, held_out_fits
from benchmarks.drums.fit import positive
from benchmarks.drums.groove import Performance, beats
from benchmarks.drums.render import LONGEST_S, missing
from benchmarks.drums.separated import separated
from benchmarks.drums.under_music import CLIP_S
from features import EXTRACTORS
from mir.genre.dataset import Dataset, feature_names
from mir.genre.evaluation import cross_predict
from mir.genre.folds import artists_per_label
from mir.genre.scores import Counts, confusions, difference, label_scores, score
from mir.retrieval.scores import interval
from separation.musdb import find_tracks

if TYPE_CHECKING:
    from separation import Separator

SPACE = "drum_rhythm"
STYLES = ("rock", "funk", "latin", "jazz", "hiphop", "soul")
ENOUGH = 25
"""Beats of a style, below which the second score leaves it out."""
SOURCES = ("whole", "rendered", "excerpt", "separated")

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What was told of one sound of all beats.

    Parameters
    ----------
    beats
        Which.
    hits
        Whether each tempo is right, by ``accuracy_1`` and ``accuracy_2``, shape ``(n_beats,)``.
    counts
        Confusions by drummer of each choice of styles and of features.
    """

    beats: Sequence[Performance]
    hits: dict[str, Doubles]
    counts: dict[tuple[str, str], Counts]


def main() -> None:
    """Render, mix, separate, measure, tell; print tables and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--source", action="append", choices=SOURCES, help="which sounds (all by default)")
    parser.add_argument("--beats", type=positive, metavar="N", help="only so many beats, for a quick try")
    parser.add_argument("--excerpts", type=positive, metavar="N", help="beats that are separated (all by default)")
    parser.add_argument("--model", default="mir-4s", help="separation model")
    parser.add_argument("--cache", type=Path, default=Path("runs/drums"), help="where sounds and numbers are kept")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that hear the corpus")
    options = parser.parse_args()
    if lacking := missing():
        print(f"skipped: {lacking}")
        return
    scores = Scores(options.data / "midi" / "groove", options.cache / "renders")
    scores.renders.mkdir(parents=True, exist_ok=True)
    chosen = [beat for beat in beats(scores.root, options.beats) if beat.style in STYLES]
    fits = held_out_fits(scores, options.cache, options.beats, options.jobs)
    sounds = sounds_of(options, scores)
    found: dict[str, Told] = {}
    for source in options.source or SOURCES:
        some = chosen if source in ("whole", "rendered") else chosen[: options.excerpts]
        rows = [described(sounds[source](beat), fits[beat.drummer], options.cache) for beat in some]
        found[source] = told(some, np.array(rows))
    result = report(found)
    show(result)
    print(json.dumps(result))


def sounds_of(options: argparse.Namespace, scores: Scores) -> dict[str, Callable[[Performance], Sound]]:
    """Return, by source, what makes a beat's sound; the separator is loaded when it is first needed."""

    @cache
    def separator() -> Separator:
        from separation import Separator

        return Separator(options.model)

    tracks = [each for each in find_tracks(options.data / "musdb18-7s") if each.split == "valid"]

    def taken_out(beat: Performance) -> Sound:
        path = separated(beat, scores, tracks, separator(), options.cache / "separated")
        return Sound(path.stem, path, CLIP_S)

    return {
        "whole": lambda beat: Sound(f"{beat.name}-{WHOLE_S:g}s", scores.whole(beat), WHOLE_S),
        "rendered": lambda beat: Sound(f"{beat.name}-whole", scores.audio(beat), LONGEST_S),
        "excerpt": lambda beat: Sound(f"{beat.name}-{CLIP_S:g}s", scores.audio(beat), CLIP_S),
        "separated": taken_out,
    }


def told(chosen: Sequence[Performance], rows: Doubles) -> Told:
    """Tell style and tempo of all beats from what was measured, one row a beat."""
    names = feature_names(SPACE)
    bpm = rows[:, names.index(f"{SPACE}.tempo_bpm")]
    true = np.array([beat.bpm for beat in chosen])
    hits = {"accuracy_1": right(bpm, true), "accuracy_2": right(bpm, true, RELATED)}
    tempo_alone = [name for name in names if name == f"{SPACE}.tempo_bpm"]
    counts = {}
    for choice, styles in choices(chosen).items():
        for what, features in (("all features", names), ("tempo alone", tempo_alone)):
            counts[choice, what] = style_counts(chosen, rows, styles, features)
    return Told(chosen, hits, counts)


def choices(chosen: Sequence[Performance]) -> dict[str, tuple[str, ...]]:
    """Return the styles of each score."""
    styles = [beat.style for beat in chosen]
    common = tuple(style for style in STYLES if styles.count(style) >= ENOUGH)
    return {f"{len(each)} styles": each for each in (STYLES, common) if len(each) > 1}


def players(chosen: Sequence[Performance], choice: str) -> dict[str, int]:
    """Count drummers by style, in the order of the confusions."""
    counts = artists_per_label(np.array([beat.style for beat in chosen]), np.array([beat.drummer for beat in chosen]))
    return {style: counts.get(style, 0) for style in sorted(choices(chosen)[choice])}


def style_counts(
    chosen: Sequence[Performance], rows: Doubles, styles: Sequence[str], features: Sequence[str]
) -> Counts:
    """Tell the style of every beat by a classifier that heard no beat of its drummer; count by drummer."""
    kept = np.flatnonzero([beat.style in styles for beat in chosen])
    names = feature_names(SPACE)
    labels = np.array([beat.style for beat in chosen if beat.style in styles])
    drummers = np.array([beat.drummer for beat in chosen if beat.style in styles])
    dataset = Dataset(
        track_ids=kept.astype(np.int64),
        matrix=rows[kept][:, [names.index(name) for name in features]],
        features=tuple(features),
        labels=labels,
        groups=drummers,
        others=((),) * len(kept),
        versions={SPACE: EXTRACTORS[SPACE].version},
        n_unknown_artists=0,
        notes=(),
    )
    guesses = cross_predict(dataset, folds=np.unique(drummers).size).guesses
    return confusions(labels, guesses, drummers, sorted(styles))


def report(found: dict[str, Told]) -> dict[str, Any]:
    """Put numbers together: scores of each sound, and what separation costs, paired by beat."""
    result: dict[str, Any] = {}
    for source, each in found.items():
        drummers = np.array([beat.drummer for beat in each.beats])
        result[source] = {
            "beats": len(each.beats),
            "drummers": np.unique(drummers).size,
            "tempo": {name: with_interval(hits, drummers) for name, hits in each.hits.items()},
            "style": {
                f"{choice}, {what}": {
                    **score(counts, 0).to_json(),
                    "per_label": [asdict(row) for row in label_scores(counts, players(each.beats, choice))],
                }
                for (choice, what), counts in each.counts.items()
            },
        }
    if "excerpt" in found and "separated" in found:
        before, after = found["excerpt"], found["separated"]
        drummers = np.array([beat.drummer for beat in before.beats])
        result["separated − excerpt"] = {
            "tempo": {name: with_interval(after.hits[name] - before.hits[name], drummers) for name in after.hits},
            "style": {
                f"{choice}, {what}": difference(counts, before.counts[choice, what], 0)
                for (choice, what), counts in after.counts.items()
            },
        }
    return result


def with_interval(values: Doubles, drummers: NDArray[np.str_]) -> dict[str, Any]:
    """Return a mean and its interval."""
    return {"mean": float(values.mean()), "interval": list(interval(values, drummers))}


def show(result: dict[str, Any]) -> None:
    """Print one table of all, then F1 by style."""
    for source, each in result.items():
        print(f"{source}: {each['beats']} beats by {each['drummers']} drummers" if "beats" in each else source)
        for name, cell in each["tempo"].items():
            line(f"tempo {name.replace('_', ' ')}", cell["mean"], cell["interval"])
        for name, cell in each["style"].items():
            line(f"macro-F1, {name}", cell["macro_f1"], cell["macro_f1_interval"])
            if "per_label" in cell:
                by_style = (f"{row['label']} {row['f1']:.2f} of {row['tracks']}" for row in cell["per_label"])
                print(f"        {'  '.join(by_style)}")


def line(what: str, mean: float, bounds: Sequence[float]) -> None:
    """Print a row of the table."""
    print(f"    {what:34}{mean:+.3f}  ({bounds[0]:+.3f} to {bounds[1]:+.3f})")


if __name__ == "__main__":
    main()
