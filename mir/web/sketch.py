"""What the page draws of stems: the outline of each as numbers, and its spectrogram as a PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mir.sound_pictures import Samples, SoundPicture, picture, png

_BLOCK: Final = 1 << 18
_STEPS: Final = 127
"""Outlines are whole numbers: full scale is this."""


def draw(folder: Path, stems: Sequence[str], progress: Callable[[float], None]) -> dict[str, Any]:
    """Draw the stems of a folder: ``vocals.wav`` gives ``vocals.png``, and all together the sketch.

    Parameters
    ----------
    folder, stems
        Where the WAV files are, all of one length, and what they are called.
    progress
        Hears how much is done, 0 to 1.

    Returns
    -------
    dict
        Rate, channels, length, where samples begin in a file (bytes), the outline of each stem (lowest and highest
        sample of each column, full scale 127), and its level (dB below full scale, None for silence).
    """
    import soundfile

    pictures: dict[str, SoundPicture] = {}
    for number, stem in enumerate(stems):
        with soundfile.SoundFile(folder / f"{stem}.wav") as file:
            sr, n_channels, n_samples = file.samplerate, file.channels, len(file)
            pictures[stem] = picture(_blocks(file), sr, n_samples)
        progress((number + 1) / (len(stems) + 1))
    loudest = max(float(one.decibels.max()) for one in pictures.values())
    for stem, one in pictures.items():
        # One scale for all: a quiet stem looks quiet.
        (folder / f"{stem}.png").write_bytes(png(one.decibels, loudest))
    return {
        "sample_rate_hz": sr,
        "n_channels": n_channels,
        "n_samples": n_samples,
        "data_offset": _data_offset(sr, n_channels),
        "stems": {stem: {"outline": _outline(one), "level_db": _level_db(one)} for stem, one in pictures.items()},
    }


def _blocks(file: Any) -> Iterator[Samples]:  # noqa: ANN401 - a SoundFile
    for block in file.blocks(_BLOCK, dtype="float32", always_2d=True):
        yield block.T


def _outline(one: SoundPicture) -> list[int]:
    steps = np.stack([one.lowest, one.highest], axis=1) * _STEPS
    return [int(step) for step in np.rint(steps).ravel()]


def _level_db(one: SoundPicture) -> float | None:
    return 10 * math.log10(one.power) if one.power > 0 else None


def _data_offset(sr: int, n_channels: int) -> int:
    from separation.writers import wav_header

    return len(wav_header(sr, n_channels, "PCM_16", n_samples=0))
