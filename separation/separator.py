"""Audio in, stems out: one object that keeps its network warm between files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from separation.backend import load_keras, usable_cores
from separation.decode import Samples
from separation.errors import AudioInvalid, ConfigInvalid, StemUnknown
from separation.models import DEFAULT, load_masker, source_id, spec
from separation.resampling import StreamResampler, resample_blocks, resampled_length
from separation.streaming import Separation

if TYPE_CHECKING:
    from separation.source import AudioSource
    from separation.spleeter.config import MaskExtension

BLOCK_S = 20.0
"""Seconds of audio fed at a time when a whole signal is separated."""
MOST_WORKERS = 4
"""Chunks worked on at a time, at most: each needs some hundred megabytes."""


class Separator:
    """Separates music into the stems of one model.

    Parameters
    ----------
    model
        Model name, see `separation.models.available`, or the path of a Spleeter configuration (``….json``).
    weights
        Folder to take the weights from, before ``$MIR_MODELS``, pulled models and the package.
    precision
        Arithmetic of the network: ``float32``, or ``bfloat16`` where the processor has it.
    mask_extension
        Spleeter's models only: masks above the network's highest bin, ``zeros`` (as shipped) or ``average``.
    mwf
        Spleeter's models only: refine the stems with a multichannel Wiener filter. It hears the whole file at once,
        so memory grows with its length.

    Raises
    ------
    ModelUnknown, WeightsMissing, WeightsDamaged
        Where the model cannot be had; it never runs without verified weights.
    PrecisionUnsupported
        Where this machine has no arithmetic of that precision.
    ConfigInvalid
        An option that this model has no use for.

    Examples
    --------
    >>> from separation import Separator
    >>> separator = Separator("mir-4s")
    >>> y = np.zeros((2, 44100), dtype=np.float32)
    >>> sorted(separator.separate(y, 44100))
    ['bass', 'drums', 'other', 'vocals']
    """

    def __init__(
        self,
        model: str | Path = DEFAULT,
        weights: str | Path | None = None,
        *,
        precision: str = "float32",
        mask_extension: MaskExtension | None = None,
        mwf: bool = False,
    ) -> None:
        self._n_workers = min(MOST_WORKERS, usable_cores())
        self.model = str(model)
        self.spec = spec(self.model, weights)
        self.stems = self.spec.stems
        self.sr = self.spec.sr
        self.source_id = source_id(self.model, weights, precision)
        load_keras(n_calls=self._n_workers)
        self._masker = load_masker(self.model, weights, precision=precision, mask_extension=mask_extension)
        if mwf and not hasattr(self._masker, "estimates"):
            raise ConfigInvalid(f"{self.model} has no Wiener filter; mwf is for Spleeter's models")
        self._mwf = mwf

    def separate(self, y: Samples, sr: int, *, stems: Sequence[str] | None = None) -> dict[str, Samples]:
        """Separate a whole signal.

        Parameters
        ----------
        y
            Samples, shape ``(n_channels, n_samples)``; any number of channels (each keeps its own share of
            every stem), not changed.
        sr
            Sample rate in Hz; other rates than the model's are resampled there and back.
        stems
            Stems wanted; None means all. Fewer are faster.

        Returns
        -------
        stems
            ``{stem: float32 (n_channels, n_samples)}``. Those of `mir-4s` add up to the mixture. Spleeter's models
            take mono for stereo and return stereo, as Spleeter does.

        Raises
        ------
        AudioInvalid
            Where `y` is no audio: no channels, no samples, not two-dimensional, a rate below 1 Hz.
        StemUnknown
            A stem that the model does not give.
        """
        _check(y, sr)
        step = max(1, int(BLOCK_S * sr))
        blocks = (y[:, start : start + step] for start in range(0, y.shape[-1], step))
        out: dict[str, Samples] = {}
        at = 0
        for chunk in self.stream(blocks, sr=sr, stems=stems):
            for stem, part in chunk.items():
                if stem not in out:
                    out[stem] = np.empty((part.shape[0], y.shape[-1]), np.float32)
                out[stem][:, at : at + part.shape[-1]] = part
            at += part.shape[-1]
        return out

    def stream(
        self,
        source: str | Path | BinaryIO | Iterable[Samples],
        *,
        sr: int | None = None,
        sr_out: int | None = None,
        offset_s: float = 0.0,
        duration_s: float | None = None,
        stems: Sequence[str] | None = None,
    ) -> Iterator[dict[str, Samples]]:
        """Separate a signal of any length in bounded memory.

        Parameters
        ----------
        source
            A path, an open file, or consecutive stretches of one signal, each ``(n_channels, n)`` with any ``n``.
        sr
            Sample rate of stretches, in Hz; files have their own.
        sr_out
            Sample rate of the stems, in Hz; None means that of the source.
        offset_s, duration_s
            Part to separate, in seconds; None goes to the end.
        stems
            Stems wanted; None means all. Fewer are faster.

        Yields
        ------
        chunk
            ``{stem: float32 (n_channels, n)}``; all chunks put together are as long as the signal, and what comes
            out does not depend on where stretches were cut.

        Raises
        ------
        AudioMissing, AudioUnreadable
            The file is not there, or holds no audio.
        AudioInvalid
            Stretches without a rate or of changing shape, or an impossible part.
        StemUnknown
            A stem that the model does not give.
        """
        from separation.source import open_source

        self.check_stems(stems)
        with open_source(source, sr=sr, offset_s=offset_s, duration_s=duration_s) as audio:
            yield from self.run(audio, sr_out=sr_out, stems=stems)

    def run(
        self,
        audio: AudioSource,
        *,
        sr_out: int | None = None,
        stems: Sequence[str] | None = None,
        with_mixture: bool = False,
    ) -> Iterator[dict[str, Samples]]:
        """Separate an open source; see `stream`.

        Parameters
        ----------
        with_mixture
            Add to each chunk the stretch of the source that it was made of, as ``mixture``: of its rate and channels.
        """
        wanted = self.check_stems(stems)
        sr_out = sr_out or audio.sr
        source = _Tee(self._stereo(audio.blocks), audio.sr, sr_out if with_mixture else None)
        blocks = _resampled(source, audio.sr, self.sr)
        separated = self._wiener(blocks, wanted) if self._mwf else self._separation(wanted).run(blocks)
        n_given = 0
        y = np.zeros((len(wanted), self.n_channels_out(audio.n_channels), 0), np.float32)
        for y in _resampled(separated, self.sr, sr_out):
            # there and back, rounding may have made or lost a sample
            fitting = y[..., : source.n_samples(sr_out) - n_given]
            n_given += fitting.shape[-1]
            yield source.beside(dict(zip(wanted, fitting, strict=True)), fitting.shape[-1])
        missing = source.n_samples(sr_out) - n_given
        if missing:
            yield source.beside(dict(zip(wanted, np.zeros((*y.shape[:-1], missing), np.float32), strict=True)), missing)

    def n_channels_out(self, n_channels: int) -> int:
        """Channels of the stems of a source with `n_channels`: as many; two where mono is taken for stereo."""
        return 2 if n_channels == 1 and self._masker.duplicates_mono else n_channels

    def check_stems(self, stems: Sequence[str] | None) -> tuple[str, ...]:
        """Return the stems that were asked for, all where that is None.

        Raises
        ------
        StemUnknown
            One that the model does not give.
        """
        if stems is None:
            return self.stems
        for stem in stems:
            if stem not in self.stems:
                raise StemUnknown(f"{self.model} gives no stem {stem!r}: choose from {', '.join(self.stems)}")
        return tuple(dict.fromkeys(stems))

    def _separation(self, wanted: Sequence[str]) -> Separation:
        return Separation(self._masker, wanted, self._n_workers)

    def _stereo(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        for y in blocks:
            yield np.repeat(y, 2, axis=0) if y.shape[0] == 1 and self._masker.duplicates_mono else y

    def _wiener(self, blocks: Iterable[Samples], wanted: Sequence[str]) -> Iterator[Samples]:
        from separation.spleeter.masker import SpleeterMasker
        from separation.spleeter.wiener import separate

        parts = list(blocks)
        if parts and parts[0].shape[0] != 2:
            raise AudioInvalid(
                f"the Wiener filter is for mono and stereo, not {parts[0].shape[0]} channels: leave mwf out"
            )
        if parts and isinstance(self._masker, SpleeterMasker):
            stems = separate(np.concatenate(parts, axis=1), self._masker)
            yield stems[[self.stems.index(stem) for stem in wanted]]


class _Tee:
    """Blocks of samples on their way to the network, counted, and kept at `sr_out` for whoever wants them beside."""

    def __init__(self, blocks: Iterable[Samples], sr: int, sr_out: int | None) -> None:
        self._blocks, self._sr, self._sr_out = blocks, sr, sr_out
        self._n_in = 0
        self._kept: list[Samples] = []
        self._resampler: StreamResampler | None = None

    def __iter__(self) -> Iterator[Samples]:
        for block in self._blocks:
            self._n_in += block.shape[-1]
            if self._sr_out is not None:
                self._resampler = self._resampler or StreamResampler(self._sr, self._sr_out, block.shape[0])
                self._kept.append(self._resampler.push(block))
            yield block
        if self._resampler is not None:
            self._kept.append(self._resampler.finish())

    def n_samples(self, sr_out: int) -> int:
        """Samples that have passed, counted at another rate."""
        return resampled_length(self._n_in, self._sr, sr_out)

    def beside(self, stems: dict[str, Samples], n_samples: int) -> dict[str, Samples]:
        """Add the next samples that were kept to a chunk of stems."""
        if self._sr_out is None:
            return stems
        kept = np.concatenate(self._kept, axis=-1)
        self._kept = [kept[:, n_samples:]]
        return {**stems, "mixture": kept[:, :n_samples]}


def _resampled(blocks: Iterable[Samples], sr: int, sr_out: int) -> Iterator[Samples]:
    """Blocks ``(..., n_channels, n)`` at another rate."""
    if sr == sr_out:
        yield from blocks
        return
    lead: tuple[int, ...] = ()

    def flat() -> Iterator[Samples]:
        nonlocal lead
        for y in blocks:
            lead = y.shape[:-1]
            yield y.reshape(-1, y.shape[-1])

    for y in resample_blocks(flat(), sr, sr_out):
        yield y.reshape(*lead, -1)


def _check(y: Samples, sr: int) -> None:
    if y.ndim != 2 or 0 in y.shape:
        raise AudioInvalid(f"audio is (n_channels, n_samples) with at least one of each, got shape {y.shape}")
    if sr < 1:
        raise AudioInvalid(f"a sample rate is at least 1 Hz, got {sr}")
    if y.shape[0] > y.shape[1] and y.shape[0] > 32:
        raise AudioInvalid(
            f"{y.shape[0]} channels of {y.shape[1]} samples look transposed; audio is (n_channels, n_samples)"
        )
