"""Which stems sound."""

import numpy as np
import pytest

from features.activity import active_ratio, is_silent
from features.base import Stems

SR = 22050


def noise(seconds: float, level_db: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (10 ** (level_db / 20) * rng.standard_normal((2, int(seconds * SR)))).astype(np.float32)


def gated(y: np.ndarray, *spans: tuple[float, float]) -> np.ndarray:
    mask = np.zeros(y.shape[1], bool)
    for start, stop in spans:
        mask[int(start * SR) : int(stop * SR)] = True
    return y * mask


def band(vocals: np.ndarray, gain_db: float = 0.0) -> Stems:
    other = noise(vocals.shape[1] / SR, -20, 1)
    gain = np.float32(10 ** (gain_db / 20))
    return Stems({"vocals": vocals * gain, "other": other * gain, "mixture": (vocals + other) * gain}, SR)


def test_bleed_of_a_separator_is_not_a_voice() -> None:
    bleed = noise(30, -45, 2) + gated(noise(30, -32, 3), (4, 4.2), (11, 11.15), (20, 20.2))
    assert is_silent(band(bleed), "vocals")
    assert active_ratio(band(bleed), "vocals") < 0.05


def test_sparse_vocals_are_there() -> None:
    vocals = gated(noise(60, -22, 2), (30, 32))
    assert not is_silent(band(vocals), "vocals")
    assert active_ratio(band(vocals), "vocals") == pytest.approx(2 / 60, abs=0.01)


def test_active_ratio_is_the_share_that_sounds() -> None:
    vocals = gated(noise(20, -20, 2), (5, 13))
    assert active_ratio(band(vocals), "vocals") == pytest.approx(0.4, abs=0.01)
    assert active_ratio(band(vocals), "mixture") == 1.0


@pytest.mark.parametrize("gain_db", [-20.0, 20.0])
def test_gain_changes_nothing(gain_db: float) -> None:
    vocals = gated(noise(20, -26, 2), (5, 13)) + noise(20, -50, 4)
    reference, changed = band(vocals), band(vocals, gain_db)
    assert active_ratio(changed, "vocals") == pytest.approx(active_ratio(reference, "vocals"), abs=0.003)
    assert is_silent(changed, "vocals") == is_silent(reference, "vocals")


def test_digital_silence_is_silent() -> None:
    nothing = np.zeros((2, SR), np.float32)
    stems = Stems({"vocals": nothing, "mixture": nothing}, SR)
    assert is_silent(stems, "mixture")
    assert is_silent(stems, "vocals")
    assert active_ratio(stems, "vocals") == 0.0


def test_a_mixture_below_minus_70_dbfs_is_silent() -> None:
    assert is_silent(Stems({"mixture": noise(1, -80, 1)}, SR), "mixture")
    assert not is_silent(Stems({"mixture": noise(1, -60, 1)}, SR), "mixture")


@pytest.mark.parametrize("n_samples", [0, 1, 100])
def test_a_few_samples_do_not_crash(n_samples: int) -> None:
    y = np.ones((1, n_samples), np.float32)
    stems = Stems({"vocals": y, "mixture": y}, SR)
    assert is_silent(stems, "vocals") == (n_samples == 0)
    assert 0 <= active_ratio(stems, "vocals") <= 1
