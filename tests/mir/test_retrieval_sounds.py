"""What spaces must hear through: other songs and keys of one singer, and the ways in which a recording is changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from altered_sounds import ALTERATIONS

from features import EXTRACTORS, Stems
from features.errors import FeatureError
from mir.demo import harmony, library
from mir.demo.melody import write_line
from mir.demo.people import SINGERS
from mir.demo.voice import sing
from mir.retrieval.queries import Recording, make_queries
from mir.retrieval.ranking import rank_tracks
from mir.spaces import current_transform
from separation.audio import load
from separation.musdb import STREAMS, find_tracks

SR = 44_100
SONGS = (("House", 0, 0.48), ("Rock", 7, 0.44), ("Hip Hop", 3, 0.62), ("Drum & Bass", 10, 0.52))
"""Style of the chords, key, and seconds of a beat."""

EXCERPT_S = 6.0


def describe(space, signals, sr):
    """The descriptor, NaN where the stem is silent or too short."""
    try:
        return EXTRACTORS[space].extract(Stems(signals, sr)).descriptor
    except FeatureError:
        return np.full(EXTRACTORS[space].embedding_size, np.nan)


def sung(singer, number):
    """One singer's melody over a song's chords, in the song's key."""
    style, tonic, beat_s = SONGS[number]
    random = np.random.default_rng(number)
    bars = harmony.chords(style, tonic, random)
    line = write_line(singer, tonic, harmony.SCALE_OF[style], bars, beat_s, 4, 0, random)
    y = sing(singer, line, int(4 * 4 * beat_s * SR), SR, random)
    return np.atleast_2d(y).astype(np.float32)


def test_singers_are_known_in_other_songs_and_keys():
    """Against other singers of the same songs in the same keys, with a transform that never heard made-up voices."""
    recordings, rows = [], []
    for singer in SINGERS:
        for number in range(len(SONGS)):
            voice = sung(singer, number)
            recordings.append(Recording(len(rows), f"song {number}", (singer.name,), None, voice.shape[1] / SR))
            rows.append(describe("vocal_timbre", {"vocals": voice, "mixture": voice}, SR))
    described = np.array(rows, np.float64)
    transform = current_transform(None, "vocal_timbre")
    scores = rank_tracks(described, make_queries(recordings), lambda _seen: transform.apply)
    assert not scores.missing.any()
    assert scores.mean >= 0.95


def found_first(space, originals, altered):
    """Share of altered recordings whose original is the nearest; an alteration that silences a stem is a miss."""
    transform = current_transform(None, space)
    there = np.isfinite(originals).all(axis=1)
    assert there.sum() > 1
    heard = np.isfinite(altered[there]).all(axis=1)
    vectors = transform.apply(np.nan_to_num(altered[there]))
    nearest = np.argmax(vectors @ transform.apply(originals[there]).T, axis=1)
    return float(np.mean(heard & (nearest == np.arange(there.sum()))))


@pytest.fixture(scope="module", name="songs")
def _songs():
    """The middle of a song by each of the demo's bands, stems and mixture."""
    excerpts = []
    for song in library.songs()[1::6]:
        stems = library.render(song)
        start = max((next(iter(stems.values())).shape[1] - int(EXCERPT_S * SR)) // 2, 0)
        cut = {name: y[:, start : start + int(EXCERPT_S * SR)] for name, y in stems.items()}
        excerpts.append({**cut, "mixture": np.sum(list(cut.values()), axis=0)})
    return excerpts


@pytest.mark.parametrize("space", EXTRACTORS)
def test_altered_songs_find_themselves(space, songs, tmp_path):
    names = [name for name in EXTRACTORS[space].stems if name in songs[0]]
    originals = np.array([describe(space, {name: song[name] for name in names}, SR) for song in songs])
    for name, alter in ALTERATIONS.items():
        rows = [describe(space, *alter({n: song[n] for n in names}, SR, tmp_path)) for song in songs]
        assert found_first(space, originals, np.array(rows)) == 1.0, name


def previews(folder) -> Iterator[dict[str, np.ndarray]]:
    for track in find_tracks(folder, "valid"):
        mixture, sr = load(track.path, stream=STREAMS["mixture"])
        vocals, _ = load(track.path, stream=STREAMS["vocals"])
        n = min(vocals.shape[1], mixture.shape[1])
        assert sr == SR
        yield {"vocals": vocals[:, :n], "mixture": mixture[:, :n]}


@pytest.mark.shared
def test_altered_previews_find_themselves(shared_data, tmp_path):
    """Every real voice finds itself again."""
    originals, altered = [], {name: [] for name in ALTERATIONS}
    for signals in previews(shared_data / "musdb18-7s"):
        originals.append(describe("vocal_timbre", signals, SR))
        for name, alter in ALTERATIONS.items():
            altered[name].append(describe("vocal_timbre", *alter(signals, SR, tmp_path)))
    shares = {name: found_first("vocal_timbre", np.array(originals), np.array(rows)) for name, rows in altered.items()}
    assert shares == dict.fromkeys(ALTERATIONS, 1.0)
