"""The families of networks that can be trained: what each hears, what it is scored on, how it is described."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from separation.bands import Bands
from separation.errors import ConfigInvalid
from separation.native import ModelSpec
from separation.spectrogram import Stft
from separation.spleeter.config import SpleeterNetwork, SpleeterSpec
from separation.training.config import TrainConfig
from separation.training.loss import Loss, magnitude_l1, make_loss, make_mask_l1
from separation.training.mixing import Example, make_example, spectra
from separation.unet import UNetConfig

if TYPE_CHECKING:
    import keras

GRADIENT_NORM = 1.0
"""Longest gradient that our own recipe follows; Spleeter's has no limit."""


class Family(Protocol):
    """What training must know of a network."""

    config: TrainConfig
    stft: Stft
    loss: Loss
    bands: Bands
    """In which masks are scored."""

    @property
    def spec(self) -> ModelSpec | SpleeterSpec:
        """Description of the model."""

    def build(self) -> keras.Model:
        """Build the network, untrained."""

    def example(self, stems: NDArray[np.float32], rng: np.random.Generator | None = None) -> Example:
        """Turn stems ``(n_stems, 2, n_samples)`` into an input and what `loss` compares the output with."""

    def masks(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Masks ``(batch, n_frames, n_bands, 2·n_stems)`` of a prediction: left's stems first."""


class OwnFamily:
    """Networks of `separation.unet`; see `Family`."""

    def __init__(self, config: TrainConfig, network: UNetConfig) -> None:
        self.config, self._network = config, network
        self.stft = Stft(config.n_fft, config.hop_length)
        self.bands = config.bands
        n_stems = len(config.stems)
        self.loss = (
            make_mask_l1(n_stems)
            if config.loss == "l1"
            else make_loss(n_stems, config.log_error_weight, config.log_mask_weight)
        )

    @property
    def spec(self) -> ModelSpec:
        """Description of the model."""
        c = self.config
        return ModelSpec(c.name, c.stems, c.sr, c.n_fft, c.hop_length, c.bands, self._network, c.roles)

    def build(self) -> keras.Model:
        """Build the network, untrained."""
        from separation.unet import build

        return build(replace(self._network, n_frames=self.config.frames))

    def example(self, stems: NDArray[np.float32], rng: np.random.Generator | None = None) -> Example:
        """See `separation.training.mixing.make_example`."""
        return make_example(stems, self.config, self.stft, rng)

    def masks(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Masks are what the network gives."""
        return predicted


class SpleeterFamily:
    """Spleeter's U-Nets, a stem each, on magnitudes; see `Family`."""

    def __init__(self, config: TrainConfig, network: SpleeterNetwork) -> None:
        if config.loss != "l1":
            raise ConfigInvalid(f'a network of Spleeter\'s is trained with loss = "l1", got {config.loss!r}')
        self.config, self._network = config, network
        self.stft = Stft(config.n_fft, config.hop_length)
        self.bands = Bands(network.n_bins, 0, 1)
        self.loss: Loss = magnitude_l1

    @property
    def spec(self) -> SpleeterSpec:
        """Description of the model."""
        c = self.config
        return self._network.spec(c.name, c.stems, c.sr, c.n_fft, c.hop_length, c.roles)

    def build(self) -> keras.Model:
        """Build the U-Nets, untrained."""
        from separation.spleeter.network import build

        return build(self.spec)

    def example(self, stems: NDArray[np.float32], rng: np.random.Generator | None = None) -> Example:
        """Magnitudes of the mixture ``(n_frames, n_bins, 2)`` and of the stems ``(n_stems, n_frames, n_bins, 2)``."""
        S = spectra(stems, self.config, self.stft, rng)[..., : self._network.n_bins]
        heard = np.moveaxis(np.abs(S.sum(axis=0)), 0, -1)
        return Example(np.ascontiguousarray(heard), np.ascontiguousarray(np.moveaxis(np.abs(S), 1, -1)))

    def masks(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Each stem's share of the estimated powers, as in separation."""
        from keras import ops

        from separation.spleeter.network import masks

        shares = masks(ops.convert_to_tensor(predicted), self.spec.exponent)  # (batch, n_stems, n_frames, n_bins, 2)
        shares = np.asarray(ops.convert_to_numpy(shares))
        batch, n_stems, n_frames, n_bins, _ = shares.shape
        return shares.transpose(0, 2, 3, 4, 1).reshape(batch, n_frames, n_bins, 2 * n_stems)


def family_of(config: TrainConfig) -> Family:
    """Return the family of a configuration's network.

    Raises
    ------
    ConfigInvalid
        Where network and loss do not go together.
    """
    network = config.network
    return SpleeterFamily(config, network) if isinstance(network, SpleeterNetwork) else OwnFamily(config, network)


def compiled_model(keras: Any, family: Family) -> keras.Model:  # noqa: ANN401 - the module
    """Build a network with the weights that its seed gives on any backend, its loss and its optimizer."""
    config = family.config
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_global_policy(config.precision)
    try:
        model = family.build()
    finally:
        keras.mixed_precision.set_global_policy(before)
    draw_weights(model, config.seed, he=config.loss == "l1")
    limit = {} if config.loss == "l1" else {"clipnorm": GRADIENT_NORM}
    optimizer = keras.optimizers.Adam(config.learning_rate, weight_decay=config.weight_decay or None, **limit)
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    # JAX runs operation by operation without its compiler
    model.compile(optimizer, family.loss, jit_compile=keras.backend.backend() == "jax")
    model.optimizer.build(model.trainable_variables)
    return model


def draw_weights(model: keras.Model, seed: int, *, he: bool = False) -> None:
    """Draw every kernel with numpy, since each backend draws its own; all else stays as Keras made it.

    Parameters
    ----------
    model
        Network to fill.
    seed
        Decides the weights.
    he
        Uniform by He (Spleeter's choice) instead of by Glorot.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS, 2010.
    K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV, 2015.
    """
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if variable.path.rpartition("/")[2] != "kernel":
            continue
        *taps, n_in, n_out = variable.shape
        fan_in, fan_out = math.prod(taps) * n_in, math.prod(taps) * n_out
        limit = math.sqrt(6.0 / (fan_in if he else fan_in + fan_out))
        variable.assign(rng.uniform(-limit, limit, variable.shape).astype(np.float32))
