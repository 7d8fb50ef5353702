"""The page of a library: what is in it, who sounds alike, what stands apart, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features import INSTRUMENTS
from mir import __version__
from mir.keys import NAMES
from mir.report import charts
from mir.report.alike import NEIGHBOURS, SAMPLE, SHOWN, Alike, alike
from mir.report.overview import BY_GENRE, Overview, Trend, overview
from mir.report.page import Html, cards, document, folded, joined, number, paragraph, table, tag

if TYPE_CHECKING:
    from mir.catalog import Catalog

GENRES_SHOWN: Final = 15
LISTED: Final = 20
"""Failures and gone files that are named."""

_TEMPO_EDGES: Final = tuple(range(50, 211, 5))
_LOUDNESS_EDGES: Final = tuple(range(-30, 1))

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """Everything that a report of a library says."""

    name: str
    overview: Overview
    alike: tuple[Alike, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "catalog": self.name,
            **self.overview.to_plain(),
            "instruments": {one.instrument: one.to_plain() for one in self.alike},
        }


def library_page(catalog: Catalog, *, on_step: Step = lambda _: None) -> tuple[str, LibraryFacts]:
    """Return the page of a catalog, and what it says as plain data.

    Parameters
    ----------
    catalog
        The catalog.
    on_step
        Called with what is done next.
    """
    on_step("counting")
    counted = overview(catalog)
    compared = []
    for instrument in INSTRUMENTS:
        on_step(f"comparing by {instrument}")
        compared.append(alike(catalog, instrument))
    facts = LibraryFacts(catalog.path.name, counted, tuple(compared))
    on_step("drawing")
    footer = f"mir {__version__} · {catalog.path.absolute()}"
    return document(f"{facts.name}: a library in sound", _body(facts), footer), facts


def _body(facts: LibraryFacts) -> Iterable[Html]:
    counted = facts.overview
    yield tag("h1", f"What {facts.name} sounds like")
    years = f", from {counted.years.min():.0f} to {counted.years.max():.0f}" if len(counted.years) else ""
    yield paragraph(
        f"{number(counted.status.tracks)} tracks by {number(counted.status.artists)} artists{years}.", "lead"
    )
    if not counted.status.tracks:
        yield paragraph("Nothing is in it yet: mir ingest FOLDER.")
        return
    yield cards(_headline(counted))
    yield from _genres(counted)
    yield from _numbers(counted)
    if counted.trends:
        yield tag("h2", "Over the decades")
        yield paragraph("Medians; the band is the middle half of each decade's tracks.", "note")
        yield tag("div", *[_trend(one) for one in counted.trends], class_="charts")
    yield from _alike(facts.alike)
    yield from _coverage(counted)


def _headline(counted: Overview) -> Iterable[tuple[str, object]]:
    status = counted.status
    yield number(status.tracks), "tracks"
    yield number(status.artists), "artists"
    hours = status.duration_s / 3600
    yield (number(hours), "hours of sound") if hours >= 1 else (f"{status.duration_s / 60:.0f}", "minutes of sound")
    if len(counted.tempo_bpm):
        yield f"{np.median(counted.tempo_bpm):.0f}", "beats a minute, median"
    with_genre = status.tracks - counted.without["genre"]
    yield f"{100 * with_genre / status.tracks:.0f} %", "have a genre"


def _genres(counted: Overview) -> Iterable[Html]:
    if not counted.genres:
        return
    yield tag("h2", "Genres")
    shown = counted.genres[:GENRES_SHOWN]
    said = [f"{one.labelled} labelled" + (f", {one.predicted} predicted" if one.predicted else "") for one in shown]
    rows = [(one.genre, float(one.labelled + one.predicted), text) for one, text in zip(shown, said, strict=True)]
    yield charts.bars(rows, colour="drums")
    if len(counted.genres) > len(shown):
        yield paragraph(f"and {len(counted.genres) - len(shown)} more", "note")
    measured = [key for key in BY_GENRE if any(key in one.medians for one in shown)]
    if measured:
        yield paragraph("Medians of their tracks:", "note")
        heads = [joined([name, tag("small", _instrument(space))]) for space, name in measured]
        yield table(
            ["genre", "tracks", *heads],
            [[one.genre, one.labelled + one.predicted, *[one.medians.get(key) for key in measured]] for one in shown],
        )


def _numbers(counted: Overview) -> Iterable[Html]:
    parts = []
    if len(counted.tempo_bpm):
        drawn = charts.bins(counted.tempo_bpm, _TEMPO_EDGES, "BPM", colour="drums")
        parts.append(tag("div", tag("h3", "Tempo, in beats a minute"), drawn))
    if len(counted.loudness_lufs):
        drawn = charts.bins(counted.loudness_lufs, _LOUDNESS_EDGES, "LUFS", colour="mix")
        parts.append(tag("div", tag("h3", "Loudness, in LUFS"), drawn))
    if counted.keys.any():
        fifths = [7 * step % 12 for step in range(12)]
        for mode, name, first in ((1, "Major keys", 0), (0, "Minor keys", 9)):
            order = [(first + step) % 12 for step in fifths]
            drawn = charts.columns([NAMES[one] for one in order], counted.keys[mode, order].tolist(), colour="other")
            parts.append(tag("div", tag("h3", f"{name}, by fifths"), drawn))
    if len(counted.years):
        decades = (counted.years // 10 * 10).astype(int)
        labels = list(range(int(decades.min()), int(decades.max()) + 1, 10))
        counts = [int((decades == one).sum()) for one in labels]
        drawn = charts.columns([f"{one}s" for one in labels], counts, colour="bass")
        parts.append(tag("div", tag("h3", "Released in the"), drawn))
    if parts:
        yield tag("h2", "Tempo, loudness, key")
        yield tag("div", *parts, class_="charts")


def _trend(one: Trend) -> Html:
    instrument = _instrument(one.space)
    low, middle, high = (one.quartiles[:, side].tolist() for side in range(3))
    unit = "" if one.column.unit == "1" else f", {one.column.unit}"
    labels = [f"{decade}s" for decade in one.decades]
    drawn = charts.trend(labels, middle, low, high, one.column.unit, colour=instrument)
    return tag("div", tag("h3", f"{instrument}: {one.column.name}{unit}"), drawn)


def _instrument(space: str) -> str:
    return next(name for name, each in INSTRUMENTS.items() if each == space)


def _alike(compared: Iterable[Alike]) -> Iterable[Html]:
    told = [one for one in compared if one.pairs or one.alone]
    if not told:
        return
    yield tag("h2", "Who sounds alike")
    yield paragraph(
        "By each instrument on its own: the pairs of artists with the highest cosine between the means of their "
        "tracks, those who play together left out."
    )
    yield tag("div", *[_pairs(one) for one in told if one.pairs], class_="columns")
    distinct = [one for one in told if one.distinct]
    if distinct:
        yield tag("h2", "The most distinctive artists")
        yield paragraph(
            "Artists whose own tracks are alike (mean cosine among them) and unlike those of the artist who comes "
            "nearest; two tracks or more."
        )
        yield tag("div", *[_distinct(one) for one in distinct], class_="columns")
    alone = [one for one in told if one.alone]
    if alone:
        against = f" of {SAMPLE} drawn at random" if any(one.tracks > SAMPLE for one in alone) else ""
        yield tag("h2", "Like no other")
        yield paragraph(
            f"Tracks whose {NEIGHBOURS} nearest neighbours{against} are furthest away: the unusual, the mislabelled, "
            "and sometimes a stem that went wrong."
        )
        yield tag("div", *[_alone(one) for one in alone], class_="columns")


def _pairs(one: Alike) -> Html:
    rows = [[joined([pair.artist, tag("small", f"and {pair.other}")]), pair.similarity] for pair in one.pairs[:SHOWN]]
    return tag("div", tag("h3", f"by {one.instrument}"), table(["artists", "cosine"], rows, text=[0]))


def _distinct(one: Alike) -> Html:
    rows: list[list[object]] = [
        [
            joined([who.artist, tag("small", f"{who.tracks} tracks; nearest: {who.nearest_artist}")]),
            who.own,
            who.nearest,
        ]
        for who in one.distinct
    ]
    return tag("div", tag("h3", f"by {one.instrument}"), table(["artist", "own", "nearest"], rows, text=[0]))


def _alone(one: Alike) -> Html:
    rows = [[joined([track.title, tag("small", track.artist)]), track.similarity] for track in one.alone]
    return tag("div", tag("h3", f"by {one.instrument}"), table(["track", "cosine"], rows, text=[0]))


def _coverage(counted: Overview) -> Iterable[Html]:
    status = counted.status
    yield tag("h2", "What is measured, and what is missing")
    rows = [
        [one.instrument, one.ok, one.silent, one.failed, one.missing, one.out_of_date, one.not_given or ""]
        for one in status.spaces
    ]
    yield table(["instrument", "measured", "silent", "failed", "missing", "out of date", ""], rows, text=[6])
    lacking = [
        f"{count} without {'an' if name == 'artist' else 'a'} {name}"
        for name, count in counted.without.items()
        if count
    ]
    yield paragraph(f"Of {status.tracks} tracks: {', '.join(lacking) or 'all have an artist, a year and a genre'}.")
    if any(one.missing or one.out_of_date for one in status.spaces):
        yield paragraph("mir ingest computes what is missing or out of date, and nothing else.", "note")
    if status.failures:
        rows = [[one.path, one.space or "file", one.reason] for one in status.failures[:LISTED]]
        yield folded(f"{len(status.failures)} failures", table(["path", "what", "why"], rows, text=[0, 2]))
    if status.gone:
        gone = [[path] for path in status.gone[:LISTED]]
        yield folded(f"{number(len(status.gone))} files are gone", table(["path"], gone, text=[0]))
