"""Which tempo and which step begins the bar, where beats were tracked elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from features.grid import N_STEPS
from features.metre import Hearing, bar_profile, choose_bars
from features.onsets import find_onsets, onset_curves

ROCK = {"kick": (0, 8, 10), "snare": (4, 12), "hats": (0, 2, 4, 6, 8, 10, 12, 14), "toms": ()}
BPM = 112.0
PERIOD_S = 60 / BPM
N_BARS = 8


def rock_profile(late: int) -> np.ndarray:
    """Profile of the rock beat on a grid that begins some steps late."""
    rows = list(enumerate(ROCK.values()))
    strokes = [(16 * bar + step - late, row) for bar in range(N_BARS) for row, steps in rows for step in steps]
    step = np.array([at for at, _ in strokes])
    drums = np.zeros((4, step.size), np.float32)
    drums[[row for _, row in strokes], np.arange(step.size)] = 1
    return bar_profile(step, drums, np.where(drums[2] > 0, -12.0, 0.0).astype(np.float32))


def hearing(late: int, bpm: float = BPM, share: float = 0.5) -> Hearing:
    """Beats tracked so many sixteenths after the first bar begins, at 0 s."""
    return Hearing(bpm, share, (np.arange(4 * N_BARS) + late / 4) * 60 / bpm, rock_profile(late))


@pytest.mark.parametrize("late", [0, 2, 4, 6, 12])
def test_the_bar_is_found_wherever_the_beats_were_tracked(late: int) -> None:
    bars = choose_bars([hearing(late)])
    assert bars.bpm == BPM
    begins = bars.beat_times[bars.first] / PERIOD_S
    assert begins % 4 == pytest.approx(0, abs=1e-9)
    assert np.diff(bars.beat_times) == pytest.approx(PERIOD_S)


def test_a_related_tempo_needs_more_than_its_pattern() -> None:
    likely, unlikely = hearing(0), hearing(0, bpm=2 * BPM, share=0.01)
    assert choose_bars([unlikely, likely]).bpm == BPM
    assert choose_bars([unlikely]).bpm == 2 * BPM


def test_profile_counts_bars_in_which_something_is_played() -> None:
    profile = rock_profile(0)
    assert profile.shape == (5, N_STEPS)
    for row, at in zip(profile[:4], ROCK.values(), strict=True):
        assert np.flatnonzero(row).tolist() == list(at)
        assert set(row[list(at)].tolist()) <= {1.0}


def test_a_stroke_that_the_end_cuts_off_is_no_onset() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(2 * 22050, np.float32)
    for at_s in (0.5, 1.0, 1.995):
        start = round(at_s * 22050)
        y[start : start + 2000] += rng.standard_normal(y[start : start + 2000].size).astype(np.float32) * 0.3
    assert find_onsets(onset_curves(y)).times_s == pytest.approx([0.5, 1.0], abs=0.01)
