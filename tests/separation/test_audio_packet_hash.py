"""A track is its audio: names and tags change nothing about the hash, another encoding does."""

from __future__ import annotations

import shutil
from pathlib import Path

import mutagen
import mutagen.apev2
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import numpy as np
import pytest

from separation import audio

SR = 44100


@pytest.fixture
def y() -> np.ndarray:
    rng = np.random.default_rng(7)
    return (0.1 * rng.standard_normal((2, 2 * SR))).astype(np.float32)


def tag_id3(path: Path, version: int, v1: int) -> None:
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TIT2(encoding=1, text="Tïtle 🎸" * 20))
    tags.add(mutagen.id3.APIC(encoding=0, mime="image/jpeg", type=3, desc="", data=b"\xff\xd8\xff\xe0" + bytes(5000)))
    tags.save(path, v2_version=version, v1=v1)


def retag(path: Path) -> None:
    if path.suffix == ".mp3":
        tag_id3(path, 3, 2)
        return
    if path.suffix == ".m4a":
        tags = mutagen.mp4.MP4(path)
        tags["covr"] = [mutagen.mp4.MP4Cover(b"\xff\xd8\xff\xe0" + bytes(5000))]
    else:
        tags = mutagen.File(path)
    if path.suffix == ".wav":
        tags.add_tags()
        tags.tags.add(mutagen.id3.TIT2(encoding=3, text="A longer title than it had before " * 40))
    else:
        tags["\xa9nam" if path.suffix == ".m4a" else "title"] = "A longer title than it had before " * 40
    if path.suffix == ".flac":
        picture = mutagen.flac.Picture()
        picture.data, picture.mime = bytes(5000), "image/jpeg"
        tags.add_picture(picture)
    tags.save()


@pytest.mark.parametrize("codec", ["mp3", "flac", "ogg", "m4a", "wav", "opus"])
def test_new_tags_and_a_new_name_change_nothing(tmp_path, y, codec):
    path = tmp_path / f"a.{codec}"
    audio.save(path, y, SR)
    before = audio.packet_hash(path)
    assert len(before) == 64
    samples = audio.load(path)[0]
    size = path.stat().st_size
    retag(path)
    assert path.stat().st_size > size + 500  # the tags are there
    moved = tmp_path / "Über" / f"b 🎸.{codec}"
    moved.parent.mkdir()
    shutil.move(path, moved)
    assert audio.packet_hash(moved) == before
    np.testing.assert_array_equal(audio.load(moved)[0], samples)


def test_every_kind_of_mp3_tag(tmp_path, y):
    path = tmp_path / "a.mp3"
    audio.save(path, y, SR)
    before = audio.packet_hash(path)
    for version, v1 in ((4, 0), (3, 2), (4, 2)):
        tag_id3(path, version, v1)
        assert audio.packet_hash(path) == before
    ape = mutagen.apev2.APEv2()
    ape["Title"] = "x" * 3000
    ape.save(path)
    tag_id3(path, 4, 2)
    assert audio.packet_hash(path) == before
    mutagen.id3.delete(path)
    assert audio.packet_hash(path) == before


@pytest.mark.parametrize("codec", ["mp3", "flac", "ogg", "m4a", "wav", "opus"])
def test_other_audio_has_another_hash(tmp_path, y, codec):
    audio.save(tmp_path / f"a.{codec}", y, SR)
    audio.save(tmp_path / f"b.{codec}", 0.9 * y, SR)
    assert audio.packet_hash(tmp_path / f"a.{codec}") != audio.packet_hash(tmp_path / f"b.{codec}")


def test_the_same_bytes_at_another_rate_are_another_recording(tmp_path, y):
    audio.save(tmp_path / "a.wav", y, 44100)
    audio.save(tmp_path / "b.wav", y, 48000)
    audio.save(tmp_path / "c.wav", y, 44100)
    hashes = [audio.packet_hash(tmp_path / f"{name}.wav") for name in "abc"]
    assert hashes[0] == hashes[2] != hashes[1]
