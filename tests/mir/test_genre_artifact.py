"""A stored model that is not what its row says is refused before anything of it is made."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from genre_library import genre_library, small_extractors

from features import EXTRACTORS
from mir.catalog import open_catalog
from mir.errors import ArtifactRefused
from mir.genre import artifact
from mir.genre.candidates import CANDIDATES, Candidate
from mir.genre.folds import calibration_splits
from mir.genre.model import Contest, Learning, fit
from mir.genre.prediction import predict
from mir.genre.runs import load_model, train


@pytest.fixture(scope="module", autouse=True)
def small():
    """Spaces of a few numbers, so that these tests hang on no real extractor."""
    with small_extractors():
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    catalog = genre_library(tmp_path_factory.mktemp("genre") / "lib.duckdb")
    return catalog, train(catalog, ("drums",), candidates=[Candidate("logistic", 0.1)])


@pytest.fixture
def case(trained, tmp_path):
    """Copies to spoil: the catalog, the path of its artifact."""
    master, run = trained
    shutil.copytree(master.path.parent, tmp_path, dirs_exist_ok=True)
    return open_catalog(tmp_path / "lib.duckdb"), tmp_path / "lib.genre" / run.artifact


def put(catalog, path, data):
    """Put other bytes in the artifact's place, with a row that fits them."""
    path.write_bytes(data)
    with catalog.write() as con:
        con.execute("UPDATE genre_runs SET sha256 = ?", [hashlib.sha256(data).hexdigest()])


def edited(data, edit):
    """The same skops file with another schema."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            archive.writestr(name, edit(content.decode()).encode() if name == "schema.json" else content)
    return target.getvalue()


def test_the_untouched_one_loads(case):
    catalog, _ = case
    assert load_model(catalog).run.promoted
    assert predict(catalog, "Artist 0")[0].genre == "House"


@pytest.mark.parametrize("where", [0, 0.5, 0.99])
def test_one_byte_flipped_is_refused(case, where):
    catalog, path = case
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactRefused, match="was changed"):
        predict(catalog, "Artist 0")


def test_a_missing_file_is_refused(case):
    catalog, path = case
    path.unlink()
    with pytest.raises(ArtifactRefused, match="missing"):
        load_model(catalog)


def test_a_path_in_the_row_leads_nowhere_else(case, tmp_path):
    catalog, path = case
    stray = tmp_path / "stray.skops"
    path.rename(stray)
    with catalog.write() as con:
        con.execute("UPDATE genre_runs SET artifact = '../stray.skops'")
    with pytest.raises(ArtifactRefused, match="missing"):
        load_model(catalog)


def test_another_feature_version_is_refused(case):
    catalog, _ = case
    with catalog.write() as con:
        con.execute(
            "UPDATE genre_runs SET spaces = ?",
            [json.dumps({"drum_rhythm": EXTRACTORS["drum_rhythm"].version + 1})],
        )
    with pytest.raises(ArtifactRefused, match="other feature versions: drum_rhythm"):
        load_model(catalog)


def test_other_features_of_the_same_version_are_refused(case):
    catalog, _ = case
    with catalog.write() as con:
        row = con.execute("SELECT parameters FROM genre_runs").fetchone()
        parameters = json.loads(row[0])
        parameters["features"][0] = "drum_rhythm.invented"
        con.execute("UPDATE genre_runs SET parameters = ?", [json.dumps(parameters)])
    with pytest.raises(ArtifactRefused, match="other features"):
        load_model(catalog)


def test_another_scikit_learn_is_refused(case):
    catalog, _ = case
    with catalog.write() as con:
        con.execute('UPDATE genre_runs SET parameters = json_merge_patch(parameters, \'{"scikit_learn": "0.1"}\')')
    with pytest.raises(ArtifactRefused, match=r"scikit-learn 0\.1"):
        load_model(catalog)


def test_types_of_a_stranger_are_refused_and_nothing_runs(case, tmp_path):
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    catalog, path = case
    mark = tmp_path / "was-here"
    for strange in (
        FunctionTransformer(np.sin),
        FunctionTransformer(eval, kw_args={"x": f"open({str(mark)!r}, 'w')"}),
    ):
        put(catalog, path, skops.io.dumps(strange))
        with pytest.raises(ArtifactRefused, match=r"not allowed: .*(sin|eval)"):
            load_model(catalog)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            '"__module__": "numpy", "__loader__": "FunctionNode"',
            '"__module__": "os", "__loader__": "FunctionNode"',
        ),
        ('"__class__": "clip"', '"__class__": "load"'),
        ('"__loader__": "FunctionNode"', '"__loader__": "MethodNode"'),
        ('"__class__": "RobustScaler"', '"__class__": "PowerTransformer"'),
    ],
)
def test_an_edited_schema_is_refused(case, old, new):
    catalog, path = case
    data = path.read_bytes()
    schema = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("schema.json"))

    def edit(_):
        text = json.dumps(schema)
        assert old.split(", ")[-1] in text
        if old not in text:
            pytest.fail(f"the schema is written otherwise now: {text[:300]}")
        return text.replace(old, new)

    put(catalog, path, edited(data, edit))
    with pytest.raises(ArtifactRefused, match="not allowed"):
        load_model(catalog)


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x03\x04 half"])
def test_no_skops_file_is_refused(case, data):
    catalog, path = case
    put(catalog, path, data)
    with pytest.raises(ArtifactRefused, match="no skops file"):
        load_model(catalog)


def test_a_model_for_other_data_is_refused(case):
    import skops.io

    catalog, path = case
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 6)
    learning = Learning(rng.normal(size=(12, 3)), labels, np.arange(12).astype(str))
    other = fit(learning, seed=0, candidates=CANDIDATES[:1])
    put(catalog, path, skops.io.dumps(other.pipeline))
    with pytest.raises(ArtifactRefused, match="takes 3 features"):
        load_model(catalog)


def trained_on_noise(candidate, n_genres=3):
    """A model of three genres of which the first column tells one, trained whatever the number of rows allows."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(330, 6))
    labels = np.array(list("abc"[:n_genres]) * (330 // n_genres))
    matrix[:, 0] += 3 * (labels == "a")
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    learning = Learning(matrix, labels, np.arange(330).astype(str), ((0, 2), (2, 6)))
    splits = calibration_splits(labels, learning.groups, 0)
    return matrix, Contest(learning, 0, (candidate,), {}, splits).train(candidate).pipeline


@pytest.mark.parametrize("n_genres", [2, 3])
@pytest.mark.parametrize("candidate", CANDIDATES, ids=str)
def test_every_candidate_comes_back_as_it_went(tmp_path, candidate, n_genres):
    matrix, pipeline = trained_on_noise(candidate, n_genres)
    sha256 = artifact.save(pipeline, tmp_path / "a.skops")
    loaded = artifact.load(
        tmp_path / "a.skops",
        sha256=sha256,
        library=artifact.library_version(),
        versions={},
        current={},
        n_features=6,
    )
    np.testing.assert_array_equal(loaded.predict_proba(matrix), pipeline.predict_proba(matrix))
    np.testing.assert_allclose(pipeline.predict_proba(matrix).sum(axis=1), 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.skops"]


def test_every_allowed_type_is_needed():
    """The list holds what the candidates are made of and no more: each further type is one more way in."""
    import skops.io

    used = set()
    for candidate in CANDIDATES:
        for n_genres in (2, 3):
            data = skops.io.dumps(trained_on_noise(candidate, n_genres)[1])
            used |= set(artifact._types(data, "a"))
    assert used == artifact.ALLOWED_TYPES


@pytest.mark.parametrize("candidate", [Candidate("stack"), Candidate("boosting"), Candidate("nystroem")], ids=str)
def test_one_byte_of_any_kind_of_model_is_refused(tmp_path, candidate):
    path = tmp_path / "a.skops"
    sha256 = artifact.save(trained_on_noise(candidate)[1], path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactRefused, match="was changed"):
        artifact.load(path, sha256=sha256, library=artifact.library_version(), versions={}, current={}, n_features=6)


def test_trees_of_a_stranger_are_refused(case):
    """Whole scikit-learn models whose parts are near to ours: other losses, random states, other ensembles."""
    import skops.io
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier

    catalog, path = case
    rng = np.random.default_rng(0)
    matrix, labels = rng.normal(size=(60, 2)), np.arange(60) % 2
    for model, strange in (
        (HistGradientBoostingClassifier(max_iter=2, early_stopping=False), "Generator"),  # ours go without
        (HistGradientBoostingRegressor(max_iter=2), "HistGradientBoostingRegressor"),
        (RandomForestClassifier(2), "RandomForestClassifier"),
    ):
        put(catalog, path, skops.io.dumps(model.fit(matrix, labels)))
        with pytest.raises(ArtifactRefused, match=f"not allowed: .*{strange}"):
            load_model(catalog)


def test_a_class_of_this_program_is_no_pass(case):
    """A type from our own packages is as strange as any other, unless it is on the list."""
    import skops.io

    catalog, path = case
    data = skops.io.dumps(trained_on_noise(Candidate("stack"))[1])
    put(
        catalog,
        path,
        edited(data, lambda text: text.replace('"InstrumentStack"', '"BaseEstimator"')),
    )
    with pytest.raises(ArtifactRefused, match=r"not allowed: mir\.genre\.stack\.BaseEstimator"):
        load_model(catalog)


def test_the_trusted_types_are_the_constant_ones(case, monkeypatch):
    """What skops is told to trust hangs on nothing that a file says."""
    import skops.io

    catalog, _ = case
    told = []
    loads = skops.io.loads

    def listening(data, trusted):
        told.append(trusted)
        return loads(data, trusted=trusted)

    monkeypatch.setattr(skops.io, "loads", listening)
    load_model(catalog)
    assert told == [sorted(name for _, name in artifact.ALLOWED_TYPES)]
