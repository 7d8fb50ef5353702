"""Audio files: look, load, resample, save, and recognise the same recording under new tags.

Audio in memory is float32 `(n_channels, n_samples)` with its sample rate beside it; nothing has a default rate.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from separation.decode import open_audio
from separation.encode import SAVE_SUFFIXES, save
from separation.errors import AudioUnreadable
from separation.ffmpeg import audio_stream, open_container, packets
from separation.files import AudioInfo, open_file
from separation.resampling import resample, resample_blocks
from separation.samples import Samples, check_rate, check_samples
from separation.source import open_source

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
    with open_file(path) as file, open_audio(file) as reader:
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
        check_rate(sr)
    with open_source(path, offset_s=offset_s, duration_s=duration_s, stream=stream) as source:
        rate = source.sr if sr is None else sr
        return np.concatenate(list(resample_blocks(source.blocks, source.sr, rate)), axis=1), rate


def packet_hash(path: str | Path) -> str:
    """Identity of a recording: SHA-256 (hex) over the encoded packets of its first audio stream.

    New tags, a new picture, a new name or place change nothing; encoding again does.

    Raises
    ------
    AudioMissing, AudioUnreadable
        No such file; no audio in it.
    """
    import av

    digest = hashlib.sha256()
    n_packets = 0
    with open_file(path) as file, open_container(file) as container:
        stream = audio_stream(file, container, 0)
        codec = stream.codec_context
        # raw PCM of another rate or width may have the same bytes
        digest.update(f"{codec.name} {codec.sample_rate} {codec.channels}\n".encode())
        try:
            for packet in packets(container, stream):
                if packet.size:
                    digest.update(packet)
                    n_packets += 1
        except (av.FFmpegError, OSError):
            logger.debug("%s: packets end early", path)
    if not n_packets:
        raise AudioUnreadable(f"{path} holds no audio packets")
    return digest.hexdigest()
