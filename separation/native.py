"""Our own family of models, `mir-4s` first: a description as JSON, 16-bit weights beside it, one network for all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from separation.bands import Bands
from separation.checksum import sha256
from separation.errors import ConfigInvalid, WeightsDamaged
from separation.frontend import network_input
from separation.publishing import whole, write_text
from separation.roles import check_roles, check_stems
from separation.spectrogram import Spectrum, Stft
from separation.spleeter.config import FAMILY, SpleeterSpec
from separation.unet import UNetConfig, build, planar

if TYPE_CHECKING:
    import keras

OVERLAP = 16
"""Frames in which two neighbouring chunks' masks are cross-faded: 0.37 s at 44.1 kHz."""

LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Everything about a model but its weights.

    Parameters
    ----------
    name
        What users call it.
    stems
        Stems it gives, in the order of its masks.
    sr
        Sample rate it works at, in Hz.
    n_fft, hop_length
        Its short-time Fourier transform.
    bands
        How bins are grouped.
    network
        Size of the network.
    roles
        What stems with names of a user's own are: ``{"voice": "vocals"}``; see `separation.roles`.

    Raises
    ------
    ConfigInvalid
        A stem's name that is no plain file name, or a role that there is not.
    """

    name: str
    stems: tuple[str, ...]
    sr: int
    n_fft: int
    hop_length: int
    bands: Bands
    network: UNetConfig
    roles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_stems(self.stems)
        check_roles(self.stems, self.roles)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        table = asdict(self)
        if not self.roles:
            del table["roles"]
        return table

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> ModelSpec:
        """Undo `to_dict`."""
        network: dict[str, Any] = {**table["network"], "filters": tuple(table["network"]["filters"])}
        known = {key: table[key] for key in ("name", "sr", "n_fft", "hop_length")}
        known["roles"] = dict(table.get("roles", {}))
        return cls(stems=tuple(table["stems"]), bands=Bands(**table["bands"]), network=UNetConfig(**network), **known)


class NativeMasker:
    """Masks of a model of our own; see `separation.streaming.Masker`.

    Parameters
    ----------
    description
        Its JSON file; weights lie beside it.
    precision
        ``float32`` or ``bfloat16``.

    Raises
    ------
    WeightsDamaged
        Where the checksum differs, or the arrays do not fit the network by name and shape.
    """

    overlap = OVERLAP
    looks_back = True
    duplicates_mono = False
    complementary = True

    def __init__(self, description: Path, precision: str = "float32") -> None:
        from separation.backend import compiled, with_precision

        verify(description)
        self.spec = read_spec(description)
        with with_precision(precision):
            model = planar(build(self.spec.network))
        fill(model, description)
        network = self.spec.network
        shape = (1, network.n_frames, network.n_bands, network.n_channels)
        self._masks = compiled(lambda x: model(x, training=False), shape)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of its stems."""
        return self.spec.stems

    @property
    def stft(self) -> Stft:
        """Its transform."""
        return Stft(self.spec.n_fft, self.spec.hop_length)

    @property
    def n_frames(self) -> int:
        """Frames in a chunk."""
        return self.spec.network.n_frames

    def masks(self, D: Spectrum) -> NDArray[np.float32]:
        """Masks of a stereo chunk ``(2, n_frames, n_bins)``: ``(n_stems, 2, n_frames, n_bands)``."""
        return self._masks(network_input(D, self.spec.bands)[None])[0].swapaxes(0, 1)

    def apply(self, mask: NDArray[np.float32], D: Spectrum) -> Spectrum:
        """Mask a spectrum by band masks."""
        masked: Spectrum = self.spec.bands.expand(mask, D.shape[-1]) * D
        return masked


def read_spec(description: Path) -> ModelSpec:
    """Read the description of a network of our own, see `read_any_spec`."""
    spec = read_any_spec(description)
    if isinstance(spec, ModelSpec):
        return spec
    raise WeightsDamaged(f"{description} describes a network of the family {FAMILY}, not one of our own")


def read_any_spec(description: Path) -> ModelSpec | SpleeterSpec:
    """Read a model's description: a network of our own, or one of Spleeter's that was trained here.

    Raises
    ------
    WeightsDamaged
        Where it is none.
    ConfigInvalid
        Where its stems or their roles are none.
    """
    try:
        table = json.loads(description.read_text(encoding="utf-8"))
        return SpleeterSpec.from_dict(table) if table.get("family") == FAMILY else ModelSpec.from_dict(table)
    except ConfigInvalid as error:
        raise ConfigInvalid(f"{description}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsDamaged(f"{description} describes no model of ours ({error!r}); reinstall the model") from error


def describes(path: Path) -> bool:
    """Tell whether a JSON file describes a model of ours, be its weights there or not."""
    if path.with_suffix(".npz").is_file():
        return True
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(table, dict) and "sha256" in table


def verify(description: Path) -> str:
    """Check weights against the checksum in their description; returns the checksum.

    Raises
    ------
    WeightsDamaged
        Where they differ.
    """
    weights = description.with_suffix(".npz")
    expected = json.loads(description.read_text(encoding="utf-8"))["sha256"]
    actual = sha256(weights)
    if actual != expected:
        raise WeightsDamaged(f"{weights}: SHA-256 is {actual}, expected {expected}; reinstall the model")
    return actual


def write_roles(description: Path, stems: Sequence[str], roles: Mapping[str, str]) -> None:
    """Put roles into a description, all of it or nothing; those that say nothing (`vocals` is vocals) are left out.

    Raises
    ------
    ConfigInvalid
        A stem that the model does not give, or a role that there is not.
    """
    roles = {stem: role for stem, role in roles.items() if stem != role or stem not in stems}
    check_roles(stems, roles)
    table = json.loads(description.read_text(encoding="utf-8"))
    table["roles"] = roles
    write_text(description, json.dumps(table, indent=1) + "\n")


def save_weights(model: keras.Model, spec: ModelSpec | SpleeterSpec, folder: Path) -> Path:
    """Write ``NAME.npz`` (16-bit) and ``NAME.json`` into `folder`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {variable.path: _narrowed(np.asarray(variable)) for variable in model.weights}
    path = folder / f"{spec.name}.npz"
    with whole(path) as unfinished:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        description = {**spec.to_dict(), "sha256": sha256(unfinished)}
    write_text(path.with_suffix(".json"), json.dumps(description, indent=1) + "\n")
    return path


def fill(model: keras.Model, description: Path) -> None:
    """Load weights into a network.

    Raises
    ------
    WeightsDamaged
        Where the arrays do not fit the network by name and shape.
    """
    name = description.stem
    arrays = read_arrays(description)
    wanted = {variable.path: variable for variable in model.weights}
    if set(wanted) != set(arrays):
        odd = sorted(set(wanted) ^ set(arrays))
        raise WeightsDamaged(f"{name}: weights do not fit the network: {', '.join(odd[:5])}")
    for path, variable in wanted.items():
        if tuple(variable.shape) != arrays[path].shape:
            raise WeightsDamaged(f"{name}: {path} is {arrays[path].shape}, the network needs {tuple(variable.shape)}")
        variable.assign(arrays[path].astype(np.float32))


def read_arrays(description: Path) -> dict[str, NDArray[np.floating]]:
    """Weights by the names of the network's variables, as they are stored."""
    with np.load(description.with_suffix(".npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def _narrowed(array: NDArray[np.float32]) -> NDArray[np.floating]:
    """As 16-bit numbers, but where one is too large for them: variances of magnitudes can be."""
    return array.astype(np.float16) if np.abs(array).max(initial=0.0) <= LARGEST_HALF else array
