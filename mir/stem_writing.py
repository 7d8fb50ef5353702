"""From audio files to stem files, in a stream: decoding, separation and encoding go on at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from mir.errors import BadRequest, MirError
from mir.scan import Failure
from mir.stem_files import SEPARATE, STEM_FILE, STEMS_OF_A_STEM_FILE, TOGETHER, Choice, Job, Layout

if TYPE_CHECKING:
    from separation.encode import AudioWriter, Encoding
    from separation.samples import Samples
    from separation.source import AudioSource

ClipMode = Literal["clamp", "rescale", "none"]
CLIP_MODES: tuple[ClipMode, ...] = ("clamp", "rescale", "none")
Chunk = Mapping[str, "Samples"]
Write = Callable[[Chunk], None]
OnProgress = Callable[[float, float | None], None]


class Separates(Protocol):
    """What is needed of a separator."""

    def run(
        self, audio: AudioSource, *, sr_out: int | None, stems: Sequence[str] | None, with_mixture: bool
    ) -> Iterator[dict[str, Samples]]:
        """Stems of `audio` chunk by chunk, each `(n_channels, n_samples)`, with its ``mixture`` where wanted."""
        ...

    def n_channels_out(self, n_channels: int) -> int:
        """Channels of the stems of a source with `n_channels`."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How stems are written.

    Parameters
    ----------
    choice
        Which.
    encoding
        Format of each file; None writes all stems into one `.stem.mp4`.
    layout
        Where; None means the format's usual place.
    clip_mode
        What happens to samples beyond full scale: ``clamp`` cuts them off, ``rescale`` turns all stems of the track
        down by one gain until none is beyond, ``none`` leaves them (32-bit float only).
    bit_rate
        Of a `.stem.mp4`'s streams, bits per second; None is the format's usual.
    sr
        Sample rate of the stems, Hz; None keeps the input's.
    offset_s, duration_s
        Part of each input, in seconds.
    skip_existing
        Leave out inputs whose stems are all there.
    tags
        Carry the input's tags and cover over.
    """

    choice: Choice
    encoding: Encoding | None
    layout: Layout | None = None
    clip_mode: ClipMode = "clamp"
    bit_rate: int | None = None
    sr: int | None = None
    offset_s: float = 0.0
    duration_s: float | None = None
    skip_existing: bool = False
    tags: bool = True

    def __post_init__(self) -> None:
        is_float = self.encoding is not None and self.encoding.subtype == "FLOAT"
        if self.clip_mode == "none" and not is_float:
            raise BadRequest("clip mode none needs room beyond full scale: add --codec wav --bit-depth float")
        if self.encoding is None and (set(self.choice.stems) != set(STEMS_OF_A_STEM_FILE) or self.choice.minus):
            raise BadRequest(
                f"a {STEM_FILE} holds exactly {', '.join(STEMS_OF_A_STEM_FILE)}: use a model that gives these, "
                "without --stems or --minus"
            )

    def outputs(self, job: Job) -> dict[str, Path]:
        """Path of everything that a job writes, by stem.

        Raises
        ------
        BadRequest
            Two stems would share a file.
        """
        if self.encoding is None:
            path = (self.layout or TOGETHER).path(job, "stems", STEM_FILE)
            return dict.fromkeys(self.choice.outputs, path)
        layout, codec = self.layout or SEPARATE, self.encoding.codec
        paths = {name: layout.path(job, name, codec) for name in self.choice.outputs}
        if len({str(path).casefold() for path in paths.values()}) < len(paths):
            raise BadRequest(f"{layout.pattern!r} gives several stems one name: put {{instrument}} into it")
        return paths


@dataclass(frozen=True, slots=True)
class Separated:
    """One file done: name → path of what was written; `skipped` where it was there before."""

    input: str
    duration_s: float
    separate_s: float
    stems: dict[str, str]
    skipped: bool = False


@dataclass(slots=True)
class Work:
    """Jobs, and what became of them before anything was separated."""

    jobs: list[Job]
    skipped: list[Separated]


def divide(jobs: Iterable[Job], options: Options) -> Work:
    """Set jobs whose stems are all there aside, where that is wanted."""
    work = Work([], [])
    taken: dict[str, Job] = {}
    for job in jobs:
        outputs = options.outputs(job)
        for path in outputs.values():
            first = taken.setdefault(str(path).casefold(), job)
            if first is not job:
                raise BadRequest(
                    f"{first.shown} and {job.shown} would both be written to {path}: "
                    "put {filename} or {foldername} into --filename-format"
                )
        if options.skip_existing and all(path.is_file() for path in outputs.values()):
            stems = {name: str(path) for name, path in outputs.items()}
            work.skipped.append(Separated(job.shown, 0.0, 0.0, stems, skipped=True))
        else:
            work.jobs.append(job)
    return work


def separate_files(
    jobs: Iterable[Job],
    separator: Separates,
    options: Options,
    *,
    on_start: Callable[[Job], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Separated | Failure]:
    """Separate files one after the other; one that fails is reported, and the rest goes on.

    Parameters
    ----------
    jobs
        From `divide`.
    separator
        Loaded once, used for all.
    options
        How.
    on_start
        Called before each file.
    on_progress
        Called with the seconds of it that are done, and how many it has (None where it does not say).
    """
    from separation.errors import SeparationError

    for job in jobs:
        if on_start is not None:
            on_start(job)
        try:
            yield _separate_file(job, separator, options, on_progress)
        except (SeparationError, MirError, OSError) as error:
            yield Failure(job.shown, str(error))


def _separate_file(job: Job, separator: Separates, options: Options, on_progress: OnProgress | None) -> Separated:
    from separation.background import prefetched
    from separation.publishing import sweep
    from separation.source import open_source

    started = time.perf_counter()
    outputs = options.outputs(job)
    for folder in {path.parent for path in outputs.values()}:
        sweep(folder)
    n_samples = 0
    with open_source(job.path, offset_s=options.offset_s, duration_s=options.duration_s) as audio:
        sr = options.sr or audio.sr
        total_s = None if audio.n_samples_hint is None else audio.n_samples_hint / audio.sr
        ahead = replace(audio, blocks=prefetched(audio.blocks))
        wants_mixture = bool(options.choice.minus) or options.encoding is None
        chunks = separator.run(ahead, sr_out=sr, stems=options.choice.needed, with_mixture=wants_mixture)
        n_channels = separator.n_channels_out(audio.n_channels)
        files = _Files(job, outputs, sr, n_channels, options)
        opened = files.rescaled() if options.clip_mode == "rescale" else files.open()
        with closing(ahead.blocks), closing(prefetched(chunks, depth=2)) as ready, opened as write:
            for chunk in ready:
                whole = _with_rests(chunk, options.choice)
                n_samples += next(iter(whole.values())).shape[-1]
                write(whole)
                if on_progress is not None:
                    on_progress(n_samples / sr, total_s)
    took = time.perf_counter() - started
    return Separated(job.shown, n_samples / sr, took, {name: str(path) for name, path in outputs.items()})


def _with_rests(chunk: Chunk, choice: Choice) -> dict[str, Samples]:
    """Stems to write, and what is left of the mixture without some: nothing is lost where stems do not add up to it."""
    out = {stem: chunk[stem] for stem in choice.stems}
    for group, name in zip(choice.minus, choice.outputs[len(choice.stems) :], strict=True):
        rest = chunk["mixture"].copy()
        for stem in group:
            rest -= chunk[stem]
        out[name] = rest
    return out | ({"mixture": chunk["mixture"]} if "mixture" in chunk else {})


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one track."""

    job: Job
    outputs: Mapping[str, Path]
    sr: int
    n_channels: int
    options: Options

    @contextmanager
    def open(self) -> Iterator[Write]:
        """Give what writes a chunk to its files; they appear when the block ends well."""
        with ExitStack() as stack:
            if self.options.encoding is None:
                yield self._stem_file(stack)
            else:
                yield self._separate_files(stack, self.options.encoding)

    @contextmanager
    def rescaled(self) -> Iterator[Write]:
        """As `open`, with all stems turned down by one gain, known only at the end: scratch files come first."""
        from separation.encode import Encoding, open_writer
        from separation.publishing import scratch_folder
        from separation.source import open_source

        floats = Encoding("wav", "FLOAT")
        with scratch_folder(next(iter(self.outputs.values())).parent) as scratch:
            names = dict.fromkeys(
                (*self.options.choice.outputs, *(["mixture"] if self.options.encoding is None else []))
            )
            paths = {name: scratch / f"{number}.wav" for number, name in enumerate(names)}
            with ExitStack() as stack:
                writers = {
                    name: stack.enter_context(open_writer(path, self.sr, self.n_channels, floats, clamp=False))
                    for name, path in paths.items()
                }
                pool = stack.enter_context(ThreadPoolExecutor(len(writers), thread_name_prefix="scratch"))
                yield lambda chunk: _write_all(writers, chunk, pool)
            gain = np.float32(1.0 / max(1.0, *(writer.peak for writer in writers.values())))
            with self.open() as write, ExitStack() as stack:
                sources = [stack.enter_context(open_source(path)).blocks for path in paths.values()]
                for blocks in zip(*sources, strict=True):
                    write({name: gain * block for name, block in zip(paths, blocks, strict=True)})

    def _separate_files(self, stack: ExitStack, encoding: Encoding) -> Write:
        from separation.encode import open_writer

        clamp = self.options.clip_mode != "none"
        pool = stack.enter_context(ThreadPoolExecutor(len(self.outputs), thread_name_prefix="encode"))
        writers = {
            name: stack.enter_context(
                open_writer(path, self.sr, self.n_channels, encoding, clamp=clamp, before_publish=self._tagging(name))
            )
            for name, path in self.outputs.items()
        }
        return lambda chunk: _write_all(writers, chunk, pool)

    def _stem_file(self, stack: ExitStack) -> Write:
        from separation.stem_mp4 import open_stem_writer

        path = next(iter(self.outputs.values()))
        stems, bit_rate = STEMS_OF_A_STEM_FILE, self.options.bit_rate
        opened = open_stem_writer(path, self.sr, stems, bit_rate=bit_rate, before_publish=self._tagging(None))
        writer = stack.enter_context(opened)
        return lambda chunk: writer.write(chunk["mixture"], {stem: chunk[stem] for stem in stems})

    def _tagging(self, stem: str | None) -> Callable[[Path], None] | None:
        from mir.carry_tags import carry

        return (lambda path: carry(self.job.path, path, stem=stem)) if self.options.tags else None


def _write_all(writers: Mapping[str, AudioWriter], chunk: Chunk, pool: Executor) -> None:
    """Write to all files at once: encoders let go of Python's lock, and some take longer than separating does."""
    for done in [pool.submit(writer.write, chunk[name]) for name, writer in writers.items()]:
        done.result()
