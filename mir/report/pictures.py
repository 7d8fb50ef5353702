"""Pictures of sound: spectrograms with bands of equal pitch, outlines of waveforms."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Samples = NDArray[np.float32]

N_BANDS: Final = 120
RANGE_DB: Final = 75.0
"""From the loudest to what is drawn as silence."""

TICKS_HZ: Final = (100, 300, 1000, 3000, 10000)

_N_FFT: Final = 4096
_HOP_LENGTH: Final = 1024
_BLOCK: Final = 512


def png_uri(content: bytes) -> str:
    """Return a PNG as a ``data:`` address."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def data_uri(fig: Figure) -> str:
    """Return a figure as a ``data:`` address of a PNG."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
    return png_uri(buffer.getvalue())


def edges_hz() -> NDArray[np.float64]:
    """Return band edges in Hz, evenly spaced in pitch, shape ``(N_BANDS + 1,)``."""
    return np.geomspace(50.0, 16_000.0, N_BANDS + 1)


def band_of(frequency_hz: float) -> float:
    """Return where a frequency stands among the bands, 0 to `N_BANDS`."""
    return float(np.interp(np.log(frequency_hz), np.log(edges_hz()), np.arange(N_BANDS + 1)))


def tick_name(frequency_hz: int) -> str:
    """Write a frequency as axes show it."""
    return f"{frequency_hz} Hz" if frequency_hz < 1000 else f"{frequency_hz // 1000} kHz"


def spectrogram(y: Samples, sr: int, most_columns: int | None = None) -> NDArray[np.float64]:
    """Return the power in dB in bands of equal pitch, shape ``(N_BANDS, n_columns)``.

    Parameters
    ----------
    y
        Mono, shape ``(n_samples,)``, at `sr` Hz.
    most_columns
        Where there are more frames than this, as many neighbours as it takes are averaged.
    """
    padded = np.pad(y, _N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP_LENGTH]
    together = 1 if most_columns is None else -(-len(frames) // most_columns)
    block = max(1, _BLOCK // together) * together
    bands = [_bands(frames[at : at + block], sr, together) for at in range(0, len(frames), block)]
    return np.asarray(10.0 * np.log10(np.maximum(np.concatenate(bands), 1e-9)).T)


def _bands(frames: NDArray[np.float32], sr: int, together: int) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(frames * np.hanning(_N_FFT), axis=1)) ** 2
    starts = np.arange(0, len(power), together)
    power = np.add.reduceat(power, starts) / np.diff(starts, append=len(power))[:, None]
    # Each band takes the mean between its edges; where bins are wider than bands, the bin that it lies in.
    cumulated = np.concatenate([np.zeros((power.shape[0], 1)), np.cumsum(power, axis=1)], axis=1)
    edges = np.clip(edges_hz() * _N_FFT / sr + 0.5, 0.0, power.shape[1])
    whole = np.floor(edges).astype(int)
    at = cumulated[:, whole] + (edges - whole) * (
        cumulated[:, np.minimum(whole + 1, power.shape[1])] - cumulated[:, whole]
    )
    return np.asarray(np.diff(at, axis=1) / np.diff(edges))


def spectrogram_uri(decibels: NDArray[np.float64], top_db: float) -> str:
    """Return a spectrogram as a ``data:`` address of a PNG, a pixel a band and column, low bands below."""
    import matplotlib as mpl
    from matplotlib.image import imsave

    shades = np.clip((decibels - top_db) / RANGE_DB + 1.0, 0.0, 1.0)
    buffer = io.BytesIO()
    imsave(buffer, mpl.colormaps["magma"](shades, bytes=True), format="png", origin="lower")
    return png_uri(buffer.getvalue())


def outline(y: Samples, n_points: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the lowest and highest sample of each of up to `n_points` stretches; `y` mono, ``(n_samples,)``."""
    starts = np.unique(np.linspace(0, len(y), n_points, endpoint=False).astype(int))
    return np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
