"""Drums against the score that was played: performances of the Groove MIDI Dataset, rendered with a soundfont."""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from features.base import Stems
from features.drum_rhythm import DrumAnalysis, DrumRhythm, analyse_drums
from features.drum_voices import DRUMS
from features.grid import syncopation
from features.onsets import ONSET_SR

pytestmark = pytest.mark.shared

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
KEYS = {
    "kick": {35, 36},
    "snare": {37, 38, 39, 40},
    "hats": {22, 26, 42, 44, 46, 49, 51, 52, 53, 55, 57, 59},
    "toms": {41, 43, 45, 47, 48, 50},
}
EDGES = {22: 42, 26: 46}
"""The hi-hat's edge, closed and open: keys of the electronic kit that General MIDI has no sound for."""

SECONDS = (8.0, 30.0)
SAME_S = 0.03
AUDIBLE = 20
"""Softer strokes than this velocity are 32 dB under a full one, and nobody hears them beside the others."""


@dataclass(frozen=True)
class Beat:
    """What a drummer played, as numbers and as sound."""

    bpm: float
    seconds: np.ndarray
    keys: np.ndarray
    velocities: np.ndarray
    analysis: DrumAnalysis
    values: dict[str, float]

    def played(self, keys: set[int]) -> np.ndarray:
        return self.seconds[np.isin(self.keys, list(keys))]


def unheard(groove: Path) -> list[dict[str, str]]:
    """Beats in four of `SECONDS`, none of which taught `features.drum_voices` its weights."""
    with (groove / "manifest.csv").open(encoding="utf-8", newline="") as manifest:
        rows = [
            row
            for row in csv.DictReader(manifest)
            if row["kind"] == "beat" and "eval_session" not in row["file"] and float(row["seconds"]) >= SECONDS[0]
        ]
    # In this order every other beat, from the first on, taught them strokes: benchmarks/drums/corpus.py.
    rows.sort(key=lambda row: hashlib.sha256(row["file"].encode()).digest())
    return [row for row in rows[1::2] if row["meter"] == "4-4" and float(row["seconds"]) <= SECONDS[1]]


def hear(midi: Path, bpm: float, folder: Path) -> Beat:
    import mido
    import soundfile

    score = mido.MidiFile(midi)
    now, strokes = 0.0, []
    for message in score:
        now += message.time
        if message.type == "note_on" and message.velocity > 0:
            strokes.append((now, message.note, message.velocity))
    for message in (message for track in score.tracks for message in track):
        if message.type in ("note_on", "note_off"):
            message.note = EDGES.get(message.note, message.note)
    score.save(folder / "beat.mid")
    files = (str(folder / "beat.wav"), str(SOUNDFONT), str(folder / "beat.mid"))
    subprocess.run(
        ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", "44100", "-F", *files], check=True, capture_output=True
    )
    y, sr = soundfile.read(folder / "beat.wav", dtype="float32", always_2d=True)
    stems = Stems({"drums": np.ascontiguousarray(y.T), "mixture": np.ascontiguousarray(y.T)}, sr)
    analysis = analyse_drums(stems.mono("drums", ONSET_SR))
    assert analysis is not None
    seconds, keys, velocities = (np.array(each) for each in zip(*strokes, strict=True))
    return Beat(bpm, seconds, keys, velocities, analysis, DrumRhythm().extract(stems).values)


@pytest.fixture(scope="module")
def beats(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Beat]:
    if shutil.which("fluidsynth") is None or not SOUNDFONT.is_file():
        pytest.skip(f"needs fluidsynth and {SOUNDFONT}: on Debian, apt-get install fluidsynth fluid-soundfont-gm")
    groove, folder = shared_data / "midi" / "groove", tmp_path_factory.mktemp("beats")
    return [hear(groove / row["file"], float(row["bpm"]), folder) for row in unheard(groove)]


def matches(found: np.ndarray, true: np.ndarray) -> int:
    """Pairs nearer than `SAME_S`, each time in one pair only."""
    i = j = pairs = 0
    while i < found.size and j < true.size:
        if abs(found[i] - true[j]) <= SAME_S:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif found[i] < true[j]:
            i += 1
        else:
            j += 1
    return pairs


@pytest.mark.parametrize(("drum", "least"), [("kick", 0.85), ("snare", 0.75), ("hats", 0.70), ("toms", 0.75)])
def test_strokes_are_found(beats: list[Beat], drum: str, least: float) -> None:
    pairs = n_found = n_true = 0
    for beat in beats:
        found = beat.analysis.onsets.times_s[beat.analysis.drums[DRUMS.index(drum)] > 0.5]
        true = np.unique(beat.played(KEYS[drum]))
        pairs, n_found, n_true = pairs + matches(found, true), n_found + found.size, n_true + true.size
    assert n_true > 100
    assert 2 * pairs / (n_found + n_true) >= least


def score_syncopation(beat: Beat) -> float:
    """Syncopation of kick and snare as they are written: on the nearest sixteenth of the click that begins at 0.

    Players sit before or behind the click by up to half a sixteenth, which nobody writes down: the circular mean of
    their distance from its sixteenths is taken out first.
    """
    heard = beat.velocities > AUDIBLE
    position = beat.seconds * beat.bpm / 60 * 4
    lead = np.angle(np.exp(2j * np.pi * position[heard]).sum()) / (2 * np.pi)
    body = np.isin(beat.keys, list(KEYS["kick"] | KEYS["snare"])) & heard
    steps = np.unique(np.round(position[body] - lead).astype(int))
    steps -= 16 * min(0, steps.min() // 16)
    bars = np.zeros((steps.max() // 16 + 1, 16), bool)
    bars[steps // 16, steps % 16] = True
    return syncopation(bars[bars.any(axis=1)])


def test_syncopation_is_the_score_s(beats: list[Beat]) -> None:
    written = np.array([score_syncopation(beat) for beat in beats])
    heard = np.array([beat.values["syncopation"] for beat in beats])
    assert len(beats) > 40
    assert np.ptp(written) > 2
    assert np.corrcoef(written, heard)[0, 1] >= 0.8
