"""Fine-tuning: weights of another model put into a new network, as far as they fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from separation import models, native
from separation.errors import ConfigInvalid
from separation.spleeter.config import SpleeterSpec

if TYPE_CHECKING:
    import keras

    from separation.native import ModelSpec

HEAD = "head_"
"""Layers of our own network whose filters stand for stems begin so; those of Spleeter's are named for their stem."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a run started from.

    Parameters
    ----------
    model
        Name or folder, as it was given.
    sha256
        Checksum of its weights.
    note
        What was taken over and what begins afresh.
    """

    model: str
    sha256: str
    note: str


def start_from(model: keras.Model, spec: ModelSpec | SpleeterSpec, init: str) -> Start:
    """Copy what fits, by name and shape, out of the model `init` into a network described by `spec`.

    Raises
    ------
    ModelUnknown, WeightsMissing, WeightsDamaged
        Where there is no such model.
    ConfigInvalid
        Where nothing of it fits, or its U-Nets have other activations, with which its weights mean nothing.
    """
    source = models.spec(init)
    if isinstance(source, SpleeterSpec) and isinstance(spec, SpleeterSpec):
        _check_activations(source, spec, init)
    arrays = _arrays(models.find(init), source)
    afresh = source.stems != spec.stems and not isinstance(spec, SpleeterSpec)
    copied, drawn = 0, []
    for variable in model.weights:
        array = arrays.get(variable.path)
        if array is None or array.shape != tuple(variable.shape) or (afresh and variable.path.startswith(HEAD)):
            drawn.append(variable.path)
            continue
        variable.assign(array.astype(np.float32))
        copied += variable.path.endswith("/kernel")
    if not copied:
        raise ConfigInvalid(
            f"init: nothing of {init} ({', '.join(source.stems)}) fits this network; give it the same [network] "
            "and [bands], or leave init out"
        )
    return Start(init, models.verify(init), _note(init, len(model.weights), drawn, source.stems, spec.stems))


def _arrays(path: Path, source: ModelSpec | SpleeterSpec) -> dict[str, NDArray[np.floating]]:
    if isinstance(source, SpleeterSpec) and path.is_dir():
        from separation.spleeter.checkpoint import read_checkpoint

        return dict(read_checkpoint(path, source))
    native.verify(path)
    return dict(native.read_arrays(path))


def _check_activations(source: SpleeterSpec, spec: SpleeterSpec, init: str) -> None:
    for name in ("conv_activation", "deconv_activation", "softmax"):
        theirs, ours = getattr(source, name), getattr(spec, name)
        if theirs != ours:
            raise ConfigInvalid(f"init: {init} was trained with {name} = {theirs}, not {ours}: set that in [network]")


def _note(init: str, n_weights: int, drawn: list[str], theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    text = f"started from {init}: {n_weights - len(drawn)} of {n_weights} weights"
    if theirs != ours:
        text += f"; its stems are {', '.join(theirs)}, these are {', '.join(ours)}"
    if drawn:
        layers = dict.fromkeys(path.rpartition("/")[0] for path in drawn)
        text += f"; made afresh: {', '.join(list(layers)[:6])}{', …' if len(layers) > 6 else ''}"
    return text
