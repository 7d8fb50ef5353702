"""Trained pipelines on disk: skops, a checksum, and a constant list of the types that may come back.

Nothing of a file is turned into objects before its checksum, its versions and every type in it were checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mir.errors import ArtifactRefused
from separation.publishing import sweep, whole

ALLOWED_TYPES: frozenset[tuple[str, str]] = frozenset(
    {
        ("DTypeNode", "numpy.dtype"),
        ("DictNode", "builtins.dict"),
        ("FunctionNode", "numpy.clip"),
        ("JsonNode", "builtins.str"),
        ("ListNode", "builtins.list"),
        ("LossNode", "sklearn._loss._loss.CyHalfBinomialLoss"),
        ("LossNode", "sklearn._loss._loss.CyHalfMultinomialLoss"),
        ("NdArrayNode", "numpy.float64"),
        ("NdArrayNode", "numpy.int64"),
        ("NdArrayNode", "numpy.ndarray"),
        ("NdArrayNode", "numpy.uint64"),
        ("ObjectNode", "mir.genre.average.AveragedLogistic"),
        ("ObjectNode", "mir.genre.stack.InstrumentStack"),
        ("ObjectNode", "mir.genre.tempering.Tempered"),
        ("ObjectNode", "sklearn._loss.link.Interval"),
        ("ObjectNode", "sklearn._loss.link.LogitLink"),
        ("ObjectNode", "sklearn._loss.link.MultinomialLogit"),
        ("ObjectNode", "sklearn._loss.loss.HalfBinomialLoss"),
        ("ObjectNode", "sklearn._loss.loss.HalfMultinomialLoss"),
        ("ObjectNode", "sklearn.decomposition._pca.PCA"),
        ("ObjectNode", "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper"),
        ("ObjectNode", "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier"),
        ("ObjectNode", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"),
        ("ObjectNode", "sklearn.impute._base.SimpleImputer"),
        ("ObjectNode", "sklearn.kernel_approximation.Nystroem"),
        ("ObjectNode", "sklearn.linear_model._logistic.LogisticRegression"),
        ("ObjectNode", "sklearn.pipeline.Pipeline"),
        ("ObjectNode", "sklearn.preprocessing._data.RobustScaler"),
        ("ObjectNode", "sklearn.preprocessing._function_transformer.FunctionTransformer"),
        ("ObjectNode", "sklearn.preprocessing._label.LabelEncoder"),
        ("ObjectNode", "sklearn.svm._classes.SVC"),
        ("TupleNode", "builtins.tuple"),
        ("TypeNode", "builtins.str"),
    }
)
"""How skops stores a part of ours, and what the part is. Anything else is not ours."""

_TRUSTED = sorted(name for _, name in ALLOWED_TYPES)


def library_version() -> str:
    """Return scikit-learn's release line (``1.9``): the insides of an estimator are only good within one."""
    from importlib.metadata import version

    return ".".join(version("scikit-learn").split(".")[:2])


def save(pipeline: Any, path: Path) -> str:  # noqa: ANN401 - scikit-learn
    """Write a pipeline, all of it or nothing; what killed runs left unfinished beside it goes.

    Returns
    -------
    str
        SHA-256 of the file, hexadecimal.
    """
    import skops.io

    data: bytes = skops.io.dumps(pipeline)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    with whole(path) as unfinished:
        unfinished.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def load(
    path: Path,
    *,
    sha256: str,
    library: str,
    versions: Mapping[str, int],
    current: Mapping[str, int],
    n_features: int,
) -> Any:  # noqa: ANN401 - scikit-learn
    """Read a pipeline back, after every check.

    Parameters
    ----------
    path
        File that `save` wrote.
    sha256, library, versions
        What the run's row says: checksum, scikit-learn release line, extractor version by space.
    current
        Extractor versions of this installation.
    n_features
        Number of features that the row names.

    Raises
    ------
    ArtifactRefused
        Where the file is missing or changed, is of other versions, or names a type outside `ALLOWED_TYPES`.
    """
    again = "train again with: mir genre train"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactRefused(f"the model file {path.name} is missing from {path.parent}; {again}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ArtifactRefused(f"{path.name} was changed: SHA-256 {found[:12]}…, not {sha256[:12]}…; {again}")
    other = ", ".join(f"{s} {v} (now {current.get(s)})" for s, v in versions.items() if current.get(s) != v)
    if other:
        raise ArtifactRefused(f"{path.name} was trained on other feature versions: {other}; {again}")
    if library != library_version():
        raise ArtifactRefused(
            f"{path.name} was trained with scikit-learn {library}, here is {library_version()}; {again}"
        )
    strange = ", ".join(sorted(name for _, name in set(_types(data, path.name)) - ALLOWED_TYPES))
    if strange:
        raise ArtifactRefused(f"{path.name} names types that are not allowed: {strange}; nothing was loaded")
    return _load(data, path.name, n_features)


def _types(data: bytes, name: str) -> Iterator[tuple[str, str]]:
    """Yield what the file would make, by reading its schema as plain JSON."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactRefused(f"{name} is no skops file: {error}") from None
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            if "__loader__" in node:
                yield str(node["__loader__"]), f"{node.get('__module__')}.{node.get('__class__')}"


def _load(data: bytes, name: str, n_features: int) -> Any:  # noqa: ANN401 - scikit-learn
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        # skops audits once more, by the functions and types it would really resolve.
        pipeline = skops.io.loads(data, trusted=_TRUSTED)
    except UntrustedTypesFoundException as error:
        raise ArtifactRefused(f"{name} names types that are not allowed: {error}") from None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ArtifactRefused(f"{name} cannot be read: {error}") from None
    taken = getattr(pipeline, "n_features_in_", 0)
    if taken != n_features:
        raise ArtifactRefused(f"{name} takes {taken} features, its record says {n_features}")
    return pipeline
