"""What the benchmarks against real Spleeter share: how they are called, and how far apart two answers are."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SR = 44100
HOW = "python3.10 -m venv VENV; VENV/bin/pip install spleeter==2.4.2; then --reference VENV/bin/python"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every benchmark here."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="the data folder")
    made.add_argument(
        "--reference", default=os.environ.get("SPLEETER_PYTHON"), metavar="PYTHON",
        help="an interpreter that has spleeter 2.4.2; $SPLEETER_PYTHON by default",
    )  # fmt: skip
    return made


def reference(arguments: argparse.Namespace) -> Path:
    """The reference's interpreter; ends the program, without an error, where none was named.

    Raises
    ------
    FileNotFoundError
        The one that was named is not there.
    """
    if not arguments.reference:
        print(f"skipped: real Spleeter is not at hand ({HOW} or $SPLEETER_PYTHON)")
        sys.exit(0)
    found = shutil.which(arguments.reference)
    if found is None:
        raise FileNotFoundError(f"no interpreter {arguments.reference}: {HOW}")
    return Path(found).absolute()  # not resolved: a virtual environment is known by its link


def errors(ours: Mapping[str, NDArray[np.float32]], theirs: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """‖ours − theirs‖ / ‖theirs‖ of each stem.

    Raises
    ------
    ValueError
        Other stems, or stems of another shape.
    """
    shapes = [{stem: samples.shape for stem, samples in stems.items()} for stems in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"ours are {shapes[0]}, Spleeter's {shapes[1]}")
    return {
        stem: float(np.linalg.norm(ours[stem] - samples) / np.linalg.norm(samples)) for stem, samples in theirs.items()
    }
