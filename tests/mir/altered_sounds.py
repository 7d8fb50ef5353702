"""The same recording as it may come twice: louder, resampled, upside down, in mono, as MP3."""

from __future__ import annotations

import numpy as np
import soxr

from separation.audio import load
from separation.encode import Encoding, open_writer


def gain(decibels):
    return lambda signals, sr, _folder: (
        {name: y * np.float32(10 ** (decibels / 20)) for name, y in signals.items()},
        sr,
    )


def resampled(signals, sr, _folder):
    target = 48_000 if sr == 44_100 else 44_100
    return {name: soxr.resample(y.T, sr, target).T.astype(np.float32) for name, y in signals.items()}, target


def upside_down(signals, sr, _folder):
    return {name: -y for name, y in signals.items()}, sr


def mono(signals, sr, _folder):
    return {name: y.mean(axis=0, keepdims=True) for name, y in signals.items()}, sr


def mp3(signals, sr, folder):
    """128 kbit/s; each signal on its own, and its delay cut off as every decoder does."""
    changed = {}
    for name, y in signals.items():
        peak = float(np.abs(y).max(initial=1e-6)) * 1.05
        path = folder / "altered.mp3"
        with open_writer(path, sr, y.shape[0], Encoding("mp3", bit_rate=128_000)) as writer:
            writer.write(y / np.float32(peak))
        changed[name] = load(path)[0][:, : y.shape[1]] * np.float32(peak)
    shortest = min(y.shape[1] for y in changed.values())
    return {name: y[:, :shortest] for name, y in changed.items()}, sr


ALTERATIONS = {
    "gain +20 dB": gain(20),
    "gain −20 dB": gain(-20),
    "resampled": resampled,
    "upside down": upside_down,
    "mono": mono,
    "MP3 128k": mp3,
}
