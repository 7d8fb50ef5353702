"""What a mask is worth: the energy of what it gets wrong, from powers alone; and Spleeter's own measure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

FRAMES_A_BLOCK = 32
"""Frames over which the logarithmic error is taken, at most: 0.74 s at 44.1 kHz."""
FLOOR = 1e-3
"""Errors 30 dB under the mixture are good enough."""
AUDIBLE = 1e-7
"""Power of a bin, relative to the mean power of all, about which it begins to count: 70 dB under it."""
Loss = Callable[[Any, Any], Any]
"""``(target, prediction) → scalar``, tensors of any backend."""


def frames_a_block(n_frames: int) -> int:
    """Frames of the longest block that divides `n_frames` without a rest."""
    return math.gcd(n_frames, FRAMES_A_BLOCK)


def error_power(target: Any, masks: Any, n_stems: int) -> Any:  # noqa: ANN401 - any backend's tensors
    """Energy of ``M·X − S`` in each frame, band, channel and stem, shape ``(batch, n_frames, n_bands, 2·n_stems)``."""
    from keras import ops

    mixture = ops.repeat(target[..., :2], n_stems, axis=-1)
    shared = target[..., 2 : 2 + 2 * n_stems]
    own = target[..., 2 + 2 * n_stems :]
    return ops.maximum(masks * masks * mixture - 2.0 * masks * shared + own, 0.0)


def make_loss(n_stems: int, log_error_weight: float, log_mask_weight: float = 0.0) -> Loss:
    """Build the loss ``(target, masks) → scalar``.

    The mean error magnitude over all bins, plus `log_error_weight` times the mean over blocks of 0.74 s and stems
    of the error's level under the mixture (as powers of ten, not below −30 dB): the first term follows what is
    loud, the second treats every moment of every stem alike, as the median of an SDR over frames does. A silent
    stem needs no special case, since errors are compared with the mixture. `log_mask_weight` times the difference in
    level between stem and estimate, bin by bin and down to 30 dB under the mixture, may be added: it follows the
    spectrum of a stem where that is quiet, which no energy does.
    """
    from keras import ops

    def loss(target: Any, masks: Any) -> Any:  # noqa: ANN401
        error = error_power(target, masks, n_stems)
        magnitude = ops.mean(ops.sqrt(error + 1e-8))
        if log_mask_weight:
            magnitude = magnitude + log_mask_weight * _level_error(target, masks, n_stems)
        if not log_error_weight:
            return magnitude
        shape = ops.shape(error)
        n = frames_a_block(masks.shape[1])
        blocks = ops.reshape(error, (-1, shape[1] // n, n * shape[2], 2, n_stems))
        mixture = ops.reshape(target[..., :2], (-1, shape[1] // n, n * shape[2] * 2))
        wrong = ops.sum(blocks, axis=(2, 3))
        whole = ops.sum(mixture, axis=2)[..., None] + 1.0
        return magnitude + log_error_weight * ops.mean(ops.log10(wrong / whole + FLOOR))

    return loss


def _level_error(target: Any, masks: Any, n_stems: int) -> Any:  # noqa: ANN401
    """Mean difference in level (in powers of ten) between stems and estimates; silent bins do not count."""
    from keras import ops

    mixture = ops.repeat(target[..., :2], n_stems, axis=-1)
    own = ops.minimum(target[..., 2 + 2 * n_stems :] / (mixture + AUDIBLE), 4.0)
    difference = ops.abs(ops.log10((masks * masks + FLOOR) / (own + FLOOR)))
    return ops.mean(difference * mixture / (mixture + AUDIBLE))


def make_mask_l1(n_stems: int) -> Loss:
    """Build the loss ``(target, masks) → scalar``: Spleeter's, on the magnitudes of bands.

    The mean of ``|M·|X| − |S||``, added up over stems.
    """
    from keras import ops

    def loss(target: Any, masks: Any) -> Any:  # noqa: ANN401
        mixture = ops.repeat(ops.sqrt(target[..., :2]), n_stems, axis=-1)
        stems = ops.sqrt(target[..., 2 + 2 * n_stems :])
        return n_stems * ops.mean(ops.abs(masks * mixture - stems))

    return loss


def magnitude_l1(stems: Any, estimates: Any) -> Any:  # noqa: ANN401
    """Spleeter's loss: the mean difference of magnitudes, added up over stems, which are the second axis of both.

    References
    ----------
    R. Hennequin et al., "Spleeter: a fast and efficient music source separation tool with pre-trained models",
    JOSS, 2020.
    """
    from keras import ops

    return estimates.shape[1] * ops.mean(ops.abs(estimates - stems))
