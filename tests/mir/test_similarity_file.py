"""A file that is not in the catalog as the question; the separator is a stand-in."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from similar_library import add, small_extractors, unit

import separation.separator
from mir.catalog import create_catalog
from mir.errors import NothingToCompare, NotInCatalog
from mir.similarity import WAYS, Filters, similar_artists, similar_tracks
from separation.audio import packet_hash, save
from separation.errors import AudioUnreadable

SR = 22_050
HEARD = "A stranger.wav"


class FakeSeparator:
    """Says that half of the mixture is the vocals, and that there are no drums."""

    source_id = "fake"
    asked: list[str] = []  # noqa: RUF012 - what the stand-in was asked for, read by the tests

    def __init__(self, model, precision):
        self.asked.append(model)

    def separate(self, y, sr):
        assert (y.dtype, y.ndim, sr) == (np.float32, 2, 44_100)
        return {"vocals": 0.5 * y, "drums": 0 * y, "bass": 0 * y, "other": 0.5 * y}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    monkeypatch.setattr(separation.separator, "Separator", FakeSeparator)
    monkeypatch.setattr(FakeSeparator, "asked", [])
    with small_extractors():
        yield


@pytest.fixture(scope="module", name="library")
def _library(tmp_path_factory):
    with small_extractors():
        catalog = create_catalog(tmp_path_factory.mktemp("library") / "mir.duckdb")
        add(catalog, "A1", ["Anna"], vocals=[1, 0.1, 1, 0.1], drums=[1, 0, 0])
        add(catalog, "B1", ["Berta"], vocals=[0, 1, 0, 1], drums=[0, 1, 0])
        add(catalog, "C1", ["Carl"], vocals=[1, 1, 0, 1], drums=[0, 0, 1])
    return catalog


@pytest.fixture(name="sound")
def _sound(tmp_path):
    path = tmp_path / HEARD
    t = np.arange(2 * SR) / SR
    save(path, np.stack([0.4 * np.sin(2 * np.pi * 220 * t)] * 3).astype(np.float32)[:2], SR)
    return path


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_is_heard_and_compared_and_nothing_is_kept(library, sound, as_text):
    before = library.identity()
    hits = similar_artists(library, str(sound) if as_text else sound, "vocals", 5, model="mir-4s", explain=True)
    assert library.identity() == before
    assert FakeSeparator.asked == ["mir-4s"]
    assert [hit.artist for hit in hits] == ["Anna", "Carl", "Berta"]
    level = 0.5 * 0.4 / np.sqrt(2)
    expected = unit([1, level, 1, 0]) @ unit([1, 0.1, 1, 0.1])
    assert hits[0].similarity == pytest.approx(expected, abs=1e-4)
    told = {one.feature: one for one in hits[0].explanation}
    assert sum(one.contribution for one in hits[0].explanation) == pytest.approx(hits[0].score, abs=1e-6)
    assert told["f0_hz"].query_value == 200.0
    assert told["breath"].query_value == pytest.approx(level, rel=1e-3)
    assert [hit.track for hit in similar_tracks(library, sound, "vocals", 2)] == ["A1", "C1"]


def test_a_file_is_asked_with_beside_others_and_through_every_filter(library, sound):
    level = 0.5 * 0.4 / np.sqrt(2)
    heard, carl = unit([1, level, 1, 0]), unit([1, 1, 0, 1])
    hits = similar_artists(library, [sound, "Carl"], "vocals", 5, explain=True)
    assert [hit.artist for hit in hits] == ["Anna", "Berta"]
    anna = unit([1, 0.1, 1, 0.1])
    assert hits[0].similarity == pytest.approx((heard @ anna + carl @ anna) / 2, abs=1e-4)
    for hit in hits:
        assert sum(one.contribution for one in hit.explanation) == pytest.approx(hit.score, abs=1e-6)
    told = {one.feature: one for one in hits[0].explanation}
    assert told["f0_hz"].query_value == pytest.approx((200 + 1) / 2)
    with library.write() as con:
        con.execute("UPDATE tracks SET year = 1990 + track_id % 7")
        con.execute("INSERT INTO track_genres SELECT track_id, 'Folk', 'person', NULL, NULL FROM tracks")
    filters = Filters(genre="folk", year=(1990, 1996), tempo_bpm=(0, 0.5), exclude="Berta", known=["Nobody here"])
    for how in WAYS:
        asked = {"filters": filters, "artists_by": how, "diversity": 0.5}
        assert [hit.artist for hit in similar_artists(library, sound, "vocals", **asked)] == ["Carl"]
    found = similar_tracks(library, sound, "vocals", filters=filters, diversity=0.5, per_artist=1, explain=True)
    assert [hit.track for hit in found] == ["C1"]
    assert sum(one.contribution for one in found[0].explanation) == pytest.approx(found[0].score, abs=1e-6)


def test_a_file_without_the_instrument_is_told(library, sound):
    with pytest.raises(NothingToCompare, match=r"A stranger\.wav' has no drums.*silent"):
        similar_artists(library, sound, "vocals,drums")
    assert len(similar_artists(library, sound, "vocals,drums=-1")) == 3


def test_audio_that_the_catalog_has_is_its_track(library, sound, tmp_path):
    copy = create_catalog(tmp_path / "other.duckdb")
    track_id = add(copy, "Anna's own", ["Anna"], vocals=[1, 0, 1, 0])
    add(copy, "B1", ["Berta"], vocals=[0, 1, 0, 1])
    with copy.write() as con:
        con.execute("UPDATE tracks SET audio_hash = ? WHERE track_id = ?", [packet_hash(sound), track_id])
    elsewhere = shutil.copy(sound, tmp_path / "same sound.wav")
    assert [hit.artist for hit in similar_artists(copy, elsewhere, "vocals")] == ["Berta"]
    assert FakeSeparator.asked == []


def test_what_is_no_sound_or_not_there(library, tmp_path):
    picture = tmp_path / "picture.mp3"
    picture.write_bytes(b"\xff\xd8\xff\xe0" + b"JFIF" * 400)
    with pytest.raises(AudioUnreadable):
        similar_artists(library, picture, "vocals")
    with pytest.raises(NotInCatalog, match="no such file"):
        similar_artists(library, tmp_path / "nothing.mp3", "vocals")
    with pytest.raises(NotInCatalog, match=r"nothing\.mp3"):
        similar_artists(library, str(tmp_path / "nothing.mp3"), "vocals")
