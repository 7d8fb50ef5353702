"""MIDI files in and out, as parts: what one instrument plays, in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from separation.errors import SeparationError

if TYPE_CHECKING:
    from types import ModuleType

DRUM_CHANNEL = 9
MOST_PARTS = 15
"""Melodic channels of one MIDI file; the drum channel is not one of them."""

_BASS_PROGRAMS = frozenset((*range(32, 40), 87))  # basses, and the lead called "bass + lead"
_CONTRABASS = 43
_HIGHEST_BASS = 57  # median pitch A3; a melody on a bass sound is no bass line
_FIRST_EFFECT = 112  # tinkle bells to gunshot: no stem of a song
_KEPT_CONTROLS = frozenset((1, 6, 7, 10, 11, 38, 64, 66, 67, 71, 72, 73, 74, 98, 99, 100, 101))  # no banks, no resets
_GROOVE_TO_GM = {22: 42, 26: 46, 58: 43}  # edges and rims that the Roland TD-11 has and General MIDI has not
_TICKS_PER_BEAT = 960
_TICKS_PER_S = 2 * _TICKS_PER_BEAT  # at MIDI's default tempo of 120 beats a minute


class MidiUnreadable(SeparationError, ValueError):
    """A file that is no MIDI file, or has no music in it."""


class MidiLibraryMissing(SeparationError, ImportError):
    """The library that reads MIDI is not installed."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note; times in seconds, pitch and velocity as MIDI numbers them (0 to 127)."""

    start_s: float
    end_s: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Control:
    """A controller's new value, or the pitch wheel's (−8192 to 8191)."""

    time_s: float
    kind: Literal["control", "bend"]
    number: int
    value: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one instrument plays.

    Parameters
    ----------
    name
        The track's name.
    program
        General MIDI program, 0 to 127; of drums the kit.
    drums
        Whether pitches are drums.
    notes, controls
        In order of time.
    """

    name: str
    program: int
    drums: bool
    notes: tuple[Note, ...]
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Tune:
    """A MIDI file's music.

    Parameters
    ----------
    parts
        Only those with notes.
    beat_times
        Seconds of every quarter note, shape ``(n_beats,)``, up to one after the last note.
    beats_per_bar
        As the first time signature has it, in quarter notes.
    """

    parts: tuple[Part, ...]
    beat_times: NDArray[np.float64]
    beats_per_bar: float

    @property
    def duration_s(self) -> float:
        """End of the last note."""
        return max(note.end_s for part in self.parts for note in part.notes)

    @property
    def tempo_bpm(self) -> float:
        """Median tempo."""
        return float(60.0 / np.median(np.diff(self.beat_times)))


def read_midi(path: Path) -> Tune:
    """Read a Standard MIDI File of type 0 or 1; notes of different programs on one channel become different parts.

    Raises
    ------
    MidiUnreadable
        No MIDI file, a damaged one, or one without notes.
    MidiLibraryMissing
        Without the library that reads MIDI.
    """
    mido = _mido()
    try:
        file = mido.MidiFile(path, clip=True)
    except (OSError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        raise MidiUnreadable(f"{path} is no MIDI file that can be read: {error}") from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise MidiUnreadable(f"{path} is a MIDI file of independent patterns, or timed by film frames: not supported")
    clock = _Clock(file)
    parts = tuple(part for track in file.tracks for part in _parts(track, clock))
    if not parts:
        raise MidiUnreadable(f"{path} holds no notes")
    last_s = max(note.end_s for part in parts for note in part.notes)
    return Tune(parts, clock.beats(last_s), _beats_per_bar(file))


def write_midi(parts: Sequence[Part], path: Path, duration_s: float) -> None:
    """Write parts as one MIDI file that ends at `duration_s`; of more than 15 melodic ones, those with most notes."""
    mido = _mido()
    melodic = sorted((part for part in parts if not part.drums), key=lambda part: -len(part.notes))[:MOST_PARTS]
    channels = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    file = mido.MidiFile(type=1, ticks_per_beat=_TICKS_PER_BEAT)
    placed = [(part, DRUM_CHANNEL) for part in parts if part.drums]
    for part, channel in placed + list(zip(melodic, channels, strict=False)):
        file.tracks.append(_track(mido, part, channel, duration_s))
    file.save(path)


def stem_of(part: Part, tune: Tune) -> str | None:
    """``drums``, ``bass``, ``other``, or None for sound effects; a contrabass is the bass where none plays lower.

    A bass program that plays a melody above A3 is ``other``.
    """
    if part.drums:
        return "drums"
    if part.program >= _FIRST_EFFECT:
        return None
    if part.program in _BASS_PROGRAMS:
        return "bass" if _median_pitch(part) < _HIGHEST_BASS else "other"
    if part.program == _CONTRABASS:
        lowest = min(_median_pitch(p) for p in tune.parts if not p.drums and p.program < _FIRST_EFFECT)
        return "bass" if _median_pitch(part) <= lowest else "other"
    return "other"


def excerpt(part: Part, start_s: float, duration_s: float, speed: float = 1.0, transpose: int = 0) -> Part:
    """What a part plays in a stretch of time, which becomes time 0, `speed` times as fast and transposed.

    Notes that began before are left out, those that last longer end with it; controllers keep what was set before.
    Drums are never transposed, and notes that would leave the range of MIDI stay where they are.
    """
    end_s = start_s + duration_s * speed
    shift = 0 if part.drums else transpose
    notes = tuple(
        Note(
            (note.start_s - start_s) / speed,
            (min(note.end_s, end_s) - start_s) / speed,
            note.pitch + shift if 0 <= note.pitch + shift < 128 else note.pitch,
            note.velocity,
        )
        for note in part.notes
        if start_s <= note.start_s < end_s
    )
    controls = tuple(
        replace(control, time_s=max(0.0, (control.time_s - start_s) / speed))
        for control in part.controls
        if control.time_s < end_s
    )
    return replace(part, notes=notes, controls=controls)


def _mido() -> ModuleType:
    try:
        import mido
    except ImportError as error:
        raise MidiLibraryMissing("reading MIDI needs the library mido: pip install 'mir-stems[train]'") from error
    return mido


class _Clock:
    """Ticks to seconds, through every change of tempo."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - mido has no types
        changes: dict[int, int] = {0: 500_000}
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo" and message.tempo > 0:
                    changes[tick] = message.tempo
        self._ticks = sorted(changes)
        self._per_tick = [changes[tick] / 1e6 / file.ticks_per_beat for tick in self._ticks]
        self._seconds = [0.0]
        for before, after, per_tick in zip(self._ticks, self._ticks[1:], self._per_tick, strict=False):
            self._seconds.append(self._seconds[-1] + (after - before) * per_tick)
        self._beat = file.ticks_per_beat

    def __call__(self, tick: int) -> float:
        index = bisect_right(self._ticks, tick) - 1
        return self._seconds[index] + (tick - self._ticks[index]) * self._per_tick[index]

    def beats(self, last_s: float) -> NDArray[np.float64]:
        """Seconds of every beat up to one after `last_s`."""
        times = [self(0), self(self._beat)]
        while times[-1] <= last_s:
            times.append(self(len(times) * self._beat))
        return np.array(times)


def _parts(track: Iterable[Any], clock: _Clock) -> list[Part]:
    """Parts of one track, by channel and program."""
    notes: dict[tuple[int, int], list[Note]] = defaultdict(list)
    controls: dict[int, list[Control]] = defaultdict(list)
    sounding: dict[tuple[int, int], list[tuple[float, int, int]]] = defaultdict(list)
    programs: dict[int, int] = defaultdict(int)
    tick, name = 0, ""
    for message in track:
        tick += message.time
        kind = message.type
        if kind == "track_name":
            name = message.name
        elif kind == "program_change":
            programs[message.channel] = message.program
        elif kind == "control_change" and message.control in _KEPT_CONTROLS:
            controls[message.channel].append(Control(clock(tick), "control", message.control, message.value))
        elif kind == "pitchwheel":
            controls[message.channel].append(Control(clock(tick), "bend", 0, message.pitch))
        elif kind == "note_on" and message.velocity:
            key = (message.channel, message.note)
            sounding[key].append((clock(tick), message.velocity, programs[message.channel]))
        elif kind in ("note_off", "note_on") and sounding[message.channel, message.note]:
            start_s, velocity, program = sounding[message.channel, message.note].pop(0)
            pitch = _GROOVE_TO_GM.get(message.note, message.note) if message.channel == DRUM_CHANNEL else message.note
            notes[message.channel, program].append(Note(start_s, max(clock(tick), start_s + 0.01), pitch, velocity))
    return [
        Part(name, program, channel == DRUM_CHANNEL, tuple(sorted(played, key=_order)), tuple(controls[channel]))
        for (channel, program), played in sorted(notes.items())
    ]


def _order(note: Note) -> tuple[float, int]:
    return note.start_s, note.pitch


def _beats_per_bar(file: Any) -> float:  # noqa: ANN401 - mido has no types
    """Quarter notes a bar; a bar shorter than two (counting-in, or a transcriber's guess) is none, so 4."""
    signatures = [m for track in file.tracks for m in track if m.type == "time_signature"]
    if not signatures:
        return 4.0
    beats = 4.0 * signatures[0].numerator / signatures[0].denominator
    return beats if beats > 2.0 else 4.0


def _median_pitch(part: Part) -> float:
    return float(np.median([note.pitch for note in part.notes]))


def _track(mido: ModuleType, part: Part, channel: int, duration_s: float) -> Any:  # noqa: ANN401
    """A track of one part; what happens at one time keeps this order: program, controllers, ends, beginnings."""
    timed: list[tuple[int, int, Any]] = [(0, 0, mido.Message("program_change", channel=channel, program=part.program))]
    for control in part.controls:
        if control.kind == "bend":
            message = mido.Message("pitchwheel", channel=channel, pitch=control.value)
        else:
            message = mido.Message("control_change", channel=channel, control=control.number, value=control.value)
        timed.append((_tick(control.time_s), 1, message))
    for note in part.notes:
        on = {"channel": channel, "note": note.pitch}
        timed.append((_tick(note.start_s), 3, mido.Message("note_on", velocity=note.velocity, **on)))
        timed.append((max(_tick(note.end_s), _tick(note.start_s) + 1), 2, mido.Message("note_off", **on)))
    timed.sort(key=lambda one: one[:2])
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=part.name.encode("ascii", "replace").decode())])
    now = 0
    for tick, _, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, _tick(duration_s) - now)))
    return track


def _tick(time_s: float) -> int:
    return max(0, round(time_s * _TICKS_PER_S))
