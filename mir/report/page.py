"""The page that every report is: HTML in one file, escaped by default, in light and dark.

No request leaves the machine: styles stand in the page, pictures are inline or ``data:`` addresses, and a
content-security policy forbids everything else, scripts among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

_CSS = """
:root {
  color-scheme: light dark;
  --ground: #fff; --ink: #222; --soft: #636363; --line: #e4e4e4; --faint: #f5f5f3; --bar: #c9cdd2;
  --right: #00795a; --wrong: #b34a00; --mark: #b34a00; --vocals: #c24f00; --drums: #0072b2; --bass: #7f5aa8;
  --other: #00835f; --mix: #6b6b6b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181b; --ink: #e8e6e3; --soft: #a3a09b; --line: #33363b; --faint: #1e2125; --bar: #4a4f57;
    --right: #3fc79a; --wrong: #ff9a5c; --mark: #ffab73; --vocals: #ff8f4a; --drums: #57b4ec; --bass: #b897dd;
    --other: #3fc79a; --mix: #a9a9a9;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; color: var(--ink); background: var(--ground);
  font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
}
main { max-width: 1100px; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
p { max-width: 46rem; margin: .5rem 0; }
.lead { color: var(--soft); font-size: 1.1rem; }
.note { color: var(--soft); font-size: .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 2rem 0 0; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; overflow-wrap: anywhere; }
.card b { display: block; font-size: 1.9rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .9rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 0 2.5rem; }
.columns > *, .charts > * { min-width: 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: .5rem 3rem; }
th small { color: var(--soft); display: block; font-weight: 400; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .82rem; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--ink); padding: .35rem .9rem .35rem 0; }
td { border-bottom: 1px solid var(--line); padding: .3rem .9rem .3rem 0; font-variant-numeric: tabular-nums; }
td.number, th.number { text-align: right; }
td.right { color: var(--right); }
td.wrong { color: var(--wrong); }
td.picture { padding: .1rem .9rem .1rem 0; width: 12rem; }
td small { color: var(--soft); display: block; line-height: 1.35; }
.wide { overflow-x: auto; }
.wide td, .wide th { white-space: nowrap; }
.wide td.text { white-space: normal; min-width: 9rem; }
.players { width: auto; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, "DejaVu Sans", sans-serif; font-variant-numeric: tabular-nums; }
audio { height: 2.2rem; width: 24rem; max-width: 100%; display: block; }
summary { cursor: pointer; color: var(--soft); margin: 1rem 0; }
footer {
  margin-top: 4rem; padding-top: 1rem; color: var(--soft); font-size: .85rem; border-top: 1px solid var(--line);
}
@media print { details > * { display: block; } main { padding: 0; } }
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


class Html(str):
    """Text that is HTML as it stands; every other text is escaped where it comes into a page."""

    __slots__ = ()


def html(content: object) -> Html:
    """Return content as HTML: as it stands where it is that already, else escaped."""
    return content if isinstance(content, Html) else Html(escape(str(content), quote=True))


def joined(parts: Iterable[object]) -> Html:
    """Return parts one after the other; texts are escaped."""
    return Html("".join(html(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Html:
    r"""Return an element; texts and values of attributes are escaped, attributes that are None left out.

    An underscore at the end of an attribute's name is dropped (``class_``), one within becomes a hyphen.

    Examples
    --------
    >>> tag("p", "rock & roll", class_="note")
    "<p class='note'>rock &amp; roll</p>\n"
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}='{html(value)}'"
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in {"a", "b", "span", "small", "td", "th"} else "\n"
    return Html(f"<{name}{written}>{joined(content)}</{name}>{end}")


def document(title: str, body: Iterable[object], footer: str) -> str:
    """Return a whole page; `title` and `footer` are plain text."""
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{html(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{joined(body)}<footer>{html(footer)}</footer>\n</main>\n</body>\n</html>\n"
    )


def paragraph(text: object, style: str | None = None) -> Html:
    """Return a paragraph."""
    return tag("p", text, class_=style)


def image(uri: str, description: str) -> Html:
    """Return a picture with what it shows in words."""
    return Html(f"<img src='{html(uri)}' alt='{html(description)}'>\n")


def cards(facts: Iterable[tuple[str, object]]) -> Html:
    """Return a row of large numbers, each with what it says."""
    shown = [tag("div", tag("b", number), tag("span", what), class_="card") for number, what in facts]
    return tag("div", *shown, class_="cards")


def folded(summary: str, *content: object) -> Html:
    """Return what is shown when its line is opened."""
    return tag("details", tag("summary", summary), *content)


def table(columns: Sequence[object], rows: Sequence[Sequence[object]], *, text: Sequence[int] = ()) -> Html:
    """Return a table: numbers to the right, pictures as they are, ``✓`` and ``✗`` at the end of a text coloured.

    Parameters
    ----------
    columns, rows
        Header and cells; `Html` cells stand as they are.
    text
        Places of columns whose text may be broken into lines.
    """
    numeric = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    head = tag("tr", *(_cell("th", name, number) for name, number in zip(columns, numeric, strict=True)))
    body = [
        tag(
            "tr",
            *(
                _cell("td", value, number, broken=at in text)
                for at, (value, number) in enumerate(zip(row, numeric, strict=True))
            ),
        )
        for row in rows
    ]
    return tag("div", tag("table", head, *body), class_="wide")


def number(value: float | None, digits: int | None = None) -> str:
    """Write a number as it is read: to about three figures, or with so many decimals; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if digits is None:
        size = abs(value)
        digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}".replace("-", "−").replace(",", "\u2009")


def _cell(name: str, value: object, is_number: bool, *, broken: bool = False) -> Html:
    classes = ["number"] if is_number else []
    shown: object = value
    if isinstance(value, float):
        shown = number(value, 1 if abs(value) >= 10 else 2)
    elif value is None:
        shown = "–"
    if name == "td":
        text = str(value)
        classes += ["right"] if text.endswith("✓") else ["wrong"] if text.endswith("✗") else []
        classes += ["text"] if broken else []
        classes += ["picture"] if text.startswith("<svg") and isinstance(value, Html) else []
    return tag(name, shown, class_=" ".join(classes) or None)
