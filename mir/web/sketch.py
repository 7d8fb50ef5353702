"""Pictures of stems: the outline of each as numbers, and its spectrogram as a PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 1200
"""Points of an outline, and width of a spectrogram, in pixels."""
_ROWS: Final = 160
_LEAST_STEP: Final = 256
_LOW_HZ: Final = 40.0
_HIGH_HZ: Final = 16_000.0
_FLOOR_DB: Final = 75.0
_N_FFT: Final = 2048
_COLOURS: Final = "magma"
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
    from matplotlib.image import imsave

    spectra, outlines, levels = {}, {}, {}
    for number, stem in enumerate(stems):
        with soundfile.SoundFile(folder / f"{stem}.wav") as file:
            sr, n_channels, n_samples = file.samplerate, file.channels, len(file)
            outlines[stem], spectra[stem], levels[stem] = _scan(file, sr, n_samples)
        progress((number + 1) / (len(stems) + 1))
    loudest = max(float(picture.max()) for picture in spectra.values())
    for stem, picture in spectra.items():
        # One scale for all: a quiet stem looks quiet.
        imsave(folder / f"{stem}.png", picture, cmap=_COLOURS, vmin=loudest - _FLOOR_DB, vmax=loudest, origin="lower")
    return {
        "sample_rate_hz": sr,
        "n_channels": n_channels,
        "n_samples": n_samples,
        "data_offset": _data_offset(sr, n_channels),
        "stems": {stem: {"outline": outlines[stem], "level_db": levels[stem]} for stem in stems},
    }


def _scan(file: Any, sr: int, n_samples: int) -> tuple[list[int], NDArray[np.float32], float | None]:  # noqa: ANN401
    """Read a file a column at a time; a spectrum hears a little of what lies before and after its column."""
    step = max(-(-n_samples // COLUMNS), _LEAST_STEP)
    beside = max(_N_FFT - step, 0) // 2
    rows = _rows(sr)
    window = np.hanning(_N_FFT).astype(np.float32)
    outline, columns, power = [], [], 0.0
    for start in range(0, n_samples, step):
        first = max(start - beside, 0)
        file.seek(first)
        heard = file.read(start + step + beside - first, dtype="float32", always_2d=True)
        y = heard[start - first : start - first + step]
        outline += [round(float(y.min()) * _STEPS), round(float(y.max()) * _STEPS)]
        power += float(np.square(y).mean(axis=1).sum())
        mono = np.pad(heard.mean(axis=1), (beside - (start - first), 0))
        columns.append(rows @ _spectrum(mono, window))
    picture = 10 * np.log10(np.maximum(np.stack(columns, axis=1), 1e-12))
    level = 10 * float(np.log10(power / n_samples)) if power > 0 else None
    return outline, picture.astype(np.float32), level


def _spectrum(y: NDArray[np.float32], window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean power spectrum of a stretch, shape ``(n_bins,)``; full scale is about 1."""
    hop = _N_FFT // 2
    n_frames = max(-(-(len(y) - _N_FFT) // hop) + 1, 1)
    padded = np.pad(y, (0, max(0, _N_FFT + (n_frames - 1) * hop - len(y))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::hop]
    spectra = np.abs(np.fft.rfft(frames * window, axis=-1)) * (2 / window.sum())
    return np.square(spectra).mean(axis=0).astype(np.float32)


def _rows(sr: int) -> NDArray[np.float32]:
    """Return what each row of the picture takes of each bin, shape ``(rows, n_bins)``; rows are even in octaves."""
    hz = np.fft.rfftfreq(_N_FFT, 1 / sr)
    edges = np.geomspace(_LOW_HZ, min(_HIGH_HZ, sr / 2), _ROWS + 1)
    inside = (hz >= edges[:-1, None]) & (hz < edges[1:, None])
    # Low rows are narrower than a bin: they take what lies between their neighbours.
    centres = np.sqrt(edges[:-1] * edges[1:])
    at = centres / (hz[1] - hz[0])
    low = np.minimum(at.astype(int), len(hz) - 2)
    between = np.zeros(inside.shape)
    between[np.arange(_ROWS), low] = 1 - (at - low)
    between[np.arange(_ROWS), low + 1] = at - low
    counts = inside.sum(axis=1, keepdims=True)
    return np.where(counts > 0, inside / np.maximum(counts, 1), between).astype(np.float32)


def _data_offset(sr: int, n_channels: int) -> int:
    from separation.writers import wav_header

    return len(wav_header(sr, n_channels, "PCM_16", n_samples=0))
