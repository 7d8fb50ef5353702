"""`mir separate`: stems as files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mir.cli.console import JsonOption, PrecisionOption, print_json, progress, stderr

if TYPE_CHECKING:
    from mir.stem_files import Choice, Job
    from mir.stem_writing import Options, Separated
    from separation.separator import Separator

_SUBTYPES = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("separate")(separate_command)


def separate_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="AUDIO|FOLDER...", help="Files and folders.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Writes DIR/<track>/<stem>.<codec>.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model, run folder or Spleeter .json (default: mir-4s).", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="DIR", help="Folder with the weights.", show_default=False)
    ] = None,
    stems: Annotated[
        str | None, typer.Option("--stems", metavar="A,B", help="Only these stems.", show_default=False)
    ] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option("--minus", metavar="A,B", help="The mixture without these; may be repeated.", show_default=False),
    ] = None,
    codec: Annotated[
        str, typer.Option("--codec", metavar="NAME", help="wav, flac, mp3, ogg, opus, m4a, or stem.mp4 (one for all).")
    ] = "wav",
    bit_depth: Annotated[
        str | None,
        typer.Option("--bit-depth", metavar="16|24|float", help="Of wav and flac (default: 16).", show_default=False),
    ] = None,
    bit_rate: Annotated[
        str | None,
        typer.Option("--bitrate", metavar="RATE", help="Of lossy codecs, as 192k.", show_default=False),
    ] = None,
    sample_rate: Annotated[
        int | None,
        typer.Option(
            "--sample-rate", metavar="HZ", min=1, help="Of the stems (default: the input's).", show_default=False
        ),
    ] = None,
    offset: Annotated[float, typer.Option("--offset", metavar="S", min=0, help="Begin here, in seconds.")] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="S", help="Separate so many seconds (default: all).", show_default=False),
    ] = None,
    filename_format: Annotated[
        str | None,
        typer.Option(
            "--filename-format", metavar="PATTERN",
            help="Path of a stem below DIR (default: {filename}/{instrument}.{codec}); also {foldername}.",
            show_default=False,
        ),
    ] = None,
    clip_mode: Annotated[
        str | None,
        typer.Option(
            "--clip-mode", metavar="clamp|rescale|none",
            help="Beyond full scale: cut off, turn the track's stems down, or keep (float only).", show_default=False,
        ),
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out files whose stems are all there.")
    ] = False,
    tags: Annotated[bool, typer.Option("--tags/--no-tags", help="Carry the input's tags and cover over.")] = True,
    precision: PrecisionOption = None,
    mask_extension: Annotated[
        str | None,
        typer.Option(
            "--mask-extension", metavar="zeros|average", help="Spleeter: above 11 (16) kHz.", show_default=False
        ),
    ] = None,
    mwf: Annotated[
        bool, typer.Option("--mwf", help="Spleeter: multichannel Wiener filter; the whole file in memory.")
    ] = False,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Take audio files apart into stems, written as files."""
    from mir.config import setting
    from mir.stem_files import choose, plan
    from mir.stem_writing import divide
    from separation.models import label, spec

    name, arithmetic = str(setting("model", model).value), str(setting("precision", precision).value)
    choice = choose(spec(name, weights).stems, _names(stems), [_names(group) or () for group in minus or ()])
    options = _options(
        choice, codec=codec, bit_depth=bit_depth, bit_rate=bit_rate, pattern=filename_format, clip_mode=clip_mode,
        sr=sample_rate, offset_s=offset, duration_s=duration, skip_existing=skip_existing, tags=tags,
    )  # fmt: skip
    planned = plan(paths, out)
    work = divide(planned.jobs, options)
    show = _Shown(label(name, weights), as_json=as_json)
    for done in work.skipped:
        show.separated(done)
    for failure in planned.failures:
        show.failed(failure.path, failure.error)
    if work.jobs:
        from separation.separator import Separator

        separator = Separator(name, weights, **_model_options(arithmetic, mask_extension, mwf=mwf))
        try:
            _separate(work.jobs, separator, options, show)
        except KeyboardInterrupt:
            kept = "files that were done are kept, and --skip-existing goes on from there"
            stderr().print(f"interrupted; {kept}", soft_wrap=True)
            raise typer.Exit(130) from None
    show.finish()


def _separate(jobs: list[Job], separator: Separator, options: Options, show: _Shown) -> None:
    from mir.scan import Failure
    from mir.stem_writing import separate_files

    audio_s = separate_s = 0.0
    n_done = 0
    with progress("separate", quiet="MIR_QUIET" in os.environ) as bar:
        task = bar.add_task("", total=len(jobs), rate="")

        def started(job: Job) -> None:
            bar.update(task, description=job.path.name)

        def advanced(done_s: float, total_s: float | None) -> None:
            share = min(0.99, done_s / total_s) if total_s else 0.0
            bar.update(task, completed=n_done + share)

        for result in separate_files(jobs, separator, options, on_start=started, on_progress=advanced):
            n_done += 1
            if isinstance(result, Failure):
                show.failed(result.path, result.error)
                bar.update(task, completed=n_done)
                continue
            audio_s += result.duration_s
            separate_s += result.separate_s
            bar.update(task, completed=n_done, rate=f"{audio_s / max(separate_s, 1e-9):.0f}× real time")
            show.separated(result)


class _Shown:
    """What the command prints: results as they come, failures once more at the end."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        self._model, self._as_json = model, as_json
        self._failures: list[tuple[str, str]] = []

    def separated(self, result: Separated) -> None:
        if self._as_json:
            times: dict[str, Any] = {
                "duration_s": round(result.duration_s, 3),
                "separate_s": round(result.separate_s, 3),
            }
            more = {"skipped": True} if result.skipped else times
            print_json({"input": result.input, "model": self._model, **more, "stems": result.stems})
        elif not result.skipped:
            sys.stdout.writelines(path + "\n" for path in dict.fromkeys(result.stems.values()))
            sys.stdout.flush()

    def failed(self, path: str, error: str) -> None:
        self._failures.append((path, error))
        if self._as_json:
            print_json({"input": path, "model": self._model, "error": error})

    def finish(self) -> None:
        console = stderr()
        for path, error in self._failures:
            console.print(f"failed: {path}: {error}", markup=False, soft_wrap=True)
        if self._failures:
            raise typer.Exit(1)


def _options(
    choice: Choice,
    *,
    codec: str,
    bit_depth: str | None,
    bit_rate: str | None,
    pattern: str | None,
    clip_mode: str | None,
    **more: Any,  # noqa: ANN401 - passed on by name
) -> Options:
    from mir.errors import BadRequest
    from mir.stem_files import CODECS, STEM_FILE, Layout
    from mir.stem_writing import CLIP_MODES, Options
    from separation.encode import Encoding
    from separation.errors import AudioInvalid

    if codec not in CODECS:
        raise BadRequest(f"unknown codec {codec!r}: choose from {', '.join(CODECS)}")
    if bit_depth is not None and bit_depth not in _SUBTYPES:
        raise BadRequest(f"no bit depth {bit_depth!r}: choose from {', '.join(_SUBTYPES)}")
    if bit_depth is not None and codec == STEM_FILE:
        raise BadRequest(f"{STEM_FILE} is AAC and has no bit depth")
    rate = _bit_rate(bit_rate)
    subtype = _SUBTYPES[bit_depth or "16"]
    try:
        encoding = None if codec == STEM_FILE else Encoding(codec, subtype, rate)
    except AudioInvalid as error:
        raise BadRequest(str(error)) from error
    if clip_mode is None:
        clip_mode = "none" if subtype == "FLOAT" else "clamp"
    for known in CLIP_MODES:
        if known == clip_mode:
            layout = None if pattern is None else Layout(pattern)
            return Options(choice, encoding, layout, known, rate if encoding is None else None, **more)
    raise BadRequest(f"no clip mode {clip_mode!r}: choose from {', '.join(CLIP_MODES)}")


def _model_options(precision: str, mask_extension: str | None, *, mwf: bool) -> dict[str, Any]:
    from mir.errors import BadRequest

    if mask_extension not in (None, "zeros", "average"):
        raise BadRequest(f"no mask extension {mask_extension!r}: choose from zeros, average")
    given = {"precision": precision, "mask_extension": mask_extension, "mwf": mwf}
    defaults = {"precision": "float32", "mask_extension": None, "mwf": False}
    return {key: value for key, value in given.items() if value != defaults[key]}


def _bit_rate(text: str | None) -> int | None:
    """Bits per second of `192k` or `192000`; None where the option was not given."""
    from mir.errors import BadRequest

    if text is None:
        return None
    number, unit = (text[:-1], 1000) if text[-1:] in "kK" else (text, 1)
    if not number.isascii() or not number.isdigit() or not int(number):
        raise BadRequest(f"a bit rate is a number of bits per second, as 192k or 192000: got {text!r}")
    return int(number) * unit


def _names(text: str | None) -> tuple[str, ...] | None:
    """Names between commas; None where the option was not given."""
    from mir.errors import BadRequest

    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise BadRequest(f"no stem named in {text!r}: give names with commas between them, as vocals,drums")
    return names
