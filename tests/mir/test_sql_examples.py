"""The worked questions: every answer is computed again in pandas, from the numbers that the catalog was given."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sql_library import Made, library

from mir.catalog import open_catalog
from mir.sql.examples import EXAMPLES, markdown

ANSWERS = {}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return library(tmp_path_factory)


def answers(title):
    def keep(function):
        ANSWERS[title] = function
        return function

    return keep


@answers("The fastest drums of each decade")
def fastest(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["year", "drum_rhythm.tempo_bpm"])
    rows = []
    for decade, group in there.groupby((there.year // 10 * 10).astype(int)):
        top = group.loc[group["drum_rhythm.tempo_bpm"].idxmax()]
        tempos = group["drum_rhythm.tempo_bpm"]
        rows.append((decade, len(group), tempos.median(), tempos.max(), f"{top.artist} - {top.title}"))
    return pd.DataFrame(rows, columns=["decade", "tracks", "median_bpm", "fastest_bpm", "fastest"])


@answers("Singers whose voice lies between two pitches")
def singers(made: Made) -> pd.DataFrame:
    sung = made.artists()
    # A track that sings has a row; one whose pitch could not be measured still counts as a track.
    sung = sung[~np.isnan(made.vectors["vocal_timbre"][sung.index, 0])]
    found = sung.groupby("who").agg(tracks=("title", "size"), f0_hz=("vocal_timbre.f0_median_hz", "median"))
    low, high = 165, 255
    return found[found.f0_hz.between(low, high)].reset_index(names="artist").sort_values(["f0_hz", "artist"])


@answers("Genres by syncopation of their drums")
def syncopation(made: Made) -> pd.DataFrame:
    by = made.tracks.groupby("genre")["drum_rhythm.syncopation"]
    found = pd.DataFrame(
        {"tracks": by.count(), "low": by.quantile(0.25), "syncopation": by.median(), "high": by.quantile(0.75)}
    )
    return found.reset_index().sort_values("syncopation", ascending=False)


@answers("Pairs of artists alike in voice, and least alike in drums")
def pairs(made: Made) -> pd.DataFrame:
    voices, drums = made.vectors["vocal_timbre"], made.vectors["drum_rhythm"]
    heard = ~np.isnan(voices[:, 0]) & ~np.isnan(drums[:, 0])
    tracks = {who: [at for at in group.index if heard[at]] for who, group in made.artists().groupby("who")}
    rows = []
    for one, other in combinations(sorted(tracks), 2):
        both = [(a, b) for a in tracks[one] for b in tracks[other] if a != b]
        if both:
            voice = np.mean([voices[a] @ voices[b] for a, b in both])
            drum = np.mean([drums[a] @ drums[b] for a, b in both])
            rows.append((frozenset((one, other)), len(both), voice, drum, voice - drum))
    found = pd.DataFrame(rows, columns=["both", "pairs", "voice", "drums", "contrast"])
    return found.sort_values("contrast", ascending=False).head(10)


@answers("The three commonest keys of each genre")
def keys(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["genre", "harmony.key_pitch_class"])
    there = there[there["harmony.key_strength"] > 0.3]
    names = np.array(["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])
    key = names[there["harmony.key_pitch_class"].astype(int)] + np.where(
        there["harmony.mode_is_major"] == 1, " major", " minor"
    ).astype(object)
    counts = there.assign(key=key).groupby(["genre", "key"]).size().rename("tracks").reset_index()
    counts["share"] = counts.tracks / counts.groupby("genre").tracks.transform("sum")
    counts = counts.sort_values(["genre", "tracks", "key"], ascending=[True, False, True])
    return counts.groupby("genre").head(3)


@answers("Vocal range by artist")
def ranges(made: Made) -> pd.DataFrame:
    sung = made.artists().dropna(subset=["vocal_timbre.f0_low_hz", "vocal_timbre.f0_high_hz"])
    found = sung.groupby("who").agg(
        tracks=("title", "size"),
        lowest_hz=("vocal_timbre.f0_low_hz", "min"),
        highest_hz=("vocal_timbre.f0_high_hz", "max"),
    )
    found["range_semitones"] = 12 * np.log2(found.highest_hz / found.lowest_hz)
    return found.reset_index(names="artist").sort_values("range_semitones", ascending=False).head(20)


@answers("Swing against straight by genre")
def swing(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["genre", "drum_rhythm.swing_ratio"])
    rows = []
    for genre, ratios in there.groupby("genre")["drum_rhythm.swing_ratio"]:
        swung = int((ratios >= 1.15).sum())
        rows.append((genre, len(ratios), ratios.median(), swung, len(ratios) - swung, swung / len(ratios)))
    names = ["genre", "tracks", "swing_ratio", "swung", "straight", "swung_share"]
    return pd.DataFrame(rows, columns=names).sort_values(["swung_share", "genre"], ascending=[False, True])


@answers("Loudness by year")
def loudness(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["year", "mixture.loudness_lufs"])
    found = there.groupby("year").agg(
        tracks=("title", "size"),
        loudness_lufs=("mixture.loudness_lufs", "mean"),
        loudness_range_lu=("mixture.loudness_range_lu", "mean"),
        crest_factor_db=("mixture.crest_factor_db", "mean"),
    )
    return found.reset_index()


@answers("Fast drums over a sparse bass")
def fast_and_sparse(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["drum_rhythm.onset_rate_hz", "bass_line.note_rate_hz"])
    drums, bass = there["drum_rhythm.onset_rate_hz"], there["bass_line.note_rate_hz"]
    below = len(there) - 1
    found = there[((drums.rank() - 1) / below >= 0.75) & ((bass.rank() - 1) / below <= 0.25)]
    names = {
        "drum_rhythm.tempo_bpm": "tempo_bpm",
        "drum_rhythm.onset_rate_hz": "drum_strokes_hz",
        "bass_line.note_rate_hz": "bass_notes_hz",
    }
    found = found.rename(columns=names)
    order = (found.drum_strokes_hz - found.bass_notes_hz).sort_values(ascending=False).index
    return found.loc[order, ["artist", "title", *names.values()]]


@answers("Who sings with the most vibrato, and who the most evenly")
def vibrato(made: Made) -> pd.DataFrame:
    sung = made.artists().dropna(subset=["vocal_timbre.vibrato_ratio", "vocal_timbre.level_range_db"])
    found = sung.groupby("who").agg(
        tracks=("title", "size"),
        vibrato_ratio=("vocal_timbre.vibrato_ratio", "mean"),
        vibrato_rate_hz=("vocal_timbre.vibrato_rate_hz", "median"),
        level_range_db=("vocal_timbre.level_range_db", "mean"),
    )
    found = found[found.tracks >= 2]
    found["evenness_rank"] = found.level_range_db.rank(method="min").astype(int)
    return found.reset_index(names="artist").sort_values("vibrato_ratio", ascending=False).head(20)


@answers("Tracks that are far from what is usual in their genre")
def outliers(made: Made) -> pd.DataFrame:
    there = made.tracks.dropna(subset=["genre", "drum_rhythm.tempo_bpm"])
    rows = []
    for genre, group in there.groupby("genre"):
        tempo = group["drum_rhythm.tempo_bpm"]
        middle = tempo.median()
        deviations = (tempo - middle) / (1.4826 * (tempo - middle).abs().median())
        rows += [
            (group.artist[at], group.title[at], genre, tempo[at], middle, deviations[at])
            for at in group.index
            if abs(deviations[at]) > 3
        ]
    names = ["artist", "title", "genre", "tempo_bpm", "usual_bpm", "deviations"]
    found = pd.DataFrame(rows, columns=names)
    return found.loc[found.deviations.abs().sort_values(ascending=False).index]


@answers("Voices like that of one track")
def voices(made: Made) -> pd.DataFrame:
    vectors = made.vectors["vocal_timbre"]
    sung = made.tracks[~np.isnan(vectors[:, 0])]
    first = sung.track_id.idxmin()
    found = sung.assign(similarity=vectors[sung.index] @ vectors[first]).drop(first)
    found = found.rename(columns={f"vocal_timbre.{name}": name for name in ("f0_median_hz", "breathiness")})
    found = found.sort_values("similarity", ascending=False).head(10)
    return found[["artist", "title", "similarity", "f0_median_hz", "breathiness"]]


def test_every_question_has_an_independent_answer() -> None:
    assert [each.title for each in EXAMPLES] == list(ANSWERS)
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.title)
def test_answers_are_those_of_pandas(made: Made, example) -> None:
    got = open_catalog(made.path).sql(example.sql)
    expected = ANSWERS[example.title](made).reset_index(drop=True)
    assert len(got) == len(expected) > 0
    if "other" in got:
        got = got.assign(both=[frozenset(names) for names in zip(got.artist, got.other, strict=True)])
        got = got[list(expected.columns)]
    assert list(got.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False, rtol=1e-5)


def test_the_page_has_the_questions() -> None:
    page = Path(__file__).parents[2] / "docs" / "sql.md"
    assert markdown() in page.read_text(encoding="utf-8"), (
        "python -m mir.sql.examples writes the section of docs/sql.md"
    )
