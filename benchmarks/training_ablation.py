"""What each part of a recipe and each source of data is worth: short runs of equal length, each without one of them.

`python -m benchmarks.training_ablation --data DATA [--config NAME] [--fold N] [--steps N] [--out FILE]`

All runs begin with the same weights, see as many mixes, and are judged on the same songs by artists that none of them
learned from (`separation.training.sources.split_songs`). A narrower network learns faster and shows the same. The
interval of a difference is a paired bootstrap over those songs: it holds for these weights, not for other seeds, which
`--seeds` runs beside the first to show.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from separation.training.config import TrainConfig, find_config, load_config
from separation.training.loop import Run
from separation.training.sources import Song, load_songs, split_songs
from separation.unet import UNetConfig

N_BOOTSTRAP = 2000
OFF: dict[str, float] = {
    "remix": 0.0,
    "gain_db": 0.0,
    "swap_channels": 0.0,
    "speed": 0.0,
    "tempo_share": 0.0,
    "reverb": 0.0,
    "equaliser_db": 0.0,
    "silence": 0.0,
    "width": 0.0,
}
"""Value at which each augmentation does nothing."""
SETTINGS = ("log_error_weight", "log_mask_weight", "weight_decay")
"""Settings of the run itself, each of which does nothing at 0."""


def variants(config: TrainConfig, songs: Sequence[Song], seeds: int) -> Iterator[tuple[str, TrainConfig, list[Song]]]:
    """Name, configuration and songs of every run: the whole recipe first, then it without each of its parts."""
    yield "everything", config, list(songs)
    for seed in range(1, seeds + 1):
        yield f"everything, seed {config.seed + seed}", replace(config, seed=config.seed + seed), list(songs)
    for name, off in OFF.items():
        if getattr(config.augment, name) != off:
            yield f"no {name}", replace(config, augment=replace(config.augment, **{name: off})), list(songs)
    for name in SETTINGS:
        if getattr(config, name):
            yield f"no {name}", replace(config, **{name: 0.0}), list(songs)
    for index, source in enumerate(config.sources):
        rest = [song for song in songs if song.source != index]
        if all(any(stem in song.stems for song in rest) for stem in config.stems):
            yield f"without {source.path}", config, rest


def narrowed(config: TrainConfig, width: float, steps: int, batch_size: int, fold: int) -> TrainConfig:
    """Return a short run with a narrower network that validates, once, on a fold of the artists."""
    if not isinstance(config.network, UNetConfig):
        raise SystemExit(f"{config.name} has no network of ours to make narrower")
    network = replace(config.network, filters=tuple(max(4, round(n * width)) for n in config.network.filters))
    return replace(
        config,
        network=network,
        steps=steps,
        batch_size=batch_size,
        validate_every=steps,
        warmup_steps=min(config.warmup_steps, steps // 5),
        init="",
        folds=5,
        fold=fold,
        keep="last",
    )


def difference(table: NDArray[np.float64], whole: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean gain of SDR over songs and stems against the whole recipe, with its 95 % interval over songs, in dB."""
    gain = np.nanmean(table - whole, axis=1)
    gain = gain[np.isfinite(gain)]
    picks = np.random.default_rng(0).integers(gain.size, size=(N_BOOTSTRAP, gain.size))
    low, high = np.percentile(gain[picks].mean(axis=1), [2.5, 97.5])
    return float(gain.mean()), float(low), float(high)


def main() -> None:
    """Train, judge and print one row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", default="mir-4s")
    parser.add_argument("--fold", type=int, default=3)
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, default=1, help="further seeds of the whole recipe: what chance does")
    parser.add_argument("--out", type=Path, help="JSON file of all rows, written after every run")
    arguments = parser.parse_args()
    whole_run = load_config(find_config(arguments.config))
    config = narrowed(whole_run, arguments.width, arguments.steps, arguments.batch, arguments.fold)
    songs = [s for i, source in enumerate(config.sources) for s in load_songs(source, i, arguments.data, config)]
    learned, judged = split_songs(songs, config)
    print(f"{len(learned)} songs to learn from, {len(judged)} by other artists to be judged by, {config.steps} steps")
    rows, whole = [], None
    for name, changed, own in variants(config, learned, arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = Run(changed, Path(folder), arguments.data)
            run.train(songs=(own, judged))
        assert run.state.last is not None
        table = np.array(run.state.last.by_song)
        whole = table if whole is None else whole
        gain, low, high = difference(table, whole)
        sdr = run.state.last.sdr
        rows.append(
            {"run": name, "sdr": sdr, "mean_sdr": run.state.last.mean_sdr, "gain": gain, "interval": [low, high]}
        )
        stems = "  ".join(f"{stem} {value:5.2f}" for stem, value in sdr.items())
        mean = run.state.last.mean_sdr
        print(f"{name:34s} {mean:5.2f} dB  {gain:+.2f} [{low:+.2f}, {high:+.2f}]   {stems}", flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps({"settings": config.to_dict(), "runs": rows}, indent=1))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
