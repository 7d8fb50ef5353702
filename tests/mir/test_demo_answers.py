"""Answers beside the truth: counting, tables, the page."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from mir.demo.answers import Answers, Heard, Neighbour
from mir.demo.report import write_report
from mir.demo.tables import artists_table, drums_table, headline, tracks_table, voices_table
from mir.demo.verdict import Truth, compare, tempo_verdict

LINEUP = {"A1": ("Ann", "One"), "A2": ("Ann", "Two"), "B1": ("Bob", "One"), "B2 <b>&'": ("Bob", "Two")}


def example() -> tuple[Answers, dict[str, Truth]]:
    truth, tracks = {}, []
    for artist, (singer, band) in LINEUP.items():
        for number, tempo in enumerate((120.0, 174.0)):
            file = f"{artist}-{number}.flac"
            silent = artist == "A1" and number == 1
            truth[file] = Truth(
                file, artist, singer, band, "House" if band == "One" else "Rock", tempo, "C minor", silent
            )
            tracks.append(
                Heard(
                    file=file,
                    artist=artist,
                    title=f"Song {number}",
                    tempo_bpm=tempo / (2.0 if number else 1.0),
                    four_on_the_floor=0.5,
                    f0_median_hz=math.nan if silent else 220.0,
                    vocals="silent" if silent else "ok",
                    genre="House",
                )
            )

    def ranked(like: int, artist: str) -> tuple[Neighbour, ...]:
        others = [name for name in LINEUP if name != artist]
        others.sort(key=lambda name: LINEUP[name][like] != LINEUP[artist][like])
        return tuple(Neighbour(name, 1.0 - place) for place, name in enumerate(others))

    neighbours = {
        "vocals": {artist: ranked(0, artist) for artist in LINEUP},
        "mix": {artist: ranked(1, artist) for artist in LINEUP},
        "drums": {artist: ranked(1, artist) for artist in LINEUP if artist != "A1"},
    }
    return Answers(tuple(LINEUP), neighbours, tuple(tracks), "chance"), truth


@pytest.mark.parametrize(
    ("found", "true", "verdict"),
    [(120.0, 120.0, "right"), (124.0, 120.0, "right"), (127.0, 120.0, "wrong"), (87.0, 174.0, "half"),
     (180.0, 90.0, "double"), (math.nan, 120.0, "wrong")],
)  # fmt: skip
def test_tempo(found: float, true: float, verdict: str):
    assert tempo_verdict(found, true) == verdict


def test_counts():
    summary = compare(*example()).summary()
    assert summary["same_singer_first"] == {"vocals": 4, "mix": 0, "drums": 0}
    assert summary["same_band_first"] == {"vocals": 0, "mix": 4, "drums": 3}
    assert (summary["tempo_right"], summary["tempo_right_or_octave"], summary["genre_right"]) == (4, 8, 4)
    assert summary["instrumentals"] == {"truth": ["A1-1.flac"], "found": ["A1-1.flac"]}


def test_partner_and_rank():
    act = next(act for act in compare(*example()).acts if act.artist == "A1")
    assert (act.partner, act.bandmate, act.rank["vocals"]) == ("A2", "B1", 1)
    assert act.rank["drums"] == 0, "no answer has no rank"
    assert act.first["drums"] == ""


def test_unknown_tracks_are_left_out():
    answers, truth = example()
    del truth["A1-0.flac"]
    assert len(compare(answers, truth).tracks) == 7


def test_tables_judge():
    verdict = compare(*example())
    assert artists_table(verdict).rows[0][3:] == ("A2 ✓", "B1 ✗")
    drums = {row[0]: row for row in drums_table(verdict).rows}
    assert drums["A1"] == ("A1", "One", "B1", "- ✗", "120 174", "120 87 ✗", "House", "House ✓")
    assert drums["A2"][3:] == ("B2 <b>&' ✓", "120 174", "120 87 ✗", "Rock", "House ✗")
    assert voices_table(verdict).rows == (("A1", "Song 1", "silent ✓", "instrumental"),)
    assert len(tracks_table(verdict).rows) == 8
    assert headline(verdict)[0] == ("4 of 4", "same singer first, by vocals")
    for table in (artists_table(verdict), drums_table(verdict), voices_table(verdict), tracks_table(verdict)):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_page_is_whole_escaped_and_needs_nothing_else(tmp_path: Path):
    answers, truth = example()
    rng = np.random.default_rng(0)
    sounds = {name: rng.normal(0, 0.1, (2, 22_050)).astype(np.float32) for name in ("mixture", "vocals", "drums")}
    path = write_report(tmp_path / "report.html", answers, compare(answers, truth), sounds, 44_100, "A <x> - y.flac")
    page = path.read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert "B2 &lt;b&gt;&amp;&#x27;" in page
    assert "B2 <b>" not in page
    assert page.count("<img src='data:image/png;base64,") == 3
    assert page.count("<audio ") == 3
    sources = re.findall(r"(?:src|href)='([^']{0,8})", page)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "nan" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
