"""Answers in the protocol's two forms, XML and JSON, and its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, Literal
from xml.etree import ElementTree

from mir.errors import MirError

Form = Literal["xml", "json"]
Content = Mapping[str, Any]
"""What an answer holds: numbers, text, truth values, more of the same, and lists of it; None is left out."""

VERSION: Final = "1.16.1"
"""Of the protocol: the last one that Subsonic itself published."""
NAMESPACE: Final = "http://subsonic.org/restapi"
_MEDIA: Final[dict[Form, str]] = {"xml": "application/xml", "json": "application/json"}
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Code(IntEnum):
    """Error codes of the protocol, as OpenSubsonic lists them."""

    OTHER = 0
    MISSING = 10
    CLIENT_TOO_OLD = 20
    SERVER_TOO_OLD = 30
    WRONG_LOGIN = 40
    MECHANISM = 42
    CONFLICT = 43
    WRONG_KEY = 44
    NOT_ALLOWED = 50
    NOT_FOUND = 70


class Refused(MirError, ValueError):
    """A call that gets an error of the protocol instead of an answer."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def render(content: Content, form: Form) -> tuple[bytes, str]:
    """Return the body of an answer and its media type.

    Examples
    --------
    >>> render({"license": {"valid": True}}, "json")[1]
    'application/json'
    """
    return _render("ok", content, form)


def render_error(code: Code, message: str, form: Form) -> tuple[bytes, str]:
    """Return the body of an error and its media type."""
    return _render("failed", {"error": {"code": int(code), "message": message}}, form)


def _render(status: str, content: Content, form: Form) -> tuple[bytes, str]:
    from mir import __version__

    envelope = {
        "status": status,
        "version": VERSION,
        "type": "mir",
        "serverVersion": __version__,
        "openSubsonic": True,
        **content,
    }
    if form == "json":
        text = json.dumps({"subsonic-response": _without_none(envelope)}, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "replace"), _MEDIA[form]
    root = _element("subsonic-response", {"xmlns": NAMESPACE, **envelope})
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True), _MEDIA[form]


def _without_none(value: Any) -> Any:  # noqa: ANN401 - whatever an answer holds
    if isinstance(value, Mapping):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_without_none(one) for one in value]
    return value


def _element(name: str, content: Content) -> ElementTree.Element:
    """Return an element: simple values become attributes, the rest children; `value` is the element's own text."""
    element = ElementTree.Element(name)
    for key, value in content.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            element.append(_element(key, value))
        elif isinstance(value, list | tuple):
            for one in value:
                if isinstance(one, Mapping):
                    element.append(_element(key, one))
                else:
                    ElementTree.SubElement(element, key).text = _text(one)
        elif key == "value":
            element.text = _text(value)
        else:
            element.set(key, _text(value))
    return element


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_XML.sub("\ufffd", str(value))
