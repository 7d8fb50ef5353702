"""Arrays that a benchmark keeps between its runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.publishing import whole


def keep(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write arrays as ``.npz``, all of them or nothing; the folder is made where missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, **arrays)
