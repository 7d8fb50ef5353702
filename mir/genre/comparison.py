"""Runs side by side: which scored better, and whether by more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mir.genre.runs import Run
from mir.genre.scores import Counts, confusions, difference

_UNPAIRED = "other tracks or labels"
_UNSCORED = "not scored"


@dataclass(frozen=True, slots=True)
class Compared:
    """A run beside the reference.

    Parameters
    ----------
    run
        The run.
    reference
        Id of the run that it is compared with: the promoted one; None where there is none.
    difference
        By how much it scores better on the same tracks, with paired 95 % intervals (bootstrap over artists); None for
        the reference itself and where a comparison would be unfair.
    reason
        Why there is no difference.
    """

    run: Run
    reference: str | None
    difference: dict[str, Any] | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """Return one line of ``mir genre runs --json``."""
        against = {"run_id": self.reference, "difference": self.difference, "reason": self.reason}
        return {**self.run.to_json(), "against_promoted": against}


def compare(runs: Sequence[Run]) -> list[Compared]:
    """Set runs beside the promoted one, in the order given."""
    reference = next((run for run in runs if run.promoted), None)
    return [_beside(run, reference) for run in runs]


def _beside(run: Run, reference: Run | None) -> Compared:
    if reference is None or run.run_id == reference.run_id:
        return Compared(run, reference.run_id if reference else None, None, None)
    if "held_out" not in run.metrics or "held_out" not in reference.metrics:
        return Compared(run, reference.run_id, None, _UNSCORED)
    if run.parameters.get("truth") != reference.parameters.get("truth"):
        return Compared(run, reference.run_id, None, _UNPAIRED)
    seed = int(reference.parameters["seed"])
    return Compared(run, reference.run_id, difference(_counts(run), _counts(reference), seed), None)


def _counts(run: Run) -> Counts:
    """Confusion counts by artist of what was held out."""
    labels = run.metrics["labels"]
    names = np.asarray(labels, dtype=np.str_)
    truth, guess = (names[np.array(run.metrics["held_out"][part])] for part in ("label", "guess"))
    return confusions(truth, [guess], np.array(run.metrics["held_out"]["artist"]).astype(np.str_), labels)
