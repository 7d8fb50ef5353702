"""Settings: a flag wins over the environment, the environment over ``mir.toml``, that over the default.

``mir.toml`` is looked for in the working folder, or is the file that ``$MIR_CONFIG`` names; relative paths in
it are relative to its folder. There is no other hidden place.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mir.errors import BadRequest
from separation.backend import usable_cores

FILE_NAME = "mir.toml"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting: what it is called, where it may come from, what it is when nobody says."""

    name: str
    variable: str
    flag: str | None
    kind: type
    default: Callable[[], Any]
    description: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting's value and where it comes from (``flag``, ``environment``, ``mir.toml``, ``default``)."""

    name: str
    value: Any
    source: str
    detail: str
    description: str


DECLARATIONS: tuple[Declaration, ...] = (
    Declaration("catalog", "MIR_CATALOG", "--catalog", Path, lambda: Path("mir.duckdb"), "the catalog file"),
    Declaration("model", "MIR_MODEL", "--model", str, lambda: "mir-4s", "separation model that ingest uses"),
    Declaration("precision", "MIR_PRECISION", "--precision", str, lambda: "float32", "separate in float32 or bfloat16"),
    Declaration("workers", "MIR_WORKERS", "--workers", int, usable_cores, "processes that ingest or evaluate starts"),
    Declaration("threads", "MIR_THREADS", None, int, lambda: min(4, usable_cores()), "threads of one catalog query"),
    Declaration("memory_mb", "MIR_MEMORY_MB", None, int, lambda: 1024, "memory limit of the catalog's engine, in MB"),
)
"""Every setting there is, in the order in which `mir config` shows them."""


def config_file() -> Path | None:
    """Return the ``mir.toml`` in force, None where there is none.

    Raises
    ------
    BadRequest
        Where ``$MIR_CONFIG`` names a file that is not there.
    """
    named = os.environ.get("MIR_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise BadRequest(f"$MIR_CONFIG names {path}, which is no file; correct it or unset it")
        return path
    path = Path(FILE_NAME)
    return path if path.is_file() else None


def setting(name: str, flag: object = None) -> Setting:
    """Resolve one setting; `flag` is what the command line gave (None where it gave nothing).

    Raises
    ------
    BadRequest
        For an unknown setting, or a value that does not fit it (the message says which and where it stands).
    """
    for declaration in DECLARATIONS:
        if declaration.name == name:
            return _resolve(declaration, flag, *_read_file())
    raise BadRequest(f"no setting {name!r}; there are {', '.join(each.name for each in DECLARATIONS)}")


def settings() -> list[Setting]:
    """Resolve all settings as they stand without flags.

    Raises
    ------
    BadRequest
        As `setting`.
    """
    path, content = _read_file()
    return [_resolve(declaration, None, path, content) for declaration in DECLARATIONS]


def catalog_path(flag: Path | None = None) -> Path:
    """Return the catalog to work on: flag > ``$MIR_CATALOG`` > ``mir.toml`` > ``./mir.duckdb``.

    Raises
    ------
    BadRequest
        As `setting`.
    """
    return Path(setting("catalog", flag).value)


def _read_file() -> tuple[Path | None, dict[str, Any]]:
    path = config_file()
    if path is None:
        return None, {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is no valid TOML: {error}") from error
    known = [each.name for each in DECLARATIONS]
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise BadRequest(f"{path} sets {', '.join(unknown)}; the settings there are {', '.join(known)}")
    return path, content


def _resolve(declaration: Declaration, flag: object, path: Path | None, content: dict[str, Any]) -> Setting:
    def made(value: object, source: str, detail: str, folder: Path | None = None) -> Setting:
        fitted = _fit(declaration, value, detail, folder)
        return Setting(declaration.name, fitted, source, detail, declaration.description)

    if flag is not None:
        return made(flag, "flag", declaration.flag or declaration.name)
    if os.environ.get(declaration.variable):
        return made(os.environ[declaration.variable], "environment", f"${declaration.variable}")
    if path is not None and declaration.name in content:
        return made(content[declaration.name], "mir.toml", str(path), path.parent)
    return made(declaration.default(), "default", "default")


def _fit(declaration: Declaration, value: object, detail: str, folder: Path | None) -> object:
    """Turn a raw value into the setting's kind."""
    if declaration.kind is Path and isinstance(value, str | Path) and str(value):
        path = Path(value).expanduser()
        return folder / path if folder is not None else path
    if declaration.kind is int and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number >= 1:
            return number
    if declaration.kind is str and isinstance(value, str) and value:
        return value
    wanted = {Path: "a path", int: "a whole number of at least 1", str: "a name"}[declaration.kind]
    raise BadRequest(f"{declaration.name} = {value!r} ({detail}): it must be {wanted}")
