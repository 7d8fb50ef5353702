"""Transforms: exact round trips, sane statistics, and what they forget."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mir.errors import BadRequest
from mir.fitting import Recipe, fit_transform, shrunk_covariance
from mir.transforms import TooFewTracks, Transform
from mir.within import Within


def correlated(n=200, seed=0):
    """Descriptors whose coordinates differ in size and place, two of which say the same."""
    x = np.random.default_rng(seed).normal(size=(n, 4))
    x[:, 3] = x[:, 2] + 0.01 * x[:, 3]
    return x * [100.0, 1.0, 1e-3, 5.0] + [220.0, 0.0, 7.0, -40.0]


def fitted(**options):
    return fit_transform(correlated(), space="vocal_timbre", version=3, **options)


def test_identity_only_shortens():
    transform = Transform.identity("vocal_timbre", 1, 3)
    rows = np.array([[3.0, 0, 4], [1e6, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(transform.apply(rows), [[0.6, 0, 0.8], [1, 0, 0], [0, 0, 0]])
    assert transform.apply(rows).dtype == np.float32
    assert transform.n_in == transform.n_out == 3


def test_standardised_coordinates_have_one_size():
    transform = fitted(whitening=0)
    z = transform.standardise(correlated(seed=1))
    np.testing.assert_allclose(np.median(z, axis=0), 0, atol=0.3)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=0.25)
    assert transform.projection is None


def test_one_odd_measurement_does_not_decide():
    odd = correlated()
    odd[0, 0] = 1e9
    transform = fit_transform(odd, space="vocal_timbre", version=3)
    np.testing.assert_allclose(transform.scale[0], fitted().scale[0], rtol=0.05)
    assert np.abs(transform.standardise(odd) + transform.center).max() <= 4.0


def test_whitening_counts_what_is_said_twice_once():
    z = correlated(2000, seed=2)
    plain = np.corrcoef(fitted(whitening=0).standardise(z).T)[2, 3]
    transform = fit_transform(correlated(2000), space="vocal_timbre", version=3, whitening=1.0)
    white = np.cov(transform.project(transform.standardise(z)).T)
    assert plain > 0.99
    np.testing.assert_allclose(white[:2, :2], np.eye(2), atol=0.15)
    spread = np.linalg.eigvalsh(white)
    assert spread.max() < 1.3


def test_size_keeps_the_widest_directions():
    transform = fitted(size=2, whitening=0)
    assert (transform.n_in, transform.n_out) == (4, 2)
    z = transform.standardise(correlated())
    kept = np.var(transform.project(z), axis=0).sum()
    assert kept == pytest.approx(np.sort(np.linalg.eigvalsh(np.cov(z.T)))[-2:].sum(), rel=0.02)


def test_constant_coordinates_say_nothing():
    still = correlated()
    still[:, 1] = 5.0
    transform = fit_transform(still, space="vocal_timbre", version=3)
    assert (transform.standardise(still)[:, 1] == 0).all()
    assert np.isfinite(transform.apply(still)).all()


def test_rows_have_length_one():
    norms = np.linalg.norm(fitted().apply(correlated(seed=3)), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_json_keeps_every_bit():
    for transform in (fitted(), fitted(size=2), Transform.identity("vocal_timbre", 1, 3)):
        again = Transform.from_json(transform.to_json())
        assert again.transform_id == transform.transform_id
        assert (again.method, again.n_tracks, again.clip) == (transform.method, transform.n_tracks, transform.clip)
        rows = np.random.default_rng(4).normal(size=(5, transform.n_in))
        np.testing.assert_array_equal(again.apply(rows), transform.apply(rows))


def test_the_name_follows_the_numbers():
    name = fitted().transform_id
    assert name.startswith("vocal_timbre-v3-")
    assert len(name) == len("vocal_timbre-v3-") + 8
    assert fitted().transform_id == name
    assert len({name, fitted(whitening=0.4).transform_id, fitted(size=3).transform_id}) == 3


@given(arrays(np.float64, (30, 3), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=40, deadline=None)
def test_any_finite_descriptors_can_be_fitted(rows):
    transform = fit_transform(rows, space="vocal_timbre", version=1)
    vectors = transform.apply(rows)
    norms = np.linalg.norm(vectors, axis=1)
    assert np.isfinite(vectors).all()
    assert ((np.abs(norms - 1) < 1e-5) | (norms == 0)).all()
    assert Transform.from_json(transform.to_json()).transform_id == transform.transform_id


def test_shrinkage_by_its_definition():
    x = np.random.default_rng(5).normal(size=(12, 6))
    x -= x.mean(axis=0)
    sample = x.T @ x / 12
    mean = np.trace(sample) / 6
    noise = sum(np.sum((np.outer(row, row) - sample) ** 2) for row in x) / 12**2
    share = noise / np.sum((sample - mean * np.eye(6)) ** 2)
    assert 0 < share < 1
    np.testing.assert_allclose(shrunk_covariance(x), (1 - share) * sample + share * mean * np.eye(6))


@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        (correlated(19), {}, TooFewTracks, "19 tracks; a transform needs 20"),
        (correlated() * np.nan, {}, BadRequest, "finite"),
        (correlated()[0], {}, BadRequest, "shape"),
        (correlated(), {"whitening": 1.5}, BadRequest, "whitening is 0 to 1"),
        (correlated(), {"size": 5}, BadRequest, "size is 1 to 4"),
    ],
)
def test_what_cannot_be_fitted(rows, options, error, message):
    with pytest.raises(error, match=message):
        fit_transform(rows, space="vocal_timbre", version=1, **options)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 9},
        {"median": [1.0]},
        {"scale": [0, 1, 1, 1]},
        {"projection": [[1.0]]},
        {"space": None, "center": None},
    ],
)
def test_broken_transforms_are_refused(change):
    plain = {**fitted().to_plain(), **change}
    with pytest.raises(BadRequest, match="transform"):
        Transform.from_json(json.dumps(plain))
    with pytest.raises(BadRequest, match="no transform"):
        Transform.from_json("{")


def test_descriptors_of_another_size_are_refused():
    with pytest.raises(BadRequest, match=r"\(n, 4\), not \(2, 5\)"):
        fitted().apply(np.zeros((2, 5)))


def crowd(seed=0, groups=40, rows=5, spread=(1.0, 8.0, 1.0)):
    """Descriptors of groups: three coordinates of equal size between groups, one of which varies within them."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(groups, 3))
    return [middle + random.normal(size=(rows, 3)) * np.array(spread) * 0.1 for middle in middles]


def measured(groups, source="windows"):
    return Within.measure(groups, space="vocal_timbre", version=1, source=source)


def test_what_varies_within_groups_is_measured():
    within = measured(crowd(groups=400))
    np.testing.assert_allclose(np.sqrt(np.diag(within.covariance)), [0.1, 0.8, 0.1], rtol=0.05)
    assert np.abs(within.covariance[0, 2]) < 0.002
    assert (within.n_groups, within.n_rows) == (400, 2000)
    alone = [np.zeros((1, 3)), np.zeros((0, 3))]
    np.testing.assert_allclose(measured([*crowd(groups=400), *alone]).covariance, within.covariance)
    with pytest.raises(BadRequest, match="nothing varies"):
        measured(alone)


def test_one_odd_window_does_not_decide():
    groups = crowd(groups=200)
    before = measured(groups).covariance[0, 0]
    groups[0][0, 0] += 50.0
    assert measured(groups).covariance[0, 0] < 3 * before
    still = [group * [1.0, 0.0, 1.0] for group in groups]
    assert measured(still).covariance[1, 1] == 0


def test_causes_add_up_and_measurements_are_averaged():
    one, other = measured(crowd(0, groups=10)), measured(crowd(1, groups=30), "artists")
    np.testing.assert_allclose(one.plus(other).covariance, one.covariance + other.covariance)
    pooled = one.pooled(other)
    np.testing.assert_allclose(pooled.covariance, 0.25 * one.covariance + 0.75 * other.covariance)
    assert (pooled.n_groups, pooled.n_rows) == (40, 200)
    assert "windows" in pooled.source
    assert "artists" in pooled.source


def test_what_varies_is_forgotten():
    """The coordinate that varies within a group counts less, by the formula; the unit that it is in does not matter."""
    groups = crowd(groups=400)
    middles = np.array([group.mean(axis=0) for group in groups])
    for unit in (1.0, 1000.0):
        scaled = [group * [1.0, unit, 1.0] for group in groups]
        transform = fit_transform(
            middles * [1.0, unit, 1.0], space="vocal_timbre", version=1, within=measured(scaled), forgetting=0.5
        )
        spread = measured(scaled).covariance / np.outer(transform.scale, transform.scale)
        gains = np.diag(transform.projection)
        np.testing.assert_allclose(gains**-2, 0.5 + 0.5 * np.diag(spread) / np.diag(spread).mean(), rtol=0.01)
        assert gains[1] < 0.75 * gains[0]
    full = fit_transform(middles, space="vocal_timbre", version=1, within=measured(groups), forgetting=1.0)
    within = np.concatenate([full.project((group - group.mean(axis=0)) / full.scale) for group in groups])
    spread = np.cov(within.T)
    np.testing.assert_allclose(spread / spread[0, 0], np.eye(3), atol=0.1)
    plain = fit_transform(middles, space="vocal_timbre", version=1, within=measured(groups), forgetting=0.0)
    assert plain.projection is None


def test_forgetting_a_direction_and_whitening_the_rest():
    rows = correlated(2000)
    groups = [rows[i : i + 4] for i in range(0, 2000, 4)]
    within = Within.measure(groups, space="vocal_timbre", version=3, source="chance")
    transform = fit_transform(rows, space="vocal_timbre", version=3, within=within, whitening=1.0, size=2)
    assert (transform.n_in, transform.n_out) == (4, 2)
    np.testing.assert_allclose(np.cov(transform.project(transform.standardise(rows)).T), np.eye(2), atol=0.1)


def test_nothing_that_varies_and_other_sizes():
    rows = correlated()
    still = Within("vocal_timbre", 3, np.zeros((4, 4)), 9, 18, "silence")
    transform = fit_transform(rows, space="vocal_timbre", version=3, within=still)
    np.testing.assert_array_equal(transform.projection, np.eye(4))
    with pytest.raises(BadRequest, match="4 numbers, and what varies within a track 3"):
        fit_transform(rows, space="vocal_timbre", version=3, within=measured(crowd()))
    with pytest.raises(BadRequest, match="forgetting is 0 to 1, not 2"):
        fit_transform(rows, space="vocal_timbre", version=3, forgetting=2)


def test_a_spread_can_be_read_again():
    within = measured(crowd())
    again = Within.from_json(within.to_json())
    np.testing.assert_allclose(again.covariance, within.covariance, rtol=1e-4)
    np.testing.assert_array_equal(again.covariance, again.covariance.T)
    assert (again.space, again.version, again.source) == ("vocal_timbre", 1, "windows")
    assert again.to_json() == within.to_json()


@pytest.mark.parametrize(
    "change", [{"format": 9}, {"lower": [1.0]}, {"size": "many"}, {"lower": None}, {"space": None, "version": "x"}]
)
def test_broken_spreads_are_refused(change):
    plain = {**json.loads(measured(crowd()).to_json()), **change}
    with pytest.raises(BadRequest, match="spread within tracks"):
        Within.from_json(json.dumps(plain))
    with pytest.raises(BadRequest, match="no spread"):
        Within.from_json("[")


def test_artists_teach_what_varies_within_one():
    groups = crowd()
    rows = np.concatenate(groups)
    artists = [f"artist {i // 5}" for i in range(len(rows))]
    recipe = Recipe(by_artist=True, forgetting=1.0)
    alone = recipe.fit(rows, artists, space="vocal_timbre", version=1, known=None)
    gains = np.abs(np.diag(alone.projection))
    assert gains[1] < 0.4 * min(gains[0], gains[2])
    unnamed = [*artists[:100], *[""] * 100]
    few = recipe.fit(rows, unnamed, space="vocal_timbre", version=1, known=None)
    assert few.transform_id != alone.transform_id
    with pytest.raises(TooFewTracks, match=r"3 artists have 15 tracks.*takes 20 tracks more"):
        recipe.fit(rows, [*artists[:15], *[""] * 185], space="vocal_timbre", version=1, known=None)
    # Known from elsewhere, it is not forgotten again.
    both = recipe.fit(rows, artists, space="vocal_timbre", version=1, known=measured(crowd(3, spread=(8.0, 1.0, 1.0))))
    assert np.diag(both.projection)[0] < np.diag(alone.projection)[0]
