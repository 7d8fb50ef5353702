"""Spaces of a catalog: vectors follow the transform in use, and a fit puts a new one in use."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from similar_library import add, small_extractors, stock, stock_rows, unit

import features
from mir.catalog import open_catalog
from mir.errors import BadRequest
from mir.fitting import Recipe
from mir.similarity import similar_artists
from mir.spaces import (
    current_transform,
    fit,
    list_spaces,
    read_vectors,
    refresh,
    shipped_transform,
    shipped_within,
    space_of,
)
from mir.transforms import TooFewTracks
from mir.within import Within


def test_shipped_transforms_fit_their_extractors():
    for space, extractor in features.EXTRACTORS.items():
        shipped = shipped_transform(space)
        if shipped is not None:
            assert (shipped.n_in, shipped.version) == (extractor.embedding_size, extractor.version)
        assert current_transform(None, space).n_in == extractor.embedding_size
        within = shipped_within(space)
        if within is not None:
            assert (within.version, len(within.covariance)) == (extractor.version, extractor.embedding_size)
            assert np.linalg.eigvalsh(within.covariance).min() > -1e-6 * np.trace(within.covariance)


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
    fit(catalog, "vocal_timbre", Recipe(size=2, whitening=1.0))
    assert {len(vector) for _, vector in stored(catalog).values()} == {2}
    assert len(similar_artists(catalog, "artist 0 [e]", "vocals,drums", 50)) == 8


def test_what_ships_is_forgotten_and_explained(catalog, monkeypatch):
    """A fit of one's own forgets what mir knows to vary; contributions still sum to the score."""
    spread = np.diag([100.0, 1.0, 1e-3, 5.0])
    within = Within("vocal_timbre", 1, spread @ spread + 0.5 * spread @ np.ones((4, 4)) @ spread, 10, 30, "windows")
    plain = fit(catalog, "vocal_timbre", Recipe(forgetting=0.0))
    monkeypatch.setattr("mir.spaces.shipped_within", lambda _space: within)
    transform = fit(catalog, "vocal_timbre")
    assert plain.projection is None
    assert np.abs(transform.projection - np.diag(np.diag(transform.projection))).max() > 0.05
    for hit in similar_artists(catalog, "artist 0 [e]", "vocals", 20, explain=True):
        assert sum(part.contribution for part in hit.explanation) == pytest.approx(hit.score, abs=1e-6)


def test_artists_in_the_tags_teach_a_fit(catalog):
    with pytest.raises(TooFewTracks, match=r"11 artists have 22 tracks.*takes 20 tracks more"):
        fit(catalog, "vocal_timbre", Recipe(by_artist=True))
    for number in range(30):
        add(catalog, f"More {number}", [f"Artist {number // 3} [é]"], vocals=[200.0 + number, number % 3, 7, -40])
    learned = fit(catalog, "vocal_timbre", Recipe(by_artist=True, forgetting=1.0))
    plain = fit(catalog, "vocal_timbre", Recipe(forgetting=1.0))
    assert learned.projection is not None
    assert plain.projection is None


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
    add(catalog, "Newcomer", ["New"], vocals=[300.0, 0.5, 7.001, -41.0])
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
    transform = fit(catalog, "drum_rhythm", Recipe(size=2))
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
    transform = fit(catalog, "vocal_timbre", Recipe(whitening=0.0))
    raw = stock_rows().astype(np.float32).astype(float)
    z = np.clip((raw - transform.median) / transform.scale, -4, 4) - transform.center
    with catalog.read() as con:
        ids = dict(con.execute("SELECT title, track_id FROM tracks").fetchall())
    for number in (0, 7, 21):
        np.testing.assert_allclose(stored(catalog)[ids[f"Track {number}"]][1], unit(z)[number], atol=1e-5)
