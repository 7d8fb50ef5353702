"""The page of one track: taken apart, measured, and held against the catalog."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mir import __version__
from mir.analysis import MIXTURE
from mir.catalog.wide import STEMS
from mir.errors import BadRequest, NotInCatalog
from mir.keys import key_name
from mir.report import charts
from mir.report.facts import About, Feature, Part, TrackFacts, parts, stored, unusual
from mir.report.hearing import Sounds, hear
from mir.report.page import Html, cards, document, folded, joined, number, paragraph, table, tag
from mir.report.pictures import png_uri
from mir.report.why import Why, why_genre
from mir.similarity.query import Heard, Query, find
from mir.sound_pictures import N_BANDS, TICKS_HZ, band_of, picture, png, tick_name

if TYPE_CHECKING:
    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

FIRST_SHOWN: Final = 10
"""Numbers of an instrument that are shown at once; the others under a line that opens."""

_SPECTRUM: Final = "ltas_"
_PLAIN: Final = ("1", "ratio", "correlation", "0 or 1", "pitch class")
"""Units that say nothing beside a number."""

Step = Callable[[str], None]
"""Called with what is done next."""


def track_page(
    catalog: Catalog | None, query: str, *, model: str, audio: bool = True, on_step: Step = lambda _: None
) -> tuple[str, TrackFacts]:
    """Return the page of a track, and what it says as plain data.

    Parameters
    ----------
    catalog
        Whom it is held against; None: nobody.
    query
        An audio file; or title, ``Artist - Title`` or path of a track in the catalog.
    model
        Separation model, where something is to be separated.
    audio
        Whether waveforms and spectrograms are drawn. A track of the catalog then is read, and separated unless an
        ingest kept its stems. A file outside the catalog is separated in any case: its numbers come from there.
    on_step
        Called with what is done next.

    Raises
    ------
    NotInCatalog
        Where there is no such file or track, or an artist is meant.
    BadRequest
        Where a file outside the catalog is asked for without audio.
    separation.errors.SeparationError
        Where a file outside the catalog cannot be read.
    """
    track_id = _find(catalog, query)
    sounds: Sounds | None = None
    if track_id is not None and catalog is not None:
        with catalog.read() as con:
            about, stems, results = stored(con, track_id)
        if audio:
            on_step("taking it apart")
            sounds = _sounds_of(about, model, {row.stem: row.path for row in stems if row.path})
        asked = Query("track", about.title, track_id=track_id)
    else:
        if not audio:
            raise BadRequest(f"{query} is not in the catalog: its numbers come from its audio; leave out --no-audio")
        on_step("taking it apart and measuring")
        sounds = hear(Path(query), model, measure=True)
        about, stems, results = _about_file(Path(query), sounds), sounds.stems, list(sounds.results)
        asked = Query("file", query, heard=_heard(sounds))
    on_step("comparing")
    compared, count = parts(catalog, asked, results)
    facts = TrackFacts(about, tuple(stems), compared, count)
    why = None if catalog is None else why_genre(catalog, about, results)
    on_step("drawing")
    footer = f"mir {__version__} · {about.path}"
    return document(f"{about.title} – {about.artist}", _body(facts, sounds, why), footer), facts


def _find(catalog: Catalog | None, query: str) -> int | None:
    """Return the track that is meant, None for a file outside the catalog."""
    if catalog is None:
        if Path(query).expanduser().is_file():
            return None
        raise NotInCatalog(f"no file {query}, and no catalog to look for it in")
    found = find(catalog, query)
    if found.kind == "artist":
        raise NotInCatalog(f"{query!r} is an artist; a report is of one track (mir tracks --artist lists them)")
    return found.track_id


def _sounds_of(about: About, model: str, kept: dict[str, str]) -> Sounds | None:
    """Take a track of the catalog apart; nothing, with a warning, where its file is gone."""
    if not Path(about.path).is_file():
        logger.warning("%s is gone: the report has its numbers, and no pictures", about.path)
        return None
    return hear(Path(about.path), model, measure=False, kept=kept)


def _about_file(path: Path, sounds: Sounds) -> About:
    from mir.tags import read_tags
    from separation.audio import probe

    tags, info = read_tags(path), probe(path)
    return About(
        track_id=None,
        path=str(path),
        title=tags.title,
        artist=", ".join(tags.artists) or "Unknown artist",
        album=tags.album,
        year=tags.year,
        duration_s=info.duration_s or sounds.signals[MIXTURE].shape[1] / sounds.sr,
        sample_rate_hz=info.sample_rate_hz,
        n_channels=info.n_channels,
        codec=info.codec,
        genres=tags.genres,
    )


def _heard(sounds: Sounds) -> Heard:
    heard = Heard({}, {}, {})
    for result in sounds.results:
        if result.descriptor is not None and result.values is not None:
            heard.descriptors[result.space] = result.descriptor
            heard.values[result.space] = result.values
        else:
            heard.reasons[result.space] = result.reason or result.state
    return heard


def _body(facts: TrackFacts, sounds: Sounds | None, why: Why | None) -> Iterable[Html]:
    about = facts.about
    yield tag("h1", about.title)
    words = [about.artist, about.album, about.year, ", ".join(about.genres)]
    yield paragraph(" · ".join(str(word) for word in words if word), "lead")
    channels = {1: "mono", 2: "stereo"}.get(about.n_channels, f"{about.n_channels} channels")
    yield paragraph(f"{about.codec}, {about.sample_rate_hz / 1000:g} kHz, {channels}", "note")
    yield cards(_headline(facts, why))
    if sounds is not None:
        yield tag("h2", "Taken apart")
        yield _pictures(sounds)
    if facts.stems:
        yield tag("h3" if sounds is not None else "h2", "Stems")
        yield _stems(facts)
    striking = unusual(facts)
    if striking:
        yield tag("h2", "What stands out")
        yield paragraph(f"The numbers that are furthest from the middle of the catalog's {facts.compared} tracks.")
        yield _features(striking, with_instrument=True)
    if why is not None:
        yield tag("h2", "Genre, and why")
        yield from _why(why)
    if any(part.artists or part.tracks for part in facts.parts):
        yield tag("h2", "Who sounds like this")
        yield paragraph(
            "By each instrument on its own: cosine in its space, 1 for the same, 0 for nothing in common.", "note"
        )
        yield tag("div", *[_likes(part) for part in facts.parts if part.artists or part.tracks], class_="columns")
    yield tag("h2", "Instrument by instrument")
    if facts.compared:
        yield paragraph(
            f"Every measured number, and its place (coloured) among the {facts.compared} tracks of the catalog.", "note"
        )
    for part in facts.parts:
        yield from _part(part)


def _headline(facts: TrackFacts, why: Why | None) -> Iterable[tuple[str, object]]:
    about = facts.about
    yield f"{int(about.duration_s // 60)}:{int(about.duration_s % 60):02d}", "minutes"
    tempo, sure = facts.value("drum_rhythm", "tempo_bpm"), facts.value("drum_rhythm", "tempo_confidence")
    if tempo is not None:
        yield f"{tempo:.0f}", f"beats a minute{'' if sure is None else f', confidence {sure:.2f}'}"
    key = key_name(facts.value("harmony", "key_pitch_class"), facts.value("harmony", "mode_is_major"))
    if key is not None:
        name, _, camelot = key.partition(" (")
        yield name, f"key, {camelot.rstrip(')')} on the Camelot wheel"
    loudness = facts.value("mixture", "loudness_lufs")
    if loudness is not None:
        yield f"{number(loudness, 1)}", "LUFS, integrated loudness"
    if about.predicted_genre is not None:
        yield about.predicted_genre, f"predicted, probability {number(about.predicted_probability, 2)}"
    elif why is not None:
        yield why.genre, f"by the promoted run, probability {why.probability:.2f}"


def _pictures(sounds: Sounds) -> Html:
    """Waveform and spectrogram of the mixture and of every stem, on one scale of level."""
    pictures = {name: picture([y], sounds.sr, y.shape[1]) for name, y in sounds.signals.items()}
    top_db = float(pictures[MIXTURE].decibels.max())
    ticks = [(band_of(f) / N_BANDS, tick_name(f)) for f in TICKS_HZ]
    drawn = []
    for name, one in pictures.items():
        colour, duration_s = name if name in STEMS else "mix", sounds.signals[name].shape[1] / sounds.sr
        shown, outline = png_uri(png(one.decibels, top_db)), (one.lowest, one.highest)
        drawn.append(tag("h3", name))
        drawn.append(charts.sound(shown, ticks, outline, duration_s, name, colour=colour))
    return joined(drawn)


def _stems(facts: TrackFacts) -> Html:
    ordered = sorted(
        facts.stems, key=lambda row: (STEMS.index(row.stem) if row.stem in STEMS else len(STEMS), row.stem)
    )
    rows = [
        (row.stem, row.loudness_lufs, None if row.active_ratio is None else 100.0 * row.active_ratio) for row in ordered
    ]
    return table(["stem", "loudness in LUFS", "sounds in % of the time"], rows)


def _features(features: Iterable[Feature], *, with_instrument: bool = False) -> Html:
    rows = []
    for one in features:
        what = joined([one.name, tag("small", one.description)])
        shown = f"{number(one.value)} {'' if one.unit in _PLAIN else one.unit}".strip()
        drawn = charts.histogram(one.everybody, one.value, colour=one.instrument) if len(one.everybody) else ""
        rows.append([*([one.instrument] if with_instrument else []), what, shown, drawn, place(one)])
    columns = [*(["instrument"] if with_instrument else []), "what", "value", "among all", "place"]
    return table(columns, rows, text=[columns.index("what")])


def place(one: Feature) -> str:
    """Say in words where a value stands among everybody's."""
    if one.percentile is None or one.value is None or len(one.everybody) < 2:
        return ""
    if one.value >= one.everybody.max():
        return "the highest" if one.value > np.sort(one.everybody)[-2] else "highest, with others"
    if one.value <= one.everybody.min():
        return "the lowest" if one.value < np.sort(one.everybody)[1] else "lowest, with others"
    higher = one.percentile >= 50
    return f"{'higher' if higher else 'lower'} than {one.percentile if higher else 100 - one.percentile:.0f} %"


def _part(part: Part) -> Iterable[Html]:
    yield tag("h3", f"{part.instrument} ({part.space})")
    if part.state != "ok":
        yield paragraph(f"{part.state}: {part.reason or 'no reason was kept'}", "note")
        return
    listed = [one for one in part.features if not one.name.startswith(_SPECTRUM)]
    yield _features(listed[:FIRST_SHOWN])
    if len(listed) > FIRST_SHOWN:
        yield folded(f"{len(listed) - FIRST_SHOWN} more", _features(listed[FIRST_SHOWN:]))
    spectrum = [one for one in part.features if one.name.startswith(_SPECTRUM) and one.value is not None]
    if len(spectrum) > 1:
        yield folded("its average spectrum, in third octaves", _spectrum(spectrum))


def _spectrum(bands: list[Feature]) -> Html:
    labels = [one.name.removeprefix(_SPECTRUM).split("_")[0] for one in bands]
    values = [one.value or 0.0 for one in bands]
    everybody = [one.everybody if len(one.everybody) else [value] for one, value in zip(bands, values, strict=True)]
    lows, highs = ([float(np.percentile(each, share)) for each in everybody] for share in (25, 75))
    drawn = charts.trend(labels, values, lows, highs, "dB", colour=bands[0].instrument)
    return joined([drawn, paragraph("dB by Hz; the band is the middle half of all tracks.", "note")])


def _likes(part: Part) -> Html:
    lists = [("artist", part.artists), ("track", part.tracks)]
    tables = [
        table([name, "cosine"], [(one.name, one.similarity) for one in near], text=[0]) for name, near in lists if near
    ]
    return tag("div", tag("h3", f"by {part.instrument}"), *tables)


def _why(why: Why) -> Iterable[Html]:
    likely = ", ".join(f"{genre} {probability:.2f}" for genre, probability in list(why.probabilities.items())[:5])
    yield paragraph(f"The promoted run {why.run_id} says: {likely}.")
    if why.stems:
        yield paragraph(
            f"What speaks for {why.genre} (positive) and against it, in log-odds, beside {why.background} other tracks."
        )
        yield table(["instrument", "speaks with"], [(name, share) for name, share in why.stems])
        rows = [
            [one.instrument, joined([one.name, tag("small", one.description)]), one.shown, one.place, one.contribution]
            for one in why.features
        ]
        yield table(["instrument", "what", "value", "place", "speaks with"], rows, text=[1])
