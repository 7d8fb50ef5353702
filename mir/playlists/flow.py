"""An order without jumps: greedy, then improved by turning stretches round."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_ZERO: Final = 1e-9


def smooth(distance: Matrix) -> list[int]:
    """Return an order of all places that begins at 0 and whose steps are short in sum.

    Two lists, the given one and the one that always goes on to the nearest, are each improved by turning stretches
    round for as long as that makes the way shorter (2-opt); the shorter result is taken, so that it is never longer
    than the given list.

    Parameters
    ----------
    distance
        Shape ``(n, n)``, symmetric, no NaN.

    References
    ----------
    G. A. Croes, "A method for solving traveling-salesman problems", Operations Research 6, 1958.

    Examples
    --------
    >>> places = np.array([0.0, 3.0, 1.0, 2.0])
    >>> smooth(abs(places[:, None] - places))
    [0, 2, 3, 1]
    """
    given = np.arange(len(distance))
    if len(given) < 3:
        return [int(place) for place in given]
    ways = [_untangled(start, distance) for start in (_greedy(distance), given)]
    best = min(ways, key=lambda way: length(way, distance))
    return [int(place) for place in best]


def length(order: NDArray[np.intp], distance: Matrix) -> float:
    """Return the sum of an order's steps."""
    return float(distance[order[:-1], order[1:]].sum())


def _greedy(distance: Matrix) -> NDArray[np.intp]:
    order = [0]
    left = np.ones(len(distance), bool)
    left[0] = False
    while left.any():
        order.append(int(np.argmin(np.where(left, distance[order[-1]], np.inf))))
        left[order[-1]] = False
    return np.array(order, np.intp)


def _untangled(order: NDArray[np.intp], distance: Matrix) -> NDArray[np.intp]:
    """Turn stretches round, the best one from each place on, until none makes the way shorter."""
    order = order.copy()
    shorter = True
    while shorter:
        shorter = False
        for first in range(1, len(order) - 1):
            before, here = order[first - 1], order[first]
            last, after = order[first + 1 :], order[first + 2 :]
            gain = distance[before, here] - distance[before, last]
            # The last stretch has nothing after it: one step less changes.
            gain[:-1] += distance[last[:-1], after] - distance[here, after]
            best = int(np.argmax(gain))
            if gain[best] > _ZERO:
                order[first : first + best + 2] = order[first : first + best + 2][::-1]
                shorter = True
    return order
