"""Make bss_eval_golden.npz: what museval 0.4.1 answers for short seeded signals, to 1e-9 dB.

    pip install museval==0.4.1; python tests/data/make_bss_eval_golden.py

Made with museval 0.4.1, numpy 2.4, scipy 1.17. The signals themselves are made again by `signals` in the test, so
that the file holds the answers alone, and a checksum that notices if the signals should ever come out otherwise.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np


def signals(case: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """References and estimates `(n_stems, n_channels, n_samples)`, window and hop in samples, of a named case."""
    rng = np.random.default_rng([ord(letter) for letter in case])
    n_stems, n_channels, n_samples = {"mono": (2, 1, 9000), "longer": (2, 2, 3000)}.get(case, (3, 2, 12000))
    references = rng.standard_normal((n_stems, n_channels, n_samples))
    for stem in range(n_stems):  # a colour of its own for each
        references[stem, :, 1:] += (-0.7 + 0.5 * stem) * references[stem, :, :-1]
    bleed = 0.3 * references.sum(axis=0, keepdims=True)
    estimates = 0.8 * references + bleed + 0.1 * rng.standard_normal(references.shape)
    estimates[..., 5:] += 0.2 * references[..., :-5]
    if case == "silence":
        references[0, :, 2000:5000] = 0.0
        estimates[1, :, 9000:] = 0.0
    if case == "dual-mono":
        references[:, 1] = references[:, 0]
    window, hop = {"overlap": (3000, 1000), "longer": (4000, 4000)}.get(case, (2000, 2000))
    return references, estimates, window, hop


CASES = ("plain", "overlap", "mono", "silence", "dual-mono", "longer")
FILTERS_LEN = 48


def main() -> None:
    """Ask museval and write the file."""
    package = importlib.util.find_spec("museval")
    location = Path(package.submodule_search_locations[0]) / "metrics.py"  # the package itself wants ffmpeg
    spec = importlib.util.spec_from_file_location("museval_metrics", location)
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    arrays = {}
    for case in CASES:
        references, estimates, window, hop = signals(case)
        scores = metrics.bss_eval(
            references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), window=window, hop=hop,
            compute_permutation=False, filters_len=FILTERS_LEN, framewise_filters=False, bsseval_sources_version=False,
        )  # fmt: skip
        arrays[case] = np.stack(scores[:4])
        arrays[f"{case}_checksum"] = np.array([references.sum(), estimates.sum(), np.abs(estimates).sum()])
    np.savez_compressed(Path(__file__).with_name("bss_eval_golden.npz"), **arrays)


if __name__ == "__main__":
    main()
