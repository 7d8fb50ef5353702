"""Make spleeter_golden.npz, spleeter_golden.json and spleeter/: what real Spleeter answers with very small networks.

    python3.10 -m venv VENV; VENV/bin/pip install spleeter==2.4.2
    PYTHONPATH=. VENV/bin/python tests/data/make_spleeter_golden.py

Made with Spleeter 2.4.2, TensorFlow 2.12.1, norbert 0.2.1, numpy 1.24.3, through Spleeter's public `Separator`.

`spleeter/NAME.json` are Spleeter configurations with small sizes, `spleeter/MODEL/` are their checkpoints: seeded
random weights and norm statistics written by Spleeter's own graph (see `benchmarks/spleeter/checkpoints.py`; without
`model.meta`, which is large and nothing reads; 2stems with Adam's moments, as training leaves them). `4stems-16kHz`
shares the checkpoint of 4stems, as released.

spleeter_golden.json is `CASES` and the stride. In spleeter_golden.npz

- `waveform`, int16 `(2, LONG)`, is the input times 32768; a case hears its first `n_channels` and `n_samples`;
- `CASE/STEM`, float32 `(2, ceil(n_samples / STRIDE))`, is every STRIDE-th sample of a stem, from the first: that keeps
  the file small, and as STRIDE is prime it meets every place in a frame.

Tolerance: 1e-4 of the norm of the stem, 1e-3 with MWF.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.spleeter.checkpoints import write_checkpoint
from benchmarks.spleeter.reference import configuration, separator

HERE = Path(__file__).parent
FOLDER = HERE / "spleeter"
STRIDE = 11
SIZES = {"frame_length": 256, "frame_step": 64, "T": 64, "F": 64}
SEGMENT = SIZES["T"] * SIZES["frame_step"]
MODELS = {  # name: (what it changes, filters, seed of the checkpoint)
    "2stems": ({"sample_rate": 44100}, [2, 2, 3, 3, 4, 4], 2),
    "4stems": ({"sample_rate": 44100}, [2, 3, 4, 4, 5, 6], 4),
    "4stems-16kHz": ({"sample_rate": 44100, "F": 128}, [2, 3, 4, 4, 5, 6], 4),
    "5stems": ({"sample_rate": 8000}, [2, 3, 3, 4, 4, 5], 5),
}
LONG = 2 * SEGMENT + 809
"""Samples, odd: three segments, the last of them nearly empty."""
CASES = {
    "2stems": {"model": "2stems", "n_channels": 2, "n_samples": LONG},
    "4stems": {"model": "4stems", "n_channels": 2, "n_samples": LONG},
    "4stems-16kHz": {"model": "4stems-16kHz", "n_channels": 2, "n_samples": LONG},
    "5stems": {"model": "5stems", "n_channels": 2, "n_samples": LONG},
    "average": {"model": "2stems", "n_channels": 2, "n_samples": LONG, "mask_extension": "average"},
    "mono": {"model": "4stems", "n_channels": 1, "n_samples": 2001},
    "short": {"model": "4stems", "n_channels": 2, "n_samples": SIZES["frame_length"] - 55},
    "segment": {"model": "2stems", "n_channels": 2, "n_samples": SEGMENT - SIZES["frame_length"]},
    "segment-and-one": {"model": "5stems", "n_channels": 2, "n_samples": SEGMENT - SIZES["frame_length"] + 1},
    "mwf": {"model": "4stems", "n_channels": 2, "n_samples": 2501, "mwf": True},
}


def signal(n_channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """Plucked chords and noise bursts, panned: int16 `(n_channels, n_samples)`."""
    rng = np.random.default_rng(seed)
    y = np.zeros((n_channels, n_samples))
    for start in range(0, n_samples, 900):
        t = np.arange(n_samples - start)
        for _ in range(3):
            note = np.sin(rng.uniform(0.02, 1.5) * t + rng.uniform(0, 6)) * np.exp(-t / 1500)
            y[:, start:] += rng.uniform(0.02, 0.2, (n_channels, 1)) * note
        y[:, start:] += rng.uniform(0.02, 0.2, (n_channels, 1)) * rng.standard_normal(len(t)) * np.exp(-t / 120)
    return np.round(32768 * np.clip(y, -0.999, 0.999)).astype(np.int16)


def main() -> None:
    """Write configurations and checkpoints, ask Spleeter, and write the answers."""
    for name, (changes, filters, seed) in MODELS.items():
        small = configuration(f"spleeter:{name}", **{**SIZES, **changes})
        small["model"]["params"]["conv_n_filters"] = filters
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text(json.dumps(small, indent=2) + "\n", encoding="utf-8")
        if small["model_dir"] == name:
            write_checkpoint(small, FOLDER / name, seed, adam=name == "2stems", graph=False)
    waveform = signal(2, LONG)
    arrays = {"waveform": waveform}
    for case, about in CASES.items():
        y = waveform[: about["n_channels"], : about["n_samples"]].T.astype(np.float32) / 32768
        model = about["model"]
        theirs = separator(
            str(FOLDER / f"{model}.json"), str(FOLDER / model.partition("-")[0]),
            mwf=about.get("mwf", False), mask_extension=about.get("mask_extension"),
        )  # fmt: skip
        for stem, samples in theirs.separate(y).items():
            if len(samples) != len(y):
                raise ValueError(f"{case}: {len(samples)} samples of {stem} for {len(y)} of input")
            arrays[f"{case}/{stem}"] = samples.T[:, ::STRIDE].astype(np.float32)
    np.savez_compressed(HERE / "spleeter_golden.npz", **arrays)
    about = {"stride": STRIDE, "cases": CASES}
    (HERE / "spleeter_golden.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
