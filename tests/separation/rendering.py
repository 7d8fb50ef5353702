"""What tests of rendering are made of: tunes, a drum kit, and a stand-in for FluidSynth."""

from __future__ import annotations

import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from separation.training.midi import Note, Part, write_midi

SR = 44100
KIT = """<?xml version="1.0"?>
<drumkit_info xmlns="http://www.hydrogen-music.org/drumkit"><name>Box</name><license>CC0</license><instrumentList>
<instrument><id>0</id><name>Kick</name><volume>1</volume>
 <layer><filename>soft.wav</filename><min>0</min><max>0.5</max><gain>1</gain></layer>
 <layer><filename>loud.wav</filename><min>0.5</min><max>1</max><gain>1</gain></layer></instrument>
<instrument><id>1</id><name>Snare Rock</name><filename>snare.wav</filename></instrument>
<instrument><id>2</id><name>Closed HH</name><filename>hat.wav</filename></instrument>
<instrument><id>3</id><name>Open HH</name><filename>long.wav</filename></instrument>
<instrument><id>4</id><name>Crash</name><filename>../outside.wav</filename></instrument>
</instrumentList></drumkit_info>"""


def part(name: str, program: int, pitches: list[int], *, step_s: float = 0.5, drums: bool = False) -> Part:
    notes = (Note(i * step_s, i * step_s + 0.8 * step_s, pitch, 90) for i, pitch in enumerate(pitches))
    return Part(name, program, drums, tuple(notes))


def write_tune(path: Path, seconds: float = 24.0) -> Path:
    """Write a tune of drums, bass, guitar and a gunshot."""
    n = int(seconds * 2)
    parts = [
        part("drums", 0, [36, 42, 38, 42] * (n // 4), drums=True),
        part("bass", 33, [28, 40] * (n // 2)),
        part("guitar", 29, [64, 67, 71, 67] * (n // 4)),
        part("gun", 127, [60] * n),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(parts, path, seconds)
    return path


def write_sketch(path: Path, n_bars: int = 16, late_beats: float = 0.4) -> Path:
    """Write a piano that plays C F G C, a bar each, at 120 beats a minute, beginning a little late."""
    roots = [48, 53, 55, 48]
    notes = []
    for bar in range(n_bars):
        start_s = (4 * bar + late_beats) / 2.0
        notes.append(Note(start_s, start_s + 1.9, roots[bar % 4], 80))
        notes += [Note(start_s + b / 2, start_s + b / 2 + 0.2, roots[bar % 4] + 16, 60) for b in range(4)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi([Part("PIANO", 0, False, tuple(sorted(notes, key=lambda n: n.start_s)))], path, n_bars * 2.0 + 1.0)
    return path


def write_groove(path: Path, n_bars: int = 12) -> Path:
    """Write kick on one, snare on three, hi-hat on every beat."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pitches = [36, 42, 38, 42] * n_bars
    write_midi([part("drums", 0, pitches, drums=True)], path, n_bars * 2.0)
    return path


def write_kit(folder: Path) -> Path:
    """Write a kit of clicks: the loud kick is a positive step, the soft one a negative, the open hi-hat long."""
    folder.mkdir(parents=True)
    (folder / "drumkit.xml").write_text(KIT, encoding="utf-8")
    click = np.exp(-np.arange(2000) / 300.0)
    for name, y in {
        "soft": -click,
        "loud": click,
        "snare": click * np.random.default_rng(1).standard_normal(2000),
        "hat": click * np.random.default_rng(2).standard_normal(2000),
        "long": np.full(SR, 0.5),
    }.items():
        soundfile.write(folder / f"{name}.wav", y * 0.5, SR)
    soundfile.write(folder.parent / "outside.wav", click, SR)
    return folder


@pytest.fixture
def beeping_fluidsynth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in on the path; gives a soundfont for it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    script = programs / "fluidsynth"
    source = Path(__file__).with_name("fake_fluidsynth.py")
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    soundfont = tmp_path / "beeps.sf2"
    soundfont.write_bytes(b"")
    return soundfont


def midi_bytes(*messages: mido.Message | mido.MetaMessage, ticks_per_beat: int = 480) -> mido.MidiFile:
    return mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat, tracks=[mido.MidiTrack(messages)])
