"""Who may listen: an account for players, with secrets that the server made, in a file that only its owner can read.

Subsonic's token is ``md5(password + salt)``, so the server has to know the password. It is therefore never one that a
person thought of, and opens nothing else. API keys are kept as SHA-256 alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mir.errors import BadRequest, MirError
from mir.subsonic.answers import Code, Refused
from mir.subsonic.params import Params
from separation.publishing import whole

USER: Final = "mir"
SHORTEST_SALT: Final = 6
_FORMAT: Final = 1
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another: people type this on telephones
_NAME: Final = re.compile(r"[\w .-]{1,60}")


class AccountRefused(MirError, PermissionError):
    """The file of the account is damaged, or open to others; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is remembered: what it was named, its checksum (hex), and when it was made (ISO 8601)."""

    name: str
    sha256: str
    created: str


@dataclass(frozen=True, slots=True)
class Account:
    """The account for players."""

    password: str = field(repr=False)
    keys: tuple[Key, ...] = ()
    user: str = USER


class Accounts:
    """The account's file; what another process changes in it counts from the next call on.

    Parameters
    ----------
    path
        The file; ``subsonic.json`` in the user's configuration folder where nothing is given.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_folder() / "subsonic.json"
        self._read: tuple[tuple[int, int, int], Account] | None = None

    def exists(self) -> bool:
        """Whether there is an account."""
        return self.path.exists()

    def account(self) -> Account:
        """Return the account; the first call ever makes one.

        Raises
        ------
        AccountRefused
            Where the file is damaged, or others may read it.
        """
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return self._write(Account(_new_password()))
        mark = (there.st_ino, there.st_mtime_ns, there.st_ctime_ns)
        if self._read is None or self._read[0] != mark:
            self._read = mark, _load(self.path, there)
        return self._read[1]

    def renew_password(self) -> Account:
        """Make a new password; the old one opens nothing any more."""
        return self._write(replace(self.account(), password=_new_password()))

    def add_key(self, name: str) -> str:
        """Make an API key, and return it: it is not kept, only its checksum is.

        Raises
        ------
        BadRequest
            Where a key of that name is there, or the name is none.
        """
        account = self.account()
        if not _NAME.fullmatch(name):
            raise BadRequest(f"a key is named with letters, digits, space, '.', '_', '-' (at most 60), not {name!r}")
        if any(key.name == name for key in account.keys):
            raise BadRequest(f"there is a key {name!r} already; `mir subsonic revoke` takes it back")
        made = secrets.token_urlsafe(32)
        key = Key(name, _sha256(made), datetime.now(UTC).isoformat(timespec="seconds"))
        self._write(replace(account, keys=(*account.keys, key)))
        return made

    def revoke(self, name: str) -> None:
        """Take an API key back.

        Raises
        ------
        BadRequest
            Where there is none of that name; the message lists those there are.
        """
        account = self.account()
        kept = tuple(key for key in account.keys if key.name != name)
        if len(kept) == len(account.keys):
            there = ", ".join(key.name for key in account.keys) or "none at all"
            raise BadRequest(f"there is no key {name!r}; there are: {there}")
        self._write(replace(account, keys=kept))

    def _write(self, account: Account) -> Account:
        """Write the file, all of it or nothing; at no moment can others read it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT, **asdict(account)}, indent=2)
        with whole(self.path) as unfinished:
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        self._read = None
        return account


def config_folder() -> Path:
    """Return mir's folder among the user's settings: ``$XDG_CONFIG_HOME/mir``, else ``~/.config/mir``."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "mir"


def admit(params: Params, account: Account) -> None:
    """See that a call comes from somebody who knows a secret of the account's.

    Raises
    ------
    Refused
        With the protocol's codes: 10, 40, 42, 43, 44.
    """
    key, token, plain = (params.text(name) for name in ("apiKey", "t", "p"))
    if key is not None:
        if any(params.text(name) is not None for name in ("u", "t", "s", "p")):
            raise Refused(Code.CONFLICT, "with apiKey goes none of u, t, s, p")
        checksum = _sha256(key).encode()
        # No short cut at the first that fits: the time taken tells nothing.
        if not sum(secrets.compare_digest(checksum, known.sha256.encode()) for known in account.keys):
            raise Refused(Code.WRONG_KEY, "this API key is not known; `mir subsonic key NAME` makes one")
        return
    if plain is not None:
        if token is not None:
            raise Refused(Code.CONFLICT, "t and p are two ways to log in; one of them is wanted")
        raise Refused(
            Code.MECHANISM, "passwords are not taken as they are: log in with a token (t and s), or with an apiKey"
        )
    user, token, salt = params.needed("u"), params.needed("t"), params.needed("s")
    if len(salt) < SHORTEST_SALT:
        raise Refused(Code.WRONG_LOGIN, f"the salt s has {SHORTEST_SALT} characters or more")
    same = (
        (user, account.user),
        (token.lower(), _token(account.password, salt)),
    )
    if not min(secrets.compare_digest(given.encode(), wanted.encode()) for given, wanted in same):
        raise Refused(Code.WRONG_LOGIN, "wrong username or password; `mir subsonic password` shows both")


def _token(password: str, salt: str) -> str:
    return hashlib.md5((password + salt).encode(), usedforsecurity=False).hexdigest()  # the protocol's own choice


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _new_password() -> str:
    """Return 99 random bits, to be typed."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def _load(path: Path, there: os.stat_result) -> Account:
    if os.name == "posix" and stat.S_IMODE(there.st_mode) & 0o077:
        raise AccountRefused(f"others can read {path}, which holds a password: chmod 600 {path}")
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if held["format"] != _FORMAT:
            raise ValueError(f"format {held['format']}")
        text: Callable[[object], str] = _text
        keys = tuple(Key(text(key["name"]), text(key["sha256"]), text(key["created"])) for key in held["keys"])
        return Account(text(held["password"]), keys, text(held["user"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AccountRefused(
            f"{path} is no account of mir's ({type(error).__name__}): move it away, and a new one is made"
        ) from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no text")
    return value
