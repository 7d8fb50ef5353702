"""Separation models by name, and where their weights are: our own and Spleeter's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from separation import native
from separation.checksum import sha256
from separation.errors import ConfigInvalid, ModelUnknown, WeightsMissing
from separation.native import ModelSpec
from separation.pull import MANIFEST, check, models_folder
from separation.spleeter.checkpoint import files, find_checkpoint
from separation.spleeter.config import PREFIX, MaskExtension, SpleeterSpec, published, read_config

if TYPE_CHECKING:
    from separation.streaming import Masker

SHIPPED = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package."""
DEFAULT = "mir-4s"
Spec = ModelSpec | SpleeterSpec


def available() -> tuple[str, ...]:
    """Names of the models whose weights are on this machine."""
    names: set[str] = set()
    for folder in _folders(None):
        names |= {path.stem for path in folder.glob("*.json") if path.with_suffix(".npz").is_file()}
        names |= {path.parent.name for path in folder.glob("*/*.index") if _own_config(path.parent) is not None}
        names |= {name for name, spec in published().items() if any((folder / spec.folder).glob("*.index"))}
    return tuple(sorted(names))


def find(name: str, weights: str | Path | None = None) -> Path:
    """Return where a model lies: the description of one of ours, the checkpoint's folder of a Spleeter model.

    Parameters
    ----------
    name
        Model name, or the path of a Spleeter configuration (``….json``).
    weights
        Folder to look in first; then ``$MIR_MODELS``, the folder that ``mir models pull`` writes to, and the one
        inside the package.

    Raises
    ------
    ModelUnknown
        Where no folder has such a model.
    WeightsMissing
        Where the model is known but its weights are not here.
    """
    path = _description(name, weights)
    if path is None:
        return _spleeter_folder(name, _spleeter_spec(name, weights), weights)
    if not path.with_suffix(".npz").is_file():
        raise WeightsMissing(f"{name}: the weights {name}.npz are missing; reinstall, or give --weights DIR")
    return path


def spec(name: str, weights: str | Path | None = None) -> Spec:
    """Return a model's description, without loading its weights.

    Raises
    ------
    ModelUnknown
        Where there is no such model.
    ConfigInvalid
        A Spleeter configuration that is none.
    """
    path = _description(name, weights)
    return _spleeter_spec(name, weights) if path is None else native.read_spec(path)


def _spleeter_spec(name: str, weights: str | Path | None) -> SpleeterSpec:
    if name in published():
        return published()[name]
    if name.endswith(".json"):
        return read_config(name)
    for folder in _folders(weights):
        own = _own_config(folder / name)
        if own is not None:
            return replace(read_config(own), name=name, folder=name)
    raise ModelUnknown(f"no model {name!r}; there are {_known()}")


def source_id(name: str, weights: str | Path | None = None, precision: str = "float32") -> str:
    """Return what tells one separator from another: name, first 16 digits of the weights' SHA-256, precision."""
    path = find(name, weights)
    if path.is_dir():
        digest = _combined(path)
        name = spec(name, weights).name
    else:
        digest = sha256(path.with_suffix(".npz"))
    return f"{name}:{digest[:16]}:{precision}"


def verify(name: str, weights: str | Path | None = None) -> str:
    """Check a model's weights against their known checksums; returns their checksum.

    A Spleeter checkpoint in a folder of the user's own has no known checksum: it must be complete, no more.

    Raises
    ------
    WeightsDamaged
        Where they differ.
    """
    path = find(name, weights)
    if path.is_file():
        return native.verify(path)
    if (path / MANIFEST).is_file():
        check(path)
    return _combined(path)


def load_masker(
    name: str,
    weights: str | Path | None = None,
    *,
    precision: str = "float32",
    mask_extension: MaskExtension | None = None,
) -> Masker:
    """Load a model with its verified weights.

    Raises
    ------
    ModelUnknown, WeightsMissing, WeightsDamaged, PrecisionUnsupported
        Where it cannot be had.
    ConfigInvalid
        A mask extension for a model of ours, whose masks reach full band by themselves.
    """
    found = spec(name, weights)
    verify(name, weights)
    path = find(name, weights)
    if isinstance(found, SpleeterSpec):
        from separation.spleeter.masker import SpleeterMasker

        if mask_extension is not None:
            found = replace(found, mask_extension=mask_extension)
        return SpleeterMasker(found, path, precision)
    if mask_extension is not None:
        raise ConfigInvalid(f"{name} has full-band masks of its own; a mask extension is for Spleeter's models")
    return native.NativeMasker(path, precision)


def _known() -> str:
    return ", ".join(sorted({*available(), *published()}))


def _own_config(folder: Path) -> Path | None:
    """Spleeter configuration that lies in a checkpoint's folder."""
    return next((path for path in sorted(folder.glob("*.json")) if path.name != MANIFEST), None)


def _folders(weights: str | Path | None) -> Iterator[Path]:
    if weights is not None:
        yield Path(weights)
    if os.environ.get("MIR_MODELS"):
        yield Path(os.environ["MIR_MODELS"])
    yield models_folder()
    yield SHIPPED


def _description(name: str, weights: str | Path | None) -> Path | None:
    """Description of a model of ours; None of Spleeter's.

    Raises
    ------
    ModelUnknown
        A name that is none.
    """
    if name in published() or name.endswith(".json"):
        return None
    if Path(name).name != name or name.startswith("."):
        raise ModelUnknown(
            f"a model name is a plain word or the path of a Spleeter configuration (.json), got {name!r}; "
            f"there are {_known()}"
        )
    return next((path for folder in _folders(weights) if (path := folder / f"{name}.json").is_file()), None)


def _spleeter_folder(name: str, spec: SpleeterSpec, weights: str | Path | None) -> Path:
    candidates = [folder / spec.folder for folder in _folders(weights)]
    if name.endswith(".json"):
        candidates.insert(0, Path(name).parent / spec.folder)
        candidates.insert(1, Path(name).parent)
    if weights is not None:
        candidates.insert(0, Path(weights))
    for folder in candidates:
        if folder.is_dir() and (any(folder.glob("*.index")) or (folder / "checkpoint").is_file()):
            find_checkpoint(folder)
            return folder
    if weights is not None:
        raise WeightsMissing(f"{spec.name}: no checkpoint in {weights}, nor in {Path(weights) / spec.folder}")
    advice = f"run `mir models pull {name}`, or give" if name.startswith(PREFIX) else "give"
    raise WeightsMissing(f"{spec.name}: its weights are not on this machine; {advice} --weights DIR")


def _combined(folder: Path) -> str:
    """One checksum over those of a checkpoint's files."""
    digest = hashlib.sha256()
    for file in files(find_checkpoint(folder)):
        digest.update(f"{file.name} {sha256(file)}\n".encode())
    return digest.hexdigest()
