"""Drum rhythm against patterns whose tempo, swing and strokes are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.base import Description, Stems
from features.drum_rhythm import DrumRhythm, analyse_drums
from features.errors import TooShort
from features.grid import syncopation
from features.onsets import ONSET_SR
from features.tempo import track_beats

SR = 44100
HOUSE = {"k": "X...X...X...X...", "s": "....X.......X...", "h": "x.x.x.x.x.x.x.x."}
DNB = {"k": "X.........X.....", "s": "....X.......X...", "h": "x.x.x.x.x.x.x.x."}
ROCK = {"k": "X.......X.......", "s": "....X.......X...", "h": "x.x.x.x.x.x.x.x."}
HIPHOP = {"k": "X.....X.X.X.....", "s": "....X.......X...", "h": "x.x.x.x.x.x.x.x."}


def sounds(sr: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A kick, a snare and a closed hat."""
    t = np.arange(int(0.35 * sr)) / sr
    noise = rng.standard_normal((3, t.size))
    kick = np.sin(2 * np.pi * np.cumsum(50 + 110 * np.exp(-t / 0.028)) / sr) * np.exp(-t / 0.11)
    kick[: sr // 250] += 0.3 * noise[0, : sr // 250]
    tone = 0.6 * np.sin(2 * np.pi * 200 * t) * np.exp(-t / 0.07) + 0.4 * np.sin(2 * np.pi * 356 * t) * np.exp(-t / 0.04)
    snare = 0.7 * (tone + 0.5 * np.diff(noise[1], append=0) * np.exp(-t / 0.09))
    hat = 0.15 * np.diff(noise[2], n=2, append=[0, 0]) * np.exp(-t / 0.03)
    fade = np.minimum(1, (t[-1] - t) / 0.03)  # a stroke cut off would be an onset of its own
    return {"k": kick * fade, "s": snare * fade, "h": hat * fade}


def strokes(
    bar: dict[str, str], bpm: float, duration_s: float, *, swing: float = 1.0, jitter_ms: float = 2.0, seed: int = 0
) -> list[tuple[float, str, float]]:
    """(seconds, drum, gain) of a pattern of sixteen steps; swing moves every second eighth."""
    rng = np.random.default_rng(seed)
    out = []
    for n in range(math.ceil(duration_s / (240 / bpm))):
        for drum, steps in bar.items():
            for step, mark in enumerate(steps):
                if mark != ".":
                    eighth, sixteenth = divmod(step, 2)
                    beat = eighth // 2 + (swing / (1 + swing) if eighth % 2 else 0) + 0.25 * sixteenth
                    late = rng.normal(0, jitter_ms / 1000)
                    gain = (1.0 if mark == "X" else 0.6) * rng.uniform(0.9, 1.1)
                    out.append((0.3 + (4 * n + beat) * 60 / bpm + late, drum, gain))
    return out


def render(events: list[tuple[float, str, float]], duration_s: float, sr: int = SR, seed: int = 1) -> np.ndarray:
    kit = sounds(sr, np.random.default_rng(seed))
    y = np.zeros(int((duration_s + 1) * sr))
    for at, drum, gain in events:
        start = round(at * sr)
        if 0 <= start < duration_s * sr:
            y[start : start + kit[drum].size] += gain * kit[drum]
    return (0.3 * y[: int(duration_s * sr)]).astype(np.float32)


def describe(y: np.ndarray, sr: int = SR) -> Description:
    y = np.atleast_2d(y)
    return DrumRhythm().extract(Stems({"drums": y, "mixture": y}, sr))


def play(bar: dict[str, str], bpm: float, duration_s: float = 14.0, swing: float = 1.0) -> np.ndarray:
    return render(strokes(bar, bpm, duration_s, swing=swing), duration_s)


@pytest.fixture(scope="module")
def house() -> Description:
    return describe(play(HOUSE, 124))


@pytest.fixture(scope="module")
def dnb() -> Description:
    return describe(play(DNB, 174))


@pytest.mark.parametrize(
    ("bar", "bpm"),
    [(HOUSE, 124), (DNB, 174), (ROCK, 96), (ROCK, 140), (HIPHOP, 88)],
    ids=["house", "dnb", "rock96", "rock140", "hiphop"],
)
def test_tempo_with_its_octave(bar: dict[str, str], bpm: float) -> None:
    values = describe(play(bar, bpm)).values
    assert values["tempo_bpm"] == pytest.approx(bpm, rel=0.02)
    assert 0 < values["tempo_confidence"] <= 1


def test_house_and_drum_and_bass_are_far_apart(house: Description, dnb: Description) -> None:
    assert house.values["four_on_the_floor"] > 0.8
    assert dnb.values["four_on_the_floor"] < 0.4
    assert dnb.values["syncopation"] > house.values["syncopation"]
    # Another house beat, four beats a minute faster and with another take, is much nearer.
    other = describe(render(strokes(HOUSE, 128, 14.0, seed=5), 14.0, seed=6))
    near = np.linalg.norm(other.descriptor - house.descriptor)
    assert np.linalg.norm(dnb.descriptor - house.descriptor) > 2 * near


def test_rock_has_a_backbeat_and_drums_on_the_wrong_beats_have_none() -> None:
    assert describe(play(ROCK, 120)).values["backbeat_strength"] > 0.8
    assert describe(play(ROCK, 120)).values["four_on_the_floor"] < 0.4
    everywhere = {"k": "..X.......X.....", "s": "X...X...X...X...", "h": ROCK["h"]}
    assert abs(describe(play(everywhere, 120)).values["backbeat_strength"]) < 0.3


@pytest.mark.parametrize("swing", [1.0, 1.5, 2.0])
def test_swing(swing: float) -> None:
    assert describe(play(ROCK, 112, swing=swing)).values["swing_ratio"] == pytest.approx(swing, abs=0.05)


def test_swing_is_not_known_where_nothing_falls_between_the_beats() -> None:
    beats_only = {"k": "X...X...X...X...", "s": "....X.......X...", "h": "x...x...x...x..."}
    assert math.isnan(describe(play(beats_only, 120)).values["swing_ratio"])


def test_microtiming_grows_with_looseness() -> None:
    tight, loose = (
        describe(render(strokes(ROCK, 110, 20.0, jitter_ms=jitter), 20.0)).values["microtiming_deviation_ms"]
        for jitter in (1.0, 15.0)
    )
    assert tight < 6
    assert 10 < loose < 25


def test_rates_and_accents() -> None:
    values = describe(play(ROCK, 120)).values
    assert values["onset_rate_hz"] == pytest.approx(4.0, rel=0.1)
    assert values["snare_rate_hz"] == pytest.approx(1.0, rel=0.15)
    assert values["kick_rate_hz"] == pytest.approx(1.0, rel=0.15)
    assert values["accent_range_db"] > 5


def test_pattern_in_the_descriptor_is_the_pattern_played(house: Description) -> None:
    names = DrumRhythm.descriptor_names
    steps = house.descriptor[[names.index(f"kick_step_{i:02d}") for i in range(1, 17)]]
    assert "".join("X" if step > 0.5 else "." for step in steps) == HOUSE["k"]


def test_strokes_are_told_apart() -> None:
    events = strokes(HIPHOP, 88, 14.0)
    y = render(events, 14.0, ONSET_SR)
    analysis = analyse_drums(y)
    assert analysis is not None
    for row, drum in zip(analysis.drums[:2], "ks", strict=True):
        found = analysis.onsets.times_s[row > 0.5]
        true = np.array([at for at, name, _ in events if name == drum and at < 13.9])
        hits = int((np.abs(found[:, None] - true).min(axis=0) < 0.03).sum())
        assert 2 * hits / (found.size + true.size) > 0.85, drum


def test_syncopation_of_known_bars() -> None:
    def bar(steps: str) -> np.ndarray:
        return np.array([[mark != "." for mark in steps]])

    assert syncopation(bar("X...X...X...X...")) == 0
    assert syncopation(bar("X.......X.......")) == 0
    # The last eighth held over the bar's first beat: weight 0 against −3.
    assert syncopation(bar("....X...X.....X.")) == 3
    assert math.isnan(syncopation(bar("................")))


def test_beats_fall_where_they_are() -> None:
    from features.tempo import CURVE_RATE_HZ

    curve = np.zeros(round(20 * CURVE_RATE_HZ))
    times = 0.4 + 0.5 * np.arange(39)
    curve[np.round(times * CURVE_RATE_HZ).astype(int)] = 1
    beats = track_beats(curve, 121)
    inner = beats[(beats > 0.3) & (beats < 19.5)]
    assert np.abs(inner[:, None] - times).min(axis=1).max() < 0.02
    assert inner.size >= 37


def test_gain_polarity_rate_and_channels_change_nothing(house: Description) -> None:
    y = play(HOUSE, 124)
    for changed in (y * 10, y * 0.1, -y, np.stack([y, y])):
        assert np.abs(describe(changed).descriptor - house.descriptor).max() < 0.02
    again = describe(render(strokes(HOUSE, 124, 14.0), 14.0, 48000), 48000)
    assert again.values["tempo_bpm"] == pytest.approx(house.values["tempo_bpm"], rel=0.005)


@pytest.mark.parametrize("sr", [8000, 22050, 96000])
def test_other_rates(sr: int) -> None:
    y = render(strokes(ROCK, 120, 10.0), 10.0, sr)
    assert describe(y, sr).values["tempo_bpm"] == pytest.approx(120, rel=0.02)


def test_too_short() -> None:
    with pytest.raises(TooShort, match=r"0\.20 s"):
        DrumRhythm().describe(Stems({"drums": play(ROCK, 120, 0.2)[None]}, SR))


def test_what_is_no_rhythm_has_no_numbers_but_a_finite_descriptor() -> None:
    rng = np.random.default_rng(0)
    clicks = np.zeros(3 * SR, np.float32)
    clicks[SR : SR + 3000] = rng.standard_normal(3000) * 0.3
    for y in (clicks, rng.standard_normal(2 * SR).astype(np.float32) * 0.1, np.ones(2 * SR, np.float32) * 0.1):
        stems = Stems({"drums": y[None], "mixture": y[None]}, SR)
        description = DrumRhythm().describe(stems)
        assert np.isfinite(description.descriptor).all()
    stems = Stems({"drums": clicks[None], "mixture": clicks[None]}, SR)
    assert math.isnan(DrumRhythm().describe(stems).values["tempo_bpm"])


def test_values_stay_within_their_declared_ranges(house: Description, dnb: Description) -> None:
    assert 60 <= len(DrumRhythm.descriptor_names) <= 120
    for description in (house, dnb):
        for column in DrumRhythm.columns:
            value = description.values[column.name]
            assert math.isnan(value) or column.low <= value <= column.high, column.name


@pytest.mark.shared
def test_real_drums_recorded_to_a_click(shared_data) -> None:
    import soundfile

    y, sr = soundfile.read(shared_data / "mdb-drums" / "Rockabilly" / "drums.opus", dtype="float32", always_2d=True)
    values = describe(np.ascontiguousarray(y.T), sr).values
    assert values["tempo_bpm"] == pytest.approx(110, rel=0.02)
    assert values["swing_ratio"] > 1.4
