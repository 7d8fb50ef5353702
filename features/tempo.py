"""How fast, with the octave resolved, and where the beats fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.onsets import FRAME_RATE_HZ, Floats, OnsetCurves, Onsets
from features.tempo_weights import MULTIPLES, WEIGHTS

Doubles = NDArray[np.float64]

CURVE_RATE_HZ = FRAME_RATE_HZ / 2
TEMPI_BPM: Doubles = np.exp(np.arange(np.log(45), np.log(230), 0.01))
"""The tempi that are weighed against each other, 1 % apart."""
LONGEST_LAG_S = 5.5

_WINDOW_S = 16.0
_SLACK = np.array([0.985, 0.9925, 1.0, 1.0075, 1.015])  # a lag is read at its best within ±1.5 %
_TIGHTNESS = 400.0  # how dearly an uneven beat is paid for; at 60, beats slide onto the off-beat of busy patterns
_SAME = 0.04  # tempi within 4 % are one tempo: the tolerance of the field's evaluations


@dataclass(frozen=True, slots=True)
class Tempo:
    """A tempo and what speaks for others.

    Parameters
    ----------
    bpm
        Beats a minute.
    probabilities
        Of each of `TEMPI_BPM`, sum 1, shape ``(n_tempi,)``.
    """

    bpm: float
    probabilities: Doubles

    def confidence(self, bpm: float) -> float:
        """Probability of tempi within 4 % of one, 0 to 1."""
        return min(float(self.probabilities[np.abs(TEMPI_BPM / bpm - 1) < _SAME].sum()), 1.0)


def rhythm_curves(curves: OnsetCurves, onsets: Onsets, drums: Floats) -> Doubles:
    """Onset strength of everything, and of each drum alone.

    Parameters
    ----------
    curves, onsets
        Of one signal.
    drums
        Probability of each drum at each onset, shape ``(n_drums, n_onsets)``.

    Returns
    -------
    Doubles
        Shape ``(1 + n_drums, n_frames // 2)``, `CURVE_RATE_HZ` frames a second.
    """
    n = curves.n_frames // 2
    out = np.empty((1 + len(drums), n))
    out[0] = curves.total[: 2 * n].reshape(n, 2).sum(axis=1)
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    kernel /= kernel.sum()
    position = np.clip(onsets.times_s * CURVE_RATE_HZ, 0, n - 1.001)
    frame = position.astype(np.intp)
    for row, probability in zip(out[1:], drums, strict=True):
        impulses = np.zeros(n)
        weight = onsets.strength * probability
        np.add.at(impulses, frame, weight * (1 - (position - frame)))
        np.add.at(impulses, np.minimum(frame + 1, n - 1), weight * (position - frame))
        row[:] = np.convolve(impulses, kernel, mode="same")[:n]
    return out


def autocorrelation(curve: Doubles) -> Doubles:
    """Autocorrelation of a curve, the mean over windows of 16 s, so that a drifting tempo does not smear it.

    Parameters
    ----------
    curve
        Shape ``(n_frames,)`` at `CURVE_RATE_HZ`.

    Returns
    -------
    Doubles
        By lag in frames up to `LONGEST_LAG_S`; 1 at lag 0; zeros for a constant curve.
    """
    from scipy import fft

    width = min(curve.size, round(_WINDOW_S * CURVE_RATE_HZ))
    n_lags = int(LONGEST_LAG_S * CURVE_RATE_HZ) + 1
    length = fft.next_fast_len(2 * width)
    out = np.zeros(n_lags)
    shorter = np.minimum(width / np.maximum(width - np.arange(n_lags), 1), 3)
    for start in range(0, max(1, curve.size - width + 1), max(1, width // 2)):
        window = curve[start : start + width]
        spectrum = fft.rfft(window - window.mean(), length)
        lags = fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[: min(n_lags, width)]
        out[: lags.size] += lags * shorter[: lags.size]
    return out / out[0] if out[0] > 1e-12 else np.zeros(n_lags)


def scale_transform(lags: Doubles, n: int) -> Doubles:
    """Magnitudes of the scale transform of an autocorrelation: what stays when the same rhythm is played faster.

    Parameters
    ----------
    lags
        From `autocorrelation`.
    n
        How many coefficients, from the first above the constant on.

    Returns
    -------
    Doubles
        Shape ``(n,)``, of length 1; zeros for a constant.

    References
    ----------
    Holzapfel & Stylianou: "Scale transform in rhythmic similarity of music", IEEE TASLP 2011.
    """
    at_s = np.exp(np.linspace(np.log(0.12), np.log(LONGEST_LAG_S - 0.1), 128))
    sampled = np.interp(at_s * CURVE_RATE_HZ, np.arange(lags.size), lags)
    magnitude = np.abs(np.fft.rfft(sampled - sampled.mean()))[1 : n + 1]
    norm = float(np.linalg.norm(magnitude))
    return magnitude / norm if norm > 0 else magnitude


def estimate_tempo(autocorrelations: Doubles, rates_hz: Doubles, weights: Doubles = WEIGHTS) -> Tempo:
    """Weigh every tempo by what the music does at its beat's multiples and fractions.

    Parameters
    ----------
    autocorrelations
        Of the rows of `rhythm_curves` (all, kick, snare, hats, toms), shape ``(5, n_lags)``.
    rates_hz
        Onsets a second of the same five, shape ``(5,)``.
    weights
        Other weights than those that ship, for evaluation.

    Returns
    -------
    Tempo
        To 1 %; `track_beats` makes it finer.

    References
    ----------
    Gkiokas et al.: "Music tempo estimation and beat tracking by applying source separation and metrical relations",
    ICASSP 2012.
    Schreiber & Müller: "A post-processing procedure for improving music tempo estimates using supervised learning",
    ISMIR 2017.
    """
    evidence = tempo_evidence(autocorrelations, rates_hz) @ weights
    probabilities = np.exp(evidence - evidence.max())
    probabilities /= probabilities.sum()
    best = TEMPI_BPM[int(probabilities.argmax())]
    return Tempo(float(best), probabilities)


def tempo_evidence(autocorrelations: Doubles, rates_hz: Doubles) -> Doubles:
    """What `estimate_tempo` weighs, for each of `TEMPI_BPM`.

    Returns
    -------
    Doubles
        Shape ``(n_tempi, len(WEIGHTS))``: each autocorrelation at `MULTIPLES` of the beat, three powers of the log
        tempo, then log onsets a beat and its square for each rate.
    """
    beat_s = 60 / TEMPI_BPM
    lags = beat_s[:, None, None] * np.asarray(MULTIPLES)[None, :, None] * _SLACK * CURVE_RATE_HZ
    frames = np.arange(autocorrelations.shape[1])
    columns = [np.interp(lags, frames, row, right=0.0).max(axis=2) for row in autocorrelations]
    octaves = np.log2(TEMPI_BPM / 120)
    columns.append(np.stack([octaves, octaves**2, octaves**3], axis=1))
    for rate in rates_hz:
        a_beat = np.log2(rate * beat_s + 0.1)
        columns.append(np.stack([a_beat, a_beat**2], axis=1))
    return np.concatenate(columns, axis=1)


def find_beats(curves: Doubles, onset_times: Doubles, bpm: float) -> Doubles:
    """Beat times of a drum stem: `track_beats`, then `steady_beats`.

    Parameters
    ----------
    curves
        From `rhythm_curves`: everything, kick, snare, then others.
    onset_times
        Onset times in seconds.
    bpm
        Tempo to keep to.

    Returns
    -------
    Doubles
        Seconds, ascending.
    """
    # Kick and snare carry the beat; hats and ghost notes fill it.
    beats = track_beats(curves[0] + 2 * curves[1] + 2 * curves[2], bpm)
    return steady_beats(beats, onset_times, bpm) if beats.size > 1 else beats


def tempo_of_beats(beat_times: Doubles, otherwise: float) -> float:
    """Tempo of beats in beats a minute: the median over spans of up to eight; `otherwise` where they are too few."""
    span = min(8, beat_times.size - 1)
    period = float(np.median(beat_times[span:] - beat_times[:-span])) / span
    # Fewer than four beats drawn to single onsets are no better than the estimate.
    return 60 / period if beat_times.size > 4 and abs(60 / period / otherwise - 1) < 0.05 else otherwise


def track_beats(curve: Doubles, bpm: float) -> Doubles:
    """Beat times that keep to a tempo and fall on onsets.

    Parameters
    ----------
    curve
        Onset strength, shape ``(n_frames,)`` at `CURVE_RATE_HZ`.
    bpm
        Tempo to keep to, within a few per cent.

    Returns
    -------
    Doubles
        Times in seconds, ascending, to about 10 ms.

    References
    ----------
    Ellis: "Beat tracking by dynamic programming", JNMR 2007.
    """
    period = 60 / bpm * CURVE_RATE_HZ
    lags = np.arange(int(0.75 * period), int(1.34 * period) + 1)
    cost = _TIGHTNESS * np.log(lags / period) ** 2
    spread = float(curve.std())
    onset = curve / spread if spread > 0 else curve
    n, block = onset.size, int(lags[0])
    score = np.concatenate([np.zeros(lags[-1]), onset])
    before = np.full(n, -1)
    # A beat depends on frames at least `block` earlier, so a whole block is decided at once.
    for start in range(0, n, block):
        here = np.arange(start, min(start + block, n))
        reach = score[here[:, None] + lags[-1] - lags] - cost
        best = reach.argmax(axis=1)
        score[here + lags[-1]] += reach[np.arange(here.size), best]
        before[here] = here - lags[best]
    tail = max(0, n - int(lags[-1]))
    at = tail + int(score[lags[-1] + tail :].argmax())
    beats = [at]
    while before[at] >= 0:
        at = int(before[at])
        beats.append(at)
    # Flux half a frame early on average: pairs of frames were summed into one.
    return (np.array(beats[::-1], dtype=np.float64) + 0.25) / CURVE_RATE_HZ


def steady_beats(beat_times: Doubles, onset_times: Doubles, bpm: float, n_smooth: int = 9) -> Doubles:
    """Beats as the player means them: drawn to the onsets, then smoothed, so that single early strokes stay early.

    Parameters
    ----------
    beat_times
        From `track_beats`, at least two.
    onset_times
        Onset times in seconds.
    bpm
        Tempo.
    n_smooth
        Beats that are averaged.

    Returns
    -------
    Doubles
        As many times in seconds, ascending.
    """
    reach = min(0.05, 0.1 * 60 / bpm)
    at = np.clip(np.searchsorted(onset_times, beat_times), 1, max(1, onset_times.size - 1))
    left, right = onset_times[at - 1], onset_times[np.minimum(at, onset_times.size - 1)]
    nearest = np.where(beat_times - left < right - beat_times, left, right)
    found = np.abs(nearest - beat_times) < reach
    index = np.arange(beat_times.size)
    if found.sum() < 3:
        return beat_times
    slope, start = np.polyfit(index[found], nearest[found], 1)
    line = start + slope * index
    deviation = np.interp(index, index[found], (nearest - line)[found])
    width = min(n_smooth, beat_times.size) // 2
    padded = np.pad(deviation, width, mode="edge")
    smooth = np.convolve(padded, np.ones(2 * width + 1) / (2 * width + 1), mode="valid")
    return np.maximum.accumulate(line + smooth)
