"""Known voices over other people's instrumentals, separated again: same-voice retrieval by vocals and by mixture.

`python -m benchmarks.crossed_singers --data DATA [--model NAME | --fold RUN …] [--each N] [--draws N] [--part N]`

The voices are the six makam singers of `singing/` (`--each` clips of every one, 7 s of each) and the vocals of the
MUSDB18 previews whose artist has two tracks or more. Each is laid over the instrumental of another artist's preview, at
the level of the vocals that it replaces; then the separator takes the mixture apart. Instrumentals are drawn one for
each voice, and no singer gets two of one artist: whoever hears the whole mixture finds the band, which is never the
right answer. A voice is to be found in its other songs. Beside it the clean voices. Which clips and instrumentals are
drawn moves the figures by several hundredths, so there are `--draws` of them, always the same, each asked on its own;
scores are means over all, intervals draw singers (with all that they sing in all draws).

Descriptors are `vocal_timbre` of the separated vocals, of the mixture itself and of the clean voice, and `mixture` of
the mixture. Transforms are fitted without the voice that asks, and forget what varies within the voices of the 94
previews, in windows and through equalisers, heard in the same way (separated, mixed, clean), again without the one that
asks. The shipped separator was trained on these voices and instrumentals, though never together; `--fold` gives each
preview's vocals to a run that left them out (clips of `singing/` were heard by all). ``validation`` are the queries
whose vocals are one of the 14 previews that no training hears. One of the six, guelcin, sings one song only: she is
among the candidates and never asks.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept import keep
from benchmarks.retrieval.separators import Separators
from benchmarks.retrieval.voices import NO_SINGER, SPACE, Flags, Matrix, Voices, describe, vocal_timbre
from benchmarks.same_artist import report, show, song_of
from features import EXTRACTORS, Stems
from mir.fitting import DEFAULT_FORGETTING, fit_transform
from mir.retrieval.queries import Query, Recording, make_queries
from mir.retrieval.ranking import Apply, Fit, rank_tracks
from mir.retrieval.scores import Scores, difference
from separation.audio import load
from separation.musdb import STREAMS, Track, find_tracks
from separation.resampling import resample

Samples = NDArray[np.float32]

CLIP_S = 7.0
SR = 44_100
USUAL_VOCALS_DB = -4.0
"""Vocals against the rest where the instrumental had none of its own."""

KINDS = ("vocals", "mixture as voice", "clean", "mixture space")
HEARD = {"vocals": "separated", "mixture as voice": "mixture", "clean": "true"}
"""How the previews are heard from which a kind learns what varies within a voice."""


@dataclass(frozen=True)
class Voice:
    """A voice, the song that it sings, and over whose instrumental."""

    singer: str
    song: str
    path: Path
    stream: int
    band: Track
    track: Track | None = None


def voices(data: Path, tracks: Sequence[Track], each: int, draw: int) -> list[Voice]:
    """List the voices with their bands; always the same ones in a draw."""
    random = np.random.default_rng(draw)
    folder = data / "singing"
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        clips = [row for row in csv.DictReader(file) if row["singer"] and row["source"] == "makam"]
    found: list[tuple[str, str, Path, int, Track | None]] = []
    for singer in sorted({row["singer"] for row in clips}):
        own = [row for row in clips if row["singer"] == singer]
        chosen = [own[place]["file"] for place in sorted(random.permutation(len(own))[:each].tolist())]
        found += [(singer, song_of(name), folder / name, 0, None) for name in chosen]
    artists = [artist_of(track) for track in tracks]
    for artist, track in zip(artists, tracks, strict=True):
        if artists.count(artist) > 1 and artist != NO_SINGER:
            found.append((artist, track.name, track.path, STREAMS["vocals"], track))
    bands = draw_bands([singer for singer, *_ in found], tracks, random)
    return [
        Voice(singer, song, path, stream, band, track)
        for (singer, song, path, stream, track), band in zip(found, bands, strict=True)
    ]


def draw_bands(singers: Sequence[str], tracks: Sequence[Track], random: np.random.Generator) -> list[Track]:
    """Draw an instrumental for each voice: of another artist, and for one singer never two of the same.

    Each serves once, until all have served.
    """
    left: list[Track] = []
    heard: dict[str, set[str]] = {singer: {singer} for singer in singers}
    bands = []
    for singer in singers:
        fitting = [track for track in left if artist_of(track) not in heard[singer]]
        if not fitting:
            left = [tracks[place] for place in random.permutation(len(tracks))]
            fitting = [track for track in left if artist_of(track) not in heard[singer]]
        if not fitting:
            raise SystemExit(f"more voices of {singer} than there are other artists: give a smaller --each")
        left.remove(fitting[0])
        heard[singer].add(artist_of(fitting[0]))
        bands.append(fitting[0])
    return bands


def artist_of(track: Track) -> str:
    """Artist of a preview."""
    return track.name.split(" - ")[0]


def lay_over(voice: Voice) -> tuple[Samples, Samples]:
    """Return the voice as it is mixed, and the mixture; stereo, ``(2, n_samples)``, 44.1 kHz."""
    sung, sr = load(voice.path, stream=voice.stream)
    sung = loudest(stereo(resample(sung, sr, SR)), int(CLIP_S * SR))
    stems, _ = voice.band.load()
    replaced = stereo(stems.pop("vocals"))
    band = np.sum([stereo(y) for y in stems.values()], axis=0, dtype=np.float32)
    n = min(sung.shape[1], band.shape[1])
    sung, band = sung[:, :n], band[:, :n]
    level = rms(replaced) if rms(replaced) > 0.03 * rms(band) else rms(band) * 10 ** (USUAL_VOCALS_DB / 20)
    sung = sung * np.float32(level / max(rms(sung), 1e-9))
    return sung, sung + band


def loudest(y: Samples, n: int) -> Samples:
    """Return the stretch of `n` samples with most energy, in steps of half a second."""
    if y.shape[1] <= n:
        return y
    starts = range(0, y.shape[1] - n + 1, SR // 2)
    best = max(starts, key=lambda start: float(np.sum(np.square(y[:, start : start + n]))))
    return y[:, best : best + n]


def stereo(y: Samples) -> Samples:
    """Two channels of one or two."""
    return y if y.shape[0] == 2 else np.repeat(y[:1], 2, axis=0)


def rms(y: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


def measure(listed: Sequence[Voice], separators: Separators, cache: Path) -> dict[str, Matrix]:
    """Describe every voice in every way; what was measured is kept."""
    rows: dict[str, list[NDArray[np.float32]]] = {kind: [] for kind in KINDS}
    versions = f"v{EXTRACTORS[SPACE].version}-v{EXTRACTORS['mixture'].version}"
    for voice in listed:
        separator = separators.load(voice.track or voice.band)
        folder = cache / f"crossed-{versions}-{separator.source_id}".replace("/", "_").replace(":", "_")
        path = folder / f"{voice.path.stem} over {voice.band.name}.npz".replace("/", "_")
        if not path.is_file():
            clean, mixture = lay_over(voice)
            vocals = separator.separate(mixture, SR)["vocals"]
            whole = EXTRACTORS["mixture"].extract(Stems({"mixture": mixture}, SR)).descriptor
            heard = ((vocals, mixture), (mixture, mixture), (clean, clean))
            found = (*(vocal_timbre(sung, among, SR) for sung, among in heard), whole)
            keep(path, **dict(zip(KINDS, found, strict=True)))
        with np.load(path, allow_pickle=False) as kept:
            for kind in KINDS:
                rows[kind].append(kept[kind])
    return {kind: np.array(found, np.float64) for kind, found in rows.items()}


def fits(rows: Matrix, listed: Sequence[Voice], previews: Voices | None) -> Fit:
    """Fit what ships, without the voice that asks."""
    space = "mixture" if previews is None else SPACE
    singers = np.array([voice.singer for voice in listed])

    def fit(seen: Flags) -> Apply:
        version, within = EXTRACTORS[space].version, None
        if previews is not None:
            asking = set(singers.tolist()) - set(singers[seen].tolist())
            within = previews.within(
                np.array([recording.artists[0] not in asking for recording in previews.recordings])
            )
        forgetting = DEFAULT_FORGETTING if within is not None else 0.0
        return fit_transform(
            rows[seen], space=space, version=version, within=within, forgetting=forgetting, minimum=10
        ).apply

    return fit


def parts(listed: Sequence[Voice], queries: Sequence[Query]) -> Iterator[tuple[str, Flags]]:
    """Flags of all queries, of either kind of voice alone, and of the previews that no training hears."""
    makam = np.array([listed[query.place].track is None for query in queries], dtype=np.bool_)
    yield "all", np.ones(len(queries), dtype=np.bool_)
    yield "makam", makam
    yield "previews", ~makam
    tracks = [listed[query.place].track for query in queries]
    yield "validation", np.array([track is not None and track.split == "valid" for track in tracks], dtype=np.bool_)


def of(scores: Scores, flags: Flags) -> Scores:
    """Return the scores of some queries."""
    return Scores(*(getattr(scores, field.name)[flags] for field in fields(Scores)))


def together(draws: Sequence[Scores]) -> Scores:
    """Return the scores of all draws' queries in one."""
    return Scores(*(np.concatenate([getattr(draw, field.name) for draw in draws]) for field in fields(Scores)))


def report_draw(scores: dict[str, Scores], at: str) -> dict[str, dict[str, object]]:
    """Report what each kind scored, and by how much the separated vocals are better than any other."""
    answer = {f"{at}/{kind}": report(each) for kind, each in scores.items()}
    return answer | {f"{at}/vocals − {rival}": difference(scores["vocals"], scores[rival]) for rival in KINDS[1:]}


def main() -> None:
    """Mix, separate, describe, ask; print a table and the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mir-4s", help="separator")
    parser.add_argument("--fold", type=Path, action="append", help="run folder that left a part of the previews out")
    parser.add_argument("--each", type=int, default=8, help="clips of each makam singer")
    parser.add_argument("--draws", type=int, default=5, help="how often clips and instrumentals are drawn")
    parser.add_argument("--part", type=int, default=1, help="take each N-th singer only, for a quick look")
    parser.add_argument("--cache", type=Path, default=Path("runs/retrieval"), help="where descriptors are kept")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    tracks = find_tracks(arguments.data / "musdb18-7s")
    separators = Separators(arguments.model, arguments.fold or (), tracks)
    previews = {kind: describe(tracks, source, separators, arguments.cache) for kind, source in HEARD.items()}
    draws: list[dict[str, Scores]] = []
    flags: dict[str, list[Flags]] = {}
    for draw in range(arguments.draws):
        listed = voices(arguments.data, tracks, arguments.each, draw)
        some_singers = sorted({voice.singer for voice in listed})[:: arguments.part]
        listed = [voice for voice in listed if voice.singer in some_singers]
        recordings = [Recording(i, voice.song, (voice.singer,), voice.song, CLIP_S) for i, voice in enumerate(listed)]
        queries = make_queries(recordings)
        described = measure(listed, separators, arguments.cache)
        draws.append(
            {
                kind: rank_tracks(rows, queries, fits(rows, listed, previews.get(kind)))
                for kind, rows in described.items()
            }
        )
        for part, those in parts(listed, queries):
            flags.setdefault(part, []).append(those)
    scores = {kind: together([draw[kind] for draw in draws]) for kind in KINDS}
    answer: dict[str, dict[str, object]] = {}
    for part, of_draws in flags.items():
        those = np.concatenate(of_draws)
        if those.any():
            answer |= report_draw({kind: of(each, those) for kind, each in scores.items()}, part)
    if len(draws) > 1:
        for number, one in enumerate(draws):
            answer |= report_draw(one, f"draw {number}")
    show(answer)
    text = json.dumps(answer, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
