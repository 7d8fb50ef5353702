"""Native Instruments' `.stem.mp4`: the mixture and four stems in one MP4, as DJ software opens it.

Five audio streams, of which ordinary players see the first, the mixture; a box `moov/udta/stem` holds JSON that names
the four others. FFmpeg writes the streams; it knows nothing of the box, which is added when it is done.

References
----------
Native Instruments, Stem file format specification, 2015; ISO/IEC 14496-12, ISO base media file format.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from separation.encode import Metered, chosen_bit_rate, publishing, telling
from separation.errors import AudioInvalid, AudioMissing, AudioUnreadable
from separation.samples import BLOCK_VALUES, Samples, check_rate
from separation.writers import AvTrack, abandon, open_output

STEM_SAMPLE_RATE_HZ = 44_100
"""Rate of every stream of a file that we write."""

STEM_CODECS = ("aac", "alac")
"""What the streams may be encoded with."""

_ORDER = ("drums", "bass", "other", "vocals")
_COLOURS = ("#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_NO_MASTERING = {
    "compressor": {
        "enabled": False, "input_gain": 0.5, "output_gain": 0.5, "threshold": 0, "dry_wet": 50,
        "attack": 0.003, "release": 0.3, "ratio": 3, "hp_cutoff": 300,
    },
    "limiter": {"enabled": False, "release": 0.05, "threshold": 0, "ceiling": -0.35},
}  # fmt: skip
"""What a player would do to the sum of the stems; nothing, as ours sum to the mixture."""

_MOST_JSON_BYTES = 1 << 20
_MOST_BOXES = 10_000


class StemWriter(Metered):
    """A `.stem.mp4` in the making; `open_stem_writer` gives it."""

    def __init__(
        self, target: Path, sr: int, stems: Sequence[str], unfinished: Path, codec: str, bit_rate: int
    ) -> None:
        super().__init__(target, clamp=True)
        self.stems = tuple(stems)
        # MP4 counts its end in milliseconds unless told to count in samples
        self._container = open_output(unfinished, "ipod", {"movie_timescale": str(STEM_SAMPLE_RATE_HZ)})
        sample_format = "s16p" if codec == "alac" else None
        self._tracks = [
            AvTrack(self._container, codec, sr, STEM_SAMPLE_RATE_HZ, 2, bit_rate, sample_format)
            for _ in ("mixture", *stems)
        ]

    def write(self, mixture: Samples, stems: Mapping[str, Samples]) -> None:
        """Add samples to all five streams.

        Parameters
        ----------
        mixture : float32, (1 or 2, n_samples)
            Any number of samples; full scale is ±1; mono is written to both channels.
        stems
            Name → samples, each of the mixture's shape.

        Raises
        ------
        AudioInvalid
            Other stems than the file was opened for, another shape, or samples that are no numbers.
        WriteFailed
            The system refuses: the disk is full.
        """
        if set(stems) != set(self.stems):
            raise AudioInvalid(f"{self._target.name!r} takes the stems {', '.join(self.stems)}: got {', '.join(stems)}")
        streams = [mixture, *(stems[stem] for stem in self.stems)]
        if mixture.ndim != 2 or mixture.shape[0] not in (1, 2) or any(y.shape != mixture.shape for y in streams):
            raise AudioInvalid(
                f"{self._target.name!r} takes mono or stereo, (1 or 2, n_samples), mixture and stems alike:"
                f" got {', '.join(str(y.shape) for y in streams)}"
            )
        step = BLOCK_VALUES // 2
        for start in range(0, mixture.shape[1], step):
            blocks = [self._checked(y[:, start : start + step]) for y in streams]
            with telling(self._target):
                for track, block in zip(self._tracks, blocks, strict=True):
                    track.write(np.repeat(block, 2, axis=0) if block.shape[0] == 1 else block)

    def close(self) -> None:
        """Let go of the file, finished or not."""
        abandon(self._container)

    def _finish(self) -> None:
        self._end()
        with telling(self._target):
            for track in self._tracks:
                track.finish()
            self._container.close()


@contextmanager
def open_stem_writer(
    path: str | Path,
    sr: int,
    stems: Sequence[str],
    *,
    codec: str = "aac",
    bit_rate: int | None = None,
    names: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    before_publish: Callable[[Path], None] | None = None,
) -> Iterator[StemWriter]:
    """Open a `.stem.mp4` for writing in blocks; it appears complete, as with `open_writer`.

    The streams are the mixture, then drums, bass, other and vocals (stems of other names come last), all stereo at
    44.1 kHz; other rates are resampled.

    Parameters
    ----------
    path
        Its name; DJ software looks for `.stem.mp4`.
    sr
        Rate of the samples, Hz.
    stems
        The four stems, in any order.
    codec
        `aac` or `alac` (lossless, 16 bits).
    bit_rate
        Of each AAC stream, bits per second; None is 256,000.
    names, colours
        Stem → the name and the `#RRGGBB` colour that DJ software shows, where not the stem's own name and the
        format's usual colour.
    before_publish
        Called with the complete file, which has a temporary name yet: the place to add tags.

    Raises
    ------
    AudioInvalid
        Not four stems, an unknown codec, a bit rate or colour that cannot be; on leaving: not one sample was given.
    WriteFailed
        The system refuses: no such folder can be made, the disk is full.
    """
    target = Path(path)
    if len(stems) != len(_ORDER) or len(set(stems)) != len(_ORDER):
        raise AudioInvalid(f"a .stem.mp4 holds exactly four stems: got {', '.join(stems) or 'none'}")
    if codec not in STEM_CODECS:
        raise AudioInvalid(f"a .stem.mp4 has no codec {codec!r}: choose from {', '.join(STEM_CODECS)}")
    if codec == "alac" and bit_rate is not None:
        raise AudioInvalid("alac is lossless and has no bit rate: leave it out, or choose aac")
    check_rate(sr)
    chosen = chosen_bit_rate("m4a", STEM_SAMPLE_RATE_HZ, 2, bit_rate)
    ordered = sorted(stems, key=lambda stem: (*_ORDER, stem).index(stem))
    manifest = _manifest(ordered, names or {}, colours or {})
    with publishing(target, before_publish) as unfinished:
        with telling(target):
            writer = StemWriter(target, sr, ordered, unfinished, codec, chosen)
        with closing(writer):
            yield writer
            writer._finish()
        with telling(target):
            _add_stem_box(unfinished, manifest)


def read_stem_box(path: str | Path) -> dict[str, Any]:
    """Read what a `.stem.mp4` says of its stems, the JSON of `moov/udta/stem`.

    Returns
    -------
    dict
        `stems`: a list of `{"name", "color"}`, in the order of the streams after the mixture; `mastering_dsp`;
        `version`.

    Raises
    ------
    AudioMissing
        There is no such file.
    AudioUnreadable
        It is no MP4, a damaged one, or one without that box.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            payload = _stem_payload(file)
        document = None if payload is None else json.loads(payload)
    except FileNotFoundError as error:
        raise AudioMissing(f"no such audio file: {source}") from error
    except OSError as error:
        raise AudioUnreadable(f"{source} cannot be opened: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise AudioUnreadable(f"{source} is a damaged MP4, or has a damaged stem box: {error}") from error
    if document is None:
        raise AudioUnreadable(f"{source} has no box moov/udta/stem: it is no Native Instruments stem file")
    stems = document.get("stems") if isinstance(document, dict) else None
    if not isinstance(stems, list) or not all(isinstance(stem, dict) for stem in stems):
        raise AudioUnreadable(f"{source} has a stem box that lists no stems")
    return dict(document)


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a box of an MP4 lies in its file: its start, the end of its header, its end."""

    kind: bytes
    start: int
    body: int
    end: int


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    """Boxes side by side between two places of a file; a ValueError where they do not fit."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        body = start + 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack(">Q", head[8:])
            body = start + 16
        elif size == 0:
            size = end - start
        if not body <= start + size <= end:
            raise ValueError(f"a box of {size} bytes at {start} does not fit")
        yield _Box(kind, start, body, start + size)
        start += size
    raise ValueError(f"more than {_MOST_BOXES} boxes side by side")


def _child(file: BinaryIO, parent: _Box | None, kind: bytes) -> _Box | None:
    """First box of a kind in another one."""
    if parent is None:
        return None
    return next((box for box in _boxes(file, parent.body, parent.end) if box.kind == kind), None)


def _whole(file: BinaryIO) -> _Box:
    """Treat the file as a box without a header."""
    return _Box(b"file", 0, 0, file.seek(0, 2))


def _stem_payload(file: BinaryIO) -> bytes | None:
    moov = _child(file, _whole(file), b"moov")
    stem = _child(file, _child(file, moov, b"udta"), b"stem")
    if stem is None:
        return None
    if stem.end - stem.body > _MOST_JSON_BYTES:
        raise ValueError(f"{stem.end - stem.body} bytes of JSON")
    file.seek(stem.body)
    return file.read(stem.end - stem.body)


def _add_stem_box(path: Path, manifest: bytes) -> None:
    """Put the box at the end of `moov/udta`; FFmpeg writes `moov` last, so no sample moves."""
    with path.open("r+b") as file:
        moov = _child(file, _whole(file), b"moov")
        udta = _child(file, moov, b"udta")
        if moov is None or udta is None or moov.end != file.seek(0, 2):
            raise AudioInvalid(f"{path} does not end with a moov box that has a udta box")
        box = struct.pack(">I4s", 8 + len(manifest), b"stem") + manifest
        file.seek(udta.end)
        behind = file.read()
        file.seek(udta.end)
        file.write(box + behind)
        for grown in (moov, udta):
            file.seek(grown.start)
            file.write(struct.pack(">I", grown.end - grown.start + len(box)))


def _manifest(stems: Sequence[str], names: Mapping[str, str], colours: Mapping[str, str]) -> bytes:
    """JSON of the stem box, in the order of the streams."""
    listed = []
    for stem, usual in zip(stems, _COLOURS, strict=True):
        colour = colours.get(stem, usual)
        if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
            raise AudioInvalid(f"the colour of {stem} is #RRGGBB: got {colour!r}")
        listed.append({"name": names.get(stem, stem.capitalize()), "color": colour})
    return json.dumps({"mastering_dsp": _NO_MASTERING, "version": 1, "stems": listed}).encode()
