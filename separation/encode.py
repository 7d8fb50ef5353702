"""From samples to a file: all of it or nothing, by suffix."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from separation.decode import Samples
from separation.errors import AudioInvalid

logger = logging.getLogger(__name__)

_BLOCK_SAMPLES = 1 << 16
_SNDFILE = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}
_BIT_RATES = {"aac": 256_000, "libmp3lame": 256_000, "libopus": 192_000}
_AV = {".m4a": ("ipod", "aac"), ".mp3": ("mp3", "libmp3lame"), ".opus": ("ogg", "libopus")}
_MOST_CHANNELS = {".wav": 1024, ".flac": 8, ".ogg": 255, ".m4a": 8, ".mp3": 2, ".opus": 8}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_RATES = {
    ".m4a": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    ".mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    ".opus": (48000,),
}

SAVE_SUFFIXES = frozenset(_MOST_CHANNELS)
"""Suffixes `save` knows."""


def save(path: str | Path, y: Samples, sr: int, *, subtype: str = "PCM_16") -> None:
    """Write audio; the suffix chooses the codec: wav, flac, ogg (Vorbis), m4a (AAC), mp3 or opus.

    The file appears under its name when it is complete, replacing an older one; the folder is made where missing.
    Samples beyond full scale are clipped, with a logged warning that counts them. m4a, mp3 and opus are resampled to
    the next rate they allow (opus: always 48 kHz).

    Parameters
    ----------
    y : float32, (n_channels, n_samples)
        Samples, full scale ±1; left unchanged.
    sr
        Their rate, Hz.
    subtype
        Sample format of wav and flac: `PCM_16`, `PCM_24`, for wav also `PCM_32` and `FLOAT` (which never clips).

    Raises
    ------
    AudioInvalid
        No audio, no such codec or subtype, or more channels than the codec holds.
    """
    from separation.audio import check_samples

    target = Path(path)
    suffix = target.suffix.lower()
    y = check_samples(y)
    if suffix not in SAVE_SUFFIXES:
        raise AudioInvalid(
            f"cannot write {target.name!r}: the suffix must be one of {', '.join(sorted(SAVE_SUFFIXES))}"
        )
    if y.shape[0] > _MOST_CHANNELS[suffix]:
        raise AudioInvalid(
            f"{suffix[1:]} holds at most {_MOST_CHANNELS[suffix]} channels, these are {y.shape[0]}: choose wav or flac"
        )
    if not np.isfinite(y).all():
        raise AudioInvalid(f"cannot write {target.name!r}: it has samples that are no numbers (NaN or infinite)")
    if suffix not in _SNDFILE or subtype not in ("FLOAT", "DOUBLE"):
        y = _clipped(y, target)
    if suffix in _SNDFILE:
        _atomically(target, lambda unfinished: _write_sndfile(unfinished, y, sr, suffix, subtype))
    else:
        _atomically(target, lambda unfinished: _write_av(unfinished, y, sr, suffix))


def _clipped(y: Samples, target: Path) -> Samples:
    n_clipped = int((np.abs(y) > 1.0).sum())
    if not n_clipped:
        return y
    logger.warning(
        "%s: %d of %d samples clipped to full scale (peak %.2f)", target, n_clipped, y.size, float(np.abs(y).max())
    )
    return np.clip(y, -1.0, 1.0)


def _atomically(target: Path, write: Callable[[Path], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.unfinished")
    try:
        write(unfinished)
        os.replace(unfinished, target)  # noqa: PTH105 - the one call that replaces on every system
    finally:
        unfinished.unlink(missing_ok=True)


def _write_sndfile(target: Path, y: Samples, sr: int, suffix: str, subtype: str) -> None:
    import soundfile

    wanted = "VORBIS" if suffix == ".ogg" else subtype
    kind = _SNDFILE[suffix]
    if not soundfile.check_format(kind, wanted):
        allowed = sorted(set(soundfile.available_subtypes(kind)) & {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"})
        raise AudioInvalid(f"{suffix[1:]} cannot hold {subtype!r}: use one of {', '.join(allowed)}")
    try:
        with soundfile.SoundFile(target, "w", samplerate=sr, channels=y.shape[0], format=kind, subtype=wanted) as sound:
            for start in range(
                0, y.shape[1], _BLOCK_SAMPLES
            ):  # libsndfile's Vorbis overflows its stack on one big write
                sound.write(_quantised(y[:, start : start + _BLOCK_SAMPLES], wanted).T)
    except soundfile.LibsndfileError as error:
        raise AudioInvalid(
            f"{suffix[1:]} cannot hold {y.shape[0]} channels at {sr} Hz: {error.error_string}"
        ) from error


def _quantised(y: Samples, subtype: str) -> NDArray[Any]:
    """Integers of a PCM subtype: libsndfile would scale by 32767 on writing and by 32768 on reading.

    Integer full scale is one step below +1; that step is no clipping worth a warning.
    """
    if not subtype.startswith("PCM_"):
        return y
    bits = int(subtype.removeprefix("PCM_"))
    steps = np.rint(y * np.float64(2 ** (bits - 1))).clip(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if bits == 16:
        return steps.astype(np.int16)
    return steps.astype(np.int64).astype(np.int32) << (32 - bits)


def _write_av(target: Path, y: Samples, sr: int, suffix: str) -> None:
    import av

    from separation.audio import resample

    rate = next((allowed for allowed in _RATES[suffix] if allowed >= sr), _RATES[suffix][-1])
    if rate != sr:
        y = resample(y, sr, rate)
    container_format, codec = _AV[suffix]
    av.logging.set_level(None)
    # MP4 counts its end in milliseconds unless told to count in samples
    options = {"movflags": "+faststart", "movie_timescale": str(rate)} if suffix == ".m4a" else {}
    try:
        with av.open(str(target.absolute()), "w", format=container_format, options=options) as container:
            stream = container.add_stream(codec, rate=rate, layout=_LAYOUTS[y.shape[0]])
            if rate >= 32_000:  # lower rates do not allow these; there the encoder's own choice is good
                stream.bit_rate = _BIT_RATES[codec]
            for start in range(0, y.shape[1], _BLOCK_SAMPLES):
                block = np.ascontiguousarray(y[:, start : start + _BLOCK_SAMPLES])
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_LAYOUTS[y.shape[0]])
                frame.sample_rate = rate
                frame.pts = start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise AudioInvalid(f"{suffix[1:]} cannot hold {y.shape[0]} channels at {sr} Hz: {error.strerror}") from error
