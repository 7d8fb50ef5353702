"""What was tried to make separation fast, each beside what is used: milliseconds of processor time on one core.

`python -m benchmarks separation_kernels`: heads of the networks, batch normalisation, activations in bfloat16, Fourier
transforms, the whole network of mir-4s compiled by XLA, and minimal filtering (Winograd) for the decoder.
`docs/speed.md` draws the conclusions.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from separation.backend import PRECISIONS, check_precision, load_tensorflow, usable_cores
from separation.errors import PrecisionUnsupported
from separation.spectrogram import BLOCK

N_RUNS = 12


def milliseconds(function: Callable[[], object]) -> float:
    """Least processor time of some runs, after a warm-up."""
    function()
    times = []
    for _ in range(N_RUNS):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def show(title: str, rows: dict[str, Callable[[], object]]) -> None:
    """Print one comparison."""
    print(f"\n{title}")
    for name, function in rows.items():
        print(f"  {name:58s}{milliseconds(function):8.1f} ms", flush=True)


def layers(precision: str) -> None:
    """Heads, norms and activations."""
    import tensorflow as tf

    from separation.backend import with_precision
    from separation.layers import Elu, Norm, PlanarDeconv, keras

    rng = np.random.default_rng(0)
    dtype = tf.as_dtype(precision)

    def run(*stack: object, shape: tuple[int, ...]) -> Callable[[], object]:
        x = tf.cast(tf.constant(rng.standard_normal(shape).astype(np.float32)), dtype)
        model = keras.Sequential(list(stack))
        model(x)
        function = tf.function(lambda y: model(y, training=False), autograph=False)
        return lambda: function(x)

    with with_precision(precision):
        up = {"filters": 1, "kernel_size": 5, "strides": 2, "padding": "same"}
        show(
            f"Spleeter's last transposed convolution, 32 → 1, {precision}",
            {
                "PlanarDeconv (used)": run(PlanarDeconv(1), shape=(1, 256, 512, 32)),
                "Conv2DTranspose": run(keras.layers.Conv2DTranspose(**up), shape=(1, 256, 512, 32)),
            },
        )
        show(
            f"head of mir-4s, 48 → 8, {precision}",
            {
                "Conv2DTranspose, then planes (used)": run(
                    keras.layers.Conv2DTranspose(**(up | {"filters": 8})),
                    keras.layers.Permute((3, 1, 2)),
                    shape=(1, 128, 336, 48),
                ),
                "PlanarDeconv": run(PlanarDeconv(8), shape=(1, 128, 336, 48)),
            },
        )
        show(
            f"normalisation of 2.1 million values, {precision}",
            {
                "fused (used)": run(Norm(), shape=(1, 256, 512, 16)),
                "keras.layers.BatchNormalization": run(keras.layers.BatchNormalization(), shape=(1, 256, 512, 16)),
            },
        )
        show(
            f"ELU of 2.1 million values, {precision}",
            {
                "by way of float32 (used)": run(Elu(), shape=(1, 256, 512, 16)),
                "keras.layers.Activation": run(keras.layers.Activation("elu"), shape=(1, 256, 512, 16)),
            },
        )


def transforms() -> None:
    """Inverse Fourier transforms of one chunk: 4 stems, 2 channels, 256 frames."""
    import tensorflow as tf
    from scipy import fft

    rng = np.random.default_rng(0)
    D = (rng.standard_normal((2048, 2049)) + 1j * rng.standard_normal((2048, 2049))).astype(np.complex64)
    tensor = tf.constant(D)
    inverse = tf.function(tf.signal.irfft, autograph=False)
    blocks = [D[start : start + BLOCK] for start in range(0, len(D), BLOCK)]
    show(
        "2048 inverse transforms of 4096 samples",
        {
            "SciPy, 16 frames at a time (used)": lambda: deque((fft.irfft(one, axis=-1) for one in blocks), maxlen=1),
            "SciPy, all at once": lambda: fft.irfft(D, axis=-1),
            "TensorFlow": lambda: inverse(tensor).numpy(),
        },
    )


def network() -> None:
    """The whole network of mir-4s."""
    import tensorflow as tf

    from separation.models import find
    from separation.native import fill, read_spec
    from separation.unet import build, planar

    description = find("mir-4s")
    model = planar(build(read_spec(description).network))
    fill(model, description)
    x = tf.constant(np.random.default_rng(0).uniform(0, 5, (1, *model.input_shape[1:])).astype(np.float32))
    plain, xla = (
        tf.function(lambda y: model(y, training=False), autograph=False, jit_compile=jit) for jit in (False, True)
    )
    show("network of mir-4s, one chunk", {"oneDNN (used)": lambda: plain(x), "XLA": lambda: xla(x)})


def minimal_filtering() -> None:
    """One level of Spleeter's decoder as 3 × 3 convolutions to four phases by Winograd's F(4 × 4, 3 × 3)."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    before = np.array(
        [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0],
         [0, 4, 0, -5, 0, 1]], np.float32,
    )  # fmt: skip
    after = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float32)
    for n_rows, n_columns, n_in, n_out in ((16, 32, 512, 128), (64, 128, 128, 32), (128, 256, 64, 16)):
        x = tf.constant(rng.standard_normal((1, n_rows, n_columns, n_in)).astype(np.float32))
        kernel = tf.constant(rng.standard_normal((5, 5, n_out, n_in)).astype(np.float32))
        filters = tf.constant(rng.standard_normal((36, n_in, 4 * n_out)).astype(np.float32))
        out = (1, 2 * n_rows, 2 * n_columns, n_out)

        def direct(y: tf.Tensor, kernel: tf.Tensor = kernel, out: tuple[int, ...] = out) -> tf.Tensor:
            return tf.nn.conv2d_transpose(y, kernel, out, 2, "SAME")

        def winograd(y: tf.Tensor, filters: tf.Tensor = filters, out: tuple[int, ...] = out) -> tf.Tensor:
            _, n_rows, n_columns, n_in = y.shape
            y = tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]])[0]
            y = tf.stack([y[i : i + n_rows - 3 : 4] for i in range(6)])
            y = tf.reshape(tf.matmul(before, tf.reshape(y, (6, -1))), (-1, n_columns + 2, n_in))
            y = tf.stack([y[:, i : i + n_columns - 3 : 4] for i in range(6)])
            y = tf.reshape(tf.matmul(before, tf.reshape(y, (6, -1))), (36, -1, n_in))
            y = tf.matmul(after, tf.reshape(tf.matmul(y, filters), (6, -1)))
            y = tf.matmul(tf.broadcast_to(after, (4, 4, 6)), tf.reshape(y, (4, 6, -1)))
            y = tf.reshape(y, (4, 4, n_rows // 4, n_columns // 4, 2, 2, -1))
            return tf.reshape(tf.transpose(y, (2, 1, 4, 3, 0, 5, 6)), out)

        compile_ = {"autograph": False}
        one, two = tf.function(direct, **compile_), tf.function(winograd, **compile_)
        three = tf.function(winograd, jit_compile=True, **compile_)
        show(
            f"transposed convolution {n_in} → {n_out} to {2 * n_rows} × {2 * n_columns}",
            {
                "oneDNN, direct (used)": lambda one=one, x=x: one(x),
                "minimal filtering": lambda two=two, x=x: two(x),
                "minimal filtering by XLA": lambda three=three, x=x: three(x),
            },
        )


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="not needed here")
    parser.parse_args()
    load_tensorflow(usable_cores())  # one thread an operation
    for precision in PRECISIONS:
        try:
            check_precision(precision)
        except PrecisionUnsupported as error:
            print(f"\nleft out: {error}")
            continue
        layers(precision)
    transforms()
    network()
    minimal_filtering()


if __name__ == "__main__":
    main()
