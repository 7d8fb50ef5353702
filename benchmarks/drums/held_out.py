"""Tempi of beats by someone who has not heard the drummer: what `benchmarks.drum_tempo` compares."""

from __future__ import annotations

from benchmarks.drums.corpus import Corpus, Scores, Take
from benchmarks.drums.groove import Performance
from benchmarks.drums.metre import autocorrelations
from benchmarks.drums.models import fit_all
from benchmarks.drums.render import SR, load_mono
from features.drum_rhythm import Learned
from features.drum_voices import drum_probabilities
from features.metre import choose_bars, hearings
from features.tempo import estimate_tempo, rhythm_curves


def without_drummer(corpus: Corpus, drummer: str) -> list[tuple[str, float]]:
    """Fit to all others; return name and tempo in beats a minute of each of the drummer's beats."""
    fit = fit_all(corpus, without=drummer)
    return [(take.name, tempo_of(take, fit)) for take in corpus.takes if take.player == drummer]


def tempo_of(take: Take, fit: Learned) -> float:
    """Return the tempo that `features.drum_rhythm` tells with these weights, beats a minute."""
    drums = drum_probabilities(take.onsets, fit.voices)
    curves = rhythm_curves(take.curves, take.onsets, drums)
    tempo = estimate_tempo(*autocorrelations(take, curves, drums), fit.tempo)
    heard = hearings(curves, take.onsets, take.fine_s, drums, tempo)
    return choose_bars(heard, fit.metre).bpm if heard else tempo.bpm


def essentia_tempo(scores: Scores, beat: Performance) -> float:
    """Return RhythmExtractor2013's tempo, beats a minute."""
    import essentia
    import essentia.standard

    essentia.log.infoActive = essentia.log.warningActive = False
    extractor = essentia.standard.RhythmExtractor2013(method="multifeature")
    return float(extractor(load_mono(scores.audio(beat), SR))[0])
