"""Sampled drum kits in the folders of the drum machine Hydrogen: a `drumkit.xml` beside its samples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from separation.audio import load
from separation.errors import SeparationError
from separation.training.midi import Note

_ROLES: tuple[tuple[str, str], ...] = (  # the first that matches an instrument's name
    ("hat_pedal", r"(pedal|foot|\bpd\b).*|(hh|hat).*(pedal|foot)"),
    ("hat_open", r"(open|\bop\b|ohh|semi|free|swish)"),
    ("hat_closed", r"(hh|hat|hi-hat|hi hat)"),
    ("stick", r"(stick|rim ?click|\brim\b)"),
    ("clap", r"clap"),
    ("snare", r"(snare|\bsn)"),
    ("kick", r"(kick|bass ?drum|\bbd)"),
    ("tom_low", r"(floor|tom ?low|low tom|tom 3|toml)"),
    ("tom_mid", r"(tom ?mid|middle tom|mid tom|tom 2|\btom$)"),
    ("tom_high", r"(tom ?hi|high tom|hi tom|tom 1|tomhi)"),
    ("ride_bell", r"(bell|cup)"),
    ("crash", r"(crash|china|splash|cymbal)"),
    ("ride", r"ride"),
    ("tambourine", r"tamb"),
    ("cowbell", r"(cowbell|agogo)"),
)
_PITCH_ROLES = {
    **dict.fromkeys((35, 36), "kick"),
    **dict.fromkeys((38, 40), "snare"),
    **dict.fromkeys((41, 43), "tom_low"),
    **dict.fromkeys((45, 47), "tom_mid"),
    **dict.fromkeys((48, 50), "tom_high"),
    **dict.fromkeys((49, 52, 55, 57), "crash"),
    **dict.fromkeys((51, 59), "ride"),
    **{37: "stick", 39: "clap", 42: "hat_closed", 44: "hat_pedal", 46: "hat_open", 53: "ride_bell"},
    **{54: "tambourine", 56: "cowbell"},
}
_INSTEAD = {
    "hat_pedal": ("hat_closed",),
    "hat_open": ("hat_closed",),
    "stick": ("snare",),
    "clap": ("snare",),
    "tom_low": ("tom_mid", "tom_high"),
    "tom_mid": ("tom_low", "tom_high"),
    "tom_high": ("tom_mid", "tom_low"),
    "ride_bell": ("ride", "crash", "hat_closed"),
    "ride": ("ride_bell", "crash", "hat_closed"),
    "crash": ("ride", "hat_open"),
}
_NEEDED = ("kick", "snare", "hat_closed")
_CHOKES = frozenset(("hat_closed", "hat_pedal", "hat_open"))
_PAN = {"tom_low": 0.35, "tom_mid": 0.0, "tom_high": -0.3, "crash": -0.45, "ride": 0.45, "hat_closed": -0.25}
_FADE_S = 0.015


class DrumkitInvalid(SeparationError, ValueError):
    """A folder that holds no drum kit with which a song could be played."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A sample and the share of velocities, 0 to 1, that it is for."""

    path: Path
    low: float
    high: float
    gain: float


@dataclass(frozen=True, slots=True)
class Instrument:
    """A drum: its layers from soft to loud."""

    name: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Drumkit:
    """A kit.

    Parameters
    ----------
    name, licence
        As its file tells them; the licence is empty where it tells none.
    instruments
        ``{role: those that can play it}``; kick, snare and closed hi-hat are always there.
    """

    name: str
    licence: str
    instruments: dict[str, tuple[Instrument, ...]]


def find_drumkits(folder: Path) -> list[Drumkit]:
    """Kits under a folder, in order of name, without those that have no kick, snare and hi-hat."""
    kits = []
    for path in sorted(folder.glob("*/drumkit.xml")):
        try:
            kits.append(read_drumkit(path.parent))
        except DrumkitInvalid:  # hand drums and effects; asked for by name, it is refused
            continue
    return kits


def read_drumkit(folder: Path) -> Drumkit:
    """Read a kit's description; samples are looked for inside its folder only.

    Raises
    ------
    DrumkitInvalid
        No description that can be read, or neither kick, snare nor hi-hat in it.
    """
    try:
        root = ElementTree.parse(folder / "drumkit.xml").getroot()  # noqa: S314 - expat refuses entity bombs
    except (OSError, ElementTree.ParseError) as error:
        raise DrumkitInvalid(f"{folder / 'drumkit.xml'} cannot be read: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    found: dict[str, list[Instrument]] = {}
    for element in root.iter("instrument"):
        instrument = _instrument(element, folder.resolve())
        role = _role(instrument.name)
        if role and instrument.layers:
            found.setdefault(role, []).append(instrument)
    missing = [role for role in _NEEDED if role not in found]
    if missing:
        raise DrumkitInvalid(f"{folder} is no kit for a song: it has no {', '.join(missing)}")
    licence = root.findtext("license") or root.findtext("licence") or ""
    return Drumkit(folder.name, licence.strip(), {role: tuple(ones) for role, ones in found.items()})


def play(kit: Drumkit, notes: Sequence[Note], sr: int, n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Play drum notes on a kit.

    Each drum of the song is one of the kit's instruments that can play it, a little tuned and placed. Hi-hats choke
    each other.

    Parameters
    ----------
    kit
        What to play on.
    notes
        Notes with General MIDI's drum pitches; those that the kit has nothing for are left out.
    sr
        Sample rate in Hz.
    n_samples
        Length of the result.
    rng
        Where choice, tuning and places come from.

    Returns
    -------
    drums
        Shape ``(2, n_samples)``.
    """
    out = np.zeros((2, n_samples), np.float32)
    drums: dict[str, _Drum] = {}
    ringing: tuple[int, int] | None = None  # a hi-hat's last hit: first and last sample
    mirrored = rng.random() < 0.3
    hats = np.zeros_like(out)
    for note in notes:
        role = _PITCH_ROLES.get(note.pitch)
        role = next((r for r in (role, *_INSTEAD.get(role, ())) if r in kit.instruments), None) if role else None
        if role is None:
            continue
        if role not in drums:
            drums[role] = _Drum(kit.instruments[role], role, sr, rng)
        y = drums[role].hit(note.velocity / 127.0)
        start = round(note.start_s * sr)
        end = min(start + y.shape[-1], n_samples)
        if start >= end:
            continue
        if role in _CHOKES:
            if ringing is not None and start < ringing[1]:
                _choke(hats, start, ringing[1], sr)
            ringing = (start, end)
            hats[:, start:end] += y[:, : end - start]
        else:
            out[:, start:end] += y[:, : end - start]
    out += hats
    return out[::-1].copy() if mirrored else out


class _Drum:
    """One instrument of a song with its samples in memory."""

    def __init__(self, choice: Sequence[Instrument], role: str, sr: int, rng: np.random.Generator) -> None:
        self._instrument = choice[int(rng.integers(len(choice)))]
        self._sr = sr
        self._tuning = float(2.0 ** (rng.uniform(-1.5, 1.5) / 12.0))
        self._gain = float(10.0 ** (rng.normal(0.0, 2.0) / 20.0))
        self._curve = float(rng.uniform(1.0, 1.8))
        pan = _PAN.get("hat_closed" if role in _CHOKES else role, 0.0) * rng.uniform(0.4, 1.2)
        angle = (pan + 1.0) * np.pi / 4.0
        self._pan = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2.0))
        self._samples: dict[Path, NDArray[np.float32]] = {}

    def hit(self, strength: float) -> NDArray[np.float32]:
        """One hit, shape ``(2, n)``, at a velocity from 0 to 1."""
        layers = self._instrument.layers
        fitting = [layer for layer in layers if layer.low <= strength <= layer.high]
        layer = fitting[0] if fitting else min(layers, key=lambda one: abs((one.low + one.high) / 2 - strength))
        if layer.path not in self._samples:
            self._samples[layer.path] = self._read(layer.path)
        return self._samples[layer.path] * np.float32(self._gain * layer.gain * strength**self._curve)

    def _read(self, path: Path) -> NDArray[np.float32]:
        import soxr

        y, rate = load(path)
        y = np.repeat(y, 2, axis=0) if y.shape[0] == 1 else y[:2]
        y = soxr.resample(y.T, rate * self._tuning, self._sr, quality="HQ").T
        return (y * self._pan).astype(np.float32)


def _choke(hats: NDArray[np.float32], start: int, end: int, sr: int) -> None:
    """Fade what rings from `start` on to nothing."""
    n_fade = min(int(_FADE_S * sr), end - start)
    hats[:, start : start + n_fade] *= np.linspace(1.0, 0.0, n_fade, dtype=np.float32)
    hats[:, start + n_fade : end] = 0.0


def _role(name: str) -> str | None:
    lower = name.lower()
    return next((role for role, pattern in _ROLES if re.search(pattern, lower)), None)


def _instrument(element: ElementTree.Element, folder: Path) -> Instrument:
    volume = _number(element, "volume", 1.0) * _number(element, "gain", 1.0)
    described = list(element.iter("layer"))
    layers = [_layer(layer, folder, volume) for layer in described] or [_layer(element, folder, volume)]
    return Instrument(element.findtext("name") or "", tuple(layer for layer in layers if layer is not None))


def _layer(element: ElementTree.Element, folder: Path, volume: float) -> Layer | None:
    """Return a layer, or None where its sample is missing, empty by name, or outside the kit."""
    name = element.findtext("filename") or ""
    path = (folder / name).resolve()
    if not name or name.startswith("emptySample") or not path.is_relative_to(folder) or not path.is_file():
        return None
    gain = _number(element, "gain", 1.0) if element.tag == "layer" else 1.0
    return Layer(path, _number(element, "min", 0.0), _number(element, "max", 1.0), gain * volume)


def _number(element: ElementTree.Element, tag: str, default: float) -> float:
    try:
        return float(element.findtext(tag) or default)
    except ValueError:
        return default
