"""The demo's tables: answers beside the truth, the same on the terminal and on the page."""

from __future__ import annotations

from dataclasses import dataclass

from mir.demo.verdict import ActVerdict, Verdict


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, with a title. Cells that judge end in ✓ or ✗."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def headline(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the few numbers that say how it went, as (number, what it counts)."""
    summary = verdict.summary()
    artists, tracks = summary["artists"], summary["tracks"]
    voices = sum(track.voice_right for track in verdict.tracks)
    return [
        (f"{summary['same_singer_first']['vocals']} of {artists}", "same singer first, by vocals"),
        (f"{summary['same_singer_first']['mix']} of {artists}", "same singer first, by the whole mix"),
        (f"{summary['tempo_right']} of {tracks}", "tempo right, from the drums"),
        (f"{summary['genre_right']} of {tracks}", "genre right, artist held out"),
        (f"{voices} of {tracks}", "sung or instrumental, told right"),
    ]


def artists_table(verdict: Verdict) -> Table:
    """Who came first for each artist, by vocals and by the whole mix, beside who sings there too."""
    return Table(
        "Who sings alike? The nearest artist, beside the other one with the same singer",
        ("artist", "singer", "same singer in", "by vocals", "by the mix"),
        tuple(
            (
                act.artist,
                act.singer,
                act.partner,
                _judged(act, "vocals", act.partner),
                _judged(act, "mix", act.partner),
            )
            for act in verdict.acts
        ),
    )


def drums_table(verdict: Verdict) -> Table:
    """Who drums alike, and each artist's tempi and genres, heard beside true."""
    rows = []
    for act in sorted(verdict.acts, key=lambda act: (act.band, act.artist)):
        tracks = [track for track in verdict.tracks if track.truth.artist == act.artist]
        tempi = " ".join(f"{track.heard.tempo_bpm:.0f}" for track in tracks)
        genres = ", ".join(sorted({track.heard.genre or "-" for track in tracks}))
        rows.append(
            (
                act.artist,
                act.band,
                act.bandmate,
                _judged(act, "drums", act.bandmate),
                " ".join(f"{track.truth.tempo_bpm:.0f}" for track in tracks),
                _mark(all(track.tempo == "right" for track in tracks), tempi),
                tracks[0].truth.genre,
                _mark(all(track.genre_right for track in tracks), genres),
            )
        )
    return Table(
        "What do the drums say? The nearest artist, tempi, and genre by a classifier that never heard the artist",
        ("artist", "band", "same band in", "by drums", "tempi", "heard", "genre", "heard"),
        tuple(rows),
    )


def voices_table(verdict: Verdict) -> Table:
    """Tracks that are instrumental, or were taken for it."""
    odd = [t for t in verdict.tracks if t.truth.instrumental or t.heard.vocals != "ok"]
    return Table(
        "Instrumentals",
        ("artist", "track", "vocals heard", "truth"),
        tuple(
            (
                track.heard.artist,
                track.heard.title,
                _mark(track.voice_right, track.heard.vocals),
                "instrumental" if track.truth.instrumental else f"sung by {track.truth.singer}",
            )
            for track in odd
        ),
    )


def tracks_table(verdict: Verdict) -> Table:
    """Every track, everything."""
    return Table(
        "Every track",
        (
            "artist",
            "track",
            "tempo heard",
            "tempo true",
            "tempo",
            "four on the floor",
            "genre heard",
            "genre true",
            "voice heard",
            "voice true",
            "f0 median Hz",
        ),
        tuple(
            (
                track.heard.artist,
                track.heard.title,
                track.heard.tempo_bpm,
                track.truth.tempo_bpm,
                _mark(track.tempo == "right", track.tempo),
                track.heard.four_on_the_floor,
                _mark(track.genre_right, track.heard.genre or "-"),
                track.truth.genre,
                _mark(track.voice_right, track.heard.vocals),
                "none" if track.truth.instrumental else track.truth.singer,
                track.heard.f0_median_hz,
            )
            for track in verdict.tracks
        ),
    )


def _judged(act: ActVerdict, instrument: str, wanted: str) -> str:
    first = act.first[instrument]
    return _mark(first == wanted, first or "-")


def _mark(right: bool, text: str) -> str:
    return f"{text} {'✓' if right else '✗'}"
