"""From stems to a track's rows: `describe` is the pure function that feature workers run, on one machine or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features import EXTRACTORS, Stems, extractor
from features.activity import active_ratio, is_silent
from features.errors import FeatureError, StemSilent
from mir.catalog.records import SpaceResult, StemRow

Samples = NDArray[np.float32]

MIXTURE = "mixture"


def describe(
    signals: Mapping[str, Samples],
    sr: int,
    source_id: str,
    wanted: Sequence[str],
    *,
    roles: Mapping[str, str] | None = None,
) -> tuple[list[StemRow], list[SpaceResult]]:
    """Measure everything that is wanted of one track; nothing is read or written, and no space's trouble is another's.

    Parameters
    ----------
    signals
        ``{"mixture", "vocals", …}`` → float32 ``(n_channels, n_samples)``, of one length; full scale ±1.
    sr
        Their sample rate in Hz.
    source_id
        What separated them: model, weights, precision.
    wanted
        Spaces to measure.
    roles
        What stems with names of a user's own are heard as; see `separation.roles`.

    Returns
    -------
    stems : list of StemRow
        Loudness (LUFS; −inf for silence, NaN where it cannot be measured) and active ratio (0 to 1) of each
        stem, under its own name.
    results : list of SpaceResult
        One a wanted space: ``ok``, or ``silent`` or ``failed`` with the reason. No vectors: those take the
        catalog's transform.

    Raises
    ------
    SpaceUnknown
        Where a wanted space does not exist.
    """
    extractors = [extractor(space) for space in wanted]
    stems = Stems(signals, sr)
    silent = MIXTURE in stems and is_silent(stems, MIXTURE)
    rows = [_stem_row(stems, name, source_id) for name in signals if name != MIXTURE]
    if roles:
        from separation.roles import in_roles

        stems = Stems(in_roles(signals, roles), sr)
    results = []
    for one in extractors:
        if silent:
            results.append(SpaceResult(one.space, one.version, source_id, "silent", "the whole track is silent"))
        else:
            results.append(_measure(stems, one.space, source_id))
    return rows, results


Describe = Callable[[Mapping[str, Samples], int, str, Sequence[str]], tuple[list[StemRow], list[SpaceResult]]]
"""A `describe` that knows what stems are."""


def describing(roles: Mapping[str, str]) -> Describe:
    """Return `describe` for stems of these roles; a process can be sent it."""
    return partial(describe, roles=dict(roles)) if roles else describe


def describe_file(
    path: str | Path, model: str = "mir-4s", wanted: Sequence[str] | None = None
) -> tuple[list[StemRow], list[SpaceResult]]:
    """Separate and measure one file exactly as an ingest hears it, and write nothing.

    Parameters
    ----------
    path
        An audio file.
    model
        Separation model; loaded for this call.
    wanted
        Spaces to measure; None: all that the model has stems for.

    Returns
    -------
    stems, results
        As `describe`.

    Raises
    ------
    SpaceUnknown
        Where a wanted space does not exist.
    separation.errors.SeparationError
        Where the file cannot be read, or the model cannot be had.
    """
    from mir.ingest.listening import listen
    from mir.ingest.separators import model_source

    source = model_source(model)
    spaces = [extractor(space).space for space in (source.spaces if wanted is None else wanted)]
    sound = listen(path)
    signals = {MIXTURE: sound.y}
    if any(set(EXTRACTORS[space].stems) != {MIXTURE} for space in spaces):
        signals |= source.load().separate(sound.y, sound.sr)
    return describing(source.roles)(signals, sound.sr, source.source_id, spaces)


def _measure(stems: Stems, space: str, source_id: str) -> SpaceResult:
    one = EXTRACTORS[space]
    try:
        description = one.extract(stems)
    except StemSilent as error:
        return SpaceResult(space, one.version, source_id, "silent", _text(error))
    except FeatureError as error:
        return SpaceResult(space, one.version, source_id, "failed", _text(error))
    except Exception as error:  # noqa: BLE001 - the edge of a batch: the other spaces and tracks go on, the reason is kept
        return SpaceResult(space, one.version, source_id, "failed", f"{type(error).__name__}: {_text(error)}")
    return SpaceResult(
        space,
        one.version,
        source_id,
        "ok",
        values=dict(description.values),
        descriptor=description.descriptor,
    )


def _stem_row(stems: Stems, name: str, source_id: str) -> StemRow:
    from features.loudness import integrated_loudness_lufs

    try:
        loudness, active = integrated_loudness_lufs(stems[name], stems.sr), active_ratio(stems, name)
    except FeatureError:  # too short for a loudness block
        loudness, active = math.nan, math.nan
    return StemRow(stem=name, source_id=source_id, loudness_lufs=loudness, active_ratio=active)


def _text(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
