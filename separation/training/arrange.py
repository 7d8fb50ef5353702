"""From a MIDI tune to a band: which instruments play what, drawn at random, for a renderer to make sound of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from separation.training.midi import Note, Part, Tune, excerpt, stem_of

Kind = Literal["tune", "drums", "sketch"]
KINDS: tuple[Kind, ...] = ("sketch", "tune", "drums")

_PIANOS = tuple(range(8))
_GUITARS = tuple(range(24, 32))
_BASSES = tuple(range(32, 40))
_PADS = (*range(48, 53), *range(88, 96))
_FAMILIES: tuple[tuple[int, int, tuple[int, ...]], ...] = (  # first and last program, what may play instead
    (0, 7, (*_PIANOS, *range(16, 20))),
    (8, 15, tuple(range(8, 16))),
    (16, 23, (*range(16, 24), *_PIANOS)),
    (24, 31, _GUITARS),
    (32, 39, _BASSES),
    (40, 51, tuple(range(40, 52))),
    (52, 55, _PADS),
    (56, 71, tuple(range(56, 72))),
    (72, 79, tuple(range(72, 80))),
    (80, 87, tuple(range(80, 87))),
    (88, 103, tuple(range(88, 96))),
    (104, 111, (*range(104, 109), *_GUITARS)),
)
_HARMONY = (*_PIANOS, *_PIANOS, 11, 12, *range(16, 20), *_GUITARS, *_GUITARS, *_PADS, 61, 62, 81, 90)
_MELODY = (*_GUITARS, 40, 42, 56, 57, 60, 64, 65, 66, 68, 71, 73, 75, 80, 81, 82, 85)
_DRUM_PROGRAMS = (0, 0, 0, 8, 16, 24, 25, 32, 40)  # General Standard's kits
_LOWEST_BASS, _HIGHEST_BASS = 28, 43  # E1 to G2
_MEMBER_OF = {"kick": (35, 36), "snare": (37, 38, 39, 40), "hats": (42, 44, 46, 22, 26), "rest": tuple(range(47, 82))}


@dataclass(frozen=True, slots=True)
class Layer:
    """Parts that sound through one chain of effects.

    Parameters
    ----------
    stem
        ``drums``, ``bass`` or ``other``.
    role
        What effects suit it: ``drums``, ``bass``, ``guitar`` or ``other``.
    parts
        What is played, from time 0 on.
    """

    stem: str
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A song to render: its layers and how long it lasts, in seconds."""

    layers: tuple[Layer, ...]
    duration_s: float


def kind_of(tune: Tune) -> Kind:
    """``drums``: nothing else; ``sketch``: only keyboards, to be played by a band; ``tune``: arranged already."""
    if all(part.drums for part in tune.parts):
        return "drums"
    if all(part.program in _PIANOS and not part.drums for part in tune.parts):
        return "sketch"
    return "tune"


def arrange(tune: Tune, groove: Tune | None, seconds: tuple[float, float], rng: np.random.Generator) -> Arrangement:
    """Draw an arrangement of an excerpt of a tune.

    Programs are replaced within their families, everything but drums is transposed by up to three semitones, the
    tempo changes by up to 10 %, and players are a little inexact. A sketch gets a bass below its harmony and
    `groove` for drums.

    Parameters
    ----------
    tune
        What is arranged.
    groove
        Drums to loop below a sketch; None leaves it without.
    seconds
        Shortest and longest excerpt.
    rng
        Where everything comes from.
    """
    kind = kind_of(tune)
    speed = float(rng.uniform(0.9, 1.1))
    transpose = int(rng.integers(-3, 4))
    duration_s = float(min(rng.uniform(*seconds), tune.duration_s / speed + 1.0))
    if kind == "sketch":
        stems = _band(tune, groove, rng)
    else:
        stems = [(stem, part) for part in tune.parts if (stem := stem_of(part, tune))]
        stems = [(stem, _recast(part, rng)) for stem, part in stems]
    start_s = _start(stems, max(0.0, tune.duration_s - duration_s * speed), duration_s * speed, rng)
    layers: dict[tuple[str, str], list[Part]] = {}
    for stem, part in stems:
        cut = excerpt(part, start_s, duration_s, speed, transpose)
        if cut.notes:
            played = cut if kind == "drums" else _inexact(cut, rng)
            layers.setdefault((stem, _effects_role(stem, part)), []).append(played)
    return Arrangement(
        tuple(Layer(stem, role, tuple(parts)) for (stem, role), parts in sorted(layers.items())), duration_s
    )


def _effects_role(stem: str, part: Part) -> str:
    return "guitar" if stem == "other" and part.program in (27, 28, 29, 30, 31) else stem


def _recast(part: Part, rng: np.random.Generator) -> Part:
    """Give a part another instrument of its family, two times in three."""
    if part.drums:
        return replace(_balanced(part, rng), program=int(rng.choice(_DRUM_PROGRAMS)))
    if rng.random() > 0.67:
        return part
    for first, last, others in _FAMILIES:
        if first <= part.program <= last:
            return replace(part, program=int(rng.choice(others)))
    return part


def _balanced(part: Part, rng: np.random.Generator) -> Part:
    """Strike kick, snare, hi-hats and the rest softer by a factor of each one's own."""
    factor: dict[int, float] = {}
    for pitches in _MEMBER_OF.values():
        factor.update(dict.fromkeys(pitches, float(rng.uniform(0.7, 1.0))))
    notes = tuple(
        replace(note, velocity=max(1, round(note.velocity * factor.get(note.pitch, 1.0)))) for note in part.notes
    )
    return replace(part, notes=notes)


def _inexact(part: Part, rng: np.random.Generator) -> Part:
    """Move notes by some milliseconds and velocities by some steps, as players do."""
    shifts = np.clip(rng.normal(0.0, 0.004, len(part.notes)), -0.01, 0.01)
    steps = rng.normal(0.0, 5.0, len(part.notes))
    notes = (
        replace(
            note,
            start_s=max(0.0, note.start_s + float(shift)),
            end_s=max(note.end_s, note.start_s + 0.02),
            velocity=int(np.clip(note.velocity + step, 1, 127)),
        )
        for note, shift, step in zip(part.notes, shifts, steps, strict=True)
    )
    return replace(part, notes=tuple(sorted(notes, key=lambda note: note.start_s)))


def _start(stems: Sequence[tuple[str, Part]], latest_s: float, length_s: float, rng: np.random.Generator) -> float:
    """Of five random places, the one where most stems sound for most of the time."""
    best, best_score = 0.0, -1
    for start_s in rng.uniform(0.0, latest_s, 5):
        sounding = {
            (stem, int(note.start_s - start_s) // 4)
            for stem, part in stems
            for note in part.notes
            if start_s <= note.start_s < start_s + length_s
        }
        if len(sounding) > best_score:
            best, best_score = float(start_s), len(sounding)
    return best


def _band(tune: Tune, groove: Tune | None, rng: np.random.Generator) -> list[tuple[str, Part]]:
    """Parts of a whole band from a keyboard sketch, in the sketch's own time."""
    stems: list[tuple[str, Part]] = []
    harmony = [part for part in tune.parts if part.name.upper() != "MELODY"] or list(tune.parts)
    thinned = rng.random() < 0.5  # a pianist in a band leaves the low notes to the bass
    for part in tune.parts:
        if part not in harmony:
            if rng.random() < 0.3:
                stems.append(("other", replace(part, program=int(rng.choice(_MELODY)))))
            continue
        notes = tuple(note for note in part.notes if not thinned or note.pitch >= 48)
        stems.append(("other", replace(part, notes=notes, program=int(rng.choice(_HARMONY)))))
    lowest = min(harmony, key=lambda part: float(np.median([note.pitch for note in part.notes])))
    if rng.random() < 0.5:
        doubled = tuple(note for note in lowest.notes if note.pitch >= 52)
        stems.append(("other", replace(lowest, notes=doubled, program=int(rng.choice((*_PADS, *_GUITARS))))))
    tune = _on_the_beat(tune, lowest)
    drums = None
    if groove is not None:
        drums = _looped(groove, tune, rng)
        stems.append(("drums", drums))
    stems.append(("bass", _bass_line(tune, lowest, drums, rng)))
    return [(stem, part) for stem, part in stems if part.notes]


def _on_the_beat(tune: Tune, lowest: Part) -> Tune:
    """Move the beats, and the first of them to a bar's beginning, to where the left hand plays.

    Transcriptions of recordings keep tempo but begin anywhere. Notes lie on sixteenths, so four times their beat
    position has one phase; of the four sixteenths in a beat, and then of a bar's beats, the one with most low and
    long notes is the first.
    """
    positions = np.array([_beats(tune, note.start_s) for note in lowest.notes])
    weights = np.array([(note.end_s - note.start_s) * max(1, 84 - note.pitch) for note in lowest.notes])
    phase = float(np.angle(np.exp(8j * np.pi * positions).mean()) / (8.0 * np.pi))

    def share(beat: float, period: int) -> float:
        return float(weights[np.abs((positions - beat + period / 2) % period - period / 2) < 0.06].sum())

    first = max((phase + sixteenth / 4.0 for sixteenth in range(4)), key=lambda beat: share(beat, 1))
    per_bar = max(1, round(tune.beats_per_bar))
    first = max((first + beat for beat in range(per_bar)), key=lambda beat: share(beat, per_bar)) % per_bar
    moved = np.arange(first - per_bar, len(tune.beat_times) - 1)
    step_s = tune.beat_times[1] - tune.beat_times[0]
    times = np.where(moved < 0.0, tune.beat_times[0] + moved * step_s, np.interp(moved, _index(tune), tune.beat_times))
    return replace(tune, beat_times=times)


def _looped(groove: Tune, tune: Tune, rng: np.random.Generator) -> Part:
    """Repeat a drum performance through a tune, beat on beat; one twice as fast or slow is played at half or double."""
    per_bar = max(1, round(groove.beats_per_bar))
    played = groove.parts[0]
    positions = [_beats(groove, note.start_s) for note in played.notes]
    n_beats = max(per_bar, int(positions[-1] + 0.5) // per_bar * per_bar)
    ratio = float(2.0 ** round(np.log2(tune.tempo_bpm / groove.tempo_bpm)))
    first = float(rng.integers(0, max(1, n_beats // per_bar))) * per_bar  # any bar may be the song's first
    notes = []
    for loop in range(int(len(tune.beat_times) / (n_beats * ratio)) + 2):
        for note, position in zip(played.notes, positions, strict=True):
            beat = (loop * n_beats + position - first) * ratio
            if position < n_beats and 0.0 <= beat < len(tune.beat_times) - 1 and _seconds(tune, beat) >= 0.0:
                start_s = _seconds(tune, beat)
                notes.append(replace(note, start_s=start_s, end_s=start_s + 0.1))
    part = Part("DRUMS", int(rng.choice(_DRUM_PROGRAMS)), True, tuple(sorted(notes, key=lambda note: note.start_s)))
    return _balanced(part, rng)


def _bass_line(tune: Tune, lowest: Part, drums: Part | None, rng: np.random.Generator) -> Part:
    """Play the harmony's lowest note of every half bar between E1 and G2, in one of the ways bassists do."""
    roots = _roots(tune, lowest)
    style = str(rng.choice(("long", "beats", "eighths", "kick", "octaves")))
    hits: list[float] = []
    if style == "kick" and drums is not None:
        hits = sorted({round(_beats(tune, note.start_s) * 4) / 4 for note in drums.notes if note.pitch in (35, 36)})
    if not hits:
        step = {"long": 2.0, "eighths": 0.5, "octaves": 0.5}.get(style, 1.0)
        hits = [float(beat) for beat in np.arange(0, len(tune.beat_times) - 1, step)]
    held = float(rng.uniform(0.6, 1.0))
    notes = []
    for index, (beat, following) in enumerate(zip(hits, [*hits[1:], len(tune.beat_times) - 1.0], strict=True)):
        if _seconds(tune, beat) < 0.0:
            continue
        root = roots[int(beat // 2)]
        pitch = root + 12 if style == "octaves" and index % 2 else root
        if style == "beats" and rng.random() < 0.15:
            pitch = root + 7 if root + 7 <= _HIGHEST_BASS + 5 else root - 5
        end = beat + min(following - beat, 4.0) * held
        velocity = int(np.clip(rng.normal(92.0 if beat % 1.0 == 0.0 else 80.0, 8.0), 30, 127))
        notes.append(Note(_seconds(tune, beat), _seconds(tune, end), pitch, velocity))
    return Part("BASS", int(rng.choice(_BASSES)), False, tuple(notes))


def _roots(tune: Tune, lowest: Part) -> list[int]:
    """Lowest note that begins in each half bar, brought between E1 and G2; where none begins, the one before."""
    begun: dict[int, int] = {}
    for note in lowest.notes:
        half_bar = int((_beats(tune, note.start_s) + 0.1) // 2)
        begun[half_bar] = min(begun.get(half_bar, 127), note.pitch)
    roots = [begun[min(begun)]]
    for half_bar in range(len(tune.beat_times) // 2 + 1):
        roots.append(begun.get(half_bar, roots[-1]))
    return [_into_range(pitch) for pitch in roots[1:]]


def _into_range(pitch: int) -> int:
    while pitch > _HIGHEST_BASS:
        pitch -= 12
    while pitch < _LOWEST_BASS:
        pitch += 12
    return pitch


def _beats(tune: Tune, time_s: float) -> float:
    return float(np.interp(time_s, tune.beat_times, _index(tune)))


def _seconds(tune: Tune, beat: float) -> float:
    return float(np.interp(beat, _index(tune), tune.beat_times))


def _index(tune: Tune) -> NDArray[np.float64]:
    return np.arange(len(tune.beat_times), dtype=np.float64)
