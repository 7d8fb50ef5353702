"""Our separator, asked over pipes as real Spleeter is: see `reference`."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.spleeter.worker import serve
from separation import Separator
from separation.errors import PrecisionUnsupported


@lru_cache
def separator(model: str, weights: str | None, precision: str) -> Separator:
    """A separator that stays warm."""
    return Separator(model, weights=weights, precision=precision)


def _separate(
    waveform: str, sr: int, model: str, precision: str, weights: str | None = None, out: str | None = None
) -> dict[str, Any]:
    """Separate an `.npy` (n_channels, n_samples) into an `.npz`; the seconds are the separation's alone."""
    y = np.load(waveform)
    try:
        ours = separator(model, weights, precision)
    except PrecisionUnsupported as error:
        return {"unsupported": str(error)}
    started, processor = time.perf_counter(), time.process_time()
    stems = ours.separate(y, sr)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    if out is not None:
        np.savez(out, **stems)
    return {"seconds": seconds, "processor_s": processor}


if __name__ == "__main__":
    serve({"separate": _separate})
