"""What tags, names and folders say, for every tag format that music comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mir.tags import parse_name, read_tags

SR = 8000
ID_A, ID_B = "cc197bad-dc9c-440d-a5b5-d52ba2e14234", "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"


def _tone(path: Path, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.3 * np.sin(2 * np.pi * 220 * np.arange(SR // 4) / SR)
    soundfile.write(path, y.astype(np.float32), SR, **how)
    return path


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    return _tone(tmp_path / "library" / "a file.mp3", format="MP3")


def _id3(path: Path, *frames: object, version: int = 4) -> Path:
    from mutagen.id3 import ID3

    tags = ID3()
    for frame in frames:
        tags.add(frame)
    tags.save(path, v2_version=version, v23_sep="/" if version == 3 else None)
    return path


def _artist_tag(path: Path, *values: str) -> tuple[str, ...]:
    from mutagen.id3 import TPE1

    return read_tags(_id3(path, TPE1(encoding=3, text=list(values)))).artists


@pytest.mark.parametrize(
    ("values", "artists"),
    [
        (["Simon & Garfunkel"], ("Simon & Garfunkel",)),
        (["Earth, Wind & Fire"], ("Earth, Wind & Fire",)),
        (["AC/DC"], ("AC/DC",)),
        (["Queen; David Bowie"], ("Queen", "David Bowie")),
        (["Queen / David Bowie"], ("Queen", "David Bowie")),
        (["Queen", "David Bowie"], ("Queen", "David Bowie")),
        (["Calvin Harris feat. Rihanna"], ("Calvin Harris", "Rihanna")),
        (["Calvin Harris (ft. Rihanna)"], ("Calvin Harris", "Rihanna")),
        (["Calvin Harris Featuring Rihanna", "Disclosure"], ("Calvin Harris", "Disclosure", "Rihanna")),
        (["Daft Punk"], ("Daft Punk",)),
        (["Leftfield"], ("Leftfield",)),
        (["Queen", "queen"], ("Queen",)),
        (["Beyonce\u0301"], ("Beyoncé",)),
        (["Unknown artist"], ()),
        (["Various Artists"], ()),
        (["  \n "], ()),
    ],
)
def test_artists_of_id3(mp3: Path, values: list[str], artists: tuple[str, ...]) -> None:
    assert _artist_tag(mp3, *values) == artists


def test_id3_everything(mp3: Path) -> None:
    from mutagen.id3 import TALB, TCMP, TCON, TDRC, TIT2, TPE1, TPE2, TXXX

    _id3(
        mp3,
        TIT2(encoding=3, text="Under Pressure"),
        TPE1(encoding=3, text="Queen & David Bowie"),
        TXXX(encoding=3, desc="ARTISTS", text=["Queen", "David Bowie"]),
        TXXX(encoding=3, desc="MusicBrainz Artist Id", text=[ID_A, ID_B]),
        TPE2(encoding=3, text="Queen"),
        TALB(encoding=3, text="Hot Space"),
        TDRC(encoding=3, text="1982-05-21"),
        TCON(encoding=3, text=["17", "Funk"]),
        TCMP(encoding=3, text="1"),
    )
    tags = read_tags(mp3)
    assert (tags.title, tags.artists, tags.album, tags.album_artist) == (
        "Under Pressure", ("Queen", "David Bowie"), "Hot Space", "Queen",
    )  # fmt: skip
    assert (tags.year, tags.genres, tags.compilation) == (1982, ("Rock", "Funk"), True)
    assert tags.musicbrainz_artist_ids == (ID_A, ID_B)


def test_id3v23_values_and_old_frames(mp3: Path) -> None:
    from mutagen.id3 import TCON, TPE1, TYER

    _id3(
        mp3,
        TPE1(encoding=1, text="Queen / David Bowie"),
        TYER(encoding=0, text="1981"),
        TCON(encoding=0, text="(17)(4)"),
        version=3,
    )
    tags = read_tags(mp3)
    assert (tags.artists, tags.year, tags.genres) == (("Queen", "David Bowie"), 1981, ("Rock", "Disco"))


def test_identifiers_are_dropped_where_they_fit_nobody(mp3: Path) -> None:
    from mutagen.id3 import TPE1, TXXX

    _id3(
        mp3,
        TPE1(encoding=3, text="Queen & David Bowie"),
        TXXX(encoding=3, desc="MusicBrainz Artist Id", text=[f"{ID_A}/{ID_B}"]),
    )
    assert read_tags(mp3).musicbrainz_artist_ids == ()
    _id3(
        mp3,
        TPE1(encoding=3, text="Queen; David Bowie"),
        TXXX(encoding=3, desc="MusicBrainz Artist Id", text=[f"{ID_A}/{ID_B}"]),
    )
    assert read_tags(mp3).musicbrainz_artist_ids == (ID_A, ID_B)


@pytest.mark.parametrize(
    ("suffix", "how"), [(".flac", {}), (".ogg", {}), (".opus", {"format": "OGG", "subtype": "OPUS"})]
)
def test_vorbis_comments(tmp_path: Path, suffix: str, how: dict[str, str]) -> None:
    import mutagen

    path = _tone(tmp_path / f"x{suffix}", **how)
    file = mutagen.File(path)
    file["TITLE"] = "Bridge over Troubled Water"
    file["ARTIST"] = ["Simon & Garfunkel", "A Choir"]
    file["ALBUMARTIST"] = "Various Artists"
    file["DATE"] = "1970"
    file["GENRE"] = ["Folk", "Unclassifiable", "Soft Rock; Folk"]
    file["MUSICBRAINZ_ARTISTID"] = [ID_A, ID_B]
    file.save()
    tags = read_tags(path)
    assert tags.title == "Bridge over Troubled Water"
    assert tags.artists == ("Simon & Garfunkel", "A Choir")
    assert tags.musicbrainz_artist_ids == (ID_A, ID_B)
    assert (tags.year, tags.genres) == (1970, ("Folk", "Soft Rock"))
    assert (tags.album_artist, tags.compilation) == (None, True)


def test_mp4(tmp_path: Path) -> None:
    from mutagen.mp4 import MP4, MP4FreeForm

    from separation.audio import save

    path = tmp_path / "x.m4a"
    save(path, np.full((1, SR), 0.1, dtype=np.float32), SR)
    file = MP4(path)
    if file.tags is None:
        file.add_tags()
    file["\xa9nam"], file["\xa9ART"], file["\xa9alb"] = "Hurt", "Johnny Cash feat. A Guest", "American IV"
    file["\xa9day"], file["\xa9gen"], file["cpil"] = "2002-11-05T08:00:00Z", "Country", True
    file["----:com.apple.iTunes:MusicBrainz Artist Id"] = [
        MP4FreeForm(ID_A.encode()),
        MP4FreeForm(ID_B.encode()),
    ]
    file.save()
    tags = read_tags(path)
    assert (tags.title, tags.artists, tags.album) == ("Hurt", ("Johnny Cash", "A Guest"), "American IV")
    assert (tags.year, tags.genres, tags.compilation) == (2002, ("Country",), True)
    assert tags.musicbrainz_artist_ids == (ID_A, ID_B)


def test_wav_with_id3(tmp_path: Path) -> None:
    from mutagen.id3 import TPE1
    from mutagen.wave import WAVE

    path = _tone(tmp_path / "x.wav")
    file = WAVE(path)
    file.add_tags()
    file.tags.add(TPE1(encoding=3, text="Someone"))
    file.save()
    assert read_tags(path).artists == ("Someone",)


def test_album_artist_stands_in(mp3: Path) -> None:
    from mutagen.id3 import TIT2, TPE2

    assert read_tags(_id3(mp3, TIT2(encoding=3, text="T"), TPE2(encoding=3, text="Band"))).artists == ("Band",)


@pytest.mark.parametrize(
    ("name", "title", "artist"),
    [
        ("Jonathan Coulton - Monkey Shines.mp3", "Monkey Shines", "Jonathan Coulton"),
        ("A Classic Education - NightOwl.stem.mp4", "NightOwl", "A Classic Education"),
        ("A Classic Education - NightOwl.STEM.MP4", "NightOwl", "A Classic Education"),
        ("03 - Band - Song - live.flac", "Song - live", "Band"),
        ("Band - 03 - Song.flac", "Song", "Band"),
        ("07. Intro.flac", "Intro", None),
        ("01 Monkey Shines.m4a", "Monkey Shines", None),
        ("99 Luftballons.mp3", "99 Luftballons", None),
        ("2 Unlimited - No Limit.mp3", "No Limit", "2 Unlimited"),
        ("Sigur_Rós_–_Hoppípolla.ogg", "Hoppípolla", "Sigur Rós"),
        ("Jay-Z.mp3", "Jay-Z", None),
        ('🎸 it\'s "loud" - 😀.wav', "😀", '🎸 it\'s "loud"'),
        ("01.mp3", "01", None),
        ("St. Vincent", "St. Vincent", None),
        (" - .mp3", "-", None),
    ],
)
def test_names(name: str, title: str, artist: str | None) -> None:
    parts = parse_name(name)
    assert (parts.title, parts.artist) == (title, artist)


@pytest.mark.parametrize(
    ("place", "artists", "title"),
    [
        ("Coldplay/Yellow.wav", ("Coldplay",), "Yellow"),
        ("Coldplay/CD 2/Yellow.wav", ("Coldplay",), "Yellow"),
        ("Coldplay/Radiohead - Creep.wav", ("Radiohead",), "Creep"),
        ("Coldplay/Radiohead feat. Someone - Creep.wav", ("Radiohead", "Someone"), "Creep"),
        ("Coldplay/Unknown Artist - Creep.wav", ("Coldplay",), "Creep"),
        *(
            (f"{folder}/Yellow.wav", (), "Yellow")
            for folder in ("Music", "downloads", "SONGS", "train", "test", "audio", "library")
        ),
        ("blues/Yellow.wav", (), "Yellow"),
        ("2019/Yellow.wav", (), "Yellow"),
        ("Various Artists/Yellow.wav", (), "Yellow"),
    ],
)
def test_untagged(tmp_path: Path, place: str, artists: tuple[str, ...], title: str) -> None:
    tags = read_tags(_tone(tmp_path / place))
    assert (tags.artists, tags.title, tags.album) == (artists, title, None)


def test_dash_in_an_untitled_file_of_a_known_artist(tmp_path: Path) -> None:
    import mutagen

    for name, title in (("Love - Hate.flac", "Love - Hate"), ("The Band - Hate.flac", "Hate")):
        path = _tone(tmp_path / name)
        file = mutagen.File(path)
        file["ARTIST"] = "The Band"
        file.save()
        assert read_tags(path).title == title


def test_a_compilations_folder_is_no_artist(tmp_path: Path) -> None:
    import mutagen

    path = _tone(tmp_path / "Summer Hits" / "x.flac")
    file = mutagen.File(path)
    file["ALBUMARTIST"] = "Various Artists"
    file.save()
    assert read_tags(path).artists == ()
    del file["ALBUMARTIST"]
    file["ALBUM"] = "Summer Hits"
    file.save()
    assert read_tags(path).artists == ()


@pytest.mark.parametrize("size", [0, 3, 128, 1000])
def test_broken_tag_blocks_fall_back_to_the_name(tmp_path: Path, size: int) -> None:
    noise = np.random.default_rng(size).bytes(size)
    for suffix, head in (
        (".mp3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f"),
        (".flac", b"fLaC\x00"),
        (".ogg", b"OggS\x00\x02"),
        (".m4a", b"\x00\x00\x00\x20ftypM4A "),
    ):
        path = tmp_path / f"Band - Song{suffix}"
        path.write_bytes((head + noise) if size else b"")
        tags = read_tags(path)
        assert (tags.title, tags.artists) == ("Song", ("Band",))


def test_one_broken_frame_keeps_the_others(mp3: Path) -> None:
    from mutagen.id3 import TIT2, TPE1

    _id3(mp3, TIT2(encoding=3, text="Title"), TPE1(encoding=3, text="Artist"))
    data = bytearray(mp3.read_bytes())
    at = data.index(b"TPE1")
    data[at + 10] = 9  # a text encoding that does not exist
    mp3.write_bytes(data)
    assert read_tags(mp3).title == "Title"
