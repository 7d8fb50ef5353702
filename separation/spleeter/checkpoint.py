"""Weights out of Spleeter's TF1 checkpoints, by name and shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.errors import WeightsDamaged, WeightsMissing
from separation.spleeter.config import N_LEVELS, SpleeterSpec

Arrays = dict[str, NDArray[np.float32]]
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def find_checkpoint(folder: Path) -> Path:
    """Return the path prefix of a folder's newest checkpoint.

    Spleeter's own way (the name in the file ``checkpoint``), and where that file is not there the one ``*.index``.

    Raises
    ------
    WeightsMissing
        Where the folder, the index or the data file is not there.
    """
    prefix = None
    state = folder / "checkpoint"
    if state.is_file():
        for line in state.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model_checkpoint_path":
                prefix = folder / Path(value.strip().strip('"').replace("\\", "/")).name
    if prefix is None:
        found = sorted(folder.glob("*.index"))
        if len(found) != 1:
            raise WeightsMissing(
                f"{folder} holds no Spleeter checkpoint: needs checkpoint, model.index and model.data-00000-of-00001"
            )
        prefix = found[0].with_suffix("")
    for path in files(prefix):
        if not path.is_file():
            raise WeightsMissing(f"{folder} is incomplete: {path.name} is missing")
    return prefix


def files(prefix: Path) -> tuple[Path, ...]:
    """Files that hold a checkpoint's weights: its index and its shards."""
    shards = sorted(prefix.parent.glob(f"{prefix.name}.data-*"))
    whole = prefix.with_name(prefix.name + ".data-00000-of-00001")
    return (prefix.with_name(prefix.name + ".index"), *(shards or [whole]))


def variables(spec: SpleeterSpec) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name → (our weight's path, shape) of every variable that the model needs.

    Keras numbers its layers through all stems, in the order in which Spleeter makes them: for each stem six
    convolutions with a norm each, six transposed ones with a norm each, one convolution at the end. The sixth norm
    is made and trained but leads nowhere, and is not asked for.
    """
    table: dict[str, tuple[str, tuple[int, ...]]] = {}
    down, up = spec.filters, (*spec.filters[-2::-1], 1)

    def add(layer: str, number: int, ours: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        name = layer if number == 0 else f"{layer}_{number}"
        for weight, shape in shapes.items():
            table[f"{name}/{weight}"] = (f"{ours}/{weight}", shape)

    for index, stem in enumerate(spec.stems):
        n_in = 2
        for level, n_out in enumerate(down):
            convolution = {"kernel": (5, 5, n_in, n_out), "bias": (n_out,)}
            add("conv2d", index * (N_LEVELS + 1) + level, f"{stem}_down{level}_conv", convolution)
            if level < N_LEVELS - 1:
                norm = dict.fromkeys(_NORM, (n_out,))
                add("batch_normalization", index * 2 * N_LEVELS + level, f"{stem}_down{level}_norm", norm)
            n_in = n_out
        for level, n_out in enumerate(up):
            transposed = {"kernel": (5, 5, n_out, n_in), "bias": (n_out,)}
            add("conv2d_transpose", index * N_LEVELS + level, f"{stem}_up{level}_conv", transposed)
            norm = dict.fromkeys(_NORM, (n_out,))
            add("batch_normalization", index * 2 * N_LEVELS + N_LEVELS + level, f"{stem}_up{level}_norm", norm)
            n_in = 2 * n_out
        head = {"kernel": (4, 4, 1, 2), "bias": (2,)}
        add("conv2d", index * (N_LEVELS + 1) + N_LEVELS, f"{stem}_head", head)
    return table


def read_checkpoint(folder: Path, spec: SpleeterSpec) -> Arrays:
    """Read a model's weights; optimizer slots, counters and other models' variables are passed over.

    Returns
    -------
    arrays
        Our weight's path → float32 array.

    Raises
    ------
    WeightsMissing
        Where there is no checkpoint.
    WeightsDamaged
        Where it cannot be read, lacks variables, has others shapes, or holds more stems than the model has.
    """
    from separation.backend import load_tensorflow

    prefix = find_checkpoint(folder)
    tf = load_tensorflow()
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
        _check_fit(prefix, spec, shapes)
        arrays = {ours: np.asarray(reader.get_tensor(name), np.float32) for name, (ours, _) in variables(spec).items()}
    except (tf.errors.OpError, RuntimeError, IndexError, OSError) as error:
        raise WeightsDamaged(f"{prefix} cannot be read as a TensorFlow checkpoint: {error}") from error
    odd = [ours for ours, array in arrays.items() if not np.isfinite(array).all()]
    if odd:
        raise WeightsDamaged(f"{prefix}: {odd[0]} holds numbers that are none (NaN or infinite)")
    return arrays


def _check_fit(prefix: Path, spec: SpleeterSpec, shapes: Mapping[str, tuple[int, ...]]) -> None:
    wanted = variables(spec)
    missing = sorted(name for name in wanted if name not in shapes)
    if missing:
        raise WeightsDamaged(
            f"{prefix} lacks {len(missing)} of the {len(wanted)} variables of {spec.name} "
            f"({', '.join(missing[:4])}{', …' if len(missing) > 4 else ''}): it is partial, or another model's"
        )
    wrong = [f"{name} is {shapes[name]}, not {shape}" for name, (_, shape) in wanted.items() if shapes[name] != shape]
    if wrong:
        raise WeightsDamaged(f"{prefix} does not fit {spec.name}: {'; '.join(wrong[:3])}")
    if f"conv2d_transpose_{len(spec.stems) * N_LEVELS}/kernel" in shapes:
        raise WeightsDamaged(f"{prefix} holds more than the {len(spec.stems)} U-Nets of {spec.name}: another model's")
