"""House against drum and bass, told from the drums alone that were separated out of other people's music.

    python -m benchmarks genre_drums
    python -m benchmarks.genre_drums --data DATA [--model NAME] [--clips N]

Both styles are made: MIDI patterns with the timing of Groove's drummers, rendered with kits of a General MIDI
soundfont, laid under vocals, bass and other of MUSDB18 previews as loud as the drums that were there, and separated
again; `drum_rhythm` hears the separated drums. Six sessions each have a kit, a drummer, patterns and artists of their
own, and a session is what a fold holds out. The same for the drums before they were mixed shows what separation costs.

The catalog that is left in the cache answers SQL, and `mir genre train --by drums --catalog FILE` learns from it. The
shipped separator was trained on these accompaniments, though never with these drums.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drums.dance import STYLES
from benchmarks.drums.render import SR, missing
from benchmarks.drums.under_music import CLIP_S, KITS, Clip, Sounds, heard, plan
from features import EXTRACTORS
from mir.analysis import describe
from mir.catalog import Catalog, create_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord
from mir.genre.dataset import load
from mir.genre.evaluation import cross_predict
from mir.genre.scores import confusions, score
from separation import audio
from separation.musdb import find_tracks

SPACE = "drum_rhythm"
WHY = (
    "tempo_bpm",
    "four_on_the_floor",
    "kick_syncopation",
    "offbeat_hats",
    "backbeat_strength",
    "ghost_note_ratio",
    "kick_steps_per_bar",
    "onsets_per_beat",
)
"""Columns that tell the styles apart, for people."""

TOLERANCE = 0.04
FACTORS = {"right": 1.0, "half": 0.5, "double": 2.0, "two thirds": 2 / 3, "three halves": 1.5}


def main() -> None:
    """Make, separate, describe, tell apart; print tables and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--model", default="mir-4s", help="separation model")
    parser.add_argument("--clips", type=int, default=30, help="clips of each style")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/genre-drums"), help="where sounds and catalogs are kept"
    )
    options = parser.parse_args()
    if lacking := missing():
        print(f"skipped: {lacking}")
        return
    from separation import Separator

    separator = Separator(options.model)
    clips = plan(options.data / "midi" / "groove", find_tracks(options.data / "musdb18-7s"), options.clips)
    sounds = [heard(clip, separator, options.cache / "sounds") for clip in clips]
    result: dict[str, Any] = {
        "clips": len(clips),
        "seconds_each": CLIP_S,
        "sessions": len({clip.session for clip in clips}),
        "model": separator.source_id,
        "protocol": "sessions held out: kit, drummer, patterns and artists of the accompaniment",
    }
    for name in ("separated", "dry"):
        path = options.cache / f"house-or-dnb-{name}.duckdb"
        catalog = catalogued(clips, sounds, path, separator.source_id, dry=name == "dry")
        result[name] = {**told(catalog), "tempo": tempi(catalog, clips), "catalog": str(path)}
        show(name, result[name])
        print(f"\n{why()}\n{catalog.sql(why()).set_index('genre').T.round(2).to_string()}\n")
    print(json.dumps(result, ensure_ascii=False))


def catalogued(clips: Sequence[Clip], sounds: Sequence[Sounds], path: Path, source_id: str, *, dry: bool) -> Catalog:
    """Describe the drums of every clip into a new catalog; its artist is the session, its genre the style."""
    path.unlink(missing_ok=True)
    catalog = create_catalog(path)
    for clip, files in zip(clips, sounds, strict=True):
        mixture, _ = audio.load(files.mixture)
        drums, _ = audio.load(files.dry if dry else files.drums)
        n = mixture.shape[1]
        drums = np.pad(drums[:, :n], ((0, 0), (0, max(0, n - drums.shape[1]))))
        stems, results = describe({"mixture": mixture, "drums": drums}, SR, source_id, [SPACE])
        stat = files.mixture.stat()
        record = TrackRecord(
            audio_hash=audio.packet_hash(files.mixture),
            file=FileStat(str(files.mixture.resolve()), stat.st_size, stat.st_mtime_ns),
            tags=Tags(title=clip.name, artists=(clip.session,), genres=(clip.style,)),
            duration_s=n / SR,
            sample_rate_hz=SR,
            n_channels=mixture.shape[0],
            codec="flac",
            stems=tuple(stems),
            results=tuple(results) + unheard(source_id),
        )
        commit_track(catalog, record)
    return catalog


def unheard(source_id: str) -> tuple[SpaceResult, ...]:
    """Say of all other spaces that nothing was measured, so that the drums are all that a classifier can learn."""
    others = [extractor for space, extractor in EXTRACTORS.items() if space != SPACE]
    return tuple(SpaceResult(e.space, e.version, source_id, "silent", "drums only") for e in others)


def told(catalog: Catalog) -> dict[str, Any]:
    """Tell the style of every clip by models that heard no clip of its session."""
    drums = load(catalog).select([SPACE])
    titles = dict(catalog.sql("SELECT track_id, title FROM library").itertuples(index=False, name=None))
    found = cross_predict(drums, folds=len(KITS))
    guess = found.guesses[0]
    scores = score(confusions(drums.labels, found.guesses, drums.groups, tuple(sorted(STYLES))), 0).to_json()
    wrong = [f"{titles[drums.track_ids[row]]} taken for {guess[row]}" for row in np.flatnonzero(guess != drums.labels)]
    counted = {"clips": len(guess), "right": len(guess) - len(wrong)}
    return {**counted, **scores, "chosen": found.chosen, "wrong": wrong, "statements": list(found.statements)}


def tempi(catalog: Catalog, clips: Sequence[Clip]) -> dict[str, Any]:
    """Count, by style, tempi that are right within 4 %, or wrong by a factor; and name the wrong ones."""
    measured = dict(catalog.sql("SELECT title, tempo_bpm FROM library").itertuples(index=False, name=None))
    out: dict[str, Any] = {}
    for style in STYLES:
        found: dict[str, list[str]] = {kind: [] for kind in (*FACTORS, "other")}
        for clip in clips:
            if clip.style == style:
                ratio = measured[clip.name] / clip.bpm
                kind = next((name for name, factor in FACTORS.items() if abs(ratio / factor - 1) < TOLERANCE), "other")
                found[kind].append(clip.name)
        out[style] = {kind: len(names) for kind, names in found.items()}
        out[style]["wrong"] = [f"{name}: {kind}" for kind, names in found.items() if kind != "right" for name in names]
    return out


def why() -> str:
    """Return the query that shows what tells the styles apart."""
    medians = ", ".join(f"median({name}) AS {name}" for name in WHY)
    return f"SELECT genre, {medians} FROM library GROUP BY genre ORDER BY genre"  # noqa: S608 - our own columns


def show(name: str, result: dict[str, Any]) -> None:
    """Print how well the styles and tempi were told."""
    low, high = result["accuracy_interval"]
    print(
        f"{name} drums: {result['right']} of {result['clips']} right, accuracy {result['accuracy']:.3f} "
        f"(95 % {low:.3f} to {high:.3f}, sessions drawn anew), sessions held out"
    )
    for sentence in result["wrong"]:
        print(f"  wrong: {sentence}")
    for style, counts in result["tempo"].items():
        said = ", ".join(f"{counts[kind]} {kind}" for kind in (*FACTORS, "other") if counts[kind])
        print(f"  tempo, {style}: {said}" + (f" ({'; '.join(counts['wrong'])})" if counts["wrong"] else ""))


if __name__ == "__main__":
    main()
