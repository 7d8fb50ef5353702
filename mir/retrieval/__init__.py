"""How well spaces find the same artist again: who asks, what counts, and by how much one way beats another."""

from __future__ import annotations

from mir.retrieval.evaluation import Evaluation, evaluate
from mir.retrieval.scores import Scores, difference, interval

__all__ = ["Evaluation", "Scores", "difference", "evaluate", "interval"]
