"""The training loop: one step after another, killed at any time, resumed where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from separation.errors import TrainingDiverged
from separation.native import save_weights
from separation.training import checkpoint, report
from separation.training.checkpoint import Scores, State
from separation.training.config import TrainConfig
from separation.training.initial import Start, start_from
from separation.training.mixing import Mixer
from separation.training.networks import compiled_model, family_of
from separation.training.run_folder import RunFolder, RunLog
from separation.training.sources import OnFile, Song, read_songs
from separation.training.validation import Judged, judge, prepare

if TYPE_CHECKING:
    import keras

    from separation.training.networks import Family
    from separation.training.tensor_mixing import TensorMixer

AVERAGE_EVERY = 5
"""Steps between two updates of the averaged weights."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, for whoever watches it.

    Parameters
    ----------
    step, steps
        Steps done and configured.
    loss
        Of the latest step.
    seconds
        The latest step took, waiting for its mixes included.
    scores
        Of the validation after this step; None between validations.
    notes
        What was decided on the way: where the weights came from, what begins afresh.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    scores: Scores | None
    notes: tuple[str, ...]


OnProgress = Callable[[Progress], None]


class Run:
    """One training run in its folder: configuration, data checksums, metrics, checkpoint and the weights to keep.

    Parameters
    ----------
    config
        What to train on and how.
    folder
        Where the run lives; a checkpoint found there is resumed.
    data
        Folder that the sources' paths are relative to.

    Raises
    ------
    ConfigInvalid
        Where the folder holds a run of another configuration, or settings do not go together.
    """

    def __init__(self, config: TrainConfig, folder: Path, data: Path) -> None:
        self.config, self.data = config, data
        self.state = State()
        self._files = RunFolder(folder, config)

    @property
    def folder(self) -> Path:
        """Where the run lives."""
        return self._files.path

    @property
    def step(self) -> int:
        """Steps done."""
        return self.state.step

    def train(
        self,
        on_progress: OnProgress | None = None,
        until: int | None = None,
        on_file: OnFile = None,
        should_stop: Callable[[], bool] | None = None,
        songs: tuple[Sequence[Song], Sequence[Song]] | None = None,
    ) -> dict[str, float]:
        """Train to the configured number of steps.

        Parameters
        ----------
        on_progress
            Hears of every step.
        until
            Stop after this step; a later call goes on.
        on_file
            Hears of every file that was decoded, from several threads.
        should_stop
            Asked after every step; where it says so the run writes a checkpoint and returns.
        songs
            What to learn from and to be judged by, where they are decoded already; else the sources are read.

        Returns
        -------
        sdr
            Validation SDR by stem in dB, of the weights that were kept.

        Raises
        ------
        TrainingDataMissing
            Where a source has nothing to train on.
        ConfigInvalid
            Where the data have changed since the run began, or `init` does not fit.
        RunBusy
            Where another process trains in the folder.
        TrainingDiverged
            Where the loss is no number any more.
        """
        from separation.backend import load_keras

        keras = load_keras()
        with self._files.alone():
            family = family_of(self.config)
            learned, others = songs or read_songs(self.config, self.data, on_file)
            judged = prepare(others, family)
            keras.utils.set_random_seed(self.config.seed)  # what is dropped; weights and mixes have seeds of their own
            self._model, self._family = compiled_model(keras, family), family
            start = self._resume()
            self._files.describe(report.describe_data(self.config, self.data, learned, start))
            last = min(self.config.steps, until or self.config.steps)
            mixer = _mixer(learned, family)
            with ThreadPoolExecutor(1) as pool, self._files.log(self.step) as log:
                coming: Future[Any] = pool.submit(mixer.batch, self.step)
                while self.step < last:
                    started = time.perf_counter()
                    features, target = coming.result()
                    coming = pool.submit(mixer.batch, self.step + 1)
                    row = self._learn(features, target)
                    row["seconds"] = time.perf_counter() - started
                    stop = should_stop is not None and should_stop()
                    due = self.step % self.config.validate_every == 0 or self.step == last
                    scores = self._validate(judged) if due else None
                    self.state.seconds += time.perf_counter() - started
                    self._record(log, row, scores, save=due or stop)
                    if on_progress:
                        notes = tuple(self.state.notes)
                        steps = self.config.steps
                        on_progress(Progress(self.step, steps, row["loss"], row["seconds"], scores, notes))
                    if stop:
                        break
                coming.cancel()
        kept = self.state.last if self.config.keep == "last" else self.state.best
        return dict(kept.sdr) if kept else {}

    def _learn(self, features: Any, target: Any) -> dict[str, Any]:  # noqa: ANN401 - batches of either family
        """One step of the optimizer; returns its row of metrics."""
        rate = learning_rate(self.config, self.step)
        self._model.optimizer.learning_rate = rate
        loss = float(np.asarray(self._model.train_on_batch(features, target)))
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"step {self.step + 1}: the loss is {loss}; start again in a new folder with a lower learning_rate "
                f"than {self.config.learning_rate:g}"
            )
        self.state.step += 1
        self._average()
        return {"step": self.step, "loss": loss, "learning_rate": rate}

    def _average(self) -> None:
        if self.step % AVERAGE_EVERY or not self.config.average:
            return
        now = self._model.get_weights()
        if not self.state.average:
            self.state.average = now
            return
        # early on the average looks back over a tenth of the run, so that it forgets the random start
        keep = min(self.config.average, 1.0 - 10.0 / (10.0 + self.step)) ** AVERAGE_EVERY
        self.state.average = [keep * old + (1.0 - keep) * new for old, new in zip(self.state.average, now, strict=True)]

    def _validate(self, judged: list[Judged]) -> Scores:
        """Judge the averaged weights, and keep them where they are to be kept."""
        with self._averaged():
            scores = judge(self._model, self._family, judged, self.step)
            best = self.state.best
            better = best is None or scores.mean_sdr > best.mean_sdr
            if better or self.config.keep == "last":
                save_weights(self._model, self._family.spec, self.folder)
        self.state.last = scores
        if better:
            self.state.best = scores
        return scores

    def _record(self, log: RunLog, row: dict[str, Any], scores: Scores | None, *, save: bool) -> None:
        if scores:
            row |= {"sdr": scores.sdr, "validation_loss": scores.loss}
        log.add(row)
        if save:
            checkpoint.save(self._files.checkpoint, self.state, self._model)
            self._files.summarise(report.summary(self.config, self.state, self._model.count_params()))

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Lend the network its averaged weights for the block."""
        now = self._model.get_weights()
        self._model.set_weights(self.state.average or now)
        try:
            yield
        finally:
            self._model.set_weights(now)

    def _resume(self) -> Start | None:
        """Go on from the checkpoint, or begin: returns what a fine-tuned run begins with."""
        if self._files.checkpoint.is_file():
            self.state = checkpoint.load(self._files.checkpoint, self._model)
            return None
        self.state = State()
        if not self.config.init:
            return None
        start = start_from(self._model, self._family.spec, self.config.init)
        self.state.notes.append(start.note)
        return start

    _model: keras.Model
    _family: Any


def _mixer(songs: Sequence[Song], family: Family) -> Mixer | TensorMixer:
    """Return what makes the mixes of a run."""
    if family.config.mixing == "numpy":
        return Mixer(songs, family.config, family.example)
    from separation.training.tensor_mixing import TensorMixer

    return TensorMixer(songs, family.config)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of the step after `step`: linear warm-up, then the same, or half a cosine down to 1 % of it."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * min(1.0, done)))))
