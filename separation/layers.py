"""Layers that Keras has in a slower or less exact form, written once for both families of networks.

Each computes the textbook definition, on any backend; what is special is only the order of the arithmetic.
"""

from __future__ import annotations

from typing import Any

from separation.backend import load_keras

load_keras()

import keras  # noqa: E402 - quietly, and with the threads that were meant for it
from keras import ops  # noqa: E402

__all__ = ["Elu", "Norm", "PlanarDeconv", "Share", "keras"]

Tensor = Any

KERNEL = 5
"""Side of the transposed kernels."""
_TAPS = (((3, -1), (1, 0)), ((4, -1), (2, 0), (0, 1)))
"""For even and odd output rows (or columns): kernel row and the input row, relative to the output's half, it meets."""
_NO_PADDING = ((0, 0),) * 4


class Norm(keras.layers.BatchNormalization):
    """Batch normalisation of channels; one pass over the data where TensorFlow serves it, instead of two slow ones.

    Its statistics are float32 whatever the network computes in.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Keras' own options
        policy = keras.mixed_precision.dtype_policy()
        if policy.variable_dtype != "float32":
            options.setdefault("dtype", f"mixed_{policy.compute_dtype}")
        super().__init__(**options)

    def call(self, x: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        """Normalise `x`, ``(batch, n_frames, n_bins, n_channels)``."""
        if training or keras.backend.backend() != "tensorflow":
            return super().call(x, training=training, mask=mask)
        import tensorflow as tf

        statistics = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        gamma, beta, mean, variance = (tf.cast(tf.convert_to_tensor(one.value), tf.float32) for one in statistics)
        normed, *_ = tf.compat.v1.nn.fused_batch_norm(
            x, gamma, beta, mean=mean, variance=variance, epsilon=self.epsilon, is_training=False
        )
        return normed


class PlanarDeconv(keras.layers.Layer):
    """Transposed 5 × 5 convolution of stride 2 with ``same`` padding, to one filter or two; output planes come first.

    A transposed convolution to so few channels leaves the processor's vectors nearly empty. Here one matrix
    product makes a plane for each tap of the kernel, and shifted planes are added up, along rows first: the same sums,
    in a third of the time (for eight filters it would take longer). Weights are named and shaped as those of
    ``Conv2DTranspose``.

    Parameters
    ----------
    filters
        Output channels.
    """

    def __init__(self, filters: int, **options: Any) -> None:  # noqa: ANN401 - Keras' own options
        super().__init__(**options)
        self.filters = filters

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make the weights: kernel ``(5, 5, filters, n_inputs)``, bias ``(filters,)``."""
        self.kernel = self.add_weight(shape=(KERNEL, KERNEL, self.filters, input_shape[-1]), name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, x: Tensor) -> Tensor:
        """``(batch, n_rows, n_columns, n_inputs)`` → ``(batch, filters, 2·n_rows, 2·n_columns)``."""
        _, n_rows, n_columns, n_inputs = x.shape
        kernel = ops.transpose(ops.reshape(self.kernel, (KERNEL * KERNEL * self.filters, n_inputs)))
        taps = ops.matmul(ops.reshape(x, (-1, n_rows * n_columns, n_inputs)), kernel)
        taps = ops.reshape(ops.transpose(taps, (0, 2, 1)), (-1, KERNEL, KERNEL, self.filters, n_rows, n_columns))
        taps = ops.pad(taps, (*_NO_PADDING, (1, 1), (0, 0)))
        halves = []
        for rows in _TAPS:
            along = sum(taps[:, k, :, :, 1 + down : 1 + down + n_rows] for k, down in rows)
            along = ops.pad(along, (*_NO_PADDING, (1, 1)))
            parts = [
                sum(along[:, m, :, :, 1 + right : 1 + right + n_columns] for m, right in columns) for columns in _TAPS
            ]
            halves.append(ops.reshape(ops.stack(parts, axis=-1), (-1, self.filters, n_rows, 2 * n_columns)))
        planes = ops.reshape(ops.stack(halves, axis=-2), (-1, self.filters, 2 * n_rows, 2 * n_columns))
        return planes + ops.reshape(self.bias, (1, self.filters, 1, 1))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """See `call`."""
        batch, n_rows, n_columns, _ = input_shape
        return (batch, self.filters, n_rows and 2 * n_rows, n_columns and 2 * n_columns)

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Shape and type of the output; `call` itself needs the size, which a model may leave open."""
        return keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.compute_dtype)


class Elu(keras.layers.Layer):
    """Exponential linear unit, always worked out in float32: where there is bfloat16, its exponential is slower."""

    def call(self, x: Tensor) -> Tensor:
        """``x`` where that is positive, ``exp(x) − 1`` elsewhere."""
        return ops.cast(ops.elu(ops.cast(x, "float32")), x.dtype)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """As its input."""
        return input_shape


class Share(keras.layers.Layer):
    """Softmax along one axis that is not the last: planes are added and divided whole, not four numbers at a time.

    Parameters
    ----------
    axis
        Whose entries sum to 1.
    """

    def __init__(self, axis: int, **options: Any) -> None:  # noqa: ANN401 - Keras' own options
        super().__init__(**options)
        self.axis = axis

    def call(self, x: Tensor) -> Tensor:
        """Shares of the shape of `x`."""
        e = ops.exp(x - ops.max(x, axis=self.axis, keepdims=True))
        return e / ops.sum(e, axis=self.axis, keepdims=True)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """As its input."""
        return input_shape
