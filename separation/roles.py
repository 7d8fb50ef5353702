"""What a model's stems are: names of a user's own (`voice`, `beat`) and the instruments that they stand for.

A stem called `vocals`, `drums`, `bass` or `other` is that. Another one may be given a role, in its model's description
or in the configuration it is trained with; several stems of one role are that instrument together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np

from separation.errors import ConfigInvalid
from separation.musdb import STEMS
from separation.samples import Samples

ROLES = STEMS
"""What a stem can be."""
RESERVED = ("mixture",)
"""Names that stems do not have: the sum of all is called so."""


def check_stems(stems: Sequence[str]) -> None:
    """Refuse names of stems that could not be names of files.

    Raises
    ------
    ConfigInvalid
        A name with a folder in it, an empty or a hidden one, or one that is reserved.
    """
    for stem in stems:
        if not isinstance(stem, str) or not stem.strip() or stem.startswith(".") or stem in RESERVED or _is_path(stem):
            raise ConfigInvalid(
                f"a stem is called by a plain word, which is the name of its file, and not "
                f"{' or '.join(RESERVED)}: got {stem!r}"
            )


def check_roles(stems: Sequence[str], roles: Mapping[str, str]) -> None:
    """Refuse roles of stems that a model does not give, and roles that there are not.

    Raises
    ------
    ConfigInvalid
        The message lists the stems and the roles.
    """
    for stem, role in roles.items():
        if stem not in stems:
            raise ConfigInvalid(f"roles: no stem {stem!r}; the model gives {', '.join(stems)}")
        if role not in ROLES:
            raise ConfigInvalid(f"roles: {stem} cannot be {role!r}; a stem is {', '.join(ROLES)}")


def roles_given(stems: Sequence[str], roles: Mapping[str, str]) -> tuple[str, ...]:
    """Names under which a model's stems are heard.

    Examples
    --------
    >>> roles_given(("voice", "beat", "band"), {"voice": "vocals", "beat": "drums"})
    ('vocals', 'drums', 'band')
    """
    return tuple(dict.fromkeys(roles.get(stem, stem) for stem in stems))


def in_roles(signals: Mapping[str, Samples], roles: Mapping[str, str]) -> dict[str, Samples]:
    """Stems by what they are, ``(n_channels, n_samples)`` each; those of one role are added up."""
    out: dict[str, Samples] = {}
    for stem, y in signals.items():
        role = roles.get(stem, stem)
        out[role] = np.add(out[role], y, dtype=np.float32) if role in out else y
    return out


def _is_path(name: str) -> bool:
    return "\0" in name or PurePosixPath(name).name != name or PureWindowsPath(name).name != name
