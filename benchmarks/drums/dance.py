"""House and drum and bass as a drummer of the Groove MIDI Dataset would time them.

Patterns are drawn from what the two styles have in common with themselves: the kick on every beat, claps on 2 and 4
and open hats between the beats; or a syncopated kick under a backbeat at 165 to 180 beats a minute with ghost strokes.
When and how hard each stroke falls is taken from what a drummer played on that step of the bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.drums.groove import DRUM_KEYS, Performance, beats
from benchmarks.drums.midi import Stroke

Style = Literal["House", "Drum & Bass"]

STYLES: tuple[Style, ...] = ("House", "Drum & Bass")
TEMPI_BPM: Mapping[Style, tuple[float, float]] = {"House": (118.0, 130.0), "Drum & Bass": (165.0, 180.0)}

KICK, SIDE_STICK, SNARE, CLAP, CLOSED, OPEN, RIDE, SHAKER = 36, 37, 38, 39, 42, 46, 51, 70
LOUD, SOFT, GHOST = 112.0, 74.0, 34.0
"""MIDI velocities."""

_LATEST_S = 0.02  # what a drummer is late at 90 beats a minute would be another step at 175
_GHOST_VELOCITY = 45
_USUAL_GHOSTS = (7, 9, 15)

Bar = Sequence[tuple[int, int, float]]
"""Strokes of a bar: step of sixteen, General MIDI key, velocity."""


@dataclass(frozen=True, slots=True)
class Feel:
    """How one drummer plays.

    Parameters
    ----------
    drummer
        Whose hands.
    touches
        By drum (a row of `DRUM_KEYS`) and step of sixteen: how late in seconds and how loud (1: as usual for that
        drum) each of his strokes there was.
    ghosts
        Steps of his soft snare strokes, as often as he played them.
    """

    drummer: str
    touches: Mapping[tuple[int, int], Sequence[tuple[float, float]]] = field(repr=False)
    ghosts: Sequence[int] = field(repr=False)

    def touch(self, key: int, step: int, rng: np.random.Generator) -> tuple[float, float]:
        """Draw how late (s) and how loud a stroke is: of his there, else of all of his on that drum."""
        drum = next((drum for drum, keys in enumerate(DRUM_KEYS) if key in keys), 2)
        there = self.touches.get((drum, step)) or [
            touch for (of, _), touches in sorted(self.touches.items()) if of == drum for touch in touches
        ]
        late_s, loud = there[int(rng.integers(len(there)))] if there else (0.0, 1.0)
        return late_s, loud


def feels(root: Path, n: int) -> list[Feel]:
    """Return the `n` drummers with most beats in 4/4, each with all of these.

    Parameters
    ----------
    root
        Folder of the Groove MIDI Dataset.
    n
        At most 10.
    """
    by_drummer: dict[str, list[Performance]] = {}
    for beat in beats(root):
        if "_4-4" in beat.file:
            by_drummer.setdefault(beat.drummer, []).append(beat)
    busiest = sorted(by_drummer, key=lambda name: (-len(by_drummer[name]), name))[:n]
    return [_feel(drummer, by_drummer[drummer], root) for drummer in busiest]


def pattern(style: Style, rng: np.random.Generator) -> list[Bar]:
    """Draw two bars of a style."""
    return _house(rng) if style == "House" else _drum_and_bass(rng)


def played(
    style: Style, bars: Sequence[Bar], feel: Feel, bpm: float, duration_s: float, rng: np.random.Generator
) -> list[Stroke]:
    """Repeat bars from anywhere in the first one, with a drummer's timing, accents and (drum and bass) ghost strokes.

    Parameters
    ----------
    style, bars
        What `pattern` drew.
    feel
        Who plays.
    bpm, duration_s
        Beats a minute, seconds.
    rng
        Draws where in the bar it begins, and which of the drummer's strokes each one is like.
    """
    step_s = 15.0 / bpm
    start_s = -float(rng.uniform(0.0, 16 * step_s))
    strokes = []
    for number in range(int(np.ceil((duration_s - start_s) / (16 * step_s)))):
        bar = list(bars[number % len(bars)])
        if style == "Drum & Bass":
            bar += _ghost_strokes(bar, feel, rng)
        for step, key, velocity in bar:
            late_s, loud = feel.touch(key, step, rng)
            time_s = start_s + (16 * number + step) * step_s + late_s
            if 0.0 <= time_s < duration_s:
                strokes.append(Stroke(time_s, key, int(np.clip(velocity * loud, 1, 127))))
    return sorted(strokes, key=lambda stroke: (stroke.time_s, stroke.note))


def _feel(drummer: str, performances: Sequence[Performance], root: Path) -> Feel:
    touches: dict[tuple[int, int], list[tuple[float, float]]] = {}
    ghosts: list[int] = []
    for performance in performances:
        strokes = performance.strokes(root)
        step_s = 15.0 / performance.bpm
        for drum, keys in enumerate(DRUM_KEYS):
            own = [stroke for stroke in strokes if stroke.note in keys]
            usual = float(np.median([stroke.velocity for stroke in own])) if own else 1.0
            for stroke in own:
                step = round(stroke.time_s / step_s)
                late_s = stroke.time_s - step * step_s
                if abs(late_s) <= _LATEST_S:
                    loud = float(np.clip(stroke.velocity / usual, 0.75, 1.15))
                    touches.setdefault((drum, step % 16), []).append((late_s, loud))
                if drum == 1 and stroke.velocity < _GHOST_VELOCITY and step % 4:
                    ghosts.append(step % 16)
    return Feel(drummer, touches, ghosts or _USUAL_GHOSTS)


def _ghost_strokes(bar: Bar, feel: Feel, rng: np.random.Generator) -> Bar:
    """Up to three soft snares a bar where the drummer has his, and where the bar has no snare yet."""
    taken = {step for step, key, _ in bar if key in {SNARE, CLAP}}
    steps = {int(feel.ghosts[int(rng.integers(len(feel.ghosts)))]) for _ in range(int(rng.integers(1, 4)))}
    return [(step, SNARE, GHOST) for step in sorted(steps - taken)]


def _house(rng: np.random.Generator) -> list[Bar]:
    backbeat = ((CLAP,), (CLAP, SNARE), (CLAP, SIDE_STICK))[int(rng.integers(3))]
    closed = (range(0, 16, 4), range(0, 16, 2), range(16))[int(rng.integers(3))]
    shaker, extra_kick, knock = rng.random() < 0.4, int(rng.choice([11, 14, 15])), int(rng.choice([3, 7, 10]))
    with_extra, with_knock = rng.random() < 0.5, rng.random() < 0.4
    bars = []
    for number in range(2):
        bar = [(step, KICK, LOUD) for step in range(0, 16, 4)]
        bar += [(step, key, LOUD) for step in (4, 12) for key in backbeat]
        bar += [(step, OPEN, LOUD) for step in range(2, 16, 4)]
        bar += [(step, CLOSED, SOFT) for step in closed if step % 4 != 2]
        bar += [(step, SHAKER, SOFT) for step in range(1, 16, 2) if shaker]
        if number and with_extra:
            bar.append((extra_kick, KICK, SOFT))
        if with_knock:
            bar.append((knock, SIDE_STICK, SOFT))
        bars.append(bar)
    return bars


_KICKS = (((0, 10), (0, 10)), ((0, 10), (0, 3, 10)), ((0, 2, 10, 11), (0, 2, 10)), ((0, 6, 10), (0, 10)))
_SNARES = (((4, 12), (4, 12)), ((4, 12), (4, 12)), ((4, 12), (4, 14)))


def _drum_and_bass(rng: np.random.Generator) -> list[Bar]:
    kicks, snares = _KICKS[int(rng.integers(len(_KICKS)))], _SNARES[int(rng.integers(len(_SNARES)))]
    cymbal = (CLOSED, RIDE)[int(rng.integers(2))]
    sixteenths, opened = rng.random() < 0.35, rng.random() < 0.5
    bars = []
    for number in range(2):
        bar = [(step, KICK, LOUD) for step in kicks[number]]
        bar += [(step, SNARE, LOUD) for step in snares[number]]
        bar += [(step, cymbal, SOFT) for step in range(0, 16, 1 if sixteenths else 2)]
        if number and opened:
            bar.append((14, OPEN, LOUD))
        bars.append(bar)
    return bars
