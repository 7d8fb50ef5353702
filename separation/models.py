"""Separation models by name, and where their weights are."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from separation.bands import Bands
from separation.errors import ModelUnknown, WeightsDamaged, WeightsMissing
from separation.unet import UNetConfig

if TYPE_CHECKING:
    import keras

SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package."""
DEFAULT = "mir-4s"


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
    """

    name: str
    stems: tuple[str, ...]
    sr: int
    n_fft: int
    hop_length: int
    bands: Bands
    network: UNetConfig

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> ModelSpec:
        """Undo `to_dict`."""
        network: dict[str, Any] = {**table["network"], "filters": tuple(table["network"]["filters"])}
        known = {key: table[key] for key in ("name", "sr", "n_fft", "hop_length")}
        return cls(stems=tuple(table["stems"]), bands=Bands(**table["bands"]), network=UNetConfig(**network), **known)


def available() -> tuple[str, ...]:
    """Names of the models whose weights are on this machine."""
    found = {path.stem for folder in _folders(None) if folder.is_dir() for path in folder.glob("*.json")}
    return tuple(sorted(name for name in found if _find(name, None) is not None))


def find(name: str, weights: str | Path | None = None) -> Path:
    """Return the path of a model's description; its weights lie beside it.

    Parameters
    ----------
    name
        Model name.
    weights
        Folder to look in first; then ``$MIR_MODELS``, then the folder inside the package.

    Raises
    ------
    ModelUnknown
        Where no folder has such a model.
    WeightsMissing
        Where the description is there but the weights are not.
    """
    path = _find(name, weights)
    if path is None:
        raise ModelUnknown(f"no model {name!r}; there are {', '.join(available()) or 'none'}")
    if not path.with_suffix(".npz").is_file():
        raise WeightsMissing(f"{name}: {path.with_suffix('.npz')} is missing; reinstall, or give --weights DIR")
    return path


def spec(name: str, weights: str | Path | None = None) -> ModelSpec:
    """Return a model's description, without loading its weights."""
    return ModelSpec.from_dict(json.loads(find(name, weights).read_text(encoding="utf-8")))


def source_id(name: str, weights: str | Path | None = None, precision: str = "float32") -> str:
    """Return what tells one separator from another: name, first 16 digits of the weights' SHA-256, precision."""
    return f"{name}:{sha256(find(name, weights).with_suffix('.npz'))[:16]}:{precision}"


def verify(name: str, weights: str | Path | None = None) -> str:
    """Check a model's weights against the checksum in its description; returns the checksum.

    Raises
    ------
    WeightsDamaged
        Where they differ.
    """
    path = find(name, weights)
    expected = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    actual = sha256(path.with_suffix(".npz"))
    if actual != expected:
        raise WeightsDamaged(
            f"{path.with_suffix('.npz')}: SHA-256 is {actual}, expected {expected}; reinstall the model"
        )
    return actual


def save_weights(model: keras.Model, spec: ModelSpec, folder: Path) -> Path:
    """Write ``NAME.npz`` (16-bit) and ``NAME.json`` into `folder`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {variable.path: np.asarray(variable).astype(np.float16) for variable in model.weights}
    path = folder / f"{spec.name}.npz"
    temporary = folder / f".{spec.name}.tmp.npz"
    np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
    description = {**spec.to_dict(), "sha256": sha256(temporary)}
    temporary.replace(path)
    temporary = folder / f".{spec.name}.tmp.json"
    temporary.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path.with_suffix(".json"))
    return path


def load_model(name: str, weights: str | Path | None = None) -> keras.Model:
    """Build a model's network and fill it with its verified weights.

    Raises
    ------
    WeightsDamaged
        Where the checksum differs, or the arrays do not fit the network by name and shape.
    """
    from separation.unet import build

    verify(name, weights)
    model = build(spec(name, weights).network)
    with np.load(find(name, weights).with_suffix(".npz"), allow_pickle=False) as arrays:
        wanted = {variable.path: variable for variable in model.weights}
        if set(wanted) != set(arrays.files):
            odd = sorted(set(wanted) ^ set(arrays.files))
            raise WeightsDamaged(f"{name}: weights do not fit the network: {', '.join(odd[:5])}")
        for path, variable in wanted.items():
            if tuple(variable.shape) != arrays[path].shape:
                raise WeightsDamaged(
                    f"{name}: {path} is {arrays[path].shape}, the network needs {tuple(variable.shape)}"
                )
            variable.assign(arrays[path].astype(np.float32))
    return model


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders(weights: str | Path | None) -> list[Path]:
    own = [Path(weights)] if weights is not None else []
    environment = [Path(os.environ["MIR_MODELS"])] if os.environ.get("MIR_MODELS") else []
    return [*own, *environment, SHIPPED]


def _find(name: str, weights: str | Path | None) -> Path | None:
    if Path(name).name != name or name.startswith("."):
        raise ModelUnknown(f"a model name is a plain word, got {name!r}; there are mir-4s and what $MIR_MODELS holds")
    return next((path for folder in _folders(weights) if (path := folder / f"{name}.json").is_file()), None)
