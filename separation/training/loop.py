"""The training loop: one step after another, killed at any time, resumed where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from separation.native import ModelSpec, save_weights
from separation.spectrogram import Stft
from separation.training.config import TrainConfig
from separation.training.mixing import Mixer, make_example
from separation.training.sources import Song, checksums, load_songs

if TYPE_CHECKING:
    import keras

AVERAGE_EVERY = 5
"""Steps between two updates of the averaged weights."""
Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for whoever watches it."""

    step: int
    steps: int
    loss: float
    sdr: dict[str, float] | None
    """Latest validation SDR by stem in dB, None between validations."""


class Run:
    """One training run in its folder: configuration, data checksums, metrics, checkpoint and the best weights.

    Parameters
    ----------
    config
        What to train on and how.
    folder
        Where the run lives; a checkpoint found there is resumed.
    data
        Folder that the sources' paths are relative to.
    """

    def __init__(self, config: TrainConfig, folder: Path, data: Path) -> None:
        self.config, self.folder, self.data = config, folder, data
        folder.mkdir(parents=True, exist_ok=True)
        self.step = 0
        self.best = -np.inf
        self.average: Arrays = []

    def train(
        self, on_progress: Callable[[Progress], None] | None = None, until: int | None = None
    ) -> dict[str, float]:
        """Train to the configured number of steps (or `until`); returns the best validation SDR by stem, in dB."""
        from separation.backend import load_keras

        config = self.config
        keras = load_keras()
        keras.utils.set_random_seed(config.seed)
        songs = [s for i, source in enumerate(config.sources) for s in self._songs(source, i)]
        mixer = Mixer(songs, config)
        examples = self._validation_examples()
        self._describe_data(songs)
        keras.mixed_precision.set_global_policy(config.precision)
        model = self._model(keras)
        keras.mixed_precision.set_global_policy("float32")
        self._resume(model)
        last = min(config.steps, until or config.steps)
        best_sdr: dict[str, float] = {}
        with ThreadPoolExecutor(1) as pool, (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as log:
            coming: Future[Any] = pool.submit(mixer.batch, self.step)
            while self.step < last:
                features, target = coming.result()
                coming = pool.submit(mixer.batch, self.step + 1)
                model.optimizer.learning_rate = self._learning_rate()
                started = time.perf_counter()
                loss = float(np.asarray(model.train_on_batch(features, target)))
                self.step += 1
                self._average(model)
                sdr = None
                if self.step % config.validate_every == 0 or self.step == last:
                    sdr = self._validate(model, examples)
                    if np.mean(list(sdr.values())) > self.best:
                        self.best = float(np.mean(list(sdr.values())))
                        best_sdr = sdr
                        self._keep_best(model)
                    self._checkpoint(model)
                row = {"step": self.step, "loss": loss, "seconds": time.perf_counter() - started, "sdr": sdr}
                log.write(json.dumps(row) + "\n")
                log.flush()
                if on_progress:
                    on_progress(Progress(self.step, config.steps, loss, sdr))
            coming.cancel()
        return best_sdr

    def _songs(self, source: Any, index: int) -> list[Song]:  # noqa: ANN401
        return load_songs(source, index, self.data, self.config.stems, self.config.sr)

    def _model(self, keras: Any) -> keras.Model:  # noqa: ANN401
        from separation.training.loss import make_loss
        from separation.unet import build

        model = build(self.config.network)
        optimizer = keras.optimizers.Adam(self.config.learning_rate, clipnorm=1.0)
        model.compile(
            optimizer, make_loss(self.config.network.n_stems, self.config.log_error_weight), jit_compile=False
        )
        model.optimizer.build(model.trainable_variables)
        return model

    def _learning_rate(self) -> float:
        """Linear warm-up, then half a cosine down to 1 % of the configured rate."""
        config = self.config
        if self.step < config.warmup_steps:
            return config.learning_rate * (self.step + 1) / config.warmup_steps
        done = (self.step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
        return config.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, done)))))

    def _average(self, model: keras.Model) -> None:
        if self.step % AVERAGE_EVERY:
            return
        now = model.get_weights()
        if not self.average:
            self.average = now
            return
        # early on the average looks back over a tenth of the run, so that it forgets the random start
        keep = min(self.config.average, 1.0 - 10.0 / (10.0 + self.step)) ** AVERAGE_EVERY
        self.average = [keep * old + (1.0 - keep) * new for old, new in zip(self.average, now, strict=True)]

    def _validation_examples(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """One fixed stretch of each validation song, unchanged."""
        config = self.config
        stft = Stft(config.n_fft, config.hop_length)
        n = stft.span(config.network.n_frames)
        out = []
        for song in load_songs(config.validation, 0, self.data, config.stems, config.sr):
            start = max(0, (song.n_samples - n) // 2)
            stems = np.zeros((len(config.stems), 2, n), np.float32)
            for index, stem in enumerate(config.stems):
                part = song.stems[stem][:, start : start + n]
                stems[index, :, : part.shape[-1]] = part
            example = make_example(stems, config, stft)
            out.append((example.features, example.target))
        return out

    def _validate(
        self, model: keras.Model, examples: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> dict[str, float]:
        """Median over songs of the median SDR over blocks of 0.74 s, by stem, in dB, with the averaged weights."""
        from separation.training.loss import FRAMES_A_BLOCK, error_power

        n_stems = len(self.config.stems)
        with self._averaged(model):
            predicted = [np.asarray(model.predict_on_batch(features[None]), np.float32) for features, _ in examples]
        scores = []
        for masks, (_, target) in zip(predicted, examples, strict=True):
            error = np.asarray(error_power(target[None], masks, n_stems), np.float64)[0]
            own = target[..., 2 + 2 * n_stems :].astype(np.float64)
            blocks = (-1, FRAMES_A_BLOCK * target.shape[1] * 2, n_stems)
            wrong = error.reshape(blocks).sum(axis=1)
            energy = own.reshape(blocks).sum(axis=1)
            sdr = 10.0 * np.log10((energy + 1e-9) / (wrong + 1e-9))
            sdr[energy < 1e-3] = np.nan
            with np.errstate(all="ignore"):
                scores.append([np.nanmedian(s) if np.isfinite(s).any() else np.nan for s in sdr.T])
        return dict(zip(self.config.stems, np.nanmedian(np.array(scores), axis=0).tolist(), strict=True))

    def _describe_data(self, songs: list[Song]) -> None:
        config = self.config
        (self.folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1), encoding="utf-8")
        minutes = {
            f"{source.kind}:{source.path}": {
                stem: round(
                    sum(s.stems[stem].shape[-1] for s in songs if s.source == i and stem in s.stems) / config.sr / 60, 1
                )
                for stem in config.stems
            }
            for i, source in enumerate(config.sources)
        }
        files = {path: sha for source in config.sources for path, sha in checksums(source, self.data).items()}
        text = json.dumps({"minutes": minutes, "sha256": files}, indent=1)
        (self.folder / "data.json").write_text(text, encoding="utf-8")

    @contextmanager
    def _averaged(self, model: keras.Model) -> Iterator[None]:
        """Lend the model its averaged weights for the block."""
        now = model.get_weights()
        model.set_weights(self.average or now)
        yield
        model.set_weights(now)

    def _keep_best(self, model: keras.Model) -> None:
        config = self.config
        spec = ModelSpec(
            config.name, config.stems, config.sr, config.n_fft, config.hop_length, config.bands, config.network
        )
        with self._averaged(model):
            save_weights(model, spec, self.folder)

    def _checkpoint(self, model: keras.Model) -> None:
        arrays = {f"weight{i}": w for i, w in enumerate(model.get_weights())}
        arrays |= {f"average{i}": w for i, w in enumerate(self.average)}
        arrays |= {f"optimizer{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
        temporary = self.folder / "checkpoint.tmp.npz"
        np.savez(temporary, step=self.step, best=self.best, **arrays)
        temporary.replace(self.folder / "checkpoint.npz")

    def _resume(self, model: keras.Model) -> None:
        path = self.folder / "checkpoint.npz"
        if not path.is_file():
            return
        with np.load(path, allow_pickle=False) as saved:
            self.step, self.best = int(saved["step"]), float(saved["best"])
            model.set_weights([saved[f"weight{i}"] for i in range(len(model.weights))])
            self.average = [saved[f"average{i}"] for i in range(len(model.weights)) if f"average{i}" in saved]
            for i, variable in enumerate(model.optimizer.variables):
                variable.assign(saved[f"optimizer{i}"])
