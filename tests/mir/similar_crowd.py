"""A catalog of two hundred tracks at random, and what a question about it must be answered with, by plain loops."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from similar_library import by_loops, unit

from mir.catalog import create_catalog

N_TRACKS = 215
N_ARTISTS = 70
VARIOUS = "Various Artists"
PLACES = {"vocals": ("vocal_timbre", 4), "drums": ("drum_rhythm", 3)}


@dataclass
class Track:
    number: int
    artists: list[str]
    duration_s: float
    year: int | None
    genre: str | None
    vocals: np.ndarray | None
    drums: np.ndarray | None

    @property
    def title(self):
        return f"Track {self.number}"

    @property
    def people(self):
        """Its artists, less the name that is nobody's."""
        return [name for name in self.artists if name != VARIOUS]

    @property
    def tempo_bpm(self):
        return None if self.drums is None else float(self.drums[0])


def crowd(seed=0):
    """Tracks at random; some of two artists, of nobody, of "Various Artists", without vocals, without drums."""
    random = np.random.default_rng(seed)
    tracks = []
    for number in range(N_TRACKS):
        first, second = (f"Artist {n}" for n in random.choice(N_ARTISTS, 2, replace=False))
        kind = random.random()
        artists = [] if kind < 0.05 else [VARIOUS] if kind < 0.1 else [first, second] if kind < 0.2 else [first]
        tracks.append(
            Track(
                number,
                artists,
                float(random.uniform(30, 400)),
                None if random.random() < 0.1 else int(random.integers(1980, 2020)),
                [None, "House", "Drum & Bass", "Jazz"][random.integers(4)],
                None if random.random() < 0.1 else random.normal(size=4).astype(np.float32) + 0.3,
                None if random.random() < 0.15 else random.normal([3, 0, 0.5]).astype(np.float32),
            )
        )
    return tracks


def settle(tracks, path):
    """Put them into a catalog, all in one write; vectors are made from the descriptors when they are read."""
    catalog = create_catalog(path)
    names = sorted({name for track in tracks for name in track.artists})
    ids = {name: number for number, name in enumerate(names, 1)}
    with catalog.write() as con:
        con.executemany("INSERT INTO artists VALUES (?, ?, ?, NULL)", [[ids[n], n, n.casefold()] for n in names])
        for track in tracks:
            con.execute(
                "INSERT INTO tracks (track_id, audio_hash, path, title, artist, year, genre, compilation, duration_s,"
                " sample_rate_hz, n_channels, codec) VALUES (?, ?, ?, ?, ?, ?, ?, false, ?, 44100, 2, 'flac')",
                [
                    track.number,
                    f"hash {track.number}",
                    f"/music/{track.number}.flac",
                    track.title,
                    ", ".join(track.artists) or "Unknown artist",
                    track.year,
                    track.genre,
                    track.duration_s,
                ],
            )
            for position, name in enumerate(track.artists):
                con.execute("INSERT INTO track_artists VALUES (?, ?, 'artist', ?)", [track.number, ids[name], position])
            if track.genre is not None:
                source = "tag" if track.number % 2 else "predicted"
                con.execute(
                    "INSERT INTO track_genres VALUES (?, ?, ?, NULL, NULL)", [track.number, track.genre, source]
                )
            for space, raw in (("vocal_timbre", track.vocals), ("drum_rhythm", track.drums)):
                if raw is not None:
                    con.execute("INSERT INTO descriptors VALUES (?, ?, 1, ?)", [track.number, space, raw.tolist()])
            if track.drums is not None:
                con.execute(
                    "INSERT INTO drum_rhythm (track_id, tempo_bpm) VALUES (?, ?)", [track.number, track.tempo_bpm]
                )
    return catalog


def standard(tracks, instrument):
    """Mean and deviation of the cosine over all pairs of tracks."""
    rows = [unit(getattr(track, instrument)) for track in tracks if getattr(track, instrument) is not None]
    assert len(rows) <= 200  # beyond, pairs are sampled
    cosines = [a @ b for a, b in itertools.combinations(rows, 2)]
    return np.mean(cosines), np.std(cosines)


def sets(tracks, kind, instrument):
    """Unit vectors and durations by name: an artist's tracks, or a track alone."""
    found = {}
    for track in tracks:
        raw = getattr(track, instrument)
        for name in track.people if kind == "artist" else [track.title]:
            if raw is not None:
                found.setdefault(name, []).append((unit(raw), track.duration_s))
    return {name: tuple(map(np.array, zip(*pairs, strict=True))) for name, pairs in found.items()}


def truth(tracks, kind, seeds, by, passing=None, how="centroid"):
    """Score of every artist or track, of those that `passing` keeps, that has the positively weighted instruments.

    Scores of seeds, and of what is theirs, are among them.
    """
    scores, complete = {}, None
    for instrument, weight in by.items():
        mean, deviation = standard(tracks, instrument)
        artists = sets(tracks, "artist", instrument)
        asking = {**artists, **sets(tracks, "track", instrument)}
        answering = sets([t for t in tracks if passing is None or passing(t)], kind, instrument)
        there = [asking[seed] for seed in seeds if seed in asking]
        for name, (rows, seconds) in answering.items():
            if there:
                each = [by_loops(*one, rows, seconds, how) for one in there]
                z = np.mean([(cosine - mean) / deviation for cosine in each])
                scores[name] = scores.get(name, 0.0) + weight * z
        if weight > 0:
            complete = set(answering) if complete is None else complete & set(answering)
    return {name: score for name, score in scores.items() if name in complete}
