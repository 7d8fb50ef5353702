"""Bass lines against notes that were written down."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.base import Description, Stems
from features.bass_line import BassLine
from features.bass_notes import count_slides
from features.errors import TooShort

SR = 44100


def tone(hz: np.ndarray | float, duration_s: float, sr: int = SR, decay: float = 0.7) -> np.ndarray:
    """A note of eight harmonics with soft edges; `hz` may move."""
    n = round(duration_s * sr)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, n)) / sr
    y = sum(decay**k * np.sin((k + 1) * phase + k * k) for k in range(8))
    edge = np.minimum(1, np.minimum(np.arange(n), n - 1 - np.arange(n)) / (0.008 * sr))
    return 0.1 * y * edge


def line(midi: list[int], note_s: float = 0.3, gap_s: float = 0.1, sr: int = SR, decay: float = 0.7) -> np.ndarray:
    rest = np.zeros(round(gap_s * sr))
    parts = [part for pitch in midi for part in (tone(440 * 2 ** ((pitch - 69) / 12), note_s, sr, decay), rest)]
    return np.concatenate(parts).astype(np.float32)


def describe(y: np.ndarray, sr: int = SR) -> Description:
    y = np.atleast_2d(y)
    return BassLine().extract(Stems({"bass": y, "mixture": y}, sr))


WALK = [33, 35, 36, 38, 40, 38, 36, 35] * 3
FIFTHS = [33, 40, 33, 40, 38, 33, 38, 33] * 3


@pytest.mark.parametrize("hz", [32.0, 41.2, 55.0, 98.0, 220.0, 350.0])
def test_pitch_within_ten_cents(hz: float) -> None:
    y = np.concatenate([tone(hz, 1.0)] * 3).astype(np.float32)
    assert abs(1200 * math.log2(describe(y).values["f0_median_hz"] / hz)) < 10


def test_notes_of_a_walking_line() -> None:
    values = describe(line(WALK)).values
    assert values["note_rate_hz"] == pytest.approx(2.5, rel=0.05)
    assert values["note_length_ms"] == pytest.approx(300, abs=50)
    assert values["sustain_ratio"] == pytest.approx(0.75, abs=0.1)
    assert values["stepwise_ratio"] == pytest.approx(1.0, abs=0.05)
    assert values["leap_ratio"] == 0
    assert values["interval_mean_semitones"] == pytest.approx(np.abs(np.diff(WALK)).mean(), abs=0.1)


def test_fourths_and_fifths() -> None:
    values = describe(line(FIFTHS)).values
    steps = np.abs(np.diff(FIFTHS))
    assert values["fifth_motion_ratio"] == pytest.approx(np.isin(steps[steps > 0], [5, 7]).mean(), abs=0.05)
    assert values["leap_ratio"] == pytest.approx((steps >= 5).mean(), abs=0.05)
    assert values["root_share"] == pytest.approx(0.5, abs=0.05)


def test_pedal_point_against_many_pitch_classes() -> None:
    pedal, chromatic = describe(line([36] * 16)).values, describe(line(list(range(33, 45)) * 2)).values
    assert pedal["pitch_class_entropy_bits"] == pytest.approx(0, abs=0.05)
    assert pedal["repeated_note_ratio"] == 1
    assert chromatic["pitch_class_entropy_bits"] == pytest.approx(math.log2(12), abs=0.1)


def test_octaves() -> None:
    assert describe(line([33, 45] * 10)).values["octave_ratio"] == 1
    assert describe(line(WALK)).values["octave_ratio"] == 0


def test_legato_notes_are_cut_by_pitch_and_held_longer() -> None:
    values = describe(line(WALK, note_s=0.4, gap_s=0.0)).values
    assert values["note_rate_hz"] == pytest.approx(2.5, rel=0.1)
    assert values["sustain_ratio"] > 0.9


def test_slides() -> None:
    glide = np.concatenate([np.full(13230, 55.0), np.geomspace(55.0, 73.4, 13230), np.full(13230, 73.4)])
    y = np.concatenate([tone(glide, 0.9), np.zeros(4410)] * 5).astype(np.float32)
    assert describe(y).values["slide_ratio"] == pytest.approx(0.5, abs=0.05)  # a glide joins two notes
    assert describe(line(WALK, gap_s=0.0)).values["slide_ratio"] < 0.1
    assert count_slides(np.full(100, 40.0)) == 0


def test_tone() -> None:
    dark, bright = describe(line(WALK, decay=0.3)).values, describe(line(WALK, decay=0.9)).values
    assert dark["spectral_tilt_db_per_octave"] < bright["spectral_tilt_db_per_octave"] - 5
    assert dark["spectral_centroid_hz"] < bright["spectral_centroid_hz"]


def test_register() -> None:
    values = describe(line([28] * 4 + [33] * 9 + [40] * 7 + [45] * 4)).values
    assert values["f0_low_hz"] == pytest.approx(41.2, rel=0.006)
    assert values["f0_median_hz"] == pytest.approx(55.0, rel=0.006)
    assert values["f0_high_hz"] == pytest.approx(110.0, rel=0.006)
    assert values["register_range_semitones"] == pytest.approx(17, abs=0.1)


def test_voiced_is_what_is_no_noise() -> None:
    rng = np.random.default_rng(0)
    parts = [part for _ in range(6) for part in (tone(55.0, 0.6), 0.05 * rng.standard_normal(round(0.4 * SR)))]
    assert describe(np.concatenate(parts).astype(np.float32)).values["voiced_ratio"] == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("cents", [5.0, 12.0])
def test_wobble_is_the_spread_of_the_pitch(cents: float) -> None:
    t = np.arange(round(0.8 * SR)) / SR
    note = tone(55 * 2 ** (cents * math.sqrt(2) / 1200 * np.sin(2 * np.pi * 5 * t)), 0.8)
    y = np.concatenate([part for _ in range(6) for part in (note, np.zeros(4410))]).astype(np.float32)
    assert describe(y).values["pitch_wobble_cents"] == pytest.approx(cents, rel=0.2)


@pytest.mark.parametrize("fall_db", [12.0, 24.0])
def test_rise_and_range_of_notes_that_fade(fall_db: float) -> None:
    # Each note falls evenly: from 30 ms after its start to 25 ms before the next it has lost 0.345 of 0.4 s's fall.
    t = np.arange(round(8 * SR)) / SR
    y = tone(55.0, 8.0) * 10 ** (-fall_db * (t % 0.4) / 0.4 / 20)
    values = describe(y.astype(np.float32)).values
    assert values["onset_rise_db"] == pytest.approx(fall_db * 0.345 / 0.4, abs=2.5)
    assert values["level_range_db"] == pytest.approx(0.8 * fall_db, rel=0.1)


@pytest.mark.parametrize("slope", [-6.0, -12.0])
def test_tilt_is_the_slope_of_the_harmonics(slope: float) -> None:
    t = np.arange(4 * SR) / SR
    y = sum(10 ** (slope * math.log2(k) / 20) * np.sin(2 * np.pi * 41.2 * k * t + k * k) for k in range(1, 200))
    values = describe((0.05 * y).astype(np.float32)).values
    assert values["spectral_tilt_db_per_octave"] == pytest.approx(slope, abs=1)


def test_centroid_lies_in_the_band_of_a_pure_tone() -> None:
    y = 0.1 * np.sin(2 * np.pi * 100 * np.arange(3 * SR) / SR)
    assert describe(y.astype(np.float32)).values["spectral_centroid_hz"] == pytest.approx(100, rel=0.2)


def test_plucks_rise_faster_than_swells() -> None:
    n = round(0.4 * SR)
    swell = np.concatenate([tone(55.0, 0.4) * np.linspace(0.1, 1, n) for _ in range(10)]).astype(np.float32)
    assert describe(line([33] * 10)).values["onset_rise_db"] > 15
    assert describe(swell).values["onset_rise_db"] < describe(line([33] * 10)).values["onset_rise_db"]


def test_transposition_keeps_intervals_and_moves_register() -> None:
    low, high = describe(line(FIFTHS)), describe(line([pitch + 4 for pitch in FIFTHS]))
    names = BassLine.descriptor_names
    moving = [i for i, name in enumerate(names) if name.startswith(("interval_", "pitch_class_"))]
    assert np.abs(low.descriptor[moving] - high.descriptor[moving]).max() < 0.1
    assert high.values["f0_median_hz"] > low.values["f0_median_hz"]
    walk = describe(line(WALK))
    assert np.abs(low.descriptor[moving] - walk.descriptor[moving]).max() > 0.2


def test_gain_polarity_and_channels_change_nothing() -> None:
    y = line(FIFTHS)
    reference = describe(y).descriptor
    for changed in (y * 10, y * 0.1, -y, np.stack([y, y])):
        assert np.abs(describe(changed).descriptor - reference).max() < 0.02


@pytest.mark.parametrize("sr", [8000, 48000])
def test_other_rates(sr: int) -> None:
    values = describe(line(WALK, sr=sr), sr).values
    assert values["note_rate_hz"] == pytest.approx(2.5, rel=0.05)
    assert values["f0_median_hz"] == pytest.approx(440 * 2 ** ((36 - 69) / 12), rel=0.03)


def test_noise_has_no_notes_and_a_finite_descriptor() -> None:
    y = np.random.default_rng(0).standard_normal(3 * SR).astype(np.float32) * 0.1
    description = describe(y)
    assert np.isfinite(description.descriptor).all()
    assert description.values["voiced_ratio"] < 0.5


def test_a_single_note_leaves_steps_unknown() -> None:
    description = describe(tone(55.0, 2.0).astype(np.float32))
    assert description.values["f0_median_hz"] == pytest.approx(55, rel=0.01)
    assert math.isnan(description.values["interval_mean_semitones"])


def test_too_short() -> None:
    with pytest.raises(TooShort):
        BassLine().describe(Stems({"bass": line([33], 0.15, 0.05)[None], "mixture": line([33], 0.15, 0.05)[None]}, SR))


def test_values_stay_within_their_declared_ranges() -> None:
    for y in (line(WALK), line(FIFTHS, 0.1, 0.02)):
        values = describe(y).values
        for column in BassLine.columns:
            assert math.isnan(values[column.name]) or column.low <= values[column.name] <= column.high, column.name
