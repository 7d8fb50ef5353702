"""Who moved a score: Shapley values of grouped features against rows of a background, by Owen's rule for groups.

A walk starts at a background row and puts the features of the explained row in its place, one player after the
other, all players of a stem in a row; what the score gains at a step is the player's. Averaged over all orders that
keep stems together this is the Owen value: fair to stems as wholes (Shapley, between them) and to features within a
stem. Here it is averaged over some orders drawn at random, each also walked backwards. Whatever is drawn, the gains
of a walk add up to the whole difference, so that contributions always do; where the score is a sum over players
(a linear model's log-odds between two labels) every order gives the same gains, and the result is exact.

References
----------
L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II, 1953.
G. Owen, "Values of games with a priori unions", Mathematical Economics and Game Theory, 1977.
E. Štrumbelj, I. Kononenko, "Explaining prediction models and individual predictions with feature contributions",
Knowledge and Information Systems, 2014.
R. Mitchell, J. Cooper, E. Frank, G. Holmes, "Sampling permutations for Shapley value estimation", JMLR, 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]

Scorer = Callable[[Matrix], Matrix]
"""From rows ``(n, d)`` to a score each, ``(n,)``."""

_PAIRS = (2, 20)
"""Orders a background row, each walked both ways: two or more, whose differences tell how far off their mean is."""


@dataclass(frozen=True, slots=True)
class Player:
    """Features that are put in place together: a stem's name, their own, and their columns in the matrix."""

    stem: str
    name: str
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Contributions that sum to ``value - base``.

    Parameters
    ----------
    value, base
        Score of the explained row, and the background's mean.
    contributions, errors
        Of each player, shape ``(n_players,)``, in units of the score; `errors` are standard errors of the sampling,
        0 where the score is a sum over players.
    stems, stem_errors
        The same by stem.
    """

    value: float
    base: float
    contributions: Matrix
    errors: Matrix
    stems: dict[str, float]
    stem_errors: dict[str, float]


def attribute(
    score: Scorer, row: Matrix, background: Matrix, players: Sequence[Player], *, rows: int, seed: int
) -> Attribution:
    """Share the difference between a row's score and the background's among players.

    Parameters
    ----------
    score
        What is explained; every row that it gets is a mix of `row` and one of `background`.
    row
        Shape ``(d,)``.
    background
        Shape ``(n, d)``, at least one row.
    players
        Every column of the matrix in exactly one of them.
    rows
        How many rows to score, about: more give smaller errors.
    seed
        Draws the orders; the same input and seed give the same answer.
    """
    rng = np.random.default_rng(seed)
    stems = list(dict.fromkeys(player.stem for player in players))
    member = np.array([[player.stem == stem for player in players] for stem in stems], dtype=np.float64)
    pairs = int(np.clip(rows // (2 * len(background) * (len(players) + 1)), *_PAIRS))
    # Of each background row and pair of walks, what every player gained: (n, pairs, n_players).
    gains = np.empty((len(background), pairs, len(players)))
    bases = np.empty(len(background))
    for number, start in enumerate(background):
        orders = [_order(players, stems, rng) for _ in range(pairs)]
        walks = [way for order in orders for way in (order, order[::-1])]
        scores = score(np.concatenate([_walk(row, start, players, way) for way in walks]))
        for walk, (way, steps) in enumerate(zip(walks, scores.reshape(len(walks), -1), strict=True)):
            half = 0.5 * np.diff(steps)
            if walk % 2 == 0:
                gains[number, walk // 2, way] = half
            else:
                gains[number, walk // 2, way] += half
        bases[number] = scores[0]
    by_stem = gains @ member.T
    contributions, errors = _mean_and_error(gains)
    of_stems, stem_errors = _mean_and_error(by_stem)
    return Attribution(
        value=float(score(row[None])[0]),
        base=float(bases.mean()),
        contributions=contributions,
        errors=errors,
        stems=dict(zip(stems, of_stems.tolist(), strict=True)),
        stem_errors=dict(zip(stems, stem_errors.tolist(), strict=True)),
    )


def _order(players: Sequence[Player], stems: Sequence[str], rng: np.random.Generator) -> Rows:
    """Draw an order of players in which those of a stem follow one another."""
    chosen = [stems[place] for place in rng.permutation(len(stems)).tolist()]
    of_stem = [np.array([n for n, player in enumerate(players) if player.stem == stem]) for stem in chosen]
    return np.concatenate([rng.permutation(numbers) for numbers in of_stem]).astype(np.int64)


def _walk(row: Matrix, start: Matrix, players: Sequence[Player], order: Rows) -> Matrix:
    """Rows from `start` to `row`, shape ``(n_players + 1, d)``."""
    rows = np.repeat(start[None], len(order) + 1, axis=0)
    for step, number in enumerate(order.tolist(), 1):
        columns = list(players[number].columns)
        rows[step:, columns] = row[columns]
    return rows


def _mean_and_error(gains: Matrix) -> tuple[Matrix, Matrix]:
    """Mean over background rows and pairs, and its standard error by how far the pairs of a row are apart.

    Background rows are no sample here: what is shared out is the difference from exactly these.
    """
    n, pairs, _ = gains.shape
    error: Matrix = np.sqrt(gains.var(axis=1, ddof=1).sum(axis=0) / pairs) / n
    return gains.mean(axis=(0, 1)), error
