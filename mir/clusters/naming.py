"""What sets a cluster apart, in words: the columns whose distribution in it differs most from the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mir.clusters.records import Distinction

if TYPE_CHECKING:
    import duckdb

TELLING: Final = 0.33
"""Least effect worth a word: |Cliff's delta| of 0.33 is called medium (Romano et al., 2006)."""

_WORDS: Final = 3
_KEPT: Final = 8
_MEASURED: Final = 0.5
"""A column speaks for a cluster where at least this share of its tracks has a number."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Named numbers of tracks.

    Parameters
    ----------
    columns
        ``(instrument, space, column, unit)`` each.
    values
        Shape ``(n_tracks, n_columns)``; NaN where not measurable.
    """

    columns: tuple[tuple[str, str, str, str], ...]
    values: NDArray[np.float64]


def read_measured(
    con: duckdb.DuckDBPyConnection, weights: Mapping[str, float], track_ids: NDArray[np.int64]
) -> Measured:
    """Read every column that has words, of the instruments' spaces, for tracks by rising id."""
    from features import extractor
    from features.words import words_of
    from mir.catalog.schema import identifier
    from mir.spaces import space_of

    columns, values = [], []
    for instrument in weights:
        declared = extractor(space_of(instrument))
        named = [column for column in declared.columns if words_of(declared.space, column.name) is not None]
        selected = ", ".join(identifier(name) for name in ("track_id", *(column.name for column in named)))
        fetched = con.execute(
            f"SELECT {selected} FROM {identifier(declared.space)} ORDER BY track_id"  # noqa: S608 - declared names
        ).fetchnumpy()
        ids, *numbers = (
            np.ma.filled(column.astype(np.float64), np.nan) for column in map(np.ma.asarray, fetched.values())
        )
        at = np.searchsorted(ids, track_ids)
        here = (at < len(ids)) & (ids[np.minimum(at, len(ids) - 1)] == track_ids) if len(ids) else at < 0
        for column, column_values in zip(named, numbers, strict=True):
            found = np.full(len(track_ids), np.nan)
            found[here] = column_values[at[here]]
            columns.append((instrument, declared.space, column.name, column.unit))
            values.append(found)
    return Measured(tuple(columns), np.stack(values, axis=1) if values else np.empty((len(track_ids), 0)))


def effects(values: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cliff's delta of every cluster against all other tracks, noise among them.

    Parameters
    ----------
    values
        Shape ``(n, n_columns)``, NaN where not measured.
    labels
        Shape ``(n,)``, from 0; −1 for noise.

    Returns
    -------
    ndarray
        Shape ``(n_clusters, n_columns)``, −1 to 1; 0 where too few are measured.

    References
    ----------
    N. Cliff, "Dominance statistics: ordinal analyses to answer ordinal questions", Psychological Bulletin 114, 1993.
    """
    from scipy.stats import rankdata

    n_clusters = int(labels.max(initial=-1)) + 1
    found = np.zeros((n_clusters, values.shape[1]))
    sizes = np.bincount(labels + 1, minlength=n_clusters + 1)[1:]
    for place in range(values.shape[1]):
        there = ~np.isnan(values[:, place])
        inside = labels[there] + 1
        ranks = rankdata(values[there, place])
        counts = np.bincount(inside, minlength=n_clusters + 1)[1:]
        sums = np.bincount(inside, ranks, minlength=n_clusters + 1)[1:]
        pairs = counts * (there.sum() - counts)
        larger = sums - counts * (counts + 1) / 2
        enough = (pairs > 0) & (counts >= _MEASURED * sizes)
        found[enough, place] = 2 * larger[enough] / pairs[enough] - 1
    return found


def distinguish(measured: Measured, labels: NDArray[np.int64]) -> list[tuple[Distinction, ...]]:
    """Return for each cluster what sets it apart, the most telling first; no words twice."""
    from features.words import words_of

    told = []
    for label, row in enumerate(effects(measured.values, labels)):
        said: list[Distinction] = []
        for place in np.argsort(-np.abs(row), kind="stable").tolist():
            if abs(row[place]) < TELLING or len(said) == _KEPT:
                break
            instrument, space, column, unit = measured.columns[place]
            words = words_of(space, column)
            if words is None or any(one.words in words for one in said):
                continue
            inside = labels == label
            said.append(
                Distinction(
                    words[int(row[place] > 0)],
                    instrument,
                    column,
                    unit,
                    float(row[place]),
                    float(np.nanmedian(measured.values[inside, place])),
                    float(np.nanmedian(measured.values[~inside, place])),
                )
            )
        told.append(tuple(said))
    return told


def names(told: Sequence[Sequence[Distinction]], sizes: Sequence[int]) -> list[str]:
    """Name clusters by their first words, as many as tell them apart; the larger of two has the shorter name.

    Words in another order are the same name. Clusters whose words are all the same are numbered; one that nothing
    sets apart is called ``unremarkable``.
    """
    found = [""] * len(told)
    taken: set[frozenset[str]] = set()
    for label in sorted(range(len(told)), key=lambda each: -sizes[each]):
        words = [one.words for one in told[label]] or ["unremarkable"]
        counts = range(min(_WORDS, len(words)), len(words) + 1)
        chosen = next((words[:count] for count in counts if frozenset(words[:count]) not in taken), None)
        number = 2
        while chosen is None:
            numbered = [*words[:_WORDS][:-1], f"{words[:_WORDS][-1]} ({number})"]
            chosen, number = (None if frozenset(numbered) in taken else numbered), number + 1
        taken.add(frozenset(chosen))
        found[label] = ", ".join(chosen)
    return found
