"""Drum strokes in and out of standard MIDI files."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DRUM_CHANNEL = 9
TICKS_A_SECOND = 10_000
HEAD_BYTES = 8  # of a chunk: four letters, then its length
META, SYSEX = 0xFF, (0xF0, 0xF7)
SET_TEMPO = 0x51


@dataclass(frozen=True, slots=True)
class Stroke:
    """One drum hit.

    Parameters
    ----------
    time_s
        Seconds from the beginning.
    note
        General MIDI percussion key.
    velocity
        1 to 127.
    """

    time_s: float
    note: int
    velocity: int


def read_strokes(path: Path) -> list[Stroke]:
    """Read all notes of a MIDI file, in order of time.

    Parameters
    ----------
    path
        A standard MIDI file whose division counts ticks a quarter note.

    Raises
    ------
    ValueError
        Where the file is no such MIDI file.
    """
    data = path.read_bytes()
    if data[:4] != b"MThd" or data[12] & 0x80:
        raise ValueError(f"{path} is no MIDI file in ticks a quarter note; give a standard MIDI file")
    ticks_a_quarter = struct.unpack(">H", data[12:14])[0]
    notes: list[tuple[int, int, int]] = []
    tempi: list[tuple[int, int]] = [(0, 500_000)]
    at = HEAD_BYTES + struct.unpack(">I", data[4:8])[0]
    while at < len(data):
        size = struct.unpack(">I", data[at + 4 : at + 8])[0]
        if data[at : at + 4] == b"MTrk":
            _read_track(data[at + HEAD_BYTES : at + HEAD_BYTES + size], notes, tempi)
        at += HEAD_BYTES + size
    tempi.sort(key=lambda change: change[0])
    return [Stroke(_seconds(tick, tempi, ticks_a_quarter), note, velocity) for tick, note, velocity in sorted(notes)]


def write_strokes(path: Path, strokes: Iterable[Stroke], kit: int) -> None:
    """Write strokes as a MIDI file of one drum track.

    Parameters
    ----------
    path
        To write.
    strokes
        In any order.
    kit
        Program of the drum channel, 0 for the standard kit.
    """
    head = struct.pack(">IHHH", 6, 0, 1, TICKS_A_SECOND)
    track = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))  # a quarter note is a second
    track += bytes([0, 0xC0 | DRUM_CHANNEL, kit])
    now = 0
    for stroke in sorted(strokes, key=lambda stroke: (stroke.time_s, stroke.note)):
        tick = round(stroke.time_s * TICKS_A_SECOND)
        track += _variable_length(tick - now) + bytes([0x90 | DRUM_CHANNEL, stroke.note, stroke.velocity])
        now = tick
    track += b"\x00\xff\x2f\x00"
    path.write_bytes(b"MThd" + head + b"MTrk" + struct.pack(">I", len(track)) + bytes(track))


def _read_track(track: bytes, notes: list[tuple[int, int, int]], tempi: list[tuple[int, int]]) -> None:
    """Add a track's notes (tick, key, velocity) and tempo changes (tick, µs a quarter) to the lists."""
    at = tick = status = 0
    while at < len(track):
        wait, at = _read_variable_length(track, at)
        tick += wait
        if track[at] & 0x80:
            status = track[at]
            at += 1
        if status == META or status in SYSEX:
            kind = track[at] if status == META else None
            size, at = _read_variable_length(track, at + 1 if status == META else at)
            if kind == SET_TEMPO:
                tempi.append((tick, int.from_bytes(track[at : at + size], "big")))
            at += size
        elif status >> 4 in (0xC, 0xD):
            at += 1
        else:
            if status >> 4 == 0x9 and track[at + 1] > 0:
                notes.append((tick, track[at], track[at + 1]))
            at += 2


def _read_variable_length(track: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length number and where it ends."""
    value = 0
    while True:
        byte = track[at]
        at += 1
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, at


def _variable_length(value: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last have their top bit set."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def _seconds(tick: int, tempi: list[tuple[int, int]], ticks_a_quarter: int) -> float:
    """When a tick falls, tempo changes minded."""
    seconds = 0.0
    since, tempo_us = tempi[0]
    for change, next_us in tempi[1:]:
        if change >= tick:
            break
        seconds += (change - since) * tempo_us / 1e6 / ticks_a_quarter
        since, tempo_us = change, next_us
    return seconds + (tick - since) * tempo_us / 1e6 / ticks_a_quarter
