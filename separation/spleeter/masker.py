"""A loaded Spleeter model: spectra in, masks out, segment by segment."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from separation import native
from separation.backend import Compiled, compiled, with_precision
from separation.spectrogram import Spectrum, Stft
from separation.spleeter.config import N_LEVELS, SpleeterSpec
from separation.spleeter.network import REACH, build, masks, planar

if TYPE_CHECKING:
    import keras

STEP = 2**N_LEVELS
"""Segments are multiples of so many frames."""


class SpleeterMasker:
    """Spleeter's masks; see `separation.streaming.Masker`.

    Parameters
    ----------
    spec
        Which model.
    weights
        Folder of its checkpoint, or the description of one that was trained here (``….json``, weights beside it).
    precision
        ``float32`` or ``bfloat16``.
    """

    overlap = 0
    """Segments lie side by side, each on its own."""
    looks_back = False
    """The last segment is filled up with zeros."""
    duplicates_mono = True
    """A mono signal is taken for stereo, and comes back as stereo."""

    def __init__(self, spec: SpleeterSpec, weights: Path, precision: str = "float32") -> None:
        self.spec = spec
        with with_precision(precision):
            model = build(spec)
        _fill(model, spec, weights)
        self._model = model
        self._compiled: dict[tuple[bool, int], Compiled] = {}
        self._compiling = Lock()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of its stems."""
        return self.spec.stems

    @property
    def stft(self) -> Stft:
        """Its transform."""
        return self.spec.stft

    @property
    def n_frames(self) -> int:
        """Frames in a segment."""
        return self.spec.n_frames

    @property
    def complementary(self) -> bool:
        """Whether the stems add up to the mixture: not where masks are zero beyond the network's bins."""
        return self.spec.mask_extension == "average"

    def masks(self, D: Spectrum) -> NDArray[np.float32]:
        """Masks of a stereo segment ``(2, n_frames or fewer, …)``: ``(n_stems, 2, n_frames, n_bins)``."""
        return self._run(D, as_masks=True)

    def estimates(self, D: Spectrum) -> NDArray[np.float32]:
        """Estimated magnitudes of a stereo segment, of the shape of its masks."""
        return self._run(D, as_masks=False)

    def apply(self, mask: NDArray[np.float32], D: Spectrum) -> Spectrum:
        """Mask a spectrum; above the network's bins by nothing, or by the frame's mean mask."""
        n_bins = mask.shape[-1]
        masked = np.empty(D.shape, np.complex64)
        np.multiply(D[..., :n_bins], mask, out=masked[..., :n_bins])
        if self.complementary:
            np.multiply(D[..., n_bins:], mask.mean(axis=-1, keepdims=True), out=masked[..., n_bins:])
        else:
            masked[..., n_bins:] = 0.0
        return masked

    def _run(self, D: Spectrum, *, as_masks: bool) -> NDArray[np.float32]:
        """Fill a segment up with silence and run the network over it.

        Only so much silence is run through as the segment's own frames can hear of: the rest, up to the full length,
        would change nothing.
        """
        n = D.shape[1]
        n_frames = min(self.n_frames, -(-(n + REACH) // STEP) * STEP)
        low = D[..., : self.spec.n_bins]
        magnitudes = np.zeros((1, n_frames, self.spec.n_bins, 2), np.float32)
        for channel in range(2):
            magnitudes[0, :n, :, channel] = np.sqrt(low[channel].real ** 2 + low[channel].imag ** 2)
        return self._function(n_frames, as_masks=as_masks)(magnitudes)[0, :, :, :n]

    def _function(self, n_frames: int, *, as_masks: bool) -> Compiled:
        with self._compiling:
            if (as_masks, n_frames) not in self._compiled:
                shape = (1, n_frames, self.spec.n_bins, 2)
                self._compiled[as_masks, n_frames] = compiled(self._masks if as_masks else self._estimates, shape)
        return self._compiled[as_masks, n_frames]

    def _estimates(self, x: Any) -> Any:  # noqa: ANN401 - tensors of whatever backend
        return planar(self._model(x, training=False))

    def _masks(self, x: Any) -> Any:  # noqa: ANN401
        return planar(masks(self._model(x, training=False), self.spec.exponent))


def _fill(model: keras.Model, spec: SpleeterSpec, weights: Path) -> None:
    if weights.is_file():
        native.fill(model, weights)
        return
    from separation.spleeter.checkpoint import read_checkpoint

    arrays = read_checkpoint(weights, spec)
    for variable in model.weights:
        variable.assign(arrays[variable.path])
