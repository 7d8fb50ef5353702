"""Audio in, stems out: one object that keeps its network warm between files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation.decode import Samples
from separation.errors import AudioInvalid
from separation.frontend import network_input
from separation.models import DEFAULT, load_model, source_id, spec
from separation.spectrogram import Stft

MaskFunction = Callable[[NDArray[np.complex64]], NDArray[np.float32]]
OVERLAP = 32
"""Frames in which two neighbouring chunks' masks are cross-faded: 0.74 s at 44.1 kHz."""
BLOCK_S = 20.0
"""Seconds of audio fed at a time when a whole file is separated."""


class Separator:
    """Separates music into the stems of one model.

    Parameters
    ----------
    model
        Model name, see `separation.models.available`.
    weights
        Folder to take the weights from, before ``$MIR_MODELS`` and the package.

    Raises
    ------
    ModelUnknown, WeightsMissing, WeightsDamaged
        Where the model cannot be had; it never runs without verified weights.

    Examples
    --------
    >>> from separation import Separator
    >>> separator = Separator("mir-4s")
    >>> y = np.zeros((2, 44100), dtype=np.float32)
    >>> sorted(separator.separate(y, 44100))
    ['bass', 'drums', 'other', 'vocals']
    """

    def __init__(self, model: str = DEFAULT, weights: str | Path | None = None) -> None:
        self.spec = spec(model, weights)
        self.model = model
        self.source_id = source_id(model, weights)
        self.stems = self.spec.stems
        self.sr = self.spec.sr
        self._stft = Stft(self.spec.n_fft, self.spec.hop_length)
        self._network = _compile(load_model(model, weights))

    def separate(self, y: Samples, sr: int) -> dict[str, Samples]:
        """Separate a whole signal.

        Parameters
        ----------
        y
            Samples, shape ``(n_channels, n_samples)``; any number of channels (each keeps its own share of
            every stem), not changed.
        sr
            Sample rate in Hz; other rates than the model's are resampled there and back.

        Returns
        -------
        stems
            ``{stem: float32 (n_channels, n_samples)}``, which add up to the mixture.

        Raises
        ------
        AudioInvalid
            Where `y` is no audio: no channels, no samples, not two-dimensional, a rate below 1 Hz.
        """
        _check(y, sr)
        if sr != self.sr:
            return self._separate_resampled(y, sr)
        step = int(BLOCK_S * sr)
        blocks = (y[:, start : start + step] for start in range(0, y.shape[-1], step))
        out = {stem: np.empty(y.shape, np.float32) for stem in self.stems}
        at = 0
        for chunk in self.stream(blocks):
            n = next(iter(chunk.values())).shape[-1]
            for stem, part in chunk.items():
                out[stem][:, at : at + n] = part
            at += n
        return out

    def stream(self, blocks: Iterable[Samples]) -> Iterator[dict[str, Samples]]:
        """Separate block by block at the model's own rate, in bounded memory.

        Parameters
        ----------
        blocks
            Consecutive stretches of one signal at `self.sr` Hz, each ``(n_channels, n)`` with any ``n``.

        Yields
        ------
        chunk
            ``{stem: float32 (n_channels, n)}``; all chunks put together are as long as all blocks, and what comes
            out does not depend on where the blocks were cut.
        """
        state: _Stream | None = None
        for block in blocks:
            if state is None:
                state = _Stream(block.shape[0], self._stft, self._masks, self.spec.network.n_frames, len(self.stems))
            for stems in state.push(block):
                yield dict(zip(self.stems, stems, strict=True))
        if state is not None:
            for stems in state.finish():
                yield dict(zip(self.stems, stems, strict=True))

    def _separate_resampled(self, y: Samples, sr: int) -> dict[str, Samples]:
        from separation.audio import resample

        stems = self.separate(resample(y, sr, self.sr), self.sr)
        out = {}
        for stem, at_model_rate in stems.items():
            back = resample(at_model_rate, self.sr, sr)[:, : y.shape[-1]]
            out[stem] = np.pad(back, ((0, 0), (0, y.shape[-1] - back.shape[-1])))
        return out

    def _masks(self, D: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Masks of one chunk ``(n_channels, n_frames, n_bins)``: ``(n_stems, n_channels, n_frames, n_bins)``."""
        pair = D if D.shape[0] == 2 else _stereo(D)
        masks = self._network(network_input(pair, self.spec.bands)[None])[0]
        n_frames, n_bands, _ = masks.shape
        masks = masks.reshape(n_frames, n_bands, 2, len(self.stems)).transpose(3, 2, 0, 1)
        if D.shape[0] != 2:
            masks = masks.mean(axis=1, keepdims=True)
        return np.broadcast_to(self.spec.bands.expand(masks, D.shape[-1]), (len(self.stems), *D.shape))


class _Stream:
    """Samples in, stems out, with just the frames in memory that the next chunk needs.

    Chunks start at fixed frames whatever the blocks: every ``n_frames − OVERLAP`` frames, with the masks of two
    neighbours cross-faded. The last chunk looks back, so that it never sees less than a full one's context.
    """

    def __init__(self, n_channels: int, stft: Stft, masks: MaskFunction, n_frames: int, n_stems: int) -> None:
        self._stft, self._masks, self._n_frames = stft, masks, n_frames
        self._samples = np.zeros((n_channels, stft.lead), np.float32)
        self._spectrum = np.zeros((n_channels, 0, stft.n_bins), np.complex64)
        self._past = self._spectrum
        self._faded: NDArray[np.float32] | None = None
        self._tail = np.zeros((n_stems, n_channels, stft.n_fft - stft.hop_length), np.float32)
        self._skip = stft.lead
        self._seen = self._given = 0

    def push(self, block: Samples) -> Iterator[Samples]:
        """Take samples in; yields ``(n_stems, n_channels, n)`` whenever a chunk is full."""
        self._seen += block.shape[-1]
        self._samples = np.concatenate([self._samples, block.astype(np.float32, copy=False)], axis=-1)
        self._transform()
        while self._spectrum.shape[1] >= self._n_frames + OVERLAP:
            yield self._emit(self._n_frames - OVERLAP)

    def finish(self) -> Iterator[Samples]:
        """Yield what is left."""
        hop = self._stft.hop_length
        waiting = self._samples.shape[-1]
        n = -(-(waiting - self._tail.shape[-1]) // hop) + self._tail.shape[-1] // hop  # frames that cover every sample
        self._samples = np.pad(self._samples, ((0, 0), (0, self._stft.span(n) - waiting)))
        self._transform()
        while self._given < self._seen:
            n = self._spectrum.shape[1]
            yield self._emit(n if n <= self._n_frames else self._n_frames - OVERLAP)

    def _transform(self) -> None:
        """Turn whole frames of the waiting samples into spectra."""
        hop = self._stft.hop_length
        n = (self._samples.shape[-1] - self._stft.n_fft) // hop + 1
        if n < 1:
            return
        fresh = self._stft.forward_frames(self._samples[:, : self._stft.span(n)])
        self._spectrum = np.concatenate([self._spectrum, fresh], axis=1)
        self._samples = self._samples[:, n * hop :]

    def _emit(self, n: int) -> Samples:
        """Mask and invert the next `n` frames."""
        masks = self._next_masks()
        mine = masks[:, :, :n]
        if self._faded is not None:
            m = min(OVERLAP, n)
            fade = np.linspace(0.0, 1.0, OVERLAP + 2, dtype=np.float32)[1 : m + 1, None]
            mine = mine.copy()
            mine[:, :, :m] += (self._faded[:, :, :m] - mine[:, :, :m]) * (1.0 - fade)
        self._faded = masks[:, :, n : n + OVERLAP].copy()
        y = self._stft.overlap_add(self._stft.inverse_frames(mine * self._spectrum[:, :n]))
        self._past = np.concatenate([self._past, self._spectrum[:, :n]], axis=1)[:, -self._n_frames :]
        self._spectrum = self._spectrum[:, n:]
        y[..., : self._tail.shape[-1]] += self._tail
        whole = n * self._stft.hop_length
        self._tail = y[..., whole:].copy()
        skip = min(self._skip, whole)  # the padding before the first sample
        self._skip -= skip
        y = y[..., skip : min(whole, skip + self._seen - self._given)]
        self._given += y.shape[-1]
        return y

    def _next_masks(self) -> NDArray[np.float32]:
        """Masks of up to `n_frames` waiting frames, seen with what came before where they are too few."""
        chunk = self._spectrum[:, : self._n_frames]
        n = chunk.shape[1]
        if n < self._n_frames:
            chunk = np.concatenate([self._past, chunk], axis=1)[:, -self._n_frames :]
        missing = self._n_frames - chunk.shape[1]
        if missing:  # a signal shorter than a chunk is heard again and again, as level and rhythm expect
            chunk = np.pad(chunk, ((0, 0), (missing, 0), (0, 0)), mode="wrap")
        return self._masks(chunk)[:, :, -n:]


def _compile(model: Any) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:  # noqa: ANN401 - a Keras model
    """Make one compiled function of one fixed input shape; numpy in and out, on any backend."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
        graph = tf.function(lambda x: model(x, training=False), input_signature=[shape], autograph=False)
        graph.get_concrete_function()
        return lambda x: graph(tf.constant(x)).numpy()
    return lambda x: keras.ops.convert_to_numpy(model(x, training=False))


def _stereo(D: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Two channels of any number: a mono signal twice, the mean of many twice."""
    mean = D.mean(axis=0, keepdims=True)
    return np.repeat(mean, 2, axis=0)


def _check(y: Samples, sr: int) -> None:
    if y.ndim != 2 or 0 in y.shape:
        raise AudioInvalid(f"audio is (n_channels, n_samples) with at least one of each, got shape {y.shape}")
    if sr < 1:
        raise AudioInvalid(f"a sample rate is at least 1 Hz, got {sr}")
    if y.shape[0] > y.shape[1] and y.shape[0] > 32:
        raise AudioInvalid(
            f"{y.shape[0]} channels of {y.shape[1]} samples look transposed; audio is (n_channels, n_samples)"
        )
