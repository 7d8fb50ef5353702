"""Spleeter's U-Nets, one a stem, in backend-neutral Keras.

References
----------
A. Jansson, E. Humphrey, N. Montecchio, R. Bittner, A. Kumar, T. Weyde, "Singing voice separation with deep U-Net
convolutional networks", ISMIR, 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from separation.spleeter.config import N_LEVELS, Activation, SpleeterSpec

if TYPE_CHECKING:
    import keras

EPSILON = 1e-10
"""Keeps masks of silence from dividing by zero, and shares them equally."""
REACH = 194
"""Frames at the end of a segment that hear where it ends; before them, any number of silent frames to come is the same.

A convolution of stride 2 hears two frames beyond the last one it is centred on, a transposed one a frame beyond: two of
the deepest level's frames are other than in a longer segment, 5 of the level above, then 11, 23, 47, 95, 191; the head
adds 3.
"""
_NORM_EPSILON = 1e-3
_LEAK = 0.2
_DROPOUT = 0.5
_N_DROPPED = 3


def build(spec: SpleeterSpec) -> keras.Model:
    """Build all U-Nets on one input.

    Returns
    -------
    model
        Magnitudes ``(batch, n_frames, n_bins, 2)``, any multiple of 64 frames → each stem's estimated magnitudes, in
        one tensor ``(batch, n_stems, n_frames, n_bins, 2)`` float32.
    """
    from separation.layers import Share, keras

    magnitudes = keras.layers.Input((None, spec.n_bins, 2), name="magnitudes", dtype="float32")
    heads = [_unet(magnitudes, spec, stem) for stem in spec.stems]
    shares = keras.ops.stack(heads, axis=1)
    if spec.softmax:
        shares = Share(axis=1, dtype="float32", name="shares")(shares)
    estimates = shares * keras.ops.expand_dims(magnitudes, 1)
    return keras.Model(magnitudes, estimates, name="spleeter")


def masks(estimates: Any, exponent: float) -> Any:  # noqa: ANN401 - tensors of whatever backend
    """Each stem's share of the summed powers: ``(batch, n_stems, …)`` → the same shape, stems adding up to 1."""
    from keras import ops

    powers = estimates**exponent if exponent != 2 else estimates * estimates
    return (powers + EPSILON / estimates.shape[1]) / (ops.sum(powers, axis=1, keepdims=True) + EPSILON)


def planar(x: Any) -> Any:  # noqa: ANN401
    """Channels before frames and bins: ``(batch, n_stems, n_frames, n_bins, 2)`` → ``(batch, n_stems, 2, …)``."""
    from keras import ops

    return ops.transpose(x, (0, 1, 4, 2, 3))


def _unet(magnitudes: keras.KerasTensor, spec: SpleeterSpec, stem: str) -> keras.KerasTensor:
    """One stem's U-Net: ``(batch, n_frames, n_bins, 2)`` shares, or their logits where the stems have a softmax."""
    from separation.layers import Norm, PlanarDeconv, keras

    layers = keras.layers
    x, skips = magnitudes, []
    for level, n_filters in enumerate(spec.filters):
        name = f"{stem}_down{level}"
        x = layers.Conv2D(n_filters, 5, strides=2, padding="same", name=f"{name}_conv")(x)
        skips.append(x)  # before the norm; of the deepest level nothing but this is used
        if level < N_LEVELS - 1:
            x = Norm(epsilon=_NORM_EPSILON, name=f"{name}_norm")(x)
            x = _activation(spec.conv_activation, f"{name}_act")(x)
    x = skips.pop()
    for level, n_filters in enumerate(spec.filters[-2::-1]):
        name = f"{stem}_up{level}"
        x = layers.Conv2DTranspose(n_filters, 5, strides=2, padding="same", name=f"{name}_conv")(x)
        x = _activation(spec.deconv_activation, f"{name}_act")(x)
        x = Norm(epsilon=_NORM_EPSILON, name=f"{name}_norm")(x)
        if level < _N_DROPPED:
            x = layers.Dropout(_DROPOUT, name=f"{name}_drop")(x)
        x = layers.Concatenate(name=f"{name}_skip")([skips.pop(), x])
    name = f"{stem}_up{N_LEVELS - 1}"
    x = PlanarDeconv(1, name=f"{name}_conv")(x)
    x = _activation(spec.deconv_activation, f"{name}_act")(x)
    x = layers.Reshape((-1, spec.n_bins, 1), name=f"{name}_plane")(x)
    x = Norm(epsilon=_NORM_EPSILON, name=f"{name}_norm")(x)
    x = layers.Conv2D(2, 4, dilation_rate=2, padding="same", name=f"{stem}_head")(x)
    return layers.Activation("linear" if spec.softmax else "sigmoid", dtype="float32", name=f"{stem}_share")(x)


def _activation(kind: Activation, name: str) -> keras.Layer:
    from separation.layers import Elu, keras

    if kind == "leaky_relu":
        return keras.layers.LeakyReLU(_LEAK, name=name)
    return Elu(name=name) if kind == "elu" else keras.layers.ReLU(name=name)
