"""Bass against kicks whose times were written down."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_bass_line import line, tone
from test_drum_rhythm import render

from features.base import Stems
from features.bass_kick import TOGETHER_S, bass_onsets, covered_s, kick_lock, kicks_of
from features.bass_line import BassLine
from features.onsets import ONSET_SR, onset_curves

SR = 44100
SECONDS = 12.0
BEATS = np.arange(0.25, SECONDS - 0.5, 0.5)
"""Four on the floor at 120 bpm; 50 ms either way cover a fifth of the time."""
COVERED = 0.2


def drums(kicks_s: np.ndarray, *, snares: bool = True) -> np.ndarray:
    events = [(float(at), "k", 1.0) for at in kicks_s]
    events += [(float(at), "s", 0.8) for at in BEATS[1::2] + 0.125 if snares]
    return render(events, SECONDS)[None]


def bass(starts_s: np.ndarray, note_s: float = 0.15) -> np.ndarray:
    y = np.zeros(round(SECONDS * SR))
    for place, at in enumerate(starts_s):
        note = tone(440 * 2 ** (([33, 35, 36, 38][place % 4] - 69) / 12), note_s)
        start = round(at * SR)
        y[start : start + note.size] += note[: y.size - start]
    return y.astype(np.float32)[None]


def stems(bass_y: np.ndarray, drums_y: np.ndarray | None) -> Stems:
    signals = {"bass": bass_y, "mixture": bass_y if drums_y is None else bass_y + drums_y}
    return Stems(signals if drums_y is None else signals | {"drums": drums_y}, SR)


def lock(starts_s: np.ndarray, kicks_s: np.ndarray = BEATS) -> float:
    return BassLine().extract(stems(bass(starts_s), drums(kicks_s))).values["kick_lock"]


def test_kicks_are_found_where_they_are_and_snares_are_none() -> None:
    found = kicks_of(stems(bass(BEATS), drums(BEATS)))
    assert found.size == BEATS.size
    assert np.abs(found - BEATS).max() < 0.02


@pytest.mark.parametrize(
    ("starts_s", "share"),
    [
        (BEATS, 1.0),
        (BEATS[::2], 1.0),  # a bass that plays less is locked all the same
        (BEATS + 0.25, 0.0),
        (np.sort(np.concatenate([BEATS, BEATS + 0.25])), 0.5),
        (np.sort(np.concatenate([BEATS, BEATS[::2] + 0.25])), 2 / 3),
    ],
    ids=["on each kick", "on every second", "between", "eighths", "two of three"],
)
def test_share_of_notes_with_a_kick_less_chance(starts_s: np.ndarray, share: float) -> None:
    assert lock(starts_s) == pytest.approx((share - COVERED) / (1 - COVERED), abs=0.06)


def even(times_s: np.ndarray, kicks_s: np.ndarray, duration_s: float) -> float:
    return kick_lock(times_s, np.ones(times_s.size), kicks_s, duration_s)


def test_notes_at_any_time_are_as_by_chance() -> None:
    anywhere = np.sort(np.random.default_rng(2).uniform(0, 300, 3000))
    kicks = np.sort(np.random.default_rng(3).uniform(0, 300, 600))
    assert even(anywhere, kicks, 300.0) == pytest.approx(0, abs=0.03)
    assert even(np.arange(0, 300, 0.31), kicks, 300.0) == pytest.approx(0, abs=0.05)


def test_a_strong_onset_counts_for_more() -> None:
    times = np.sort(np.concatenate([BEATS, BEATS + 0.25]))
    strength = np.where(np.isin(times, BEATS), 3.0, 1.0)
    share = covered_s(BEATS, TOGETHER_S, SECONDS) / SECONDS
    assert kick_lock(times, strength, BEATS, SECONDS) == pytest.approx((0.75 - share) / (1 - share), abs=0.02)


def test_onsets_of_the_bass_are_where_its_notes_begin() -> None:
    times, strength = bass_onsets(onset_curves(stems(bass(BEATS), None).mono("bass", ONSET_SR)))
    assert times.size == BEATS.size
    assert np.abs(times - BEATS).max() < 0.03
    assert (strength > 0).all()


def test_where_the_drums_pause_nothing_counts() -> None:
    kicks = BEATS[BEATS < 5]
    whole, half = even(BEATS, kicks, 300.0), even(BEATS[BEATS < 7], kicks, 7.0)
    assert whole == pytest.approx(half, abs=0.02)
    far = np.concatenate([kicks, np.arange(20, 290, 0.7)])
    assert even(far, kicks, 300.0) == 1.0


def test_without_drums_it_is_unknown_and_all_else_is_the_same() -> None:
    y = line([33, 35, 36, 38, 40, 38, 36, 35] * 3)[None]
    kit = drums(BEATS)[:, : y.shape[1]]
    kit = np.pad(kit, ((0, 0), (0, y.shape[1] - kit.shape[1])))
    # The mixture is the same each time: it decides what is silent.
    without = BassLine().extract(Stems({"bass": y, "mixture": y + kit}, SR))
    silent = BassLine().extract(Stems({"bass": y, "mixture": y + kit, "drums": 1e-4 * kit}, SR))
    sounding = BassLine().extract(Stems({"bass": y, "mixture": y + kit, "drums": kit}, SR))
    assert math.isnan(without.values["kick_lock"])
    assert math.isnan(silent.values["kick_lock"])
    assert math.isfinite(sounding.values["kick_lock"])
    for other in (silent, sounding):
        assert np.array_equal(other.descriptor, without.descriptor)
        assert {**other.values, "kick_lock": 0.0} == {**without.values, "kick_lock": 0.0}


def test_few_kicks_no_kicks_and_too_many_say_nothing() -> None:
    assert math.isnan(lock(BEATS, BEATS[:3]))
    assert math.isnan(even(np.empty(0), BEATS, SECONDS))
    assert math.isnan(even(BEATS, np.arange(0, SECONDS, 0.15), SECONDS))
    assert math.isnan(even(BEATS[-3:], BEATS, SECONDS))


def test_covered_time() -> None:
    assert covered_s(BEATS, TOGETHER_S, SECONDS) == pytest.approx(0.1 * BEATS.size)
    assert covered_s(np.array([0.0, 1.0]), 2.0, 1.5) == pytest.approx(1.5)
    assert covered_s(np.array([0.02, 0.04, 5.0]), 0.05, 5.01) == pytest.approx(0.09 + 0.06)
