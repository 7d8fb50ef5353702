"""Folders of rendered songs: which songs there will be, many processes that render them, and their manifest."""

from __future__ import annotations

import csv
import json
import logging
import multiprocessing
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

import numpy as np

from separation.audio import save
from separation.errors import SeparationError, TrainingDataMissing
from separation.processes import ctrl_c_ignored
from separation.publishing import scratch_folder, sweep, whole
from separation.training.arrange import KINDS, Kind, arrange, kind_of
from separation.training.drumkit import find_drumkits
from separation.training.midi import MidiUnreadable, read_midi
from separation.training.render import SAMPLE_RATE_HZ, Rendered, Sounds, fluidsynth, render

MIDI_SUFFIXES = frozenset((".mid", ".midi"))
SOUNDFONT_FOLDER = Path("/usr/share/sounds")
DRUMKIT_FOLDER = Path("/usr/share/hydrogen/data/drumkits")
COLUMNS = ("file", "track", "stem", "artist", "midi", "soundfont", "licence", "seconds")

_SHARES: dict[Kind, float] = {"sketch": 0.36, "tune": 0.36, "drums": 0.28}
_VARIANTS: dict[Kind, int] = {"sketch": 2, "tune": 3, "drums": 2}
_SECONDS: dict[Kind, tuple[float, float]] = {"sketch": (55.0, 65.0), "tune": (60.0, 75.0), "drums": (30.0, 60.0)}
_SHORTEST_S = 15.0
_LOOP_S = 20.0  # of drums worth repeating below a song
_LICENCES = {
    "FluidR3_GM": "MIT",
    "MuseScore_General": "MIT",
    "TimGM6mb": "GPL-2.0",
    "groove": "CC BY 4.0",
    "pop909": "MIT",
    "freedoom": "BSD-3-Clause",
    "openmsx": "GPL-2.0",
}
_FINISHED = "song.json"
_REPEATED = "eval_session"

logger = logging.getLogger(__name__)


class FolderOfOthers(SeparationError, ValueError):
    """The folder holds the same songs, drawn from another seed."""


class RenderingStopped(SeparationError, RuntimeError):
    """A process that rendered is no more."""


@dataclass(frozen=True, slots=True)
class Midi:
    """A MIDI file and what planning has to know of it.

    Parameters
    ----------
    path, name
        Where it lies, and its name relative to the folder that was given, parts joined by hyphens.
    kind
        See `arrange.kind_of`.
    duration_s, tempo_bpm, beats_per_bar
        Its length, median tempo, and bar in quarter notes.
    """

    path: Path
    name: str
    kind: Kind
    duration_s: float
    tempo_bpm: float
    beats_per_bar: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One song to render; `groove` are the drums that are looped below a sketch."""

    name: str
    midi: Midi
    groove: Midi | None
    seed: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one song went; `error` is empty where it was rendered or lay there already."""

    name: str
    seconds: float
    error: str = ""


def find_midi(paths: Iterable[Path], on_file: Callable[[str], None] | None = None) -> list[Midi]:
    """Read what planning has to know of MIDI files, given as files or as folders to search.

    Files that cannot be read are left out with a warning, and so are folders called ``eval_session``: those of the
    Groove MIDI Dataset repeat ten scores drummer by drummer.

    Raises
    ------
    TrainingDataMissing
        A path that is not there, or no MIDI file that can be read among them.
    """
    found: dict[str, Midi] = {}
    for path, name in _files(paths):
        if on_file:
            on_file(name)
        unique = name if name not in found else f"{name}-{zlib.crc32('/'.join(path.parts[-4:]).encode()):08x}"
        try:
            tune = read_midi(path)
        except MidiUnreadable as error:
            logger.warning("%s", error)
            continue
        found[unique] = Midi(path, unique, kind_of(tune), tune.duration_s, tune.tempo_bpm, tune.beats_per_bar)
    if not found:
        raise TrainingDataMissing("no MIDI file with music in it; give files (.mid, .midi) or folders that hold some")
    return list(found.values())


def plan_songs(midi: Sequence[Midi], seed: int, minutes: float | None = None) -> list[Plan]:
    """Decide which songs there will be, in which order; with more minutes the list goes on, it does not change.

    Every tune is played in several arrangements. With `minutes`, kinds come in fixed shares of time, as far as there
    is music of each.

    Parameters
    ----------
    midi
        What there is.
    seed
        Decides the order and every song.
    minutes
        How much music to plan; None plans all.
    """
    queues = {kind: _queue(midi, kind, seed) for kind in KINDS}
    planned: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
    plans: list[Plan] = []
    while any(queues.values()) and (minutes is None or sum(planned.values()) < 60.0 * minutes):
        kind = min((kind for kind in KINDS if queues[kind]), key=lambda kind: planned[kind] / _SHARES[kind])
        plan = queues[kind].pop(0)
        planned[kind] += min(plan.midi.duration_s, sum(_SECONDS[kind]) / 2)
        plans.append(plan)
    return plans


def default_soundfonts() -> tuple[Path, ...]:
    """Soundfonts that the system's packages installed; links to them count once."""
    found = (path.resolve() for path in sorted(SOUNDFONT_FOLDER.rglob("*")) if path.suffix.lower() in (".sf2", ".sf3"))
    return tuple(dict.fromkeys(found))


def render_songs(
    plans: Sequence[Plan],
    output: Path,
    soundfonts: Sequence[Path],
    drumkits: Path | None,
    workers: int,
    on_song: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Render what is not there yet, and write the manifest of all that is.

    Each song's folder appears whole. A song that fails is told in its outcome and tried again by the next call.

    Parameters
    ----------
    plans
        What to render.
    output
        Folder; made where missing.
    soundfonts, drumkits
        Soundfont files, and a folder of Hydrogen drum kits or None.
    workers
        Processes.
    on_song
        Called after every song.

    Raises
    ------
    SynthesizerMissing
        FluidSynth is not installed.
    FolderOfOthers
        The folder's songs were drawn from another seed.
    RenderingStopped
        A process was killed.
    """
    fluidsynth()
    sweep(output)
    outcomes = [_present(plan, output) for plan in plans]
    todo = [plan for plan, outcome in zip(plans, outcomes, strict=True) if outcome is None]
    done = [outcome for outcome in outcomes if outcome is not None]
    for outcome in done:
        if on_song:
            on_song(outcome)
    sounds = Sounds(tuple(soundfonts), tuple(find_drumkits(drumkits)) if drumkits else ())
    try:
        with scratch_folder(output) as scratch:
            for outcome in _pool(todo, sounds, scratch, output, workers):
                done.append(outcome)
                if on_song:
                    on_song(outcome)
    finally:
        write_manifest(output)
    return done


def write_manifest(output: Path) -> None:
    """Write ``manifest.csv``: a row a stem of every finished song in the folder."""
    rows = [
        row
        for path in sorted(output.glob(f"*/{_FINISHED}"))
        for row in json.loads(path.read_text(encoding="utf-8"))["stems"]
    ]
    with (
        whole(output / "manifest.csv") as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as lines,
    ):
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for given in paths:
        if given.is_file():
            yield given, _song_name((given.stem,))
        elif given.is_dir():
            for path in sorted(given.rglob("*")):
                if path.suffix.lower() in MIDI_SUFFIXES and _REPEATED not in path.parts:
                    yield path, _song_name(path.relative_to(given).with_suffix("").parts)
        else:
            raise TrainingDataMissing(f"no file or folder {given}; give MIDI files (.mid, .midi) or folders of them")


def _song_name(parts: Sequence[str]) -> str:
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts)).lstrip(".")


def _queue(midi: Sequence[Midi], kind: Kind, seed: int) -> list[Plan]:
    """All songs of a kind in their order: every tune once, shuffled by its name, then all again."""
    ones = [one for one in midi if one.kind == kind and one.duration_s >= _SHORTEST_S]
    if kind == "drums":  # the longer half: a performance is worth more than a pattern
        ones = sorted(ones, key=lambda one: (-one.duration_s, one.name))[: -(-len(ones) // 2)]
    grooves = [one for one in midi if one.kind == "drums" and one.duration_s >= _LOOP_S]
    queue = []
    for variant in range(_VARIANTS[kind]):
        for one in sorted(ones, key=lambda one: np.random.default_rng(_key(seed, variant, one.name)).random()):
            key = _key(seed, variant, one.name)
            groove = _groove(one, grooves, key) if kind == "sketch" else None
            queue.append(Plan(f"{one.name}-{variant + 1}", one, groove, key))
    return queue


def _key(seed: int, variant: int, name: str) -> tuple[int, int, int]:
    return seed, variant, zlib.crc32(name.encode())


def _groove(tune: Midi, grooves: Sequence[Midi], key: tuple[int, int, int]) -> Midi | None:
    """Drums with the same bar and, up to a factor of two, about the same tempo."""

    def distance(groove: Midi) -> float:
        octaves = np.log2(tune.tempo_bpm / groove.tempo_bpm)
        return float(abs(octaves - round(octaves)))

    fitting = [one for one in grooves if abs(one.beats_per_bar - round(tune.beats_per_bar)) < 0.1]
    if not fitting:
        return None
    near = sorted(fitting, key=lambda one: (distance(one), one.name))[: max(1, len(fitting) // 3)]
    return near[int(np.random.default_rng((*key, 1)).integers(len(near)))]


def _present(plan: Plan, output: Path) -> Outcome | None:
    path = output / plan.name / _FINISHED
    if not path.is_file():
        return None
    song = json.loads(path.read_text(encoding="utf-8"))
    if tuple(song["seed"]) != plan.seed:
        raise FolderOfOthers(
            f"{output} holds {plan.name} drawn from seed {song['seed'][0]}, not {plan.seed[0]}: give the seed or "
            "the folder of that call"
        )
    return Outcome(plan.name, float(song["seconds"]))


def _pool(plans: Sequence[Plan], sounds: Sounds, scratch: Path, output: Path, workers: int) -> Iterator[Outcome]:
    if not plans:
        return
    with ctrl_c_ignored():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(workers, len(plans)), mp_context=context, initializer=_end_with_parent)
        running = [pool.submit(_render_one, plan, sounds, scratch, output) for plan in plans]
    try:
        for future in as_completed(running):
            yield future.result()
    except BrokenProcessPool as error:
        raise RenderingStopped(
            "a rendering process ended, perhaps for lack of memory; finished songs are kept, and the same command "
            "goes on (with fewer --workers, if need be)"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """In a worker: end when the parent is killed, for the pool's queue, which both ends hold, never tells."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, name="end-with-parent", daemon=True).start()


def _render_one(plan: Plan, sounds: Sounds, scratch: Path, output: Path) -> Outcome:
    """Render one song in a worker; what is wrong with it is its own affair."""
    try:
        rng = np.random.default_rng(plan.seed)
        groove = read_midi(plan.groove.path) if plan.groove else None
        tune = read_midi(plan.midi.path)
        arrangement = arrange(tune, groove, _SECONDS[plan.midi.kind], rng)
        rendered = render(arrangement, sounds, rng)
        if not rendered.stems:
            return Outcome(plan.name, 0.0, "nothing in it sounds")
        folder = scratch / plan.name
        for stem, y in rendered.stems.items():
            save(folder / f"{stem}.flac", y, SAMPLE_RATE_HZ)
        _write_song(folder / _FINISHED, plan, rendered, sounds, arrangement.duration_s)
        folder.replace(output / plan.name)
    except (OSError, ValueError, RuntimeError) as error:
        return Outcome(plan.name, 0.0, f"{type(error).__name__}: {error}")
    return Outcome(plan.name, arrangement.duration_s)


def _write_song(path: Path, plan: Plan, rendered: Rendered, sounds: Sounds, seconds: float) -> None:
    licences = {kit.name: kit.licence for kit in sounds.drumkits}
    rows = []
    for stem in rendered.stems:
        midi = plan.groove if stem == "drums" and plan.groove else plan.midi
        names = rendered.sounds[stem]
        told = [_licence(midi.path.parts[-5:]), *(licences.get(name) or _licence((name,)) for name in names)]
        rows.append(
            {
                "file": f"{plan.name}/{stem}.flac",
                "track": plan.name,
                "stem": stem,
                "artist": next((part for part in midi.path.parts[-5:] if part.startswith("drummer")), ""),
                "midi": midi.name,
                "soundfont": "; ".join(names),
                "licence": "; ".join(dict.fromkeys(told)),
                "seconds": f"{seconds:.1f}",
            }
        )
    song = {"seconds": seconds, "seed": plan.seed, "plan": asdict(plan), "stems": rows}
    path.write_text(json.dumps(song, default=str, indent=1), encoding="utf-8")


def _licence(names: Sequence[str]) -> str:
    return next((licence for key, licence in _LICENCES.items() for name in names if name.startswith(key)), "unknown")
