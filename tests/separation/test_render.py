"""Rendering: drum kits, effects, levels, and whole folders of songs."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mido", reason="needs mido, from the extra [train]")

from rendering import SR, beeping_fluidsynth, write_groove, write_kit, write_sketch, write_tune  # noqa: F401

from separation.audio import load
from separation.errors import TrainingDataMissing
from separation.training import effects
from separation.training.arrange import Arrangement, Layer
from separation.training.drumkit import DrumkitInvalid, find_drumkits, play, read_drumkit
from separation.training.midi import Note, Part
from separation.training.multitracks import (
    FolderOfOthers,
    default_soundfonts,
    find_midi,
    plan_songs,
    render_songs,
)
from separation.training.render import (
    STEM_LEVEL_DBFS,
    Sounds,
    SynthesisFailed,
    SynthesizerMissing,
    active_level_db,
    balance,
    render,
)


def _tone(hz: float, seconds: float = 1.0, level: float = 0.1) -> np.ndarray:
    t = np.arange(int(SR * seconds)) / SR
    return np.tile(level * np.sin(2 * np.pi * hz * t), (2, 1)).astype(np.float32)


def _spectrum(y: np.ndarray) -> np.ndarray:
    """Magnitude a hertz of one second."""
    return np.abs(np.fft.rfft(y[0, :SR])) / SR


def test_a_kit_plays_layers_by_strength_and_reads_nothing_outside(tmp_path: Path) -> None:
    kit = read_drumkit(write_kit(tmp_path / "kits" / "Box"))
    assert kit.licence == "CC0"
    assert set(kit.instruments) == {"kick", "snare", "hat_closed", "hat_open"}, "the crash lies outside the folder"
    y = play(kit, [Note(0.1, 0.2, 36, 30), Note(0.5, 0.6, 36, 120)], SR, SR, np.random.default_rng(0))
    soft, loud = y[0, int(0.1 * SR) : int(0.12 * SR)], y[0, int(0.5 * SR) : int(0.52 * SR)]
    assert soft.min() < -0.001 < 0.001 < loud.max()
    assert loud.max() > -3 * soft.min()
    assert np.abs(y[:, : int(0.099 * SR)]).max() < 1e-4


def test_a_closed_hat_chokes_the_open_one(tmp_path: Path) -> None:
    kit = read_drumkit(write_kit(tmp_path / "Box"))
    rings = play(kit, [Note(0.0, 0.1, 46, 100)], SR, SR, np.random.default_rng(0))
    choked = play(kit, [Note(0.0, 0.1, 46, 100), Note(0.3, 0.4, 42, 1)], SR, SR, np.random.default_rng(0))
    after = slice(int(0.6 * SR), int(0.7 * SR))
    assert np.abs(rings[:, after]).max() > 0.05
    assert np.abs(choked[:, after]).max() < 1e-3
    np.testing.assert_array_equal(rings[:, : int(0.29 * SR)], choked[:, : int(0.29 * SR)])


def test_a_folder_without_kick_is_no_kit(tmp_path: Path) -> None:
    folder = write_kit(tmp_path / "kits" / "Box")
    shutil.copytree(folder, tmp_path / "kits" / "Hands")
    xml = tmp_path / "kits" / "Hands" / "drumkit.xml"
    xml.write_text(xml.read_text().replace("Kick", "Bongo"), encoding="utf-8")
    with pytest.raises(DrumkitInvalid, match="no kick"):
        read_drumkit(xml.parent)
    assert [kit.name for kit in find_drumkits(tmp_path / "kits")] == ["Box"]
    xml.write_text("<drumkit", encoding="utf-8")
    with pytest.raises(DrumkitInvalid, match="cannot be read"):
        read_drumkit(xml.parent)


def test_drive_adds_harmonics_and_no_direct_current() -> None:
    clean, driven = _tone(1000.0), effects.drive(_tone(1000.0), SR, 24.0)
    before, after = _spectrum(clean), _spectrum(driven)
    for harmonic in (2000, 3000):
        assert before[harmonic] < 1e-5
        assert after[harmonic] > 0.02 * after[1000]
    assert abs(driven[:, SR // 2 :].mean()) < 2e-3
    high = _spectrum(effects.drive(_tone(9000.0), SR, 24.0))
    assert high[SR - 5 * 9000] < 1e-4 * high[9000], "the fifth harmonic folds back"


def test_a_cabinet_lets_no_treble_through() -> None:
    low, high = (_spectrum(effects.cabinet(_tone(hz), SR, 4000.0))[int(hz)] for hz in (1000.0, 12000.0))
    assert low > 0.9 * _spectrum(_tone(1000.0))[1000]
    assert high < 0.02 * low


def test_a_compressor_gives_one_decibel_for_its_ratio() -> None:
    settings = {"threshold_db": -30.0, "ratio": 4.0, "attack_s": 0.005, "release_s": 0.05}
    levels = [active_level_db(effects.compress(_tone(1000.0, 2.0, a), SR, **settings), SR) for a in (0.1, 0.4)]
    assert levels[1] - levels[0] == pytest.approx(20 * np.log10(4.0) / 4.0, abs=0.3)
    quiet = _tone(1000.0, 1.0, 0.01)
    np.testing.assert_allclose(effects.compress(quiet, SR, **settings), quiet, atol=1e-6)


def test_a_limiter_keeps_peaks_and_leaves_the_rest() -> None:
    y = _tone(200.0, 2.0, 0.1)
    y[:, SR : SR + 400] *= 10.0
    limited = effects.limit(y, SR, 9.0)
    level = np.sqrt(np.mean(y**2))
    assert np.abs(limited).max() < level * 10.0 ** (9.5 / 20.0) < np.abs(y).max()
    np.testing.assert_allclose(limited[:, : SR - 200], y[:, : SR - 200], atol=1e-6)


def test_width_is_brought_to_a_level() -> None:
    y = np.random.default_rng(0).standard_normal((2, SR)).astype(np.float32)
    for wanted_db in (-20.0, -6.0):
        wide = effects.widen(y, wanted_db)
        side, middle = np.mean((wide[0] - wide[1]) ** 2), np.mean((wide[0] + wide[1]) ** 2)
        assert 10 * np.log10(side / middle) == pytest.approx(wanted_db, abs=0.1)
    mono = np.tile(y[:1], (2, 1))
    np.testing.assert_allclose(effects.widen(mono, -6.0), mono, atol=1e-6)


@pytest.mark.parametrize("stem", ["drums", "bass", "other"])
def test_colour_moves_noise_towards_a_real_stem(stem: str) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 4 * SR)).astype(np.float32)
    edges = np.array(effects.BAND_EDGES_HZ)

    def distance(y: np.ndarray) -> float:
        power = (np.abs(np.fft.rfft(y)) ** 2).sum(axis=0)
        at = np.searchsorted(np.fft.rfftfreq(y.shape[1], 1 / SR), edges)
        shares = [power[a:b].sum() / power.sum() for a, b in pairwise(at)]
        return float(np.abs(10 * np.log10(shares) - effects.BAND_LEVELS_DB[stem][0]).mean())

    coloured = [distance(effects.colour(noise, SR, stem, np.random.default_rng(seed))) for seed in range(8)]
    assert np.mean(coloured) < distance(noise) - 2.0


@pytest.mark.parametrize("role", ["drums", "bass", "guitar", "other"])
def test_a_chain_keeps_time_and_length(role: str) -> None:
    y = np.zeros((2, SR), np.float32)
    y[:, SR // 2 : SR // 2 + 4000] = _tone(200.0)[:, :4000]
    for seed in range(6):
        out = effects.produce(y, SR, role, np.random.default_rng(seed))
        assert out.shape == y.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        peak = np.abs(out).max()
        assert np.abs(out[:, : SR // 2 - 2000]).max() < 0.1 * peak, "something sounds before it is played"
        assert np.abs(out[:, SR // 2 : SR // 2 + 4500]).max() == peak


def test_levels_are_drawn_around_those_of_real_stems_and_nothing_clips() -> None:
    stems = {stem: _tone(hz, 1.0) for stem, hz in (("drums", 100.0), ("bass", 50.0), ("other", 700.0))}
    levels: dict[str, list[float]] = {stem: [] for stem in stems}
    for seed in range(200):
        for stem, y in balance(stems, np.random.default_rng(seed)).items():
            levels[stem].append(active_level_db(y, SR))
    for stem, (median, spread) in STEM_LEVEL_DBFS.items():
        assert np.median(levels[stem]) == pytest.approx(median, abs=1.0)
        assert 0.6 * spread < np.std(levels[stem]) < 1.1 * spread
    spike = np.zeros((2, SR), np.float32)
    spike[:, 100] = 1.0
    both = balance({"drums": spike, "other": _tone(400.0)}, np.random.default_rng(0))
    assert max(np.abs(y).max() for y in (*both.values(), both["drums"] + both["other"])) <= 0.981
    lone = balance({"other": _tone(400.0)}, np.random.default_rng(0))
    assert active_level_db(both["other"], SR) < active_level_db(lone["other"], SR) - 3.0, "only the drums got softer"


def _arrangement() -> Arrangement:
    times = np.arange(1.0, 4.0, 0.5)

    def layer(stem: str, pitch: int) -> Layer:
        notes = tuple(Note(float(t), float(t) + 0.2, pitch, 100) for t in times)
        return Layer(stem, stem, (Part(stem, 33, stem == "drums", notes),))

    silent = Layer("other", "other", ())
    return Arrangement((layer("bass", 40), layer("drums", 36), silent), 4.5)


def _first_sound_s(y: np.ndarray) -> float:
    loud = np.abs(y).max(axis=0)
    return float(np.argmax(loud > 0.1 * loud.max()) / SR)


def test_stems_are_aligned_and_silent_ones_left_out(beeping_fluidsynth: Path, tmp_path: Path) -> None:  # noqa: F811
    kit = read_drumkit(write_kit(tmp_path / "Box"))
    for sounds in (Sounds((beeping_fluidsynth,)), Sounds((beeping_fluidsynth,), (kit,))):
        for seed in range(2):
            done = render(_arrangement(), sounds, np.random.default_rng(seed))
            assert set(done.stems) == {"bass", "drums"}
            assert {y.shape for y in done.stems.values()} == {(2, int(4.5 * SR))}
            for y in done.stems.values():
                assert _first_sound_s(y) == pytest.approx(1.0, abs=0.02)


def test_what_is_missing_is_told(monkeypatch, tmp_path: Path, beeping_fluidsynth: Path) -> None:  # noqa: F811
    with pytest.raises(SynthesisFailed, match=r"broken\.sf2.*no such preset"):
        render(_arrangement(), Sounds((tmp_path / "broken.sf2",)), np.random.default_rng(0))
    with pytest.raises(SynthesizerMissing, match="--soundfont"):
        render(_arrangement(), Sounds(()), np.random.default_rng(0))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SynthesizerMissing, match="apt install fluidsynth"):
        render(_arrangement(), Sounds((beeping_fluidsynth,)), np.random.default_rng(0))


def _library(folder: Path) -> Path:
    write_tune(folder / "games" / "boss fight.mid", 16.0)
    write_sketch(folder / "songs" / "001.mid", n_bars=8)
    write_groove(folder / "groove" / "drummer3" / "1_rock.mid", n_bars=11)
    write_groove(folder / "groove" / "drummer3" / "eval_session" / "1_rock.mid")
    (folder / "games" / "broken.mid").write_bytes(b"nothing")
    return folder


def test_a_plan_grows_with_its_minutes_and_depends_on_the_seed(tmp_path: Path) -> None:
    found = find_midi([_library(tmp_path)])
    assert {one.name for one in found} == {"games-boss_fight", "songs-001", "groove-drummer3-1_rock"}
    whole, short = plan_songs(found, 5), plan_songs(found, 5, minutes=1.0)
    assert whole[: len(short)] == short
    assert 0 < len(short) < len(whole)
    assert {one.midi.kind for one in whole} == {"tune", "sketch", "drums"}
    assert len({one.name for one in whole}) == len(whole)
    assert all((one.groove is not None) == (one.midi.kind == "sketch") for one in whole)
    assert [one.seed for one in plan_songs(found, 6)] != [one.seed for one in whole]
    with pytest.raises(TrainingDataMissing, match="no file or folder"):
        find_midi([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingDataMissing, match="no MIDI file"):
        find_midi([tmp_path / "empty"])


def test_a_folder_of_songs_is_made_once_goes_on_and_can_be_made_again(
    beeping_fluidsynth: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    plans = plan_songs(find_midi([_library(tmp_path / "midi")]), 0)[:3]
    out, again = tmp_path / "out", tmp_path / "again"
    done = render_songs(plans[:2], out, [beeping_fluidsynth], None, workers=1)
    assert [one.error for one in done] == ["", ""]
    first = (out / plans[0].name / "drums.flac").stat().st_mtime_ns
    seen = []
    render_songs(plans, out, [beeping_fluidsynth], None, workers=2, on_song=seen.append)
    assert {one.name for one in seen} == {one.name for one in plans}
    assert (out / plans[0].name / "drums.flac").stat().st_mtime_ns == first, "it was rendered again"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    rows = list(csv.DictReader((out / "manifest.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["track"] for row in rows} == {one.name for one in plans}
    assert all((out / row["file"]).is_file() and float(row["seconds"]) > 10.0 for row in rows)
    assert {row["artist"] for row in rows if row["midi"].startswith("groove")} == {"drummer3"}
    render_songs(plans[:1], again, [beeping_fluidsynth], None, workers=1)
    files = sorted((again / plans[0].name).glob("*.flac"))
    assert files
    for path in files:
        np.testing.assert_array_equal(load(path)[0], load(out / plans[0].name / path.name)[0])
    other = [replace(one, seed=(1, *one.seed[1:])) for one in plans]
    with pytest.raises(FolderOfOthers, match="seed 0, not 1"):
        render_songs(other, out, [beeping_fluidsynth], None, workers=1)


def test_a_song_that_fails_is_told_and_the_rest_is_done(beeping_fluidsynth: Path, tmp_path: Path) -> None:  # noqa: F811
    plans = plan_songs(find_midi([_library(tmp_path / "midi")]), 0)[:2]
    gone = replace(plans[0], midi=replace(plans[0].midi, path=tmp_path / "gone.mid"))
    done = {
        one.name: one.error for one in render_songs([gone, plans[1]], tmp_path / "out", [beeping_fluidsynth], None, 1)
    }
    assert "gone.mid" in done[gone.name]
    assert done[plans[1].name] == ""
    assert not (tmp_path / "out" / gone.name).exists()


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not default_soundfonts(), reason="needs fluidsynth and a soundfont"
)
def test_the_real_program_plays_in_time() -> None:
    done = render(_arrangement(), Sounds(default_soundfonts()[-1:]), np.random.default_rng(0))
    assert set(done.stems) == {"bass", "drums"}
    for y in done.stems.values():
        assert _first_sound_s(y) == pytest.approx(1.0, abs=0.03)
        assert active_level_db(y, SR) > -40.0
