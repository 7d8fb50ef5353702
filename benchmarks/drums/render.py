"""From strokes to sound, through the `fluidsynth` program and a General MIDI soundfont."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from benchmarks.drums.midi import Stroke, write_strokes
from features.base import Samples

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SR = 44100
LONGEST_S = 60.0
SILENT_KEYS = {22: 42, 26: 46}
"""Keys of an electronic kit for which General MIDI kits have no sound: the edges of the hi-hat, closed and open."""


def missing() -> str | None:
    """Say what is needed for rendering and is not there, and how to get it; None where all is there."""
    lacking = [] if shutil.which("fluidsynth") else ["the program fluidsynth"]
    if not SOUNDFONT.is_file():
        lacking.append(f"the soundfont {SOUNDFONT}")
    if not lacking:
        return None
    return f"needs {' and '.join(lacking)}; on Debian: apt-get install fluidsynth fluid-soundfont-gm"


def rendered(path: Path, strokes: Sequence[Stroke], kit: int = 0, longest_s: float = LONGEST_S) -> Path:
    """Render strokes to a mono FLAC file, unless it is there already.

    Parameters
    ----------
    path
        The file; it appears only when it is whole.
    strokes
        What is played.
    kit
        Program of the soundfont's drum bank.
    longest_s
        How much of it is rendered.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    subprocess.CalledProcessError
        Where fluidsynth fails.
    """
    if path.is_file():
        return path
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".render-") as folder:
        midi, wav, flac = (Path(folder) / f"beat.{suffix}" for suffix in ("mid", "wav", "flac"))
        heard = [
            dataclasses.replace(stroke, note=SILENT_KEYS.get(stroke.note, stroke.note))
            for stroke in strokes
            if stroke.time_s < longest_s
        ]
        write_strokes(midi, heard, kit)
        # A gain of 0.5 keeps the loudest kit from clipping.
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", str(SR), "-F", str(wav), str(SOUNDFONT), str(midi)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        y, sr = soundfile.read(wav, frames=int(longest_s * SR), dtype="float32", always_2d=True)
        soundfile.write(flac, y.mean(axis=1), sr)
        flac.rename(path)
    return path


def load_mono(path: Path, sr: int) -> Samples:
    """Read a rendered file at another rate.

    Returns
    -------
    Samples
        Shape ``(n_samples,)``.
    """
    import soxr

    y, file_sr = soundfile.read(path, dtype="float32", always_2d=True)
    resampled: Samples = soxr.resample(y.mean(axis=1), file_sr, sr)
    return resampled
