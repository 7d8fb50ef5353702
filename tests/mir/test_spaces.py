"""Transforms: exact round trips, sane statistics, and a catalog that follows the one in use."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from similar_library import add, small_extractors, stock, stock_rows, unit

import features
from mir.catalog import open_catalog
from mir.errors import BadRequest
from mir.similarity import similar_artists
from mir.spaces import current_transform, fit, list_spaces, read_vectors, refresh, shipped_transform, space_of
from mir.transforms import TooFewTracks, Transform, fit_transform, shrunk_covariance


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


def test_shipped_transforms_fit_their_extractors():
    for space, extractor in features.EXTRACTORS.items():
        shipped = shipped_transform(space)
        if shipped is not None:
            assert (shipped.n_in, shipped.version) == (extractor.embedding_size, extractor.version)
        assert current_transform(None, space).n_in == extractor.embedding_size


def test_instruments_and_spaces():
    assert space_of("vocals") == "vocal_timbre"
    with pytest.raises(BadRequest, match="vocals, drums, bass, other, mix"):
        space_of("flute")


@pytest.fixture(name="catalog")
def _catalog(tmp_path, tmp_path_factory):
    with small_extractors():
        yield open_catalog(shutil.copy(stock(tmp_path_factory).path, tmp_path / "mir.duckdb"))


def stored(catalog, space="vocal_timbre"):
    rows = catalog.fetch(
        "SELECT track_id, transform_id, vector FROM embeddings WHERE space = ? ORDER BY track_id", [space]
    ).rows
    return {row[0]: (row[1], np.array(row[2])) for row in rows}


def test_fitting_embeds_everything_again(catalog):
    before = stored(catalog)
    drums = stored(catalog, "drum_rhythm")
    assert current_transform(catalog, "vocal_timbre").method == "identity"
    transform = fit(catalog, "vocal_timbre")
    assert transform.n_tracks == 22
    assert current_transform(catalog, "vocal_timbre").transform_id == transform.transform_id
    after = stored(catalog)
    assert set(after) == set(before)
    assert {transform_id for transform_id, _ in after.values()} == {transform.transform_id}
    with catalog.read() as con:
        raw = dict(con.execute("SELECT track_id, raw FROM descriptors WHERE space = 'vocal_timbre'").fetchall())
    for track_id, (_, vector) in after.items():
        np.testing.assert_allclose(vector, transform.apply(np.array([raw[track_id]]))[0], atol=1e-7)
    for track_id, (transform_id, vector) in stored(catalog, "drum_rhythm").items():
        assert transform_id == drums[track_id][0]
        np.testing.assert_array_equal(vector, drums[track_id][1])
    fit(catalog, "vocal_timbre", size=2, whitening=1.0)
    assert {len(vector) for _, vector in stored(catalog).values()} == {2}
    assert len(similar_artists(catalog, "artist 0 [e]", "vocals,drums", 50)) == 8


def test_too_few_tracks_leave_everything_as_it_was(catalog):
    before = stored(catalog, "drum_rhythm")
    with pytest.raises(TooFewTracks, match=r"described for 18 tracks.*20 or more"):
        fit(catalog, "drum_rhythm")
    after = stored(catalog, "drum_rhythm")
    assert {key: value[0] for key, value in after.items()} == {key: value[0] for key, value in before.items()}
    assert current_transform(catalog, "drum_rhythm").method == "identity"


def test_vectors_of_another_transform_are_made_again_when_read(catalog):
    """A mix of transforms (a new shipped one between two ingests) is never compared."""
    transform = fit(catalog, "vocal_timbre")
    add(catalog, "Newcomer", ["New"], vocals=correlated(1, seed=9)[0])
    with catalog.write() as con:
        con.execute("UPDATE space_vectors SET transform_id = 'old', vector = [1, 0] WHERE track_id % 2 = 0")
    with catalog.read() as con:
        vectors = read_vectors(con, "vocal_timbre", transform)
        some = read_vectors(con, "vocal_timbre", transform, only=vectors.track_ids[5:8])
        raw = dict(con.execute("SELECT track_id, raw FROM descriptors WHERE space = 'vocal_timbre'").fetchall())
    assert vectors.track_ids.tolist() == sorted(raw)
    expected = transform.apply(np.array([raw[track_id] for track_id in sorted(raw)]))
    np.testing.assert_allclose(vectors.matrix, expected, atol=1e-7)
    np.testing.assert_array_equal(some.matrix, vectors.matrix[5:8])
    assert "vocal_timbre" in refresh(catalog)
    assert len(stored(catalog)) == 23
    assert refresh(catalog) == []


def test_a_transform_of_an_earlier_extractor_is_passed_over(catalog, monkeypatch):
    fit(catalog, "vocal_timbre")
    monkeypatch.setattr(type(features.EXTRACTORS["vocal_timbre"]), "version", 2)
    assert current_transform(catalog, "vocal_timbre").method == "identity"
    assert current_transform(catalog, "vocal_timbre").version == 2


def test_the_list(catalog):
    add(catalog, "More drums 1", ["X"], drums=[1, 2, 3])
    add(catalog, "More drums 2", ["X"], drums=[3, 1, 2])
    transform = fit(catalog, "drum_rhythm", size=2)
    rows = {row.instrument: row for row in list_spaces(catalog)}
    assert list(rows) == ["vocals", "drums", "bass", "other", "mix"]
    drums = rows["drums"]
    assert (drums.space, drums.version, drums.columns) == ("drum_rhythm", 1, 1)
    assert (drums.tracks, drums.descriptor_size, drums.vector_size) == (20, 3, 2)
    assert (drums.transform_id, drums.origin) == (transform.transform_id, "fitted")
    assert (rows["vocals"].tracks, rows["vocals"].origin) == (22, "identity")
    assert rows["bass"].tracks == 0


def test_what_the_hand_computes(catalog):
    """The vector of one track, from its definition."""
    transform = fit(catalog, "vocal_timbre", whitening=0.0)
    raw = stock_rows().astype(np.float32).astype(float)
    z = np.clip((raw - transform.median) / transform.scale, -4, 4) - transform.center
    with catalog.read() as con:
        ids = dict(con.execute("SELECT title, track_id FROM tracks").fetchall())
    for number in (0, 7, 21):
        np.testing.assert_allclose(stored(catalog)[ids[f"Track {number}"]][1], unit(z)[number], atol=1e-5)
