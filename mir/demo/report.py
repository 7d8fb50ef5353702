"""The demo's page: answers beside the truth, with pictures and sound, in one file that needs no other."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mir import __version__
from mir.demo import pictures
from mir.demo.answers import Answers
from mir.demo.tables import Table, artists_table, drums_table, headline, tracks_table, voices_table
from mir.demo.verdict import Verdict
from mir.report.page import Html, cards, document, folded, image, paragraph, tag
from mir.report.page import table as page_table
from separation.publishing import write_text

Samples = NDArray[np.float32]


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
    footer = f"mir {__version__} · rendered, taken apart and measured here"
    write_text(path, document("mir demo", _body(answers, verdict, sounds, sr, title), footer))
    return path


def _body(answers: Answers, verdict: Verdict, sounds: Mapping[str, Samples], sr: int, title: str) -> Iterable[Html]:
    summary = verdict.summary()
    n_artists, mix = summary["artists"], summary["same_band_first"]["mix"]
    yield tag("h1", "Who sings alike, when everything else differs?")
    yield paragraph(
        f"A made-up library: {summary['tracks']} tracks by {n_artists} artists. Each singer is heard in "
        "two of them, and each band plays in two. Two artists with one singer share nothing but the "
        "voice; two with one band share everything but the voice. Every track was taken apart into "
        "vocals, drums, bass and the rest. The answers come from those stems; the truth was read "
        "afterwards.",
        "lead",
    )
    yield cards(headline(verdict))

    yield tag("h2", "Same voice, other band")
    yield paragraph(
        "Who is nearest to each artist? By vocals it should be the one with the same singer. By the whole"
        f" mix it is the one with the same band for {mix} of {n_artists}: kit, guitars and room speak "
        "louder than a voice."
    )
    yield _shown(artists_table(verdict))
    yield image(pictures.matrices(answers, verdict), "Similarity between artists, by vocals and by the mix")
    yield paragraph(
        "Cosines: 1 is the same direction in the space of that instrument, 0 nothing in common, below 0 "
        "opposite. The spaces were fitted to this library first, which takes no labels (mir spaces fit). Framed "
        "cells share a singer (solid) or a band (dotted)."
    )

    yield tag("h2", "Drums: tempo, feel, genre")
    yield paragraph(
        "Measured on the separated drums. A tempo of half or twice the true one is named as such: many "
        f"would tap their foot to drum and bass in half time. Genre is told by {answers.genre_protocol}."
    )
    yield image(pictures.rhythm(verdict), "Tempo against four-on-the-floor")
    yield _shown(drums_table(verdict))

    yield tag("h2", "Is anybody singing?")
    yield paragraph(
        "An instrumental must not get a voice made of what leaked into its vocal stem: its vocals are "
        "silent, so it answers no question about voices."
    )
    yield _shown(voices_table(verdict))

    yield tag("h2", "One track, taken apart")
    yield image(pictures.stems(sounds, sr, f"{title}: mixture"), "Spectrograms of a mixture and of its stems")
    yield _players(sounds, sr)

    yield tag("h2", "Every track")
    yield folded("Tempo, genre and voice beside the truth", _shown(tracks_table(verdict)))


def _players(sounds: Mapping[str, Samples], sr: int) -> Html:
    """Each sound as a row with a player; encoded small, inside the page."""
    from separation.audio import save

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, y in sounds.items():
            path = Path(folder) / f"{name}.ogg"
            save(path, y / max(1.0, float(np.abs(y).max())), sr)
            encoded = base64.b64encode(path.read_bytes()).decode("ascii")
            player = tag("audio", controls="", preload="none", src=f"data:audio/ogg;base64,{encoded}")
            rows.append(tag("tr", tag("td", name), tag("td", player)))
    return tag("table", *rows, class_="players")


def _shown(table: Table) -> Html:
    return page_table(table.columns, table.rows)
