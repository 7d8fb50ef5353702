"""Fitting transforms: what is usual, what says the same twice, and what varies within one and the same voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mir.errors import BadRequest
from mir.transforms import CLIP, MINIMUM_TRACKS, TooFewTracks, Transform, robust_spread
from mir.within import Within

Matrix = NDArray[np.float64]

DEFAULT_WHITENING: Final = 0.0
"""Correlations stay: on few and short tracks, taking them out amplifies what one song happens to do."""

DEFAULT_FORGETTING: Final = 0.5
"""How much of what varies within a track is taken out, where it is known."""

_DIGITS: Final = 7
_ZERO: Final = 1e-12
_LEAST: Final = 1e-3
"""Of the mean spread: a direction that hardly varied within a track is not trusted beyond this."""


LEAST_FREEDOM: Final = 20
"""Tracks beyond the first of their artist, below which artists tell too little of what varies within one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How transforms are fitted.

    Parameters
    ----------
    whitening, forgetting, size
        As `fit_transform`.
    by_artist
        Whether what varies within an artist is learned too, from the tracks of the same one.
    """

    whitening: float = DEFAULT_WHITENING
    forgetting: float = DEFAULT_FORGETTING
    size: int | None = None
    by_artist: bool = False

    def learns(self, known: Within | None) -> bool:
        """Whether it does more than standardise, where that is `known` to vary within a track."""
        forgets = self.forgetting > 0 and (self.by_artist or known is not None)
        return forgets or self.whitening > 0 or self.size is not None

    def fit(
        self, descriptors: Matrix, artists: Sequence[str], *, space: str, version: int, known: Within | None
    ) -> Transform:
        """Fit a transform.

        Parameters
        ----------
        descriptors
            Shape ``(n_tracks, n_in)``.
        artists
            Whose each track is; empty where nobody is known.
        space, version
            Whose descriptors these are.
        known
            What varies within a track, measured elsewhere.

        Raises
        ------
        TooFewTracks
            Where there are too few tracks, or `by_artist` finds too few artists with several.
        BadRequest
            As `fit_transform`.
        """
        within = known
        if self.by_artist:
            of_artist: dict[str, list[Matrix]] = {}
            for name, row in zip(artists, descriptors, strict=True):
                of_artist.setdefault(name, []).append(row)
            of_artist.pop("", None)
            groups = [np.array(rows) for rows in of_artist.values() if len(rows) > 1]
            freedom = sum(len(group) - 1 for group in groups)
            if freedom < LEAST_FREEDOM:
                raise TooFewTracks(
                    f"{len(groups)} artists have {freedom + len(groups)} tracks described in {space} between them; to "
                    f"learn what varies within an artist takes {LEAST_FREEDOM} tracks more than artists. Fit without"
                )
            own = Within.measure(groups, space=space, version=version, source="tracks of one artist")
            within = own if known is None else known.pooled(own)
        return fit_transform(
            descriptors,
            space=space,
            version=version,
            whitening=self.whitening,
            within=within,
            forgetting=self.forgetting,
            size=self.size,
        )


def fit_transform(
    descriptors: ArrayLike,
    *,
    space: str,
    version: int,
    whitening: float = DEFAULT_WHITENING,
    within: Within | None = None,
    forgetting: float = DEFAULT_FORGETTING,
    size: int | None = None,
    minimum: int = MINIMUM_TRACKS,
) -> Transform:
    """Fit a transform on descriptors; no label is seen.

    Each coordinate is standardised by median and interquartile range and clipped. Directions in which one and the
    same voice varies are then counted less: by V = ((1 − f) m I + f W)^(−1/2), with W the covariance `within`, f =
    `forgetting` and m the mean of W's diagonal (within-class covariance normalisation, shrunk). Last,
    coordinates that say the same are counted less: by Σ^(−w/2) with Σ the shrunk covariance of what V gives and w =
    `whitening`. With `within` measured on artists and a `size` this is linear discriminant analysis.

    Parameters
    ----------
    descriptors
        Shape ``(n_tracks, n_in)``, as measured.
    space, version
        Whose descriptors these are.
    whitening
        0 leaves correlated coordinates as they are, 1 makes all directions count the same.
    within, forgetting
        What varies within a track or an artist, and how much of it is taken out: 0 nothing, 1 all.
    size
        Keep this many principal directions only; all of them where it is None.
    minimum
        Least number of tracks.

    Raises
    ------
    TooFewTracks
        Where there are fewer than `minimum` rows.
    BadRequest
        Where rows are not finite, or an argument is out of range.

    References
    ----------
    A. Hatch, S. Kajarekar and A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition",
    Interspeech 2006. O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
    Journal of Multivariate Analysis 88, 2004. A. Kessy, A. Lewin and K. Strimmer, "Optimal whitening and
    decorrelation", The American Statistician 72, 2018.
    """
    raw = np.asarray(descriptors, dtype=np.float64)
    if raw.ndim != 2 or not raw.shape[1] or not np.isfinite(raw).all():
        raise BadRequest(f"descriptors are finite and of shape (n_tracks, n_in), not {raw.shape}")
    if len(raw) < minimum:
        raise TooFewTracks(f"{space} is described for {len(raw)} tracks; a transform needs {minimum} or more")
    for name, share in (("whitening", whitening), ("forgetting", forgetting)):
        if not 0 <= share <= 1:
            raise BadRequest(f"{name} is 0 to 1, not {share}")
    if size is not None and not 1 <= size <= raw.shape[1]:
        raise BadRequest(f"size is 1 to {raw.shape[1]}, not {size}")
    if within is not None and len(within.covariance) != raw.shape[1]:
        raise BadRequest(
            f"descriptors have {raw.shape[1]} numbers, and what varies within a track {len(within.covariance)}"
        )
    median, scale = _rounded(np.median(raw, axis=0)), _rounded(_scale(raw))
    plain = Transform(space, version, median=median, scale=scale, center=np.zeros(len(median)), n_tracks=len(raw))
    z = plain.standardise(raw)
    center = _rounded(z.mean(axis=0))
    forgets = within is not None and forgetting > 0
    forgetter = _forgetter(within.covariance / np.outer(scale, scale), forgetting) if within and forgets else None
    projection = forgetter
    if whitening > 0 or size is not None:
        seen = z - center if forgetter is None else (z - center) @ forgetter.T
        whitener = _whitener(seen, whitening, size)
        projection = whitener if forgetter is None else whitener @ forgetter
    method = (
        f"median and IQR, clip {CLIP:g}, forgetting {forgetting if forgets else 0:g}, whitening {whitening:g}, "
        f"{size or len(median)} directions"
    )
    return replace(plain, center=center, projection=None if projection is None else _rounded(projection), method=method)


def shrunk_covariance(centred: Matrix) -> Matrix:
    """Estimate a covariance with Ledoit–Wolf shrinkage from centred rows, shape ``(n, d)``, to ``(d, d)``."""
    n, d = centred.shape
    sample = centred.T @ centred / n
    mean = np.trace(sample) / d
    spread = float(np.sum(np.square(sample - mean * np.eye(d))))
    fourth = float(np.sum(np.square(np.sum(np.square(centred), axis=1))))
    noise = (fourth - n * float(np.sum(np.square(sample)))) / n**2
    share = min(max(noise, 0.0) / spread, 1.0) if spread > 0 else 1.0
    shrunk: Matrix = (1 - share) * sample + share * mean * np.eye(d)
    return shrunk


def _forgetter(within: Matrix, forgetting: float) -> Matrix:
    """Return V, symmetric, shape ``(n_in, n_in)``, scaled to keep a direction of mean spread as it is."""
    mean = np.trace(within) / len(within)
    if mean <= 0:
        return np.eye(len(within))
    values, directions = np.linalg.eigh((1 - forgetting) * np.eye(len(within)) + forgetting * within / mean)
    whole: Matrix = (directions / np.sqrt(np.maximum(values, _LEAST))) @ directions.T
    return whole


def _whitener(centred: Matrix, whitening: float, size: int | None) -> Matrix:
    values, directions = np.linalg.eigh(shrunk_covariance(centred))
    values = np.maximum(values, _ZERO + 1e-6 * values.max())
    gains = values ** (-whitening / 2)
    if size is None:
        whole: Matrix = (directions * gains) @ directions.T
        return whole
    order = np.argsort(values)[::-1][:size]
    return (directions[:, order] * gains[order]).T


def _scale(raw: Matrix) -> Matrix:
    """Spread of each coordinate, positive."""
    scale = robust_spread(raw)
    # A coordinate that never moved on these tracks: a change by its own size counts as one.
    still = scale <= 1e-9 * np.maximum(np.abs(raw).max(axis=0), 1e-3)
    return np.where(still, np.maximum(np.abs(np.median(raw, axis=0)), 1.0), scale)


def _rounded(values: Matrix) -> Matrix:
    """Keep seven digits: short files, and the same numbers after a round trip."""
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values.ravel()]).reshape(values.shape)
