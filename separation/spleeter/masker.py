"""A loaded Spleeter model: spectra in, masks out, segment by segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.spectrogram import Spectrum, Stft
from separation.spleeter.config import SpleeterSpec
from separation.spleeter.network import build, masks


class SpleeterMasker:
    """Spleeter's masks; see `separation.streaming.Masker`.

    Parameters
    ----------
    spec
        Which model.
    folder
        Folder of its checkpoint.
    precision
        ``float32`` or ``bfloat16``.
    """

    overlap = 0
    """Segments lie side by side, each on its own."""
    looks_back = False
    """The last segment is filled up with zeros."""
    duplicates_mono = True
    """A mono signal is taken for stereo, and comes back as stereo."""

    def __init__(self, spec: SpleeterSpec, folder: Path, precision: str = "float32") -> None:
        from separation.backend import compiled, with_precision
        from separation.spleeter.checkpoint import read_checkpoint

        self.spec = spec
        arrays = read_checkpoint(folder, spec)
        with with_precision(precision):
            model = build(spec)
        for variable in model.weights:
            variable.assign(arrays[variable.path])
        shape = (1, spec.n_frames, spec.n_bins, 2)
        self._masks = compiled(lambda x: masks(model(x, training=False), spec.exponent), model, shape)
        self._estimates = compiled(lambda x: model(x, training=False), model, shape)

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
        """Masks of a stereo segment ``(2, n_frames, …)``: ``(n_stems, 2, n_frames, n_bins)``."""
        return self._planar(self._masks(self._magnitudes(D)))

    def estimates(self, D: Spectrum) -> NDArray[np.float32]:
        """Estimated magnitudes of a stereo segment, of the shape of its masks."""
        return self._planar(self._estimates(self._magnitudes(D)))

    def expand(self, mask: NDArray[np.float32], n_bins: int) -> NDArray[np.float32]:
        """Carry masks on above the network's bins: ``(…, n_network_bins)`` → ``(…, n_bins)``."""
        out = np.empty((*mask.shape[:-1], n_bins), np.float32)
        out[..., : mask.shape[-1]] = mask
        average = self.spec.mask_extension == "average"
        out[..., mask.shape[-1] :] = mask.mean(axis=-1, keepdims=True) if average else 0.0
        return out

    def _magnitudes(self, D: Spectrum) -> NDArray[np.float32]:
        low = D[..., : self.spec.n_bins]
        magnitudes = np.empty((1, *low.shape[1:], 2), np.float32)
        for channel in range(2):
            magnitudes[0, ..., channel] = np.sqrt(low[channel].real ** 2 + low[channel].imag ** 2)
        return magnitudes

    @staticmethod
    def _planar(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values[0].transpose(0, 3, 1, 2)
