"""Audio files: look, load, resample, save, and recognise the same recording under new tags.

Audio in memory is float32 `(n_channels, n_samples)` with its sample rate beside it; nothing has a default rate.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from separation.decode import AudioInfo, Samples, audio_stream, open_audio, open_container
from separation.encode import SAVE_SUFFIXES, save
from separation.errors import AudioInvalid, AudioUnreadable

__all__ = [
    "AUDIO_SUFFIXES",
    "SAVE_SUFFIXES",
    "AudioInfo",
    "Samples",
    "check_samples",
    "load",
    "packet_hash",
    "probe",
    "resample",
    "save",
]

AUDIO_SUFFIXES = frozenset(
    {
        ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".au", ".caf",
        ".dsf", ".eac3", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp2", ".mp3",
        ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".ra", ".spx", ".tta", ".w64", ".wav",
        ".webm", ".wma", ".wv",
    }
)  # fmt: skip
"""Suffixes, lower case, of files worth looking into when a folder is searched; `load` itself goes by content."""

logger = logging.getLogger(__name__)


def probe(path: str | Path) -> AudioInfo:
    """Duration, rate, channels and codec of a file's first audio stream, without decoding it.

    Raises
    ------
    AudioMissing, AudioUnreadable
        No such file; no audio in it.
    """
    with open_audio(path) as reader:
        return reader.info


def load(
    path: str | Path,
    *,
    sr: int | None = None,
    offset_s: float = 0.0,
    duration_s: float | None = None,
    stream: int = 0,
) -> tuple[Samples, int]:
    """Decode one audio stream of a file.

    Encoder delay and padding are removed as the container declares them, so the streams of one file align and have
    one length. Of a truncated file comes what can be decoded, with a logged warning; samples that are no numbers
    become 0, with a logged warning.

    Parameters
    ----------
    path
        Any audio file, or a video with sound; its content decides, not its name.
    sr
        Rate to resample to, Hz; None keeps the file's own.
    offset_s, duration_s
        Part to read, in seconds of the file; None reads to the end.
    stream
        Number among the audio streams: of a `.stem.mp4` 0 is the mixture, 1 to 4 are the stems.

    Returns
    -------
    y : float32, (n_channels, n_samples)
        Samples, full scale ±1, channels as the file has them.
    sr : int
        Their rate, Hz.

    Raises
    ------
    AudioMissing
        There is no such file.
    AudioUnreadable
        Nothing in it can be decoded, or it ends before `offset_s`.
    AudioInvalid
        An impossible `sr`, `offset_s` or `duration_s`.
    """
    if sr is not None:
        _check_rate(sr)
    if not 0 <= offset_s < float("inf") or (duration_s is not None and not duration_s > 0):
        raise AudioInvalid(f"offset_s={offset_s}, duration_s={duration_s}: needs offset_s >= 0 and duration_s > 0")
    y, rate, damaged = _decode(path, offset_s, duration_s, stream, exact=True)
    if damaged:
        # libsndfile stops at the first damage; FFmpeg gets further
        again, rate_again, _ = _decode(path, offset_s, duration_s, stream, exact=False)
        if rate_again == rate and again.shape[1] > y.shape[1]:
            y = again
    if not y.shape[1]:
        if offset_s > 0 and _decode(path, 0.0, None, stream, exact=False)[0].shape[1]:
            raise AudioUnreadable(f"{path} ends before {offset_s:g} s, where reading was to start")
        raise AudioUnreadable(f"{path} holds no audio that can be decoded (damaged, or without a single sample)")
    if damaged and duration_s is None:
        logger.warning(
            "%s is damaged or cut off: going on with the %.1f s that could be decoded", path, y.shape[1] / rate
        )
    y = _finite(y, path)
    return (y, rate) if sr is None else (resample(y, rate, sr), sr)


def resample(y: Samples, sr_from: int, sr_to: int) -> Samples:
    """Resample with soxr (HQ: flat to 0.913 of the lower Nyquist frequency, images below −120 dB).

    Parameters
    ----------
    y : float32, (n_channels, n_samples)
        Samples at `sr_from` Hz; left unchanged.

    Returns
    -------
    float32, (n_channels, round(n_samples * sr_to / sr_from))
        Samples at `sr_to` Hz; at least one where `y` has any.

    Raises
    ------
    AudioInvalid
        `y` is no audio, or a rate is impossible.
    """
    y = check_samples(y)
    _check_rate(sr_from)
    _check_rate(sr_to)
    if sr_from == sr_to:
        return y.copy()
    import soxr

    wanted = max(1, round(y.shape[1] * sr_to / sr_from))
    resampled: Samples = np.zeros((y.shape[0], wanted), dtype=np.float32)
    for channel, samples in enumerate(y):  # soxr is faster on contiguous mono than on interleaved channels
        result = soxr.resample(np.ascontiguousarray(samples), sr_from, sr_to, quality="HQ")
        n = min(wanted, len(result))
        resampled[channel, :n] = result[:n]
    return resampled


def packet_hash(path: str | Path) -> str:
    """Identity of a recording: SHA-256 (hex) over the encoded packets of its first audio stream.

    New tags, a new picture, a new name or place change nothing; encoding again does.

    Raises
    ------
    AudioMissing, AudioUnreadable
        No such file; no audio in it.
    """
    import av

    source = Path(path)
    digest = hashlib.sha256()
    n_packets = 0
    with open_container(source) as container:
        stream = audio_stream(source, container, 0)
        codec = stream.codec_context
        # raw PCM of another rate or width may have the same bytes
        digest.update(f"{codec.name} {codec.sample_rate} {codec.channels}\n".encode())
        try:
            for packet in container.demux(stream):
                if packet.size:
                    digest.update(packet)
                    n_packets += 1
        except (av.FFmpegError, OSError):
            logger.debug("%s: packets end early", source)
    if not n_packets:
        raise AudioUnreadable(f"{source} holds no audio packets")
    return digest.hexdigest()


def check_samples(y: Samples) -> Samples:
    """Return `y` as float32 where it is audio of the one layout.

    Raises
    ------
    AudioInvalid
        Not a two-dimensional array of real numbers, or without channels or samples.
    """
    array = np.asarray(y)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or not array.size:
        raise AudioInvalid(
            f"audio is float32 (n_channels, n_samples), at least 1 × 1: got {array.dtype} {array.shape}"
            + ("; one channel is y[None, :]" if array.ndim == 1 else "")
        )
    return array.astype(np.float32, copy=False)


def _decode(
    path: str | Path, offset_s: float, duration_s: float | None, stream: int, *, exact: bool
) -> tuple[Samples, int, bool]:
    """Samples of the wanted part, their rate, and whether the file was found damaged."""
    with open_audio(path, stream, exact=exact) as reader:
        rate = reader.info.sample_rate_hz
        wanted = None if duration_s is None else max(1, round(duration_s * rate))
        parts: list[Samples] = []
        n = 0
        for block in reader.blocks(round(offset_s * rate)):
            parts.append(block if wanted is None else block[:, : wanted - n])
            n += parts[-1].shape[1]
            if wanted is not None and n >= wanted:
                break
        if not parts:
            return np.zeros((reader.info.n_channels, 0), dtype=np.float32), rate, True
        return np.concatenate(parts, axis=1), rate, reader.damaged


def _finite(y: Samples, path: str | Path) -> Samples:
    good = np.isfinite(y)
    if good.all():
        return y
    logger.warning("%s has %d samples that are no numbers (NaN or infinite): they count as 0", path, int((~good).sum()))
    return np.where(good, y, np.float32(0.0))


def _check_rate(sr: int) -> None:
    if not 1 <= sr <= 10_000_000:
        raise AudioInvalid(f"a sample rate is a number of Hz above 0: got {sr}")
