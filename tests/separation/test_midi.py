"""MIDI in and out, and arrangements drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

mido = pytest.importorskip("mido", reason="needs mido, from the extra [train]")

from rendering import midi_bytes, part, write_groove, write_sketch, write_tune  # noqa: E402

from separation.training.arrange import arrange, kind_of  # noqa: E402
from separation.training.midi import (  # noqa: E402
    Control,
    MidiUnreadable,
    Note,
    Part,
    Tune,
    excerpt,
    read_midi,
    stem_of,
    write_midi,
)


def test_seconds_follow_every_change_of_tempo(tmp_path: Path) -> None:
    file = midi_bytes(
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.Message("note_on", note=60, velocity=50, time=480),
        mido.Message("note_off", note=60, time=480),
        mido.MetaMessage("set_tempo", tempo=250_000),
        mido.Message("note_on", note=62, velocity=50, time=960),
        mido.Message("note_on", note=62, velocity=0, time=480),
    )
    file.save(tmp_path / "a.mid")
    tune = read_midi(tmp_path / "a.mid")
    times = [(note.pitch, note.start_s, note.end_s) for note in tune.parts[0].notes]
    assert times == [(60, 1.0, 2.0), (62, 2.5, 2.75)]
    assert tune.beat_times[:5].tolist() == [0.0, 1.0, 2.0, 2.25, 2.5]


def test_a_channel_that_changes_program_is_two_parts(tmp_path: Path) -> None:
    note = {"note": 60, "velocity": 50}
    file = midi_bytes(
        mido.Message("program_change", program=33),
        mido.Message("note_on", **note),
        mido.Message("note_off", note=60, time=480),
        mido.Message("program_change", program=0),
        mido.Message("note_on", **note),
        mido.Message("note_off", note=60, time=480),
    )
    file.save(tmp_path / "a.mid")
    assert [(one.program, len(one.notes)) for one in read_midi(tmp_path / "a.mid").parts] == [(0, 1), (33, 1)]


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(1, 40), st.integers(0, 127), st.integers(1, 127)),
        min_size=1,
        max_size=20,
        unique_by=lambda one: one[2],
    ),
    st.booleans(),
)
def test_what_is_written_is_read_again(tmp_path_factory, played, drums) -> None:
    notes = tuple(
        sorted(
            (Note(start / 8, (start + length) / 8, pitch, velocity) for start, length, pitch, velocity in played),
            key=lambda note: (note.start_s, note.pitch),
        )
    )
    if drums:
        notes = tuple(note for note in notes if note.pitch not in (22, 26, 58)) or (Note(0.0, 1.0, 36, 9),)
    controls = (Control(0.25, "control", 7, 90), Control(0.5, "bend", 0, -4000))
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    write_midi([Part("lead", 0 if drums else 81, drums, notes, controls)], path, 40.0)
    (read,) = read_midi(path).parts
    assert read.drums == drums
    assert read.notes == notes
    assert read.controls == controls
    assert mido.MidiFile(path).length == pytest.approx(40.0, abs=0.001)


def test_grooves_own_drums_become_general_midis(tmp_path: Path) -> None:
    write_midi([part("kit", 0, [22, 26, 58], drums=True)], tmp_path / "a.mid", 2.0)
    assert [note.pitch for note in read_midi(tmp_path / "a.mid").parts[0].notes] == [42, 46, 43]


@pytest.mark.parametrize("content", [b"", b"no music", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk\xff\xff"])
def test_what_is_no_midi_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(MidiUnreadable, match=r"a\.mid"):
        read_midi(tmp_path / "a.mid")


def test_a_file_without_notes_is_refused(tmp_path: Path) -> None:
    midi_bytes(mido.MetaMessage("set_tempo", tempo=500_000)).save(tmp_path / "a.mid")
    with pytest.raises(MidiUnreadable, match="no notes"):
        read_midi(tmp_path / "a.mid")


def _tune(*parts: Part) -> Tune:
    return Tune(parts, np.arange(9) / 2.0, 4.0)


def test_stems_by_program() -> None:
    low, high = part("low", 43, [30]), part("high", 43, [60])
    tune = _tune(low, high, part("piano", 0, [50]))
    assert stem_of(low, tune) == "bass"
    assert stem_of(high, tune) == "other"
    assert stem_of(part("bass", 38, [35]), tune) == "bass"
    assert stem_of(part("solo on a bass sound", 38, [75]), tune) == "other"
    assert stem_of(part("lead", 87, [40]), tune) == "bass"
    assert stem_of(part("gunshot", 127, [60]), tune) is None
    assert stem_of(part("kit", 127, [36], drums=True), tune) == "drums"


def test_an_excerpt_begins_at_0_and_keeps_what_was_set_before() -> None:
    one = Part(
        "a",
        0,
        False,
        (Note(0.0, 3.0, 60, 9), Note(2.0, 2.5, 127, 9), Note(3.5, 9.0, 60, 9), Note(6.0, 7.0, 60, 9)),
        (Control(1.0, "control", 7, 50), Control(3.0, "bend", 0, 5), Control(6.5, "control", 7, 1)),
    )
    cut = excerpt(one, 2.0, 2.0, speed=2.0, transpose=3)
    assert cut.notes == (Note(0.0, 0.25, 127, 9), Note(0.75, 2.0, 63, 9))
    assert cut.controls == (Control(0.0, "control", 7, 50), Control(0.5, "bend", 0, 5))
    drums = excerpt(Part("d", 0, True, one.notes), 2.0, 2.0, transpose=3)
    assert {note.pitch for note in drums.notes} == {127, 60}


def test_a_tune_keeps_its_stems_and_loses_its_gunshots(tmp_path: Path) -> None:
    tune = read_midi(write_tune(tmp_path / "tune.mid"))
    assert kind_of(tune) == "tune"
    drawn = [arrange(tune, None, (10.0, 12.0), np.random.default_rng(seed)) for seed in range(12)]
    assert {tuple(layer.stem for layer in one.layers) for one in drawn} == {("bass", "drums", "other")}
    programs = {layer.stem: set() for layer in drawn[0].layers}
    for one in drawn:
        assert 10.0 <= one.duration_s <= 12.0
        for layer in one.layers:
            programs[layer.stem] |= {p.program for p in layer.parts}
            assert all(0.0 <= n.start_s < one.duration_s for p in layer.parts for n in p.notes)
    assert len(programs["bass"]) > 2
    assert programs["bass"] <= set(range(32, 40))
    assert programs["other"] <= set(range(24, 32))
    kicks = {n.pitch for one in drawn for layer in one.layers if layer.stem == "drums" for n in layer.parts[0].notes}
    assert kicks == {36, 38, 42}, "drums must not be transposed"


def test_the_same_draw_gives_the_same_arrangement(tmp_path: Path) -> None:
    tune = read_midi(write_tune(tmp_path / "tune.mid"))
    one, same, other = (arrange(tune, None, (10.0, 12.0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_sketch_gets_a_band_that_plays_on_its_beat(tmp_path: Path) -> None:
    sketch = read_midi(write_sketch(tmp_path / "sketch.mid", n_bars=24, late_beats=0.4))
    groove = read_midi(write_groove(tmp_path / "groove.mid"))
    assert (kind_of(sketch), kind_of(groove)) == ("sketch", "drums")
    for seed in range(8):
        one = arrange(sketch, groove, (20.0, 25.0), np.random.default_rng(seed))
        layers = {layer.stem: [n for p in layer.parts for n in p.notes] for layer in one.layers}
        assert set(layers) == {"drums", "bass", "other"}
        assert all(28 - 3 <= note.pitch <= 43 + 12 + 3 for note in layers["bass"])
        struck = np.array([n.start_s for n in layers["drums"]])
        piano = np.array([n.start_s for n in layers["other"]])
        for notes in (piano, np.array([n.start_s for n in layers["bass"]])):
            apart = np.abs(notes[:, None] - struck).min(axis=1)
            assert np.quantile(apart, 0.4) < 0.03, "the band is not together"  # eighths fall between
        roots = {note.pitch % 12 for note in layers["bass"]}
        assert len(roots) >= 3


def test_a_groove_twice_as_fast_is_played_at_half_its_tempo(tmp_path: Path) -> None:
    sketch = read_midi(write_sketch(tmp_path / "sketch.mid", n_bars=24))
    fast = [part("drums", 0, [36, 42, 38, 42] * 40, step_s=0.25, drums=True)]
    groove = Tune(tuple(fast), np.arange(200) * 0.25, 4.0)
    one = arrange(sketch, groove, (20.0, 20.0), np.random.default_rng(0))
    drums = next(layer for layer in one.layers if layer.stem == "drums").parts[0].notes
    gap = float(np.median(np.diff([note.start_s for note in drums])))
    assert 0.25 / 1.12 < gap < 0.25 / 0.88
