from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from separation.audio import save
from separation.errors import AudioMissing, ConfigInvalid, TrainingDataMissing
from separation.training.config import TrainConfig, parse_config
from separation.training.mixing import Mixer
from separation.training.room import reverberate
from separation.training.sources import Song, checksums, load_songs, read_songs, split_songs

SR = 8000
STEMS = ("vocals", "other")


def configuration(*sources: dict[str, Any], **changes: Any) -> TrainConfig:
    table = {
        "name": "small",
        "stems": list(STEMS),
        "sr": SR,
        "n_fft": 256,
        "hop_length": 64,
        "folds": 2,
        "bands": {"n_single": 16, "n_grouped": 16, "group": 4},
        "network": {"n_frames": 64, "filters": [4, 8]},
        "source": list(sources),
    }
    return parse_config(table | changes)


def tone(hz: float, seconds: float = 1.5) -> np.ndarray:
    t = np.arange(int(seconds * SR)) / SR
    return (0.2 * np.sin(2 * np.pi * hz * t)).astype(np.float32)[None].repeat(2, axis=0)


def write_song(folder: Path, number: int) -> None:
    folder.mkdir(parents=True)
    save(folder / "vocals.wav", tone(200 + number), SR)
    save(folder / "other.wav", tone(900 + number), SR)


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def songs_by_three(tmp_path: Path) -> Path:
    """Six songs: three by A, two by B, one by C."""
    rows = []
    for number, artist in enumerate("AAABBC"):
        write_song(tmp_path / "songs" / f"song{number}", number)
        rows.append({"file": f"song{number}/vocals.wav", "artist": artist})
    write_table(tmp_path / "songs" / "manifest.csv", rows)
    return tmp_path


def test_no_artist_is_learned_from_and_judged_by(songs_by_three: Path) -> None:
    judged = []
    for fold in range(2):
        config = configuration({"kind": "stems", "path": "songs"}, fold=fold)
        learned, by = read_songs(config, songs_by_three)
        assert {song.artist for song in learned}.isdisjoint(song.artist for song in by)
        assert len(learned) + len(by) == 6
        judged += [song.name for song in by]
    assert sorted(judged) == [f"song{number}" for number in range(6)]


def test_a_held_out_artist_is_left_out_of_every_source() -> None:
    config = configuration(
        {"kind": "stems", "path": "extra"}, {"kind": "stems", "path": "real", "natural_levels": True}, fold=0
    )
    stems = {stem: np.zeros((2, SR), np.float16) for stem in STEMS}
    songs = [Song(f"{source}{artist}", stems, source, artist) for source in (0, 1) for artist in "ABCD"]
    learned, judged = split_songs(songs, config)
    assert {song.source for song in judged} == {1}
    assert len(judged) == 2
    assert {song.artist for song in learned}.isdisjoint(song.artist for song in judged)
    assert len(learned) == 4


def test_folds_are_the_same_whatever_the_seed() -> None:
    stems = {stem: np.zeros((2, SR), np.float16) for stem in STEMS}
    songs = [Song(name, stems, 0, name) for name in "ABCDEFGH"]
    first, second = (
        split_songs(songs, configuration({"kind": "stems", "path": "x"}, folds=4, fold=1, seed=seed))[1]
        for seed in (1, 2)
    )
    assert [song.name for song in first] == [song.name for song in second]


def test_more_folds_than_artists_are_refused() -> None:
    songs = [Song("a", {"vocals": np.zeros((2, SR), np.float16)}, 0, "A")]
    with pytest.raises(TrainingDataMissing, match="2 folds need as many artists, but x has 1"):
        split_songs(songs, configuration({"kind": "stems", "path": "x"}))


def test_spleeters_table_is_read(tmp_path: Path) -> None:
    rows = []
    for number in range(3):
        write_song(tmp_path / f"s{number}", number)
        rows.append(
            {
                "mix_path": f"s{number}/mixture.wav",
                "vocals_path": f"s{number}/vocals.wav",
                "other_path": f"s{number}/other.wav",
                "duration": "1.5",
            }
        )
    write_table(tmp_path / "train.csv", rows)
    config = configuration({"kind": "csv", "path": "train.csv"})
    songs = load_songs(config.sources[0], 0, tmp_path, config)
    assert [song.name for song in songs] == ["s0", "s1", "s2"]
    assert all(set(song.stems) == set(STEMS) for song in songs)
    loud = {stem: np.abs(np.fft.rfft(y[0].astype(np.float32))) for stem, y in songs[0].stems.items()}
    assert loud["vocals"].argmax() * SR / (1.5 * SR) == pytest.approx(200, abs=1)


def test_files_of_a_table_have_checksums(tmp_path: Path) -> None:
    write_song(tmp_path / "data" / "a", 0)
    write_table(tmp_path / "data" / "t.csv", [{"vocals_path": "a/vocals.wav", "other_path": "a/other.wav"}])
    config = configuration({"kind": "csv", "path": "t.csv"})
    before = checksums(config.sources[0], tmp_path / "data", STEMS)
    assert set(before) == {"t.csv", "a/vocals.wav", "a/other.wav"}
    save(tmp_path / "data" / "a" / "other.wav", tone(77), SR)
    after = checksums(config.sources[0], tmp_path / "data", STEMS)
    assert {name for name in before if before[name] != after[name]} == {"a/other.wav"}


def test_a_table_without_a_stem_names_the_column(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv", [{"mix_path": "m.wav", "vocals_path": "v.wav"}])
    config = configuration({"kind": "csv", "path": "train.csv"})
    with pytest.raises(TrainingDataMissing, match="no column other_path; it has mix_path, vocals_path"):
        load_songs(config.sources[0], 0, tmp_path, config)


def test_musdb_hq_folders_are_read(tmp_path: Path) -> None:
    for number, name in enumerate(["Ann - One", "Ann - Two", "Bob - One"]):
        write_song(tmp_path / "hq" / "train" / name, number)
    config = configuration({"kind": "musdb", "path": "hq", "split": "train"})
    songs = load_songs(config.sources[0], 0, tmp_path, config)
    assert {song.name: song.artist for song in songs} == {"Ann - One": "Ann", "Ann - Two": "Ann", "Bob - One": "Bob"}


def test_voices_need_no_manifest_and_get_a_room(tmp_path: Path) -> None:
    (tmp_path / "sung").mkdir()
    save(tmp_path / "sung" / "one.wav", tone(300)[:1], SR)
    config = configuration({"kind": "voices", "path": "sung"})
    (song,) = load_songs(config.sources[0], 0, tmp_path, config)
    left, right = song.stems["vocals"].astype(np.float32)
    assert list(song.stems) == ["vocals"]
    assert np.sqrt(np.mean((left - right) ** 2)) > 1e-4


def test_what_is_not_there_says_what_to_give(tmp_path: Path) -> None:
    config = configuration({"kind": "stems", "path": "nowhere"})
    with pytest.raises(TrainingDataMissing, match=r"no folder .*nowhere; give the data folder"):
        read_songs(config, tmp_path)
    (tmp_path / "nowhere").mkdir()
    with pytest.raises(TrainingDataMissing, match="holds no stems material with vocals, other"):
        read_songs(config, tmp_path)
    with pytest.raises(AudioMissing):
        read_songs(configuration({"kind": "musdb", "path": "nowhere"}), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 0}, r"needs a \[validation\] source, or folds"),
        ({"folds": 3, "fold": 3}, "fold is from 0 to 2, got 3"),
        ({"loss": "l2"}, "there are energy, l1"),
        ({"keep": "first"}, "there are best, last"),
        ({"steps": 0}, "1 or more"),
        ({"stems": ["a", "a"]}, "two or more different names"),
        ({"augment": {"silence": 1.5}}, "silence is a share from 0 to 1, got 1.5"),
        ({"augment": {"speed": 0.7}}, "speed is from 0 to 0.5, got 0.7"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        configuration({"kind": "stems", "path": "x"}, **changes)


def test_a_source_is_one_of_four_kinds_with_a_weight() -> None:
    with pytest.raises(ConfigInvalid, match="musdb, stems, voices, csv"):
        configuration({"kind": "tapes", "path": "x"})
    with pytest.raises(ConfigInvalid, match="more than 0"):
        configuration({"kind": "stems", "path": "x", "weight": 0})


def spectral_peak(y: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(y)).argmax() * SR / y.size)


def test_tempo_changes_leave_the_pitch() -> None:
    stems = {stem: tone(400, 4.0).astype(np.float16) for stem in STEMS}
    quiet = {"remix": 1.0, "gain_db": 0.0, "equaliser_db": 0.0, "silence": 0.0, "speed": 0.0}
    config = configuration({"kind": "stems", "path": "x"}, augment={**quiet, "tempo": 0.3, "tempo_share": 1.0})
    mixer = Mixer([Song("a", stems, 0, "A")], config)
    rng = np.random.default_rng(0)
    changes = [mixer._change(rng) for _ in range(20)]
    assert {speed for speed, _ in changes} == {1.0}
    assert np.ptp([tempo for _, tempo in changes]) > 0.2
    for change in ((1.0, 1.25), (1.0, 0.8)):
        assert spectral_peak(mixer._cut(stems["vocals"], change, 0.5)[0]) == pytest.approx(400, abs=5)
    assert spectral_peak(mixer._cut(stems["vocals"], (1.25, 1.0), 0.5)[0]) == pytest.approx(500, abs=5)


def test_a_room_adds_a_tail_and_keeps_the_stereo_image() -> None:
    y = np.zeros((2, 2 * SR), np.float32)
    y[0, 100] = 1.0  # a click on the left
    wet = reverberate(y, SR, np.random.default_rng(3))
    assert wet.shape == y.shape
    assert wet[0, 100] > 0.9
    assert abs(wet[1, 100]) < 0.2
    assert np.abs(wet[:, 500 : SR // 4]).max() > 1e-4
    assert np.abs(wet[:, :100]).max() < 1e-6
