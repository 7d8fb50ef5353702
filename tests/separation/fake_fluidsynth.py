"""A stand-in for the program `fluidsynth`: a beep where a note begins, noise where a drum is struck.

Called as ``fluidsynth … -FOUT.wav SOUNDFONT MIDI``; a soundfont named ``broken.sf2`` makes it fail.
"""

import sys
from pathlib import Path

import mido
import numpy as np
import soundfile

SR = 44100


def main() -> None:
    target = next(word[2:] for word in sys.argv if word.startswith("-F"))
    if Path(sys.argv[-2]).name == "broken.sf2":
        sys.stderr.write("fluidsynth: error: no such preset\n")
        sys.exit(1)
    file = mido.MidiFile(sys.argv[-1])
    out = np.zeros((round(file.length * SR) + SR, 2), np.float32)
    time_s = 0.0
    for message in file:
        time_s += message.time
        if message.type != "note_on" or not message.velocity:
            continue
        t = np.arange(SR // 4) / SR
        if message.channel == 9:
            y = np.random.default_rng(message.note).standard_normal(t.size) * np.exp(-t * 40.0)
        else:
            y = np.sin(2.0 * np.pi * 440.0 * 2.0 ** ((message.note - 69) / 12.0) * t) * np.exp(-t * 10.0)
        at = round(time_s * SR)
        piece = y[: len(out) - at, None] * message.velocity / 500.0
        out[at : at + len(piece)] += piece
    soundfile.write(target, out, SR, subtype="FLOAT")


main()
