"""The drums' named columns, each against a pattern whose number is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_drum_rhythm import HOUSE, ROCK, SR, describe, play, render, sounds, strokes

from features.base import Stems
from features.drum_rhythm import DrumRhythm

Events = list[tuple[float, str, float]]
FIRST_S = 0.3


def bars_of(patterns: list[dict[str, str]], bpm: float) -> Events:
    """Bars of sixteen steps, one after another, without a human's looseness."""
    step_s = 15 / bpm
    return [
        (FIRST_S + (16 * n + step) * step_s, drum, 1.0 if mark == "X" else 0.6)
        for n, bar in enumerate(patterns)
        for drum, steps in bar.items()
        for step, mark in enumerate(steps)
        if mark != "."
    ]


def soft_beat(hats: str) -> np.ndarray:
    """Four on the floor with a kick that has no click, which nothing can take for hats, under a pattern of hats."""
    kit = sounds(SR, np.random.default_rng(1))
    t = np.arange(kit["k"].size) / SR
    edges = np.minimum(1, t / 0.004) * np.minimum(1, (t[-1] - t) / 0.03)
    kit["k"] = np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.11) * edges
    y = np.zeros(15 * SR)
    for at, drum, gain in strokes({"k": "X...X...X...X...", "h": hats}, 110, 14.0):
        start = round(at * SR)
        if start < 14 * SR:
            y[start : start + t.size] += 0.3 * gain * kit[drum]
    return y[: 14 * SR].astype(np.float32)


def bursts(hz: float) -> np.ndarray:
    t = np.arange(8 * SR) / SR
    gate = np.minimum(1, (t % 0.5) / 0.003) * np.exp(-(t % 0.5) / 0.1)
    return (0.3 * np.sin(2 * np.pi * hz * t) * gate).astype(np.float32)


def test_steady_drums_have_one_pulse_and_random_strokes_none() -> None:
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0.2, 19.5, 60))
    apart = times[np.concatenate([[True], np.diff(times) > 0.06])]
    steady, random = (describe(y).values for y in (play(ROCK, 120), render([(t, "s", 1.0) for t in apart], 20.0)))
    assert steady["pulse_clarity"] > 0.9
    assert random["pulse_clarity"] < 0.25
    assert steady["tempo_confidence"] > 0.95
    assert random["tempo_confidence"] < 0.5


def test_tempo_variation_of_a_tempo_that_climbs() -> None:
    # From 114 to 126 beats a minute within 32 s.
    t = np.linspace(0, 32, 2000)
    eighths = FIRST_S + np.interp(np.arange(0, 63, 0.5), np.cumsum((114 + 12 * t / 32) / 60) * (t[1] - t[0]), t)
    events = [(at, "h", 0.6) for at in eighths]
    events += [(at, drum, 1.0) for first, drum in ((0, "k"), (2, "s")) for at in eighths[first::4]]
    bars = eighths[8::2] - eighths[:-8:2]
    truth = 100 * float(np.std(bars) / np.mean(bars))
    assert describe(render(events, 32.0)).values["tempo_variation_percent"] == pytest.approx(truth, rel=0.15)
    assert describe(play(ROCK, 120)).values["tempo_variation_percent"] < 0.2


def test_rates_and_steps_of_a_rock_beat() -> None:
    values = describe(play(ROCK, 120)).values
    assert values["hats_rate_hz"] == pytest.approx(4, rel=0.1)
    assert values["onsets_per_beat"] == pytest.approx(2, rel=0.1)
    assert values["kick_steps_per_bar"] == pytest.approx(2, abs=0.3)
    assert values["snare_steps_per_bar"] == pytest.approx(2, abs=0.5)
    assert values["hats_steps_per_bar"] == pytest.approx(8, abs=1.2)


@pytest.mark.parametrize(
    ("hats", "truth"), [("x...x...x...x...", -1.0), ("x.x.x.x.x.x.x.x.", 0.0), ("x.x...x...x...x.", 0.6)]
)
def test_offbeat_hats(hats: str, truth: float) -> None:
    assert describe(soft_beat(hats)).values["offbeat_hats"] == pytest.approx(truth, abs=0.1)


@pytest.mark.parametrize("ratio", [1.0, 1.4, 1.8])
def test_sixteenth_swing(ratio: float) -> None:
    beat_s, late = 0.6, 0.5 * ratio / (1 + ratio)
    events = [(FIRST_S + (beat + at) * beat_s, "h", 0.6) for beat in range(32) for at in (0, late, 0.5, 0.5 + late)]
    events += [(FIRST_S + beat * beat_s, "ks"[beat % 2], 1.0) for beat in range(32)]
    values = describe(render(events, 19.6)).values
    assert values["sixteenth_swing_ratio"] == pytest.approx(ratio, abs=0.05)
    assert values["swing_ratio"] == pytest.approx(1, abs=0.05)


def test_syncopation_counted_by_hand() -> None:
    # The kick alone: from step 4 over the second beat (2 points), from 7 over the third (2), from 11 over the fourth
    # (1). With the snare's strokes on 2 and 4 only the second of these is held.
    beat = {"k": "X..X..X...X.....", "s": "....X.......X...", "h": "x.x.x.x.x.x.x.x."}
    values = describe(play(beat, 100)).values
    assert values["kick_syncopation"] == pytest.approx(5, abs=0.5)
    assert values["syncopation"] == pytest.approx(2, abs=0.5)


def test_repetition_of_bars() -> None:
    other = {**ROCK, "k": "X.....X.......X.", "s": "....X...X......."}
    a, b = (
        np.array([[mark != "." for mark in steps] for steps in bar.values()], float).ravel() for bar in (ROCK, other)
    )
    truth = float(a @ b / math.sqrt(a.sum() * b.sum()))
    values = describe(render(bars_of([ROCK, other] * 4, 110), 17.7)).values
    assert values["bar_repetition"] == pytest.approx(truth, abs=0.1)
    assert describe(render(bars_of([ROCK] * 8, 110), 17.7)).values["bar_repetition"] > 0.9


def test_late_snares_move_the_groove() -> None:
    # Two of eight steps come late; the beats follow them a little.
    offsets = []
    for late_s in (0.0, 0.015, 0.03):
        beat = {"k": "X.......X.......", "s": "................", "h": "..x...x...x...x."}
        snares = [(FIRST_S + (2 * n + 1) * 0.5 + late_s, "s", 1.0) for n in range(16)]
        values = describe(render(bars_of([beat] * 8, 120) + snares, 16.3)).values
        offsets.append(values["groove_offset_ms"])
        assert values["microtiming_deviation_ms"] < 2
    for step in np.diff(offsets):
        assert step == pytest.approx(15 * 2 / 8, abs=1)


def test_accents_twenty_decibels_apart() -> None:
    events = [(FIRST_S + 0.25 * n, "s", 0.1 if n % 2 else 1.0) for n in range(60)]
    assert describe(render(events, 15.5)).values["accent_range_db"] == pytest.approx(20, abs=2.5)
    even = [(at, drum, 1.0) for at, drum, _ in events]
    assert describe(render(even, 15.5)).values["accent_range_db"] < 1


def test_ghost_notes() -> None:
    beat = bars_of([ROCK] * 8, 100)
    assert describe(render(beat, 19.2)).values["ghost_note_ratio"] == 0
    # Three soft strokes to two loud ones.
    ghosts = [(FIRST_S + (16 * n + step) * 0.15, "s", 0.17) for n in range(8) for step in (3, 7, 15)]
    assert describe(render(beat + ghosts, 19.2)).values["ghost_note_ratio"] == pytest.approx(0.6, abs=0.12)


@pytest.mark.parametrize(("hz", "low", "high"), [(60.0, 1.0, 0.0), (1000.0, 0.0, 0.0), (6000.0, 0.0, 1.0)])
def test_where_the_energy_lies(hz: float, low: float, high: float) -> None:
    values = describe(bursts(hz)).values
    assert values["low_energy_ratio"] == pytest.approx(low, abs=0.02)
    assert values["high_energy_ratio"] == pytest.approx(high, abs=0.02)
    assert values["spectral_centroid_hz"] == pytest.approx(hz, rel=0.2)  # bands are a half to a third of an octave wide


def test_level_against_the_mixture() -> None:
    y = play(HOUSE, 124, 6.0)[None]
    for gain_db in (-6.0, -18.0):
        stems = Stems({"drums": y, "mixture": y * np.float32(10 ** (-gain_db / 20))}, SR)
        assert DrumRhythm().extract(stems).values["level_re_mixture_db"] == pytest.approx(gain_db, abs=0.01)


def test_loose_strokes_are_as_loose_as_they_were_played() -> None:
    # Strokes that fall together are one onset, so only what is alone keeps its own looseness.
    beat = {"k": "X...............", "s": "....X.......X...", "h": "..x...x.x.x...x."}
    values = describe(render(strokes(beat, 110, 26.0, jitter_ms=8.0), 26.0)).values
    assert values["microtiming_deviation_ms"] == pytest.approx(8, rel=0.3)
