"""Separation models by name or path, and where their weights are: our own and Spleeter's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from separation import native
from separation.backend import check_precision_known
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


def available(weights: str | Path | None = None) -> tuple[str, ...]:
    """Names of the models whose weights are on this machine, those in the folder `weights` too.

    A training run whose folder has its model's name counts as a model of the folder that it lies in.
    """
    names: set[str] = set()
    for folder in _folders(weights):
        ours = [path for path in folder.glob("*.json") if path.with_suffix(".npz").is_file()]
        ours += [path for path in folder.glob("*/*.json") if _of_a_run(path) and path.with_suffix(".npz").is_file()]
        names |= {path.stem for path in ours}
        names |= {path.parent.name for path in folder.glob("*/*.index") if _own_config(path.parent) is not None}
        names |= {name for name, spec in published().items() if any((folder / spec.folder).glob("*.index"))}
    return tuple(sorted(names))


def find(name: str, weights: str | Path | None = None) -> Path:
    """Return where a model lies: the description of one of ours, the checkpoint's folder of a Spleeter model.

    Parameters
    ----------
    name
        Model name; or a path: of a training run's folder, of a model's description in it, of a Spleeter configuration
        (``….json``) or the folder it lies in with its checkpoint. A name that is known goes before a folder of that
        name.
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
    name = resolved(name, weights)
    path = _description(name, weights)
    if path is None:
        return _spleeter_folder(name, _spleeter_spec(name, weights), weights)
    if not path.with_suffix(".npz").is_file():
        raise WeightsMissing(
            f"{name}: the weights {path.with_suffix('.npz').name} are missing; reinstall, or give --weights DIR"
        )
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
    name = resolved(name, weights)
    path = _description(name, weights)
    return _spleeter_spec(name, weights) if path is None else native.read_any_spec(path)


def resolved(name: str, weights: str | Path | None = None) -> str:
    """Return a model's name; of one that is given by a path, the path of its description (``….json``).

    Raises
    ------
    ModelUnknown
        A path that leads to no model, or to several.
    """
    if name in published() or name.endswith(".json"):
        return name
    plain = Path(name).name == name and not name.startswith(".")
    if plain and any(_lies_in(folder, name) for folder in _folders(weights)):
        return name
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(_in_folder(folder))
    if plain:
        return name
    raise ModelUnknown(
        f"a model is a plain word, the folder of a training run, or the path of a description (.json), got {name!r}; "
        f"there are {_known()}"
    )


def label(name: str, weights: str | Path | None = None) -> str:
    """Return what a model is called where it was given by name or by path."""
    name = resolved(name, weights)
    return spec(name, weights).name if name.endswith(".json") else name


def _in_folder(folder: Path) -> Path:
    """Description in a folder that was given as a model."""
    found = sorted(path for path in folder.glob("*.json") if path.with_suffix(".npz").is_file())
    if not found and any(folder.glob("*.index")) and (own := _own_config(folder)) is not None:
        found = [own]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(str(path) for path in found)
        raise ModelUnknown(f"{folder} holds several models: give the path of one of {several}")
    raise ModelUnknown(
        f"the folder {folder} holds no model: a training run writes NAME.json and NAME.npz with its first validation; "
        f"models by name are {_known()}"
    )


def _lies_in(folder: Path, name: str) -> bool:
    """Tell whether a folder of models has one of this name."""
    return _ours(folder, name) is not None or _own_config(folder / name) is not None


def _ours(folder: Path, name: str) -> Path | None:
    """Description of a model of ours in a folder of models, or in a run's folder there."""
    candidates = (folder / f"{name}.json", folder / name / f"{name}.json")
    return next((path for path in candidates if path.is_file() and (path.parent == folder or _of_a_run(path))), None)


def _of_a_run(path: Path) -> bool:
    """Tell a run's description from a Spleeter configuration that lies beside its checkpoint."""
    return path.stem == path.parent.name and not any(path.parent.glob("*.index"))


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
    """Return what tells one separator from another: name, first 16 digits of the weights' SHA-256, precision.

    Where the description gives stems roles, they follow: they decide what is heard as vocals.

    Raises
    ------
    ModelUnknown, WeightsMissing
        As `find`.
    PrecisionUnsupported
        Where there is no such precision; whether this machine has it, only computing tells.
    """
    check_precision_known(precision)
    path = find(name, weights)
    found = spec(name, weights)
    digest = _combined(path) if path.is_dir() else sha256(path.with_suffix(".npz"))
    roles = ",".join(f"{stem}={role}" for stem, role in sorted(found.roles.items()))
    known = found.name if path.is_dir() else label(name, weights)
    return f"{known}:{digest[:16]}:{precision}" + (f":{roles}" if roles else "")


def give_roles(name: str, roles: Mapping[str, str], weights: str | Path | None = None) -> None:
    """Say what stems of a model are; kept in its description. Roles of other stems stay as they were.

    Raises
    ------
    ConfigInvalid
        A stem that the model does not give or a role that there is not; or a model that is not the user's own.
    """
    path = _description(resolved(name, weights), weights)
    if path is None or path.parent == SHIPPED:
        raise ConfigInvalid(f"{name} comes with its roles; roles are given to models of one's own, as a run folder")
    found = spec(name, weights)
    native.write_roles(path, found.stems, {**found.roles, **roles})


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
    """Description of a model of ours, by its name or path as `resolved` gives it; None of Spleeter's."""
    if name in published():
        return None
    if name.endswith(".json"):
        path = Path(name).expanduser()
        return path if native.describes(path) else None
    return next((found for folder in _folders(weights) if (found := _ours(folder, name)) is not None), None)


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
