"""The made-up music: what was meant is what sounds."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from mir.demo import bass, drums, harmony, library, room
from mir.demo.glottis import pulse
from mir.demo.people import ACTS, BANDS, SINGERS
from mir.demo.voice import Syllable, sing

SR = 44_100


def peak_hz(y: np.ndarray, low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    frequencies = np.fft.rfftfreq(y.size, 1.0 / SR)
    inside = (frequencies >= low_hz) & (frequencies <= high_hz)
    return float(frequencies[inside][spectrum[inside].argmax()])


def centroid_hz(y: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(y)) ** 2
    return float((np.fft.rfftfreq(y.size, 1.0 / SR) * power).sum() / power.sum())


def held(midi: float, vowel: str = "a") -> list[Syllable]:
    return [Syllable(0.2, 1.6, midi, vowel, "", 0.9, first=False)]


def test_every_singer_has_two_bands_and_every_band_two_singers():
    by_singer, by_band = defaultdict(set), defaultdict(set)
    for act in ACTS:
        by_singer[act.singer.name].add(act.band.name)
        by_band[act.band.name].add(act.singer.name)
    assert len(ACTS) == len({(act.singer.name, act.band.name) for act in ACTS}) == 8
    assert {len(bands) for bands in by_singer.values()} == {len(who) for who in by_band.values()} == {2}
    assert len({band.style for band in BANDS}) == 4


def test_pitch_alone_does_not_tell_the_singers_apart():
    ranges = [(singer.low, singer.high) for singer in SINGERS]
    assert len(set(ranges)) < len(ranges)


def test_songs_are_the_same_at_each_call_and_of_the_promised_size():
    songs = library.songs()
    assert songs == library.songs()
    assert len(songs) == len({song.filename for song in songs}) == 24
    assert sum(song.instrumental for song in songs) == 2
    for song in songs:
        low, high = song.act.band.tempo_bpm
        assert low <= song.tempo_bpm <= high
    for act in ACTS:
        assert len({song.tonic for song in songs if song.act is act}) > 1, "one act, several keys"


@pytest.mark.parametrize("number", [0, 11])
def test_a_rendered_song(number: int):
    song = library.songs()[number]
    stems = library.render(song)
    again = library.render(song)
    mixture = sum(stems.values())
    assert set(stems) == {"vocals", "drums", "bass", "other"}
    for name, y in stems.items():
        assert y.dtype == np.float32
        assert y.shape == mixture.shape
        assert 12.0 <= y.shape[1] / SR <= 20.0
        np.testing.assert_array_equal(y, again[name])
        assert (np.abs(y).max() == 0.0) == (name == "vocals" and song.instrumental)
    assert 0.5 < np.abs(mixture).max() <= 1.0


def test_library_is_tagged_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mutagen.flac import FLAC

    two = [library.songs()[0], library.songs()[11]]
    monkeypatch.setattr(library, "songs", lambda: two)
    paths = library.write_library(tmp_path)
    tags = FLAC(paths[0])
    assert (tags["artist"], tags["title"], tags["genre"]) == (["Salt Meridian"], [two[0].title], ["House"])
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert [row["singer"] for row in truth["tracks"]] == ["Ottoline Wren", "Bruno Kessel"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        ["music", "truth.json", *(p.name for p in paths)]
    )

    before = [path.stat().st_mtime_ns for path in paths]
    heard: list[str] = []
    library.write_library(tmp_path, lambda song: heard.append(song.title))
    assert heard == [song.title for song in two]
    assert [path.stat().st_mtime_ns for path in paths] == before
    (tmp_path / "truth.json").write_text('{"version": 0}')
    library.write_library(tmp_path)
    assert paths[0].stat().st_mtime_ns > before[0], "another version is rendered anew"


def test_a_pulse_has_no_area_and_a_breathy_one_is_darker():
    slopes = []
    for rd in (0.4, 1.0, 2.2):
        table = pulse(rd)
        assert abs(table.mean()) < 1e-4
        assert np.sqrt(np.mean(table**2)) == pytest.approx(1.0, abs=1e-3)
        harmonics = np.abs(np.fft.rfft(table))[1:41]
        slopes.append(harmonics[0] / harmonics[20:].mean())
    assert slopes[0] < slopes[1] < slopes[2]


@pytest.mark.parametrize("singer", SINGERS, ids=lambda singer: singer.name)
def test_a_singer_hits_the_note_and_rests(singer):
    midi = (singer.low + singer.high) // 2
    y = sing(singer, held(midi), 3 * SR, SR, np.random.default_rng(1))
    f0 = 440.0 * 2.0 ** ((midi - 69) / 12.0)
    steady = y[int(0.5 * SR) : int(1.6 * SR)]
    # Vibrato spreads a partial; its strongest line lies within its extent.
    cents = 1200.0 * np.log2(peak_hz(steady, 0.8 * f0, 1.25 * f0) / f0)
    assert abs(cents) < 100.0 * singer.vibrato_semitones + 25.0
    assert np.abs(y[int(2.3 * SR) :]).max() < 0.01 * np.abs(y).max()


def test_a_shorter_tract_has_higher_formants():
    from dataclasses import replace

    plain = replace(SINGERS[0], vibrato_semitones=0.0, breath=0.0, ring_db=0.0)
    centroids = [
        centroid_hz(sing(replace(plain, tract_cm=cm), held(50.0), 2 * SR, SR, np.random.default_rng(2)))
        for cm in (18.0, 16.0, 14.0)
    ]
    assert centroids[0] < centroids[1] < centroids[2]


def test_vowels_sound_different():
    rng = np.random.default_rng
    singer = SINGERS[1]
    dark, bright = (centroid_hz(sing(singer, held(48.0, vowel), 2 * SR, SR, rng(3))) for vowel in ("u", "ae"))
    assert bright > 1.3 * dark


def test_four_on_the_floor_has_a_kick_on_each_beat():
    y = drums.play(BANDS[0].kit, "House", 120.0, 0.5, 2, 4 * SR, SR, np.random.default_rng(4)).mean(axis=0)
    low = room.tone(y, SR, 0.0, -60.0)
    energy = [float((low[int(t * SR) : int((t + 0.1) * SR)] ** 2).sum()) for t in np.arange(0.01, 3.9, 0.25)]
    on, off = energy[0::2], energy[1::2]
    assert min(on) > 4.0 * max(off)


@pytest.mark.parametrize("style", list(drums.GROOVES))
def test_patterns_are_bars_of_sixteen(style: str):
    for pattern in (*drums.GROOVES[style], drums.FILLS[style]):
        assert {len(steps) for steps in pattern.values()} == {16}
        assert {mark for steps in pattern.values() for mark in steps} <= set("Xxo.-")
    assert set(bass.LINES) == set(drums.GROOVES) == set(harmony.PROGRESSIONS)


@pytest.mark.parametrize("sound", list(harmony.SOUNDS))
def test_chordal_sounds_are_in_tune(sound: str):
    y = harmony.SOUNDS[sound](220.0, 1.0, SR, np.random.default_rng(5)).astype(float)
    assert np.isfinite(y).all()
    assert abs(1200.0 * np.log2(peak_hz(y, 180.0, 260.0) / 220.0)) < 20.0


@pytest.mark.parametrize("sound", list(bass.SOUNDS))
def test_bass_sounds_are_in_tune(sound: str):
    y = bass.SOUNDS[sound](55.0, 1.0, SR).astype(float)
    assert abs(1200.0 * np.log2(peak_hz(y, 45.0, 65.0) / 55.0)) < 35.0


def test_limiter_holds_the_ceiling_and_the_sum():
    rng = np.random.default_rng(6)
    stems = {name: rng.normal(0.0, 0.3, (2, 30_000)).astype(np.float32) for name in "ab"}
    limited = room.limit(stems, 0.9)
    assert np.abs(sum(limited.values())).max() <= 0.95
    ratio = limited["a"] / stems["a"]
    np.testing.assert_allclose(ratio, limited["b"] / stems["b"], rtol=1e-3)


def test_level_ignores_rests():
    burst = np.zeros((2, 10 * SR), np.float32)
    burst[:, : 8192 * 10] = np.random.default_rng(7).normal(0.0, 1.0, (2, 8192 * 10))
    loud = room.level(burst, -20.0)[:, : 8192 * 10]
    assert 10.0 * np.log10((loud**2).mean()) == pytest.approx(-20.0, abs=0.5)
    assert not room.level(np.zeros((2, SR), np.float32), -20.0).any()


def test_tone_turns_lows_and_highs():
    rng = np.random.default_rng(8)
    y = rng.normal(0.0, 0.1, (2, SR)).astype(np.float32)
    spectra = [np.abs(np.fft.rfft(x[0])) for x in (y, room.tone(y, SR, 6.0, -12.0))]
    gain_db = 20.0 * np.log10(
        [np.median(spectra[1][b] / spectra[0][b]) for b in (slice(20, 60), slice(15_000, 20_000))]
    )
    assert gain_db[0] == pytest.approx(6.0, abs=1.0)
    assert -12.5 < gain_db[1] < -6.0, "a gentle slope, so never quite what the knob says"
    np.testing.assert_allclose(room.tone(y, SR, 0.0, 0.0), y, atol=1e-5)
