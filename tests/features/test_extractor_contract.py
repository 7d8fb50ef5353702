"""What every extractor promises, whoever wrote it: a new one is tested by being listed in `features.EXTRACTORS`."""

import re
from functools import cache

import numpy as np
import pytest

import features
from features.base import Description, Stems
from features.errors import FeatureError, StemMissing, StemSilent, TooShort

SR = 44100
SECONDS = 8.0
SPACES = tuple(features.EXTRACTORS)


def made_up_song(sr: int = SR, seconds: float = SECONDS) -> dict[str, np.ndarray]:
    """Eight seconds at 120 bpm: a sung line with vibrato, kick, snare and hats, a bass, and chords."""
    rng = np.random.default_rng(7)
    n = int(seconds * sr)
    t = np.arange(n) / sr
    beat = t % 0.5
    half = (t / 0.5).astype(int)

    steps = np.array([0, 2, 4, 5, 7, 5, 4, 2])[half // 2 % 8] + 0.36 * np.sin(2 * np.pi * 5.5 * t)
    line = 220 * 2 ** (steps / 12)
    phase = 2 * np.pi * np.cumsum(line) / sr
    vocals = sum(np.cos(k * phase + k * k) / k for k in range(1, 15)) * np.minimum(1, (t % 1) / 0.05)
    vocals = 0.1 * vocals * (t % 1 < 0.85)

    kick = np.sin(2 * np.pi * 60 * beat) * np.exp(-beat * 25) * (half % 2 == 0)
    snare = rng.standard_normal(n) * np.exp(-beat * 30) * (half % 2 == 1)
    hats = np.diff(rng.standard_normal(n + 1)) * np.exp(-(t % 0.25) * 80)
    drums = 0.4 * kick + 0.1 * snare + 0.05 * hats

    root = np.array([48, 53, 55, 48])[(t / 2).astype(int) % 4]
    bass_hz = 440 * 2 ** ((root - 12 - 69) / 12)
    bass_phase = 2 * np.pi * np.cumsum(bass_hz) / sr
    bass = 0.15 * sum(np.cos(k * bass_phase) / k for k in range(1, 6)) * np.exp(-beat * 3)
    other = sum(
        np.cos(2 * np.pi * np.cumsum(k * bass_hz * 2 ** (1 + i / 12)) / sr) / k for i in (0, 4, 7) for k in range(1, 6)
    )
    other = 0.05 * other * np.exp(-(t % 1))
    stems = {"vocals": vocals, "drums": drums, "bass": bass, "other": other}
    panned = {name: np.stack([y, 0.8 * y]).astype(np.float32) for name, y in stems.items()}
    return {**panned, "mixture": np.sum(list(panned.values()), axis=0)}


@cache
def described(space: str, gain_db: int = 0, polarity: int = 1) -> Description:
    factor = np.float32(polarity * 10 ** (gain_db / 20))
    return features.extractor(space).extract(Stems({name: y * factor for name, y in made_up_song().items()}, SR))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("space", SPACES)
def test_declaration(space: str) -> None:
    extractor = features.extractor(space)
    names = [column.name for column in extractor.columns]
    assert extractor.space == space
    assert extractor.version >= 1
    assert names, "an analyst needs columns"
    assert len(set(names)) == len(names)
    assert len(set(extractor.descriptor_names)) == extractor.embedding_size > 1
    for column in extractor.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name), column
        assert column.low < column.high, column
        assert column.unit, column
        assert column.description.endswith("."), column
        assert column.source, column


@pytest.mark.parametrize("space", SPACES)
def test_returns_what_it_declares(space: str) -> None:
    extractor, description = features.extractor(space), described(space)
    assert set(description.values) == {column.name for column in extractor.columns}
    assert description.descriptor.shape == (extractor.embedding_size,)
    assert description.descriptor.dtype == np.float32
    assert np.isfinite(description.descriptor).all()
    assert np.ptp(description.descriptor) > 0
    measured = [value for value in description.values.values() if np.isfinite(value)]
    assert len(measured) >= 0.7 * len(extractor.columns), "most columns can be measured on plain music"


@pytest.mark.parametrize("space", SPACES)
def test_values_lie_in_their_declared_ranges(space: str) -> None:
    for column in features.extractor(space).columns:
        value = described(space).values[column.name]
        assert np.isnan(value) or column.low <= value <= column.high, (column.name, value)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(("gain_db", "polarity"), [(-20, 1), (20, 1), (0, -1)])
def test_gain_and_polarity_leave_the_descriptor(space: str, gain_db: int, polarity: int) -> None:
    reference, changed = described(space), described(space, gain_db, polarity)
    scale = np.abs(reference.descriptor).max()
    assert np.abs(changed.descriptor - reference.descriptor).max() < 0.01 * scale


@pytest.mark.parametrize("space", SPACES)
def test_repeats_exactly(space: str) -> None:
    again = features.extractor(space).extract(Stems(made_up_song(), SR))
    assert np.array_equal(again.descriptor, described(space).descriptor)


@pytest.mark.parametrize("space", SPACES)
def test_leaves_the_stems_alone(space: str) -> None:
    song = made_up_song(seconds=3)
    before = {name: y.copy() for name, y in song.items()}
    features.extractor(space).extract(Stems(song, SR))
    assert all(np.array_equal(song[name], before[name]) for name in song)


@pytest.mark.parametrize("space", SPACES)
def test_mono_and_another_rate_describe_alike(space: str) -> None:
    import soxr

    song = {name: y.mean(axis=0, keepdims=True) for name, y in made_up_song().items()}
    mono = features.extractor(space).extract(Stems(song, SR))
    resampled = {name: soxr.resample(y[0], SR, 48000)[None].astype(np.float32) for name, y in song.items()}
    other_rate = features.extractor(space).extract(Stems(resampled, 48000))
    assert cosine(other_rate.descriptor, mono.descriptor) > 0.99


@pytest.mark.parametrize("space", SPACES)
def test_8_khz_is_enough_to_be_described(space: str) -> None:
    import soxr

    song = {name: soxr.resample(y.T, SR, 8000).T.astype(np.float32) for name, y in made_up_song().items()}
    assert np.isfinite(features.extractor(space).extract(Stems(song, 8000)).descriptor).all()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("everything", [True, False])
def test_silence_has_no_description(space: str, everything: bool) -> None:
    extractor = features.extractor(space)
    song = made_up_song(seconds=3)
    silent = set(song) if everything else {extractor.stems[0]}
    stems = Stems({name: y * np.float32(name not in silent) for name, y in song.items()}, SR)
    with pytest.raises(StemSilent):
        extractor.extract(stems)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("n_samples", [0, 1, 100, SR // 5])
def test_a_fifth_of_a_second_is_too_short(space: str, n_samples: int) -> None:
    stems = Stems({name: y[:, :n_samples] for name, y in made_up_song(seconds=1).items()}, SR)
    with pytest.raises(TooShort, match=r"needs 1 s"):
        features.extractor(space).extract(stems)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("seconds", [0.6, 1.05, 1.6])
def test_short_is_described_or_refused(space: str, seconds: float) -> None:
    extractor = features.extractor(space)
    try:
        description = extractor.extract(Stems(made_up_song(seconds=seconds), SR))
    except FeatureError:
        return
    assert np.isfinite(description.descriptor).all()


@pytest.mark.parametrize("space", SPACES)
def test_a_missing_stem_is_named(space: str) -> None:
    extractor = features.extractor(space)
    song = made_up_song(seconds=1)
    with pytest.raises(StemMissing, match=extractor.stems[0]):
        extractor.extract(Stems({name: y for name, y in song.items() if name != extractor.stems[0]}, SR))


@pytest.mark.parametrize("space", SPACES)
def test_stems_that_need_not_be_there_add_numbers_and_change_none(space: str) -> None:
    extractor = features.extractor(space)
    assert not set(extractor.if_there) & set(extractor.stems)
    song = {name: y for name, y in made_up_song().items() if name in extractor.stems}
    without, complete = extractor.extract(Stems(song, SR)), described(space)
    assert np.array_equal(without.descriptor, complete.descriptor)
    added = [name for name, value in without.values.items() if value != complete.values[name]]
    added = [name for name in added if not np.isnan([without.values[name], complete.values[name]]).all()]
    assert np.isnan([without.values[name] for name in added]).all()
    assert bool(added) == bool(extractor.if_there)
