"""Genre tags as people write them come to one label."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mir.errors import BadRequest
from mir.genre.labels import VOCABULARY, LabelMap, key, read_label_map


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ("Drum'n'Bass", "Drum & Bass"),
        ("Drum’n’Bass", "Drum & Bass"),
        ("drum n bass", "Drum & Bass"),
        ("DRUM  AND\tBASS", "Drum & Bass"),
        ("DnB", "Drum & Bass"),
        ("hip-hop", "Hip Hop"),
        ("HipHop", "Hip Hop"),
        ("Hip-Hop/Rap", "Hip Hop"),
        ("R'n'B", "R&B"),
        ("Rhythm and Blues", "R&B"),
        ("Pop / Rock", "Pop/Rock"),
        ("house", "House"),
        ("Rock 'n' Roll", "Rock"),
    ],
)
def test_spellings_of_one_genre_are_one_label(tag, label):
    assert LabelMap().choose([tag]) == (label, ())


def test_an_unknown_genre_keeps_its_name_whatever_its_spelling():
    assert LabelMap().choose(["zouk-lambada"])[0] == LabelMap().choose(["ZOUK  Lambada"])[0] == "Zouk Lambada"


def test_a_band_is_no_conjunction():
    assert key("big band") == "big band"
    assert key("northern soul") == "northern soul"


def test_of_several_tags_the_first_recognised_is_used_and_the_others_are_kept():
    assert LabelMap().choose(["my favourites", "Techno", "House"]) == ("Techno", ("House", "My Favourites"))
    assert LabelMap().choose(["Roadtrip; House/Techno"]) == ("House", ("Techno", "Roadtrip"))


def test_no_tag_no_label():
    assert LabelMap().choose([]) == (None, ())
    assert LabelMap().choose(["", "  ", "&"]) == (None, ())


def test_own_rules_go_before_the_vocabulary():
    rules = LabelMap({"pop-rock": "Guitar", "Rap": "Urban", "favourites": None})
    assert rules.choose(["Pop Rock"])[0] == "Guitar"
    assert rules.choose(["RAP"])[0] == "Urban"
    assert rules.choose(["Favourites", "House"]) == ("House", ())
    assert rules.choose(["favourites"]) == (None, ())


def test_a_rule_for_a_genre_holds_for_its_other_names():
    rules = LabelMap({"Hip Hop": "Urban", "Drum & Bass": None})
    assert rules.choose(["rap"])[0] == "Urban"
    assert rules.choose(["dnb", "House"]) == ("House", ())


def test_every_genre_of_the_vocabulary_is_its_own_label():
    for genre in VOCABULARY:
        assert LabelMap().choose([genre]) == (genre, ())


@given(st.text(max_size=40))
def test_a_key_is_stable(text):
    assert key(key(text)) == key(text)


def test_label_maps_are_read_from_json_and_toml(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"Pop": "Pop/Rock", "Misc": None}), encoding="utf-8")
    (tmp_path / "a.toml").write_text('Pop = "Pop/Rock"\nMisc = ""\n', encoding="utf-8")
    expected = {"Pop": "Pop/Rock", "Misc": None}
    assert read_label_map(tmp_path / "a.json").rules == expected
    assert read_label_map(tmp_path / "a.toml").rules == expected


@pytest.mark.parametrize("text", ["not json", "[1, 2]", '{"a": {"b": "c"}}', '{"a": 1}'])
def test_a_bad_label_map_is_refused(tmp_path, text):
    path = tmp_path / "map.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest, match="label map"):
        read_label_map(path)


def test_a_missing_label_map_is_refused(tmp_path):
    with pytest.raises(BadRequest, match="no label map"):
        read_label_map(tmp_path / "none.json")
