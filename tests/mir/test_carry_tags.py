"""Tags of every input format arrive in every output format; FFmpeg, which did not write them, reads them back."""

from __future__ import annotations

import base64
import logging
import shutil
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from mutagen.flac import Picture
from mutagen.id3 import APIC, COMM, TALB, TCMP, TCON, TDRC, TIT2, TPE1, TPE2, TPOS, TRCK, TXXX
from mutagen.mp4 import MP4Cover, MP4FreeForm

from mir.carry_tags import MAX_COVER_BYTES, carry
from mir.tags import read_tags
from separation import audio, writers
from separation.encode import Encoding, open_writer
from separation.errors import WriteFailed
from separation.stem_mp4 import open_stem_writer, read_stem_box

SR = 44100
FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a", "stem.mp4")
FRONT = b"\x89PNG\r\n\x1a\n" + np.random.default_rng(0).bytes(40_000)
BACK = b"\xff\xd8\xff\xe0" + np.random.default_rng(1).bytes(1000)
ARTIST_ID, ALBUM_ID = "cc197bad-dc9c-440d-a5b5-d52ba2e14234", "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"


def write(path: Path, name: str) -> Path:
    y = (0.1 * np.random.default_rng(3).standard_normal((2, SR // 4))).astype(np.float32)
    if name == "stem.mp4":
        with open_stem_writer(path, SR, ("drums", "bass", "other", "vocals")) as stem_writer:
            stem_writer.write(y, dict.fromkeys(stem_writer.stems, y / 4))
    else:
        with open_writer(path, SR, 2, Encoding(name)) as writer:
            writer.write(y)
    return path


def tag(path: Path) -> None:
    """Give a file all the tags, each format in its own words, as a tagger would."""
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    kind = type(file).__name__
    if kind in ("WAVE", "MP3"):
        for frame in (
            TIT2(text="Yéllow"), TPE1(text=["Coldplay", "A Guest"]), TALB(text="Parachutes"), TPE2(text="Coldplay"),
            TDRC(text="2000-07-10"), TCON(text=["17", "Pop"]), TRCK(text="05/10"), TPOS(text="1"),
            COMM(lang="deu", desc="", text="Look at the stars"), COMM(lang="eng", desc="iTunNORM", text="0000"),
            TXXX(desc="MusicBrainz Artist Id", text=ARTIST_ID), TXXX(desc="MusicBrainz Album Id", text=ALBUM_ID),
            TCMP(text="1"),
            APIC(mime="image/jpeg", type=4, desc="back", data=BACK), APIC(mime="PNG", type=3, desc="", data=FRONT),
        ):  # fmt: skip
            file.tags.add(frame)
    elif kind == "MP4":
        file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Yéllow", ["Coldplay", "A Guest"], "Parachutes"
        file["aART"], file["\xa9day"], file["\xa9gen"] = "Coldplay", "2000-07-10", ["Rock", "Pop"]
        file["trkn"], file["disk"], file["\xa9cmt"] = [(5, 10)], [(1, 0)], "Look at the stars"
        file["----:com.apple.iTunes:MusicBrainz Artist Id"] = [MP4FreeForm(ARTIST_ID.encode())]
        file["----:com.apple.iTunes:MusicBrainz Album Id"] = [MP4FreeForm(ALBUM_ID.encode())]
        file["cpil"] = True
        file["covr"] = [MP4Cover(FRONT, MP4Cover.FORMAT_PNG)]
    else:
        file["Title"], file["ARTIST"], file["album"] = "Yéllow", ["Coldplay", "A Guest"], "Parachutes"
        file["albumartist"], file["date"], file["genre"] = "Coldplay", "2000-07-10", ["Rock", "Pop"]
        file["tracknumber"], file["totaltracks"], file["discnumber"] = "5", "10", "1"
        file["comment"], file["musicbrainz_artistid"] = "Look at the stars", ARTIST_ID
        file["musicbrainz_albumid"], file["compilation"] = ALBUM_ID, "1"
        pictures = []
        for number, mime, data in ((4, "image/jpeg", BACK), (3, "image/png", FRONT)):
            picture = Picture()
            picture.type, picture.mime, picture.data = number, mime, data
            pictures.append(picture)
        if kind == "FLAC":
            for picture in pictures:
                file.add_picture(picture)
        else:
            file["metadata_block_picture"] = [base64.b64encode(each.write()).decode() for each in pictures]
    file.save()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each format without tags, under a name that tells nothing."""
    folder = tmp_path_factory.mktemp("bare")
    return {name: write(folder / f".{number}.unfinished", name) for number, name in enumerate(FORMATS)}


@pytest.fixture(scope="module")
def tagged(bare: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each format with every tag and two pictures."""
    folder = tmp_path_factory.mktemp("tagged")
    files = {name: Path(shutil.copy(path, folder / f"song.{name}")) for name, path in bare.items()}
    for path in files.values():
        tag(path)
    return files


def ffmpeg_tags(path: Path) -> tuple[dict[str, str], bytes | None]:
    """Tags, lower-case keys, and the picture that FFmpeg finds."""
    with av.open(str(path)) as container:
        tags = {**container.metadata, **container.streams.audio[0].metadata}
        pictures = container.demux(container.streams.video) if container.streams.video else iter(())
        picture = next((bytes(packet) for packet in pictures), None)
    return {key.lower(): value for key, value in tags.items()}, picture


@pytest.mark.parametrize("into", FORMATS)
@pytest.mark.parametrize("out_of", FORMATS)
def test_every_tag_goes_from_every_format_to_every_other(tmp_path, bare, tagged, out_of, into):
    target = Path(shutil.copy(bare[into], tmp_path / "unfinished"))
    carry(tagged[out_of], target, stem="vocals")
    tags, picture = ffmpeg_tags(target)
    several = (lambda *values: ";".join(values)) if into in ("flac", "ogg", "opus") else (lambda *values: values[0])
    expected = {
        "title": "Yéllow (vocals)",
        "artist": several("Coldplay", "A Guest"),
        "album": "Parachutes",
        "album_artist": "Coldplay",
        "date": "2000-07-10",
        "genre": several("Rock", "Pop"),
        "comment": "Look at the stars",
        "track": "5" if into in ("flac", "ogg", "opus") else "5/10",
        "disc": "1",
    }
    assert {key: tags.get(key) for key in expected} == expected
    if into in ("flac", "ogg", "opus"):
        assert tags["tracktotal"] == "10"
    assert picture == FRONT
    read = read_tags(target)
    assert read.artists == ("Coldplay", "A Guest")
    assert read.genres == ("Rock", "Pop")
    assert read.compilation
    listed = str(mutagen.File(target).tags.pprint())
    assert ARTIST_ID in listed
    assert ALBUM_ID in listed


@pytest.mark.parametrize("into", FORMATS)
def test_the_sound_and_the_stem_box_stay_as_they_are(tmp_path, bare, tagged, into):
    target = Path(shutil.copy(bare[into], tmp_path / "unfinished"))
    carry(tagged["flac"], target, stem=None)
    assert ffmpeg_tags(target)[0]["title"] == "Yéllow"
    for stream in range(5 if into == "stem.mp4" else 1):
        np.testing.assert_array_equal(audio.load(target, stream=stream)[0], audio.load(bare[into], stream=stream)[0])
    if into == "stem.mp4":
        assert read_stem_box(target) == read_stem_box(bare[into])


def test_it_fits_where_the_file_is_not_yet_published(tmp_path, tagged):
    path = tmp_path / "vocals.flac"
    publish = lambda unfinished: carry(tagged["mp3"], unfinished, stem="vocals")  # noqa: E731
    with open_writer(path, SR, 1, Encoding("flac"), before_publish=publish) as writer:
        writer.write(np.zeros((1, SR), dtype=np.float32))
    assert read_tags(path).title == "Yéllow (vocals)"


@pytest.mark.parametrize("bits", ["PCM_24", "FLOAT"])
def test_wav_of_every_kind_has_room(tmp_path, tagged, bits):
    path = tmp_path / "x.wav"
    with open_writer(path, SR, 1, Encoding("wav", bits)) as writer:
        writer.write(np.full((1, 1001), 0.25, dtype=np.float32))  # an odd number of bytes in 24 bits
    carry(tagged["m4a"], path, stem="bass")
    assert ffmpeg_tags(path)[0]["title"] == "Yéllow (bass)"
    np.testing.assert_array_equal(audio.load(path)[0], np.full((1, 1001), 0.25, dtype=np.float32))


def test_what_has_no_tags_changes_nothing(tmp_path, bare, caplog):
    target = Path(shutil.copy(bare["wav"], tmp_path / "unfinished"))
    with caplog.at_level(logging.WARNING):
        carry(bare["wav"], target, stem="vocals")
    assert target.read_bytes() == bare["wav"].read_bytes()
    assert caplog.text == ""


@pytest.mark.parametrize("field", ["tracknumber", "title"])
def test_odd_values_do_not_stop_the_others(tmp_path, bare, field):
    source = Path(shutil.copy(bare["flac"], tmp_path / "song.flac"))
    file = mutagen.File(source)
    file["artist"], file["tracknumber"], file["date"] = "Coldplay", "A1/x", "last summer"
    file["title"] = ""
    file.save()
    for into in ("mp3", "m4a", "opus"):
        target = Path(shutil.copy(bare[into], tmp_path / into))
        carry(source, target, stem="vocals")
        tags, _ = ffmpeg_tags(target)
        assert tags["artist"] == "Coldplay"
        assert tags.get(field) == {"tracknumber": None, "title": None}[field]


@pytest.mark.parametrize("data", [FRONT[:8] + bytes(MAX_COVER_BYTES), b"RIFF....WEBP"])
def test_a_picture_that_is_too_large_or_strange_stays_behind(tmp_path, bare, data, caplog):
    source = Path(shutil.copy(bare["flac"], tmp_path / "song.flac"))
    file = mutagen.File(source)
    file["title"] = "Yellow"
    picture = Picture()
    picture.type, picture.mime, picture.data = 3, "image/png", data
    file.add_picture(picture)
    file.save()
    target = Path(shutil.copy(bare["mp3"], tmp_path / "unfinished"))
    with caplog.at_level(logging.WARNING):
        carry(source, target, stem="vocals")
    assert f"a picture of {len(data)} bytes is not carried over" in caplog.text
    assert (ffmpeg_tags(target)[0]["title"], ffmpeg_tags(target)[1]) == ("Yellow (vocals)", None)


def test_failures_are_told_and_the_file_goes_on(tmp_path, bare, tagged, monkeypatch, caplog):
    monkeypatch.setattr(writers, "RIFF_LIMIT", 1000)
    rf64 = write(tmp_path / "x", "wav")
    strange = tmp_path / "strange"
    strange.write_bytes(b"no audio")
    for target in (rf64, strange):
        before = target.read_bytes()
        with caplog.at_level(logging.WARNING):
            carry(tagged["flac"], target, stem="vocals")
        assert "its tags could not be carried over" in caplog.text
        assert target.read_bytes() == before
        caplog.clear()
    target = Path(shutil.copy(bare["wav"], tmp_path / "unfinished"))
    for source in (tmp_path / "missing.flac", strange):
        carry(source, target, stem="vocals")
        assert target.read_bytes() == bare["wav"].read_bytes()


@pytest.mark.parametrize("into", FORMATS)
def test_a_disk_that_is_full_by_then_is_no_matter_of_tags(tmp_path, bare, tagged, into):
    resource = pytest.importorskip("resource", reason="needs a system with limits for processes")
    target = Path(shutil.copy(bare[into], tmp_path / "unfinished"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (target.stat().st_size + 100, before[1]))
    try:
        with pytest.raises(WriteFailed, match=r"the tags of .+ could not be written"):
            carry(tagged["flac"], target, stem="vocals")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
