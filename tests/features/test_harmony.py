"""Harmony on chords whose names are known."""

import numpy as np
import pytest

from features.base import Description, Stems
from features.chroma import MAJOR_PROFILE, chord_path
from features.harmony import Harmony

SR = 22050
MAJOR, MINOR = (0, 4, 7), (0, 3, 7)


def chord(notes: list[int], seconds: float, tuning_cents: float = 0.0) -> np.ndarray:
    """Plucked tones with eight overtones; notes as MIDI numbers."""
    t = np.arange(int(seconds * SR)) / SR
    y = np.zeros(t.size)
    for note in notes:
        f = 440 * 2 ** ((note - 69 + tuning_cents / 100) / 12)
        y += sum(0.6**k * np.cos(2 * np.pi * k * f * t + k) for k in range(1, 9) if k * f < SR / 2)
    return 0.05 * y * np.exp(-1.5 * t)


def cadence(tonic: int, major: bool, seconds: float = 1.0, tuning_cents: float = 0.0) -> np.ndarray:
    """I–IV–V–I, or i–iv–V–i, twice."""
    own = MAJOR if major else MINOR
    chords = [(0, own), (5, own), (7, MAJOR), (0, own)] * 2
    return np.concatenate(
        [chord([48 + (tonic + root + i) % 12 for i in triad] + [60 + (tonic + root) % 12], seconds, tuning_cents)
         for root, triad in chords]
    )  # fmt: skip


def describe(other: np.ndarray) -> Description:
    y = other.astype(np.float32)[None]
    return Harmony().extract(Stems({"other": y, "bass": np.zeros_like(y), "mixture": y}, SR))


@pytest.mark.parametrize("tonic", [0, 3, 8, 10])
@pytest.mark.parametrize("major", [True, False])
def test_key_of_a_cadence(tonic: int, major: bool) -> None:
    values = describe(cadence(tonic, major)).values
    assert values["key_pitch_class"] == tonic
    assert values["mode_is_major"] == float(major)
    assert values["key_strength"] > 0.7


@pytest.mark.parametrize("cents", [-35.0, -10.0, 0.0, 22.0])
def test_tuning(cents: float) -> None:
    values = describe(cadence(2, True, tuning_cents=cents)).values
    assert values["tuning_cents"] == pytest.approx(cents, abs=3)
    assert values["key_pitch_class"] == 2


def test_chord_changes() -> None:
    slow, fast = describe(cadence(0, True, 2.0)).values, describe(cadence(0, True, 0.5)).values
    # I–IV–V–I twice: the repeat begins with the chord that ended, so six changes in eight chords.
    assert slow["chord_change_rate_hz"] == pytest.approx(6 / 16, abs=0.07)
    assert fast["chord_change_rate_hz"] == pytest.approx(6 / 4, abs=0.3)
    assert fast["chroma_change_rate_hz"] > 1.5 * slow["chroma_change_rate_hz"]


def test_minor_chords() -> None:
    assert describe(cadence(0, True)).values["chord_minor_ratio"] == 0
    assert describe(cadence(0, False)).values["chord_minor_ratio"] == pytest.approx(0.75, abs=0.06)


def test_chord_path_names_the_triad() -> None:
    frames = np.zeros((8, 12), np.float32)
    frames[:4, [2, 6, 9]] = 1 / 3
    frames[4:, [4, 7, 11]] = 1 / 3
    assert chord_path(frames).tolist() == [2] * 4 + [12 + 4] * 4
    assert chord_path(np.zeros((3, 12), np.float32)).tolist() == [24] * 3


def test_transposition_leaves_the_descriptor() -> None:
    low, high, minor = (describe(cadence(*key)).descriptor[:18] for key in ((0, True), (5, True), (0, False)))
    assert np.linalg.norm(low - high) < 0.2 * np.linalg.norm(low - minor)


def test_onset_rate() -> None:
    y = np.concatenate([chord([60, 64, 67], 0.25) * np.exp(-4 * np.arange(int(0.25 * SR)) / SR) for _ in range(24)])
    assert describe(y).values["onset_rate_hz"] == pytest.approx(4, abs=0.3)


def tones(levels: dict[int, float], seconds: float) -> np.ndarray:
    """Sines: amplitude by MIDI number."""
    t = np.arange(int(seconds * SR)) / SR
    return 0.1 * sum(a * np.cos(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * t + note) for note, a in levels.items())


@pytest.mark.parametrize("n", [1, 3, 12])
def test_entropy_of_notes_alike(n: int) -> None:
    found = describe(tones(dict.fromkeys(range(60, 72, 12 // n), 1.0), 5)).values["chroma_entropy"]
    assert found == pytest.approx(np.log(n) / np.log(12), abs=0.01)


def test_a_chroma_that_is_the_profile_fits_it() -> None:
    values = describe(tones({60 + (i + 2) % 12: weight for i, weight in enumerate(MAJOR_PROFILE)}, 5)).values
    assert values["key_strength"] > 0.98
    assert (values["key_pitch_class"], values["mode_is_major"]) == (2, 1)


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_chroma_exchanged_at_every_chord(seconds: float) -> None:
    c_major, d_major = (tones(dict.fromkeys((60 + root, 64 + root, 67 + root), 1.0), seconds) for root in (0, 2))
    values = describe(np.concatenate([c_major, d_major] * round(8 / seconds))).values
    assert values["chroma_change_rate_hz"] == pytest.approx(1 / seconds, abs=0.08)


def test_contrast_of_noise() -> None:
    # Power of a bin of noise is exponential: mean level of the upper fifth over that of the lower.
    level = 10 * np.log10(-np.log1p(-(np.arange(50000) + 0.5) / 50000))
    truth = level[40000:].mean() - level[:10000].mean()
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * SR)
    assert describe(noise).values["spectral_contrast_db"] == pytest.approx(truth, abs=1.5)


def test_entropy_brightness_flatness_and_contrast() -> None:
    rng = np.random.default_rng(0)
    tonal, noisy = describe(chord([60, 64, 67], 4)).values, describe(0.1 * rng.standard_normal(4 * SR)).values
    assert tonal["chroma_entropy"] < noisy["chroma_entropy"]
    assert tonal["brightness_hz"] < 1000
    assert noisy["brightness_hz"] == pytest.approx((60 + 10500) / 2, rel=0.05)
    assert noisy["spectral_flatness_db"] == pytest.approx(-2.5, abs=0.4)  # of an exponential distribution: −γ in nepers
    assert tonal["spectral_flatness_db"] < -25
    assert tonal["spectral_contrast_db"] > noisy["spectral_contrast_db"] + 10


def test_level_range() -> None:
    tone = chord([60, 64, 67], 4) / np.exp(-1.5 * np.arange(4 * SR) / SR)
    steps = np.repeat([1.0, 0.1], 2 * SR)
    assert describe(tone * steps).values["level_range_db"] == pytest.approx(20, abs=1)
