"""How the drums play: how fast, in which pattern, how evenly, with which accents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from features.base import Column, Description, Extractor, Samples, Stems
from features.drum_columns import DRUM_COLUMNS, DRUM_DESCRIPTOR_NAMES, N_SCALES, N_TEMPO_CODES, SUBDIVISIONS
from features.drum_voices import DRUMS, VOICES, Voices, drum_probabilities
from features.grid import Grid, lay_on_grid, syncopation
from features.metre import METRE, Bars, Metre, choose_bars, hearings
from features.onsets import (
    BAND_EDGES_HZ,
    FRAME_RATE_HZ,
    ONSET_SR,
    Floats,
    OnsetCurves,
    Onsets,
    find_onsets,
    onset_curves,
    times_in_bands,
)
from features.tempo import (
    CURVE_RATE_HZ,
    TEMPI_BPM,
    Doubles,
    Tempo,
    autocorrelation,
    estimate_tempo,
    rhythm_curves,
    scale_transform,
)
from features.tempo_weights import WEIGHTS

FEWEST_ONSETS = 4
HIGH_BANDS = slice(13, None)  # 3.2 kHz and up: hats and sticks
_PLAYED = 0.5
_EDGES = np.asarray(BAND_EDGES_HZ, dtype=np.float64)
_CENTRES_HZ = np.sqrt(_EDGES[:-1] * _EDGES[1:])
_TIMBRE_BANDS = np.array([0, 3, 6, 9, 12, 15])  # each group is three bands, about an octave and a half
_GHOST_DB = -12.0


@dataclass(frozen=True, slots=True)
class Learned:
    """All weights that a fit makes.

    Parameters
    ----------
    voices
        Which drum a stroke is: `features.drum_voices`.
    tempo
        What speaks for a tempo: `features.tempo`.
    metre
        What speaks for a bar: `features.metre`.
    """

    voices: Voices
    tempo: Doubles
    metre: Metre


LEARNED = Learned(VOICES, WEIGHTS, METRE)
"""The weights that ship."""


@dataclass(frozen=True, slots=True)
class DrumAnalysis:
    """What is known of a drum stem before it is summed up.

    Parameters
    ----------
    curves, onsets
        Band energies, and the onsets in them.
    drums
        Probability of each of `features.drum_voices.DRUMS` at each onset, shape ``(4, n_onsets)``.
    autocorrelations
        Of everything, then of each drum, shape ``(5, n_lags)``.
    tempo
        What speaks for which tempo.
    bars
        Beats and bars.
    grid
        Onsets on their sixteenths.
    """

    curves: OnsetCurves
    onsets: Onsets
    drums: Floats
    autocorrelations: Doubles
    tempo: Tempo
    bars: Bars
    grid: Grid


def analyse_drums(y: Samples, learned: Learned = LEARNED) -> DrumAnalysis | None:
    """Find strokes, tempo, beats and bars of a drum stem.

    Parameters
    ----------
    y
        Mono signal at `features.onsets.ONSET_SR`, shape ``(n_samples,)``.
    learned
        Other weights than those that ship, for evaluation.

    Returns
    -------
    DrumAnalysis or None
        None where there are fewer than `FEWEST_ONSETS` onsets or two beats: that is no rhythm.

    Raises
    ------
    TooShort
        Below one second.
    """
    curves = onset_curves(y)
    onsets = find_onsets(curves)
    if len(onsets) < FEWEST_ONSETS:
        return None
    drums = drum_probabilities(onsets, learned.voices)
    rows = rhythm_curves(curves, onsets, drums)
    lags = np.stack([autocorrelation(row) for row in rows])
    duration_s = curves.n_frames / FRAME_RATE_HZ
    tempo = estimate_tempo(lags, np.concatenate([[len(onsets)], drums.sum(axis=1)]) / duration_s, learned.tempo)
    fine = times_in_bands(curves, onsets, HIGH_BANDS)
    heard = hearings(rows, onsets, fine, drums, tempo)
    if not heard:
        return None
    bars = choose_bars(heard, learned.metre)
    grid = lay_on_grid(onsets, fine, drums, bars.beat_times, bars.first)
    return DrumAnalysis(curves, onsets, drums, lags, tempo, bars, grid)


class DrumRhythm(Extractor):
    """How the drums play: tempo, pattern, swing and accents."""

    space: ClassVar[str] = "drum_rhythm"
    instrument: ClassVar[str] = "drums"
    version: ClassVar[int] = 2
    stems: ClassVar[tuple[str, ...]] = ("drums", "mixture")
    columns: ClassVar[tuple[Column, ...]] = DRUM_COLUMNS
    descriptor_names: ClassVar[tuple[str, ...]] = DRUM_DESCRIPTOR_NAMES

    def describe(self, stems: Stems) -> Description:
        """Measure the drum stem.

        Raises
        ------
        TooShort
            Below one second.
        """
        analysis = analyse_drums(stems.mono("drums", ONSET_SR))
        if analysis is None:
            values = dict.fromkeys((column.name for column in DRUM_COLUMNS), math.nan)
            values["level_re_mixture_db"] = _level_re_mixture_db(stems)
            return Description(values, np.zeros(self.embedding_size, dtype=np.float32))
        description = describe_rhythm(analysis)
        return Description(
            {**description.values, "level_re_mixture_db": _level_re_mixture_db(stems)}, description.descriptor
        )


def describe_rhythm(analysis: DrumAnalysis) -> Description:
    """Sum an analysis up: all columns but the drums' level against the mixture's, and the descriptor."""
    values = {**_speed(analysis), **_style(analysis), **_touch(analysis)}
    return Description(values, _descriptor(analysis, values))


def _speed(a: DrumAnalysis) -> dict[str, float]:
    """Columns about how fast."""
    duration_s = a.curves.n_frames / FRAME_RATE_HZ
    everything = a.autocorrelations[0]
    pulses = everything[round(0.25 * CURVE_RATE_HZ) : round(2.0 * CURVE_RATE_HZ)]
    bars = a.bars.beat_times[4:] - a.bars.beat_times[:-4]
    played = a.drums > _PLAYED
    return {
        "tempo_bpm": a.bars.bpm,
        "tempo_confidence": a.tempo.confidence(a.bars.bpm),
        "tempo_variation_percent": 100 * float(np.std(bars) / np.mean(bars)) if bars.size >= 4 else math.nan,
        "pulse_clarity": float(np.clip(pulses.max(initial=0), 0, 1)),
        "onset_rate_hz": len(a.onsets) / duration_s,
        "kick_rate_hz": float(played[0].sum()) / duration_s,
        "snare_rate_hz": float(played[1].sum()) / duration_s,
        "hats_rate_hz": float(played[2].sum()) / duration_s,
        "toms_rate_hz": float(played[3].sum()) / duration_s,
        "onsets_per_beat": len(a.onsets) / duration_s * 60 / a.bars.bpm,
    }


def _style(a: DrumAnalysis) -> dict[str, float]:
    """Columns about the pattern in the bar."""
    strokes: NDArray[np.bool_] = np.greater(a.grid.steps, _PLAYED)
    kick, snare, hats = a.grid.pattern
    with_kick = strokes[0].any(axis=1)
    on_beats = np.sort(strokes[0][with_kick][:, ::4].mean(axis=0)) if with_kick.any() else np.zeros(4)
    bars = a.grid.steps.transpose(1, 0, 2).reshape(a.grid.steps.shape[1], -1)
    norms = np.linalg.norm(bars, axis=1)
    pairs = norms[1:] * norms[:-1]
    alike = (bars[1:] * bars[:-1]).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    body = strokes[0] | strokes[1]
    snare_share, hats_share = strokes[1:].mean(axis=1)
    return {
        # The two beats where the kick is rarest: a kick on 1 and 3 alone is no four on the floor.
        "four_on_the_floor": float(on_beats[:2].mean()),
        "backbeat_strength": _contrast(snare_share[[4, 12]].sum(), snare_share[[0, 8]].sum()),
        "offbeat_hats": _contrast(hats_share[2::4].sum(), hats_share[::4].sum()),
        "syncopation": syncopation(body[body.any(axis=1)]) if body.any() else math.nan,
        "kick_syncopation": syncopation(strokes[0][with_kick]) if with_kick.any() else math.nan,
        "swing_ratio": a.grid.swing_ratio,
        "sixteenth_swing_ratio": a.grid.sixteenth_swing_ratio,
        "bar_repetition": float(alike.mean()) if alike.size else math.nan,
        "kick_steps_per_bar": float(kick.sum()),
        "snare_steps_per_bar": float(snare.sum()),
        "hats_steps_per_bar": float(hats.sum()),
    }


def _touch(a: DrumAnalysis) -> dict[str, float]:
    """Columns about timing against the grid, accents and timbre."""
    step = a.grid.step % 16
    centred = a.grid.deviation_ms.copy()
    late: list[float] = []
    for at in np.unique(step):
        here = step == at
        middle = float(np.median(centred[here]))
        late.append(abs(middle))
        centred[here] -= middle
    power = a.curves.power.mean(axis=1).astype(np.float64)
    share = power / power.sum() if power.sum() > 0 else np.full(power.size, 1 / power.size)
    low, high = np.percentile(a.onsets.power_db, [10, 90])
    snares = a.onsets.power_db[a.drums[1] > _PLAYED]
    loud = np.percentile(snares, 90) if snares.size else 0.0
    return {
        "microtiming_deviation_ms": 1.4826 * float(np.median(np.abs(centred))),
        "groove_offset_ms": float(np.mean(late)),
        "accent_range_db": float(high - low),
        "ghost_note_ratio": float(np.mean(snares < loud + _GHOST_DB)) if snares.size >= 4 else math.nan,
        "low_energy_ratio": float(share[_EDGES[1:] <= 160].sum()),
        "high_energy_ratio": float(share[_EDGES[:-1] >= 2450].sum()),
        "spectral_centroid_hz": float(share @ _CENTRES_HZ),
    }


def _descriptor(a: DrumAnalysis, values: dict[str, float]) -> Floats:
    """What rhythms are compared by; the order is that of `DRUM_DESCRIPTOR_NAMES`, each number about 0 to 1."""

    def number(name: str, otherwise: float) -> float:
        return values[name] if math.isfinite(values[name]) else otherwise

    rates = [math.log2(1 + values[f"{what}_rate_hz"]) for what in ("onset", *DRUMS)]
    style = [
        number("four_on_the_floor", 0),
        number("backbeat_strength", 0),
        number("offbeat_hats", 0),
        number("syncopation", 0) / 8,
        number("kick_syncopation", 0) / 8,
        number("swing_ratio", 1) - 1,
        number("sixteenth_swing_ratio", 1) - 1,
        number("bar_repetition", 0.5),
        values["pulse_clarity"],
        values["microtiming_deviation_ms"] / 20,
        values["accent_range_db"] / 20,
        number("ghost_note_ratio", 0),
    ]
    beat_lags = np.asarray(SUBDIVISIONS) * 60 / a.bars.bpm * CURVE_RATE_HZ
    frames = np.arange(a.autocorrelations.shape[1])
    metre = [np.interp(beat_lags, frames, row, right=0.0) for row in a.autocorrelations[:2]]
    groups = np.add.reduceat(a.onsets.level.mean(axis=0), _TIMBRE_BANDS) / 3
    return np.concatenate(
        [
            _tempo_code(a),
            a.grid.pattern.ravel(),
            *metre,
            scale_transform(a.autocorrelations[0], N_SCALES),
            np.array(rates) / 4,
            style,
            groups - groups.mean(),
        ]
    ).astype(np.float32)


def _tempo_code(a: DrumAnalysis) -> Doubles:
    """Tempo as soft membership in bands from 50 to 200 beats a minute; half and double tempo count a little too.

    Shape ``(N_TEMPO_CODES,)``; what the estimate doubted is spread as it doubted.
    """
    centres = np.linspace(math.log2(50), math.log2(200), N_TEMPO_CODES)
    tempi = np.concatenate([[math.log2(a.bars.bpm)], np.log2(TEMPI_BPM)])
    weight = np.concatenate([[0.7], 0.3 * a.tempo.probabilities])
    code = np.zeros(N_TEMPO_CODES)
    for octave, share in ((0, 1.0), (-1, 0.3), (1, 0.3)):
        code += share * (np.exp(-0.5 * ((tempi + octave - centres[:, None]) / 0.18) ** 2) @ weight)
    return code


def _contrast(there: float, elsewhere: float) -> float:
    """(a − b) / (a + b), −1 to 1; NaN where neither is."""
    total = there + elsewhere
    return float((there - elsewhere) / total) if total > 0.05 else math.nan


def _level_re_mixture_db(stems: Stems) -> float:
    """Root-mean-square level of the drums against the mixture's."""
    drums, mixture = (float(np.mean(np.square(stems[name], dtype=np.float64))) for name in ("drums", "mixture"))
    return float(np.clip(10 * math.log10(drums / mixture), -60, 60)) if drums > 0 and mixture > 0 else math.nan
