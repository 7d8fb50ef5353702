"""Everything that a killed run needs to go on as if nothing had happened, in one file."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from separation.errors import WeightsDamaged
from separation.publishing import whole

if TYPE_CHECKING:
    import keras

Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one validation found.

    Parameters
    ----------
    step
        Step it came after.
    sdr
        Median SDR by stem in dB; NaN for a stem that no validation song has.
    loss
        Loss over the validation songs.
    by_song
        Median SDR of each song, a value a stem, in dB; NaN where the stem is silent.
    """

    step: int
    sdr: dict[str, float]
    loss: float
    by_song: tuple[tuple[float, ...], ...] = field(default=(), compare=False, repr=False)

    @property
    def mean_sdr(self) -> float:
        """Mean over the stems that could be measured, in dB; NaN where none could."""
        known = [value for value in self.sdr.values() if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


@dataclass(slots=True)
class State:
    """Where a run stands, apart from its network and optimizer.

    Parameters
    ----------
    step
        Steps done.
    seconds
        Time they took, over all processes that worked on the run.
    average
        Averaged weights; empty before the first average.
    best, last
        Best and latest validation.
    notes
        What was decided on the way and should be known.
    """

    step: int = 0
    seconds: float = 0.0
    average: Arrays = field(default_factory=list)
    best: Scores | None = None
    last: Scores | None = None
    notes: list[str] = field(default_factory=list)


def save(path: Path, state: State, model: keras.Model) -> None:
    """Write a checkpoint, whole or not at all."""
    facts = {
        "step": state.step,
        "seconds": state.seconds,
        "best": state.best and asdict(state.best),
        "last": state.last and asdict(state.last),
        "notes": state.notes,
    }
    arrays = {f"weight{i}": w for i, w in enumerate(model.get_weights())}
    arrays |= {f"average{i}": w for i, w in enumerate(state.average)}
    arrays |= {f"other{i}": _array(variable) for i, variable in enumerate(_others(model))}
    with whole(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **arrays)


def load(path: Path, model: keras.Model) -> State:
    """Put a checkpoint back into its network; returns where the run stood.

    Raises
    ------
    WeightsDamaged
        Where the file is no checkpoint of this network.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            facts = json.loads(str(saved["facts"]))
            model.set_weights([saved[f"weight{i}"] for i in range(len(model.weights))])
            for i, variable in enumerate(_others(model)):
                variable.assign(saved[f"other{i}"])
            average = [saved[f"average{i}"] for i in range(len(model.weights)) if f"average{i}" in saved]
        best, last = (Scores(**one) if one else None for one in (facts["best"], facts["last"]))
        return State(int(facts["step"]), float(facts["seconds"]), average, best, last, list(facts["notes"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise WeightsDamaged(f"{path} is no checkpoint of this run ({error}); delete it to start again") from error


def _others(model: keras.Model) -> list[Any]:
    """Variables that are no weights: the optimizer's, and the states of what draws the dropout."""
    weights = {id(variable) for variable in model.weights}
    drawing = [variable for variable in model.non_trainable_variables if id(variable) not in weights]
    return [*model.optimizer.variables, *drawing]


def _array(variable: Any) -> NDArray[Any]:  # noqa: ANN401 - any backend's variable
    from keras import ops

    return np.asarray(ops.convert_to_numpy(variable))
