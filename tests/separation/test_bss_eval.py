"""BSS Eval: museval's answers, and answers that follow from the definition."""

from __future__ import annotations

import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from separation.bss_eval import bss_eval
from separation.errors import AudioInvalid

DATA = Path(__file__).resolve().parents[1] / "data"


def _maker():
    spec = importlib.util.spec_from_file_location("make_bss_eval_golden", DATA / "make_bss_eval_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = _maker()


@pytest.fixture(scope="module")
def golden():
    with np.load(DATA / "bss_eval_golden.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.mark.parametrize("case", maker.CASES)
def test_museval_agrees(golden, case):
    references, estimates, window, hop = maker.signals(case)
    checksum = [references.sum(), estimates.sum(), np.abs(estimates).sum()]
    np.testing.assert_allclose(checksum, golden[f"{case}_checksum"], rtol=1e-9)
    result = bss_eval(references, estimates, window=window, hop=hop, filters_len=maker.FILTERS_LEN)
    ours = np.stack([result.sdr, result.isr, result.sir, result.sar])
    assert ours.shape == golden[case].shape
    assert np.isfinite(golden[case]).any()
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(golden[case]))
    np.testing.assert_allclose(ours, golden[case], atol=1e-3)


def test_silence_takes_its_frame_from_every_stem(golden):
    references, estimates, window, hop = maker.signals("silence")
    result = bss_eval(references, estimates, window=window, hop=hop, filters_len=8)
    # samples 2000 to 5000 of a reference, 9000 on of an estimate: frames 1 and 5 are silent throughout
    assert np.isnan(result.sdr).all(axis=0).tolist() == [False, True, False, False, False, True]


def test_a_stem_silent_throughout_has_no_score():
    rng = np.random.default_rng(0)
    references = rng.standard_normal((2, 1, 1000))
    references[1] = 0.0
    result = bss_eval(references, rng.standard_normal((2, 1, 1000)), window=500, hop=500, filters_len=4)
    for scores in (result.sdr, result.isr, result.sir, result.sar):
        assert np.isnan(scores).all()
        assert scores.shape == (2, 2)


def test_known_answers():
    rng = np.random.default_rng(1)
    references = rng.standard_normal((2, 2, 50_000))
    noise = rng.standard_normal(references.shape)
    noisy = bss_eval(references, references + 0.1 * noise, window=50_000, hop=50_000, filters_len=16)
    np.testing.assert_allclose(noisy.sdr, 20.0, atol=0.2)  # nothing but artefacts
    np.testing.assert_allclose(noisy.sar, 20.0, atol=0.2)
    assert (noisy.sir > 40).all()
    swapped = bss_eval(references, references + 0.1 * references[::-1], window=50_000, hop=50_000, filters_len=16)
    np.testing.assert_allclose(swapped.sir, 20.0, atol=0.2)  # nothing but interference
    assert (swapped.sar > 40).all()
    delayed = references.copy()
    delayed[..., 3:] = references[..., :-3]
    shifted = bss_eval(references, delayed, window=50_000, hop=50_000, filters_len=16)
    np.testing.assert_allclose(shifted.sdr, -3.0, atol=0.1)  # wrong to the letter, yet neither bleed nor artefact
    np.testing.assert_allclose(shifted.isr, -3.0, atol=0.1)
    assert (shifted.sir > 30).all()
    assert (shifted.sar > 30).all()
    halved = bss_eval(references, 0.5 * references, window=50_000, hop=50_000, filters_len=16)
    np.testing.assert_allclose(halved.sdr, 20 * np.log10(2), atol=1e-6)


def test_a_perfect_estimate_is_infinitely_good():
    references = np.random.default_rng(2).standard_normal((2, 1, 4000))
    result = bss_eval(references, references, window=2000, hop=2000, filters_len=8)
    assert np.isposinf(result.sdr).all()
    assert (result.sar > 100).all()


def test_long_tracks_give_what_short_blocks_give(monkeypatch):
    rng = np.random.default_rng(3)
    references = rng.standard_normal((2, 2, 7000))
    estimates = references + 0.5 * references[::-1] + 0.2 * rng.standard_normal(references.shape)
    whole = bss_eval(references, estimates, window=1000, hop=1000, filters_len=32)
    monkeypatch.setattr("separation.bss_eval._LEAST_FFT", 144)
    monkeypatch.setattr("separation.bss_eval._BLOCKS_AT_ONCE", 5)
    blocks = bss_eval(references, estimates, window=1000, hop=1000, filters_len=32)
    np.testing.assert_allclose(whole.sir, blocks.sir, atol=1e-9)
    np.testing.assert_allclose(whole.sar, blocks.sar, atol=1e-9)


def test_memory_does_not_grow_with_the_track():
    rng = np.random.default_rng(5)
    references = rng.standard_normal((4, 2, 1_000_000), dtype=np.float32)
    estimates = references + 0.1 * references[::-1]
    bss_eval(references[..., :2000], estimates[..., :2000], window=1000, hop=1000, filters_len=8)  # imports
    tracemalloc.start()
    bss_eval(references, estimates, window=10_000, hop=10_000, filters_len=8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < references.nbytes  # in double precision they would take twice as much, and the estimates too


def test_stems_and_threads_come_in_any_order(monkeypatch):
    rng = np.random.default_rng(6)
    references = rng.standard_normal((3, 2, 6000))
    references[0, 1] = references[0, 0]
    estimates = 0.5 * references + 0.2 * references.sum(axis=0) + 0.1 * rng.standard_normal(references.shape)
    given = bss_eval(references, estimates, window=1000, hop=1000, filters_len=33)
    turned = bss_eval(references[::-1], estimates[::-1], window=1000, hop=1000, filters_len=33)
    np.testing.assert_allclose(turned.sir[::-1], given.sir, atol=1e-6)
    np.testing.assert_allclose(turned.sar[::-1], given.sar, atol=1e-6)
    monkeypatch.setattr("separation.bss_eval.usable_cores", lambda: 1)
    alone = bss_eval(references, estimates, window=1000, hop=1000, filters_len=33)
    np.testing.assert_array_equal(alone.sir, given.sir)
    np.testing.assert_array_equal(alone.sar, given.sar)


def test_arguments_are_left_alone_and_bad_ones_refused():
    rng = np.random.default_rng(4)
    references = rng.standard_normal((2, 1, 500)).astype(np.float32)
    estimates = rng.standard_normal((2, 1, 500)).astype(np.float32)
    before = references.copy(), estimates.copy()
    bss_eval(references, estimates, window=100, hop=100, filters_len=4)
    np.testing.assert_array_equal(references, before[0])
    np.testing.assert_array_equal(estimates, before[1])
    with pytest.raises(AudioInvalid, match=r"got \(2, 1, 500\) and \(2, 1, 400\)"):
        bss_eval(references, estimates[..., :400], window=100, hop=100)
    with pytest.raises(AudioInvalid, match="at least one sample"):
        bss_eval(references, estimates, window=0, hop=100)
    with pytest.raises(AudioInvalid, match="finite"):
        bss_eval(references, np.full_like(estimates, np.nan), window=100, hop=100)
