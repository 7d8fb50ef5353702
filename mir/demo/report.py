"""The demo's page: answers beside the truth, with pictures and sound, in one file that needs no other."""

from __future__ import annotations

import base64
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mir import __version__
from mir.demo import pictures
from mir.demo.answers import Answers
from mir.demo.tables import Table, artists_table, drums_table, headline, tracks_table, voices_table
from mir.demo.verdict import Verdict

Samples = NDArray[np.float32]

_CSS = """
:root {
  color-scheme: light;
  --ink: #222; --soft: #6b6b6b; --line: #e4e4e4; --right: #00795a; --wrong: #b34a00;
}
* { box-sizing: border-box; }
body {
  margin: 0; color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
}
main { max-width: 1100px; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.3rem; margin: 3.2rem 0 .6rem; }
p { max-width: 46rem; margin: .5rem 0; }
.lead { color: var(--soft); font-size: 1.1rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 2rem 0 0; }
.card { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; }
.card b { display: block; font-size: 1.9rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .82rem; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--ink); padding: .35rem .9rem .35rem 0; }
td { border-bottom: 1px solid var(--line); padding: .3rem .9rem .3rem 0; font-variant-numeric: tabular-nums; }
td.number, th.number { text-align: right; }
td.right { color: var(--right); }
td.wrong { color: var(--wrong); }
.wide { overflow-x: auto; }
.wide td, .wide th { white-space: nowrap; }
.players { width: auto; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
audio { height: 2.2rem; width: 24rem; max-width: 100%; display: block; }
summary { cursor: pointer; color: var(--soft); margin: 1rem 0; }
footer {
  margin-top: 4rem; padding-top: 1rem; color: var(--soft); font-size: .85rem; border-top: 1px solid var(--line);
}
"""


def write_report(
    path: Path, answers: Answers, verdict: Verdict, sounds: Mapping[str, Samples], sr: int, shown: str
) -> Path:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path
        Where to.
    answers, verdict
        What was asked, and how it compares with the truth.
    sounds, sr
        The shown track's mixture and stems, each ``(n_channels, n_samples)``, and their rate in Hz.
    shown
        File name of that track.
    """
    title = Path(shown).stem
    page = "".join(
        [
            "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>\n",
            f"<title>mir demo</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n",
            *_body(answers, verdict, sounds, sr, title),
            f"<footer>mir {escape(__version__)} · rendered, taken apart and measured here</footer>\n",
            "</main>\n</body>\n</html>\n",
        ]
    )
    handle, name = tempfile.mkstemp(prefix=".report-", suffix=".html", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(page)
    Path(name).chmod(0o644)
    Path(name).replace(path)
    return path


def _body(answers: Answers, verdict: Verdict, sounds: Mapping[str, Samples], sr: int, title: str) -> Iterable[str]:
    summary = verdict.summary()
    n_artists, mix = summary["artists"], summary["same_band_first"]["mix"]
    yield "<h1>Who sings alike, when everything else differs?</h1>\n"
    yield _p(
        f"A made-up library: {summary['tracks']} tracks by {n_artists} artists. Each singer is heard in "
        "two of them, and each band plays in two. Two artists with one singer share nothing but the "
        "voice; two with one band share everything but the voice. Every track was taken apart into "
        "vocals, drums, bass and the rest. The answers come from those stems; the truth was read "
        "afterwards.",
        "lead",
    )
    yield "<div class='cards'>\n"
    for number, what in headline(verdict):
        yield f"<div class='card'><b>{escape(number)}</b><span>{escape(what)}</span></div>\n"
    yield "</div>\n"

    yield "<h2>Same voice, other band</h2>\n"
    yield _p(
        "Who is nearest to each artist? By vocals it should be the one with the same singer. By the whole"
        f" mix it is the one with the same band for {mix} of {n_artists}: kit, guitars and room speak "
        "louder than a voice."
    )
    yield _table(artists_table(verdict))
    yield _img(pictures.matrices(answers, verdict), "Similarity between artists, by vocals and by the mix")
    yield _p(
        "Cosines: 1 is the same direction in the space of that instrument, 0 nothing in common, below 0 "
        "opposite. The spaces were fitted to this library first, which takes no labels (mir spaces fit). Framed "
        "cells share a singer (solid) or a band (dotted)."
    )

    yield "<h2>Drums: tempo, feel, genre</h2>\n"
    yield _p(
        "Measured on the separated drums. A tempo of half or twice the true one is named as such: many "
        f"would tap their foot to drum and bass in half time. Genre is told by {answers.genre_protocol}."
    )
    yield _img(pictures.rhythm(verdict), "Tempo against four-on-the-floor")
    yield _table(drums_table(verdict))

    yield "<h2>Is anybody singing?</h2>\n"
    yield _p(
        "An instrumental must not get a voice made of what leaked into its vocal stem: its vocals are "
        "silent, so it answers no question about voices."
    )
    yield _table(voices_table(verdict))

    yield "<h2>One track, taken apart</h2>\n"
    yield _img(pictures.stems(sounds, sr, f"{title}: mixture"), "Spectrograms of a mixture and of its stems")
    yield from _players(sounds, sr)

    yield "<h2>Every track</h2>\n"
    yield "<details><summary>Tempo, genre and voice beside the truth</summary>\n"
    yield _table(tracks_table(verdict)) + "</details>\n"


def _players(sounds: Mapping[str, Samples], sr: int) -> Iterable[str]:
    """Each sound as a row with a player; encoded small, inside the page."""
    from separation.audio import save

    yield "<table class='players'>\n"
    with tempfile.TemporaryDirectory() as folder:
        for name, y in sounds.items():
            path = Path(folder) / f"{name}.ogg"
            save(path, y / max(1.0, float(np.abs(y).max())), sr)
            encoded = base64.b64encode(path.read_bytes()).decode("ascii")
            yield f"<tr><td>{escape(name)}</td><td><audio controls preload='none' "
            yield f"src='data:audio/ogg;base64,{encoded}'></audio></td></tr>\n"
    yield "</table>\n"


def _p(text: str, style: str = "") -> str:
    mark = f" class='{style}'" if style else ""
    return f"<p{mark}>{escape(text)}</p>\n"


def _img(uri: str, description: str) -> str:
    return f"<img src='{uri}' alt='{escape(description, quote=True)}'>\n"


def _table(table: Table) -> str:
    numeric = [any(isinstance(row[i], int | float) for row in table.rows) for i in range(len(table.columns))]
    head = "".join(_cell("th", column, number) for column, number in zip(table.columns, numeric, strict=True))
    rows = "".join(
        "<tr>" + "".join(_cell("td", value, number) for value, number in zip(row, numeric, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    return f"<div class='wide'><table>\n<tr>{head}</tr>\n{rows}</table></div>\n"


def _cell(tag: str, value: object, number: bool) -> str:
    classes = ["number"] if number else []
    text = str(value)
    if isinstance(value, float):
        text = "–" if math.isnan(value) else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    if tag == "td" and text.endswith("✓"):
        classes.append("right")
    if tag == "td" and text.endswith("✗"):
        classes.append("wrong")
    mark = f" class='{' '.join(classes)}'" if classes else ""
    return f"<{tag}{mark}>{escape(text)}</{tag}>"
