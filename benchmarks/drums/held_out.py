"""Tempi of beats by someone who has not heard the drummer: what `benchmarks.drum_tempo` compares."""

from __future__ import annotations

from benchmarks.drums.corpus import Corpus, Scores
from benchmarks.drums.groove import Performance
from benchmarks.drums.models import best_tempo, evidence_of, fit_both
from benchmarks.drums.render import SR, load_mono


def without_drummer(corpus: Corpus, drummer: str) -> list[tuple[str, float]]:
    """Fit to all others; return name and tempo in beats a minute of each of the drummer's beats."""
    fit = fit_both(corpus, without=drummer)
    mine = [take for take in corpus.takes if take.player == drummer]
    return [(take.name, best_tempo(evidence_of(take, fit.voices), fit.tempo)) for take in mine]


def essentia_tempo(scores: Scores, beat: Performance) -> float:
    """Return RhythmExtractor2013's tempo, beats a minute."""
    import essentia
    import essentia.standard

    essentia.log.infoActive = essentia.log.warningActive = False
    extractor = essentia.standard.RhythmExtractor2013(method="multifeature")
    return float(extractor(load_mono(scores.audio(beat), SR))[0])
