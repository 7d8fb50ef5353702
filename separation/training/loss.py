"""What a mask is worth: the energy of what it gets wrong, from powers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FRAMES_A_BLOCK = 32
"""Frames over which the logarithmic error is taken: 0.74 s at 44.1 kHz."""
FLOOR = 1e-3
"""Errors 30 dB under the mixture are good enough."""


def error_power(target: Any, masks: Any, n_stems: int) -> Any:  # noqa: ANN401 - any backend's tensors
    """Energy of ``M·X − S`` in each frame, band, channel and stem, shape ``(batch, n_frames, n_bands, 2·n_stems)``."""
    from keras import ops

    mixture = ops.repeat(target[..., :2], n_stems, axis=-1)
    shared = target[..., 2 : 2 + 2 * n_stems]
    own = target[..., 2 + 2 * n_stems :]
    return ops.maximum(masks * masks * mixture - 2.0 * masks * shared + own, 0.0)


def make_loss(n_stems: int, log_error_weight: float) -> Callable[[Any, Any], Any]:
    """Build the loss ``(target, masks) → scalar``.

    The mean error magnitude over all bins, plus `log_error_weight` times the mean over blocks of 0.74 s and stems
    of the error's level under the mixture (as powers of ten, not below −30 dB): the first term follows what is
    loud, the second treats every moment of every stem alike, as the median of an SDR over frames does. A silent
    stem needs no special case, since errors are compared with the mixture.
    """
    from keras import ops

    def loss(target: Any, masks: Any) -> Any:  # noqa: ANN401
        error = error_power(target, masks, n_stems)
        magnitude = ops.mean(ops.sqrt(error + 1e-8))
        if not log_error_weight:
            return magnitude
        shape = ops.shape(error)
        n_blocks = shape[1] // FRAMES_A_BLOCK
        blocks = ops.reshape(error, (-1, n_blocks, FRAMES_A_BLOCK * shape[2], 2, n_stems))
        mixture = ops.reshape(target[..., :2], (-1, n_blocks, FRAMES_A_BLOCK * shape[2] * 2))
        wrong = ops.sum(blocks, axis=(2, 3))
        whole = ops.sum(mixture, axis=2)[..., None] + 1.0
        return magnitude + log_error_weight * ops.mean(ops.log10(wrong / whole + FLOOR))

    return loss
