"""Our Spleeter models against real Spleeter 2.4.2: relative error of every stem, on music, with random weights.

    python3.10 -m venv VENV; VENV/bin/pip install spleeter==2.4.2
    python -m benchmarks.spleeter_parity --data DATA --reference VENV/bin/python

or with $SPLEETER_PYTHON, as `python -m benchmarks spleeter_parity` needs it; skipped where there is none. Spleeter's
own code writes full-size checkpoints with seeded random weights and norm statistics and separates; we separate with the
same. Fails above 1e-4 (1e-3 with the Wiener filter), and where a control, wrong on purpose, is not far above that.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.spleeter.command import SR, errors, parser, reference
from benchmarks.spleeter.worker import Worker
from separation import Separator
from separation.audio import load
from separation.musdb import find_tracks

SEEDS = {"2stems": 16, "4stems": 4, "5stems": 5}
"""Of the checkpoints; with these the masks spread over most of 0 to 1."""
CONTROLS = {"activations swapped": 1e-2, "norms skipped": 1e-2, "last norm skipped": 1e-2, "deepest norm skipped": 1e-3}
"""Least error of answers that are wrong on purpose; what is deepest in a U-Net weighs least."""
ELU, LEAKY = {"conv_activation": "ELU", "deconv_activation": "ELU"}, {"conv_activation": "LeakyReLU"}


@dataclass(frozen=True)
class Case:
    """One comparison: a model, what it hears, and how."""

    model: str
    audio: str
    mask_extension: str | None = None
    mwf: bool = False

    @property
    def must(self) -> float:
        """Largest error allowed."""
        return 1e-3 if self.mwf else 1e-4


CASES = (
    Case("2stems", "song"),
    Case("2stems", "preview"),
    Case("2stems", "mono"),
    Case("2stems-16kHz", "preview"),
    Case("4stems", "song"),
    Case("4stems", "preview"),
    Case("4stems", "mono"),
    Case("4stems", "short"),
    Case("4stems", "preview", mask_extension="average"),
    Case("4stems", "preview", mwf=True),
    Case("4stems-16kHz", "song"),
    Case("5stems", "song"),
    Case("5stems", "preview"),
    Case("5stems", "short"),
    Case("5stems", "preview", mwf=True),
    Case("5stems-16kHz", "preview"),
)


def music(data: Path) -> dict[str, NDArray[np.float32]]:
    """What is separated, each float32 (n_channels, n_samples) at 44.1 kHz."""
    songs = sorted(path for path in (data / "songs").iterdir() if path.suffix in (".mp3", ".ogg"))
    song, _ = load(songs[0], sr=SR, offset_s=20.0, duration_s=31.0)
    other, _ = load(songs[-1], sr=SR, offset_s=60.0, duration_s=14.0)
    preview, _ = load(find_tracks(data / "musdb18-7s", "valid")[0].path, sr=SR)
    return {
        "song": song[:, : 30 * SR + 1],
        "preview": preview[:, : preview.shape[1] - 1 + preview.shape[1] % 2],
        "mono": other.mean(axis=0, keepdims=True)[:, : 13 * SR + 7],
        "short": other[:, :3001],
    }


def ours(model: str | Path, weights: Path, y: NDArray[np.float32], **options: Any) -> dict[str, NDArray[np.float32]]:  # noqa: ANN401
    """Our answer."""
    return Separator(model, weights=weights, **options).separate(y, SR)


def theirs(worker: Worker, case: Case, weights: Path, y: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Spleeter's answer."""
    waveform, out = weights.parent / "y.npy", weights.parent / "stems.npz"
    np.save(waveform, y)
    worker.ask(
        "separate", waveform=str(waveform), out=str(out), descriptor=f"spleeter:{case.model}", weights=str(weights),
        mwf=case.mwf, mask_extension=case.mask_extension,
    )  # fmt: skip
    with np.load(out) as stems:
        return dict(stems)


def controls(
    worker: Worker, model: str, weights: Path, y: NDArray[np.float32], right: dict[str, NDArray[np.float32]]
) -> dict[str, dict[str, float]]:
    """Errors of answers that are wrong on purpose: activations swapped; all norms, or one a stem, left out."""
    settings = worker.ask("configuration", descriptor=f"spleeter:{model}")
    params = settings["model"]["params"]
    settings["model"]["params"] = LEAKY if params.get("conv_activation") == "ELU" else ELU
    swapped = weights.parent / "swapped.json"
    swapped.write_text(json.dumps(settings), encoding="utf-8")
    found = {"activations swapped": errors(ours(swapped, weights, y), right)}
    norms = [f"batch_normalization_{n}" if n else "batch_normalization" for n in range(12 * len(right))]
    wrong = {"norms skipped": norms, "last norm skipped": norms[11::12], "deepest norm skipped": norms[6::12]}
    for what, skipped in wrong.items():
        folder = weights.parent / "control"
        worker.ask("checkpoint", descriptor=f"spleeter:{model}", folder=str(folder), seed=SEEDS[model], skipped=skipped)
        found[what] = errors(ours(f"spleeter:{model}", folder, y), right)
    return found


def main() -> None:
    """Compare case by case; a table, then JSON."""
    arguments = parser(__doc__).parse_args()
    python = reference(arguments)
    y = music(arguments.data)
    rows: list[dict[str, Any]] = []

    def row(about: dict[str, Any], found: dict[str, float], *, met: bool) -> None:
        rows.append({**about, "errors": found, "met": met})
        name = "  ".join(key if value is True else str(value) for key, value in about.items() if value)
        stems = "  ".join(f"{stem} {error:.1e}" for stem, error in found.items())
        print(f"{'ok  ' if met else 'FAIL'} {name:32s} {stems}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with Worker(python, "benchmarks.spleeter.reference", folder / "log") as worker:
            for released, seed in SEEDS.items():
                weights = folder / released
                worker.ask("checkpoint", descriptor=f"spleeter:{released}", folder=str(weights), seed=seed)
                for case in (case for case in CASES if case.model.partition("-")[0] == released):
                    options = {"mask_extension": case.mask_extension, "mwf": case.mwf}
                    right = theirs(worker, case, weights, y[case.audio])
                    found = errors(ours(f"spleeter:{case.model}", weights, y[case.audio], **options), right)
                    row(asdict(case), found, met=max(found.values()) <= case.must)
                    if case == Case(released, "preview"):
                        for what, wrong in controls(worker, released, weights, y["preview"], right).items():
                            row({"model": released, "control": what}, wrong, met=min(wrong.values()) > CONTROLS[what])
    met = all(row["met"] for row in rows)
    print(json.dumps({"met": met, "rows": rows}))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
