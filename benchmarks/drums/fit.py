"""Fit the learned weights of the drum stem anew: strokes, tempo, metre.

    python -m benchmarks.drums.fit --data DATA -o FOLDER

writes the modules into FOLDER with new weights, and says how far these are from the present ones. To adopt them,
copy the modules into `features/`. The same data, fluidsynth and soundfont give the same weights.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

import features
from benchmarks.drums.corpus import Scores, hear_corpus
from benchmarks.drums.models import Doubles, fit_all
from benchmarks.drums.render import missing
from features.drum_rhythm import Learned
from features.drum_voices import DRUMS, Voices
from features.metre import Metre
from features.onsets import Floats
from features.tempo_weights import MULTIPLES, WEIGHTS

SOURCES = Path(features.__file__).parent
_NUMBERS_A_LINE = 15


def main() -> None:
    """Hear, fit, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, prog="python -m benchmarks.drums.fit"
    )
    add_corpus_options(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="for the modules")
    options = parser.parse_args()
    if lacking := missing():
        parser.error(lacking)
    with scores_of(options, parser) as scores:
        corpus = hear_corpus(scores, options.beats, options.jobs)
    n_onsets = sum(len(each.evidence) for each in corpus.strokes)
    print(f"heard {len(corpus.takes)} takes for the tempo, {n_onsets} onsets for the strokes", flush=True)
    fit = fit_all(corpus, say=lambda message: print(message, flush=True))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in modules(fit).items():
        (options.out / name).write_text(text, encoding="utf-8")
        print(f"wrote {options.out / name}")
    print(f"largest change of a tempo weight: {np.abs(fit.tempo - WEIGHTS).max():.2f}")


def add_corpus_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--data``, ``--beats``, ``--renders`` and ``--jobs``."""
    parser.add_argument("--data", type=Path, required=True, help="the data folder, with midi/groove in it")
    parser.add_argument("--beats", type=positive, metavar="N", help="only so many beats, for a quick try")
    parser.add_argument("--renders", type=Path, metavar="FOLDER", help="keep rendered audio here, use what is there")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="processes")


@contextlib.contextmanager
def scores_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> Iterator[Scores]:
    """Performances as the options say; renderings that need not be kept vanish at the end."""
    root = options.data / "midi" / "groove"
    if not (root / "manifest.csv").is_file():
        parser.error(f"no Groove MIDI Dataset at {root}: its manifest.csv is missing; give --data FOLDER")
    with tempfile.TemporaryDirectory(prefix="mir-drums-") as scratch:
        renders = options.renders or Path(scratch)
        renders.mkdir(parents=True, exist_ok=True)
        yield Scores(root, renders)


def modules(fit: Learned) -> dict[str, str]:
    """Return the text of the modules as they are, with the arrays replaced."""
    lines = {
        "drum_voice_weights.py": _voice_lines(fit.voices),
        "tempo_weights.py": _tempo_lines(fit.tempo),
        "metre_weights.py": _metre_lines(fit.metre),
    }
    return {name: _with_block((SOURCES / name).read_text(encoding="utf-8"), block) for name, block in lines.items()}


def _with_block(text: str, lines: Iterable[str]) -> str:
    """Replace what stands between ``# fmt: off`` and ``# fmt: on``."""
    block = "\n".join(["# fmt: off", *lines, "# fmt: on"])
    replaced, n = re.subn(r"^# fmt: off\n.*?^# fmt: on$", lambda _: block, text, flags=re.DOTALL | re.MULTILINE)
    if n != 1:
        raise ValueError("the module to be rewritten needs one block between `# fmt: off` and `# fmt: on`")
    return replaced


def _voice_lines(voices: Voices) -> Iterator[str]:
    for name, layer in (("HIDDEN", voices.hidden), ("OUTPUT", voices.output)):
        yield f"{name} = np.array(["
        for row in layer:
            yield "    ["
            for start in range(0, row.size, _NUMBERS_A_LINE):
                yield f"        {_numbers(row[start : start + _NUMBERS_A_LINE])},"
            yield "    ],"
        yield "], dtype=np.float32)"


def _tempo_lines(weights: Doubles) -> Iterator[str]:
    rows = ("everything", *DRUMS)
    at = len(MULTIPLES)
    yield "WEIGHTS = np.array(["
    for i, name in enumerate(rows):
        yield f"    {_numbers(weights[i * at : (i + 1) * at])},  # {name}, at MULTIPLES"
    rest = weights[len(rows) * at :]
    yield f"    {_numbers(rest[:3])},  # octaves over 120 beats a minute: itself, squared, cubed"
    for i, name in enumerate(rows):
        yield f"    {_numbers(rest[3 + 2 * i : 5 + 2 * i])},  # log2 of onsets a beat, {name}: itself, squared"
    yield "])"


def _metre_lines(metre: Metre) -> Iterator[str]:
    yield "PLAYED = np.array(["
    for name, row in zip((*DRUMS, "loudness"), metre.played, strict=True):
        yield f"    # {name}, at each step of the bar"
        yield f"    [{_numbers(row)}],"
    yield "])"
    yield f"BETWEEN = np.array([{_numbers(metre.between)}])"
    octaves = "log probability; octaves over 120 beats a minute: themselves, squared"
    yield f"SPEED = np.array([{_numbers(metre.speed)}])  # {octaves}"


def _numbers(values: Doubles | Floats) -> str:
    return ", ".join(f"{value + 0.0:.2f}" for value in values)


def positive(text: str) -> int:
    """Read a number of beats or processes."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    return number


if __name__ == "__main__":
    main()
