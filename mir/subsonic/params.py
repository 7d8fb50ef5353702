"""What a call says: its parameters, from the address and from a posted form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from mir.errors import BadRequest
from mir.subsonic.answers import Code, Form, Refused

LONGEST: Final = 4096
"""Characters of one value."""
_MOST_FIELDS: Final = 500
_VERSION: Final = re.compile(r"(\d{1,4})\.\d{1,4}(?:\.\d{1,4})?")


class Params:
    """The parameters of a call; of one that is given twice, the first counts.

    Parameters
    ----------
    values
        As they came.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @classmethod
    def read(cls, *encoded: str) -> Params:
        """Read what is encoded as in an address or a form.

        Raises
        ------
        BadRequest
            Where that is too much.
        """
        values: dict[str, str] = {}
        for text in encoded:
            try:
                pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            except ValueError:
                raise BadRequest(f"too many parameters; a call has at most {_MOST_FIELDS}") from None
            for name, value in pairs:
                values.setdefault(name, value)
        for name, value in values.items():
            if len(value) > LONGEST:
                raise BadRequest(f"{name[:40]} is too long; a parameter has at most {LONGEST:,} characters")
        return cls(values)

    def text(self, name: str) -> str | None:
        """Return a parameter, None where it is not given."""
        return self._values.get(name)

    def needed(self, name: str) -> str:
        """Return a parameter.

        Raises
        ------
        Refused
            With code 10 where it is not given, or is empty.
        """
        value = self._values.get(name)
        if not value:
            raise Refused(Code.MISSING, f"the parameter {name} is missing")
        return value

    def number(self, name: str, default: int, low: int = 0, high: int = 500) -> int:
        """Return a whole number, moved into its range.

        Raises
        ------
        Refused
            Where it is no whole number.
        """
        found = self.maybe_number(name)
        return default if found is None else max(low, min(found, high))

    def maybe_number(self, name: str) -> int | None:
        """Return a whole number, None where it is not given.

        Raises
        ------
        Refused
            Where it is no whole number.
        """
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            raise Refused(Code.OTHER, f"{name} is a whole number, not {value[:40]!r}")
        return int(value)

    def form(self) -> Form:
        """Return how the answer is wanted.

        Raises
        ------
        Refused
            Where it is wanted in a form that there is not.
        """
        form = self._values.get("f", "xml")
        if form == "json":
            return "json"
        if form == "xml":
            return "xml"
        raise Refused(Code.OTHER, f"answers come as f=xml or f=json, not as {form[:40]!r}")

    def check_version(self) -> None:
        """See that the player speaks this protocol.

        Raises
        ------
        Refused
            Where it does not say so, or speaks another major version.
        """
        version = self.needed("v")
        self.needed("c")
        match = _VERSION.fullmatch(version)
        if match is None:
            raise Refused(Code.OTHER, f"v is a version as 1.16.1, not {version[:40]!r}")
        if int(match[1]) < 1:
            raise Refused(Code.CLIENT_TOO_OLD, "version 1 of the protocol is spoken here; the player has to be newer")
        if int(match[1]) > 1:
            raise Refused(Code.SERVER_TOO_OLD, "version 1 of the protocol is spoken here; the player asks for more")
