"""Our forms of Keras' layers against Keras' own."""

from __future__ import annotations

import numpy as np
import pytest

from separation.layers import Norm, PlanarDeconv, Share, keras


@pytest.mark.parametrize("filters", [1, 3])
@pytest.mark.parametrize("shape", [(1, 6, 10, 4), (3, 8, 6, 2)])
def test_planar_deconv_is_a_transposed_convolution(filters: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    theirs = keras.layers.Conv2DTranspose(filters, 5, strides=2, padding="same")
    ours = PlanarDeconv(filters)
    theirs.build(x.shape)
    ours.build(x.shape)
    weights = [rng.standard_normal(weight.shape).astype(np.float32) for weight in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    expected = np.asarray(theirs(x)).transpose(0, 3, 1, 2)
    assert ours.compute_output_shape(shape) == expected.shape
    np.testing.assert_allclose(np.asarray(ours(x)), expected, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_norm_is_batch_normalisation(training: bool) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 4, 6, 3)).astype(np.float32)
    theirs, ours = keras.layers.BatchNormalization(), Norm()
    for layer in (theirs, ours):
        layer.build(x.shape)
    weights = [rng.uniform(0.5, 1.5, weight.shape).astype(np.float32) for weight in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    np.testing.assert_allclose(
        np.asarray(ours(x, training=training)), np.asarray(theirs(x, training=training)), atol=1e-5
    )
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_share_is_a_softmax() -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 4, 5)).astype(np.float32) * 30
    shares = np.asarray(Share(axis=1)(x))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-6)
    e = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    np.testing.assert_allclose(shares, e / e.sum(axis=1, keepdims=True), atol=1e-6)
