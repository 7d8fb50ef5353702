"""One song's sound: arranged MIDI through soundfonts and drum kits, effects, and levels like those of real mixes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from separation.audio import load
from separation.errors import SeparationError
from separation.training.arrange import Arrangement, Layer
from separation.training.drumkit import Drumkit, play
from separation.training.effects import produce
from separation.training.midi import write_midi

SAMPLE_RATE_HZ = 44100
STEM_LEVEL_DBFS = {"drums": (-24.1, 3.8), "bass": (-23.2, 3.5), "other": (-22.9, 3.4)}
"""Median and spread of each stem's root mean square level. Measured on the 80 training tracks of the 7-second previews
of MUSDB18 (their mixtures: −16.5 dBFS, relative to which the medians are −7.2, −7.2 and −6.2 dB); the spread is the
interquartile range divided by 1.349, which is the standard deviation of a normal distribution."""

_PEAK = 0.98
_ACTIVE_DB = -40.0  # frames this far under the loudest do not count when a level is measured
_FRAME_S = 0.1
_SILENCE = 1e-4
_TAIL_S = 30.0  # of patience with the program, beside a second for each second of music


class SynthesizerMissing(SeparationError, FileNotFoundError):
    """FluidSynth, or every soundfont, is not on this machine."""


class SynthesisFailed(SeparationError, RuntimeError):
    """FluidSynth ended without sound."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """What instruments there are to play on: soundfont files and drum kits."""

    soundfonts: tuple[Path, ...]
    drumkits: tuple[Drumkit, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A song's stems and what played them.

    Parameters
    ----------
    stems
        ``{stem: float32 (2, n_samples)}``, all of one length, stems that do not sound left out.
    sounds
        ``{stem: names of soundfonts and kits}``.
    """

    stems: dict[str, NDArray[np.float32]]
    sounds: dict[str, tuple[str, ...]]


def fluidsynth() -> str:
    """Path of the program.

    Raises
    ------
    SynthesizerMissing
        It is not installed.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise SynthesizerMissing(
            "rendering needs the program fluidsynth and a soundfont: apt install fluidsynth fluid-soundfont-gm"
        )
    return program


def render(arrangement: Arrangement, sounds: Sounds, rng: np.random.Generator) -> Rendered:
    """Play every layer on drawn instruments, put it through effects, and bring the stems to the levels of real mixes.

    Parameters
    ----------
    arrangement
        What is played.
    sounds
        What there is to play it on.
    rng
        Where instruments, effects and levels come from.

    Raises
    ------
    SynthesizerMissing, SynthesisFailed
        No FluidSynth or soundfont; it gave no sound.
    """
    n_samples = round(arrangement.duration_s * SAMPLE_RATE_HZ)
    stems: dict[str, NDArray[np.float32]] = {}
    names: dict[str, list[str]] = {}
    for layer in arrangement.layers:
        y, name = _layer(layer, arrangement.duration_s, sounds, rng)
        y = y[:, :n_samples]
        if np.abs(y).max(initial=0.0) < _SILENCE:
            continue
        y = np.pad(y, ((0, 0), (0, n_samples - y.shape[-1])))
        y = produce(y, SAMPLE_RATE_HZ, layer.role, rng)
        gain = 10.0 ** ((rng.normal(0.0, 2.5) - active_level_db(y, SAMPLE_RATE_HZ)) / 20.0)
        stems[layer.stem] = y * np.float32(gain) + stems.get(layer.stem, np.float32(0.0))
        names.setdefault(layer.stem, []).append(name)
    return Rendered(balance(stems, rng), {stem: tuple(dict.fromkeys(ones)) for stem, ones in names.items()})


def balance(stems: dict[str, NDArray[np.float32]], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Give each stem a level drawn from real mixes; where stem or mixture would clip, the whole song gets softer."""
    levelled = {}
    for stem, y in stems.items():
        median, spread = STEM_LEVEL_DBFS[stem]
        wanted = median + spread * float(np.clip(rng.normal(), -2.0, 2.0))
        levelled[stem] = y * np.float32(10.0 ** ((wanted - active_level_db(y, SAMPLE_RATE_HZ)) / 20.0))
    if not levelled:
        return levelled
    peak = max(float(np.abs(y).max()) for y in (*levelled.values(), sum(levelled.values())))
    scale = np.float32(min(1.0, _PEAK / peak))
    return {stem: y * scale for stem, y in levelled.items()}


def active_level_db(y: NDArray[np.float32], sr: int) -> float:
    """Root mean square level in dBFS of what sounds: frames of 100 ms within 40 dB of the loudest."""
    n = int(sr * _FRAME_S)
    n_frames = max(1, y.shape[-1] // n)
    power = (y[:, : n_frames * n].astype(np.float64) ** 2).reshape(y.shape[0], n_frames, -1).mean(axis=(0, 2))
    active = power[power >= power.max() * 10.0 ** (_ACTIVE_DB / 10.0)]
    return float(10.0 * np.log10(active.mean() + 1e-12))


def _layer(
    layer: Layer, duration_s: float, sounds: Sounds, rng: np.random.Generator
) -> tuple[NDArray[np.float32], str]:
    """Sound of one layer and the name of what made it; half of the drums come from sampled kits."""
    soundfont = sounds.soundfonts[int(rng.integers(len(sounds.soundfonts)))] if sounds.soundfonts else None
    sampled = layer.role == "drums" and bool(sounds.drumkits) and (soundfont is None or rng.random() < 0.5)
    if sampled:
        kit = sounds.drumkits[int(rng.integers(len(sounds.drumkits)))]
        notes = sorted((note for part in layer.parts for note in part.notes), key=lambda note: note.start_s)
        return play(kit, notes, SAMPLE_RATE_HZ, round(duration_s * SAMPLE_RATE_HZ), rng), kit.name
    if soundfont is None:
        raise SynthesizerMissing("no soundfont (.sf2, .sf3): apt install fluid-soundfont-gm, or give --soundfont FILE")
    wet = bool(rng.random() < 0.4) and layer.role == "other"
    return _synthesize(layer, duration_s, soundfont, wet=wet), soundfont.name


def _synthesize(layer: Layer, duration_s: float, soundfont: Path, *, wet: bool) -> NDArray[np.float32]:
    switch = str(int(wet))
    with TemporaryDirectory(prefix="mir-render-") as scratch:
        midi, wav = Path(scratch) / "layer.mid", Path(scratch) / "layer.wav"
        write_midi(layer.parts, midi, duration_s)
        options = {
            "synth.dynamic-sample-loading": "1",
            "synth.reverb.active": switch,
            "synth.chorus.active": switch,
            "synth.polyphony": "256",
            "synth.gain": "0.3",
        }
        words: Sequence[str] = [f"-o{name}={value}" for name, value in options.items()]
        command = [fluidsynth(), "-n", "-i", "-q", f"-r{SAMPLE_RATE_HZ}", "-Twav", "-Ofloat", *words]
        try:
            done = subprocess.run(
                [*command, f"-F{wav}", str(soundfont), str(midi)],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_TAIL_S + 10.0 * duration_s,
            )
        except subprocess.TimeoutExpired as error:
            raise SynthesisFailed(f"fluidsynth did not end: {soundfont.name}") from error
        if done.returncode or not wav.is_file():
            raise SynthesisFailed(f"fluidsynth failed with {soundfont}: {done.stderr.strip()[-300:]}")
        return load(wav)[0]
