"""The network of `mir-4s`: one encoder and one decoder for all stems, masks that sum to one.

References
----------
A. Jansson et al., "Singing voice separation with deep U-Net convolutional networks", ISMIR 2017.
R. Hennequin et al., "Spleeter: a fast and efficient music source separation tool with pre-trained models",
JOSS, 2020.
W. Choi et al., "Investigating U-Nets with various intermediate blocks for spectrogram-based singing voice
separation", ISMIR 2020 (dense layers along frequency).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from separation.errors import ConfigInvalid

if TYPE_CHECKING:
    import keras


_PLANAR = "head_share"


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Size of the network.

    Parameters
    ----------
    n_frames, n_bands, n_channels
        Input ``(n_frames, n_bands, n_channels)``; frames and bands are halved once a filter count.
    n_stems
        Stems that share each bin.
    filters
        Filters of each level, from the top down.
    dense_from
        First level (from 0) that has dense layers along frequency.
    bottleneck
        Divisor of the frequency axis inside those dense layers.
    residual_from
        First level (from 0) with a residual 3 × 3 convolution in encoder and decoder; None has none.
    dropout
        Share of the decoder's three deepest levels dropped in training.
    """

    n_frames: int = 256
    n_bands: int = 672
    n_channels: int = 4
    n_stems: int = 4
    filters: tuple[int, ...] = (24, 48, 96, 160, 224)
    dense_from: int = 1
    bottleneck: int = 4
    residual_from: int | None = None
    dropout: float = 0.1

    def __post_init__(self) -> None:
        step = 2 ** len(self.filters)
        if not self.filters or self.n_frames % step or self.n_bands % step:
            raise ConfigInvalid(
                f"{len(self.filters)} levels need frames and bands divisible by {step}, "
                f"got {self.n_frames} and {self.n_bands}"
            )


def build(config: UNetConfig) -> keras.Model:
    """Build the network: log-magnitude features in, masks out, in the layout that training scores.

    Returns
    -------
    model
        ``(batch, n_frames, n_bands, n_channels)`` float32 → masks ``(batch, n_frames, n_bands, 2·n_stems)``
        float32: for the left channel each stem's share, then for the right; each group of `n_stems` sums to 1.
    """
    from separation.layers import Norm, Share, keras

    layers = keras.layers
    features = layers.Input((config.n_frames, config.n_bands, config.n_channels), name="features")
    x = layers.BatchNormalization(axis=2, center=False, scale=False, name="per_band", dtype="float32")(features)
    skips = []
    for level, n_filters in enumerate(config.filters):
        x = layers.Conv2D(n_filters, 5, strides=2, padding="same", use_bias=False, name=f"down{level}_conv")(x)
        x = Norm(name=f"down{level}_norm")(x)
        x = layers.LeakyReLU(0.1, name=f"down{level}_act")(x)
        if config.residual_from is not None and level >= config.residual_from:
            x = _residual(x, f"down{level}_residual")
        if level >= config.dense_from:
            x = _dense_along_frequency(x, config.bottleneck, f"down{level}")
        skips.append(x)
    skips.pop()
    for level in range(len(config.filters) - 2, -1, -1):
        n_filters = config.filters[level]
        x = layers.Conv2DTranspose(n_filters, 5, strides=2, padding="same", use_bias=False, name=f"up{level}_conv")(x)
        x = Norm(name=f"up{level}_norm")(x)
        x = layers.LeakyReLU(0.1, name=f"up{level}_act")(x)
        if config.residual_from is not None and level >= config.residual_from:
            x = _residual(x, f"up{level}_residual")
        if config.dropout and level >= len(config.filters) - 3:
            x = layers.SpatialDropout2D(config.dropout, name=f"up{level}_drop")(x)
        x = layers.Concatenate(name=f"up{level}_skip")([x, skips.pop()])
    n_out = 2 * config.n_stems
    x = layers.Conv2DTranspose(n_out, 5, strides=2, padding="same", name="head_logits")(x)
    x = layers.Permute((3, 1, 2), dtype="float32", name="head_planes")(x)
    x = layers.Reshape((2, config.n_stems, config.n_frames, config.n_bands), dtype="float32", name="head_split")(x)
    x = Share(axis=2, dtype="float32", name=_PLANAR)(x)
    x = layers.Permute((3, 4, 1, 2), dtype="float32", name="head_last")(x)
    masks = layers.Reshape((config.n_frames, config.n_bands, n_out), dtype="float32", name="masks")(x)
    return keras.Model(features, masks, name="unet")


def planar(model: keras.Model) -> keras.Model:
    """Return the same network with its masks as planes: ``(batch, 2, n_stems, n_frames, n_bands)``."""
    import keras

    return keras.Model(model.input, model.get_layer(_PLANAR).output, name="planar_unet")


def _residual(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Add to `x` one more look at each point's neighbours."""
    from separation.layers import Norm, keras

    layers = keras.layers
    y = layers.Conv2D(x.shape[-1], 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
    y = Norm(name=f"{name}_norm")(y)
    y = layers.LeakyReLU(0.1, name=f"{name}_act")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def _dense_along_frequency(x: keras.KerasTensor, bottleneck: int, name: str) -> keras.KerasTensor:
    """Add to `x` two dense layers along frequency, shared by frames and channels (TDF)."""
    from separation.layers import Norm, keras

    layers = keras.layers
    n_bands = x.shape[2]
    hidden = max(8, n_bands // bottleneck)
    y = layers.Permute((1, 3, 2), name=f"{name}_dense_in")(x)
    y = layers.Dense(hidden, activation="relu", name=f"{name}_dense_squeeze")(y)
    y = layers.Dense(n_bands, name=f"{name}_dense_widen")(y)
    y = layers.Permute((1, 3, 2), name=f"{name}_dense_out")(y)
    y = Norm(name=f"{name}_dense_norm")(y)
    return layers.Add(name=f"{name}_dense_add")([x, y])
