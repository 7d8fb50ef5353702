"""Training runs: trained, scored, written down with all that it takes to repeat them, compared, promoted."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features import EXTRACTORS
from mir.errors import ArtifactRefused, NotInCatalog
from mir.genre import artifact
from mir.genre.candidates import CANDIDATES, Candidate
from mir.genre.dataset import feature_names, load
from mir.genre.evaluation import OnStep
from mir.genre.labels import LabelMap
from mir.genre.recipe import Learned, Recipe, carry_out

if TYPE_CHECKING:
    import duckdb

    from mir.catalog import Catalog

logger = logging.getLogger(__name__)

_COLUMNS = "run_id, created_at, labels, spaces, parameters, metrics, artifact, sha256, promoted"
_SELECTED = _COLUMNS.replace("created_at", "epoch_us(created_at)")  # DuckDB's own conversion needs pytz


@dataclass(frozen=True, slots=True)
class Run:
    """A row of ``genre_runs``.

    `parameters` has what a repeat needs: the recipe (instruments, seed, folds, label map, candidates), checksums of
    the data, the candidate that won, feature names, scikit-learn's release line. `metrics` has the evaluation and, as
    ``held_out``, what it made of each track, so that runs can be compared pairwise.
    """

    run_id: str
    created_at: datetime
    labels: tuple[str, ...]
    spaces: dict[str, int]
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    artifact: str
    sha256: str
    promoted: bool

    @property
    def candidate(self) -> Candidate:
        """The pipeline that won."""
        return Candidate(**self.parameters["chosen"])

    def to_json(self, *, whole: bool = False) -> dict[str, Any]:
        """Return plain data; the list of features, and what was made of each track, only of a whole run."""
        left_out = frozenset[str]() if whole else frozenset({"features", "held_out"})
        return {
            "run_id": self.run_id,
            "created_at": self.created_at.isoformat(),
            "promoted": self.promoted,
            "labels": list(self.labels),
            "spaces": self.spaces,
            "parameters": {name: value for name, value in self.parameters.items() if name not in left_out},
            "metrics": {name: value for name, value in self.metrics.items() if name not in left_out},
            "artifact": self.artifact,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Model:
    """A run with its pipeline in memory, checked."""

    run: Run
    pipeline: Any


def train(
    catalog: Catalog,
    by: Sequence[str],
    *,
    label_map: LabelMap | None = None,
    folds: int = 5,
    seed: int = 0,
    candidates: Sequence[Candidate] = CANDIDATES,
    on_step: OnStep | None = None,
) -> Run:
    """Train on every labelled track, score the recipe on artists held out, and write both down.

    The first run of a catalog is promoted; later ones wait for `promote`.

    Parameters
    ----------
    catalog
        The catalog; its labels are those of tags and persons, never predictions.
    by, label_map, folds, seed, candidates
        See `Recipe`.
    on_step
        Hears of the evaluation's progress.

    Raises
    ------
    TooFewLabels
        Where there are fewer than two genres.
    """
    recipe = Recipe(tuple(by), label_map or LabelMap(), folds, seed, tuple(candidates))
    learned = carry_out(load(catalog, recipe.label_map), recipe, on_step)
    return _store(catalog, learned)


def runs(catalog: Catalog) -> list[Run]:
    """Return all runs, latest first."""
    with catalog.read() as con:
        rows = con.execute(f"SELECT {_SELECTED} FROM genre_runs ORDER BY created_at DESC, run_id").fetchall()  # noqa: S608 - our own list
    return [_run(row) for row in rows]


def find_run(catalog: Catalog, run_id: str | None = None) -> Run:
    """Return a run by its id (or the beginning of it that only one has), None for the promoted one.

    Raises
    ------
    NotInCatalog
        Where there is none, or several.
    """
    known = runs(catalog)
    if run_id is None:
        found = [run for run in known if run.promoted]
        if not found:
            raise NotInCatalog("no genre model in this catalog yet; train one with: mir genre train")
        return found[0]
    found = [run for run in known if run.run_id == run_id] or [r for r in known if r.run_id.startswith(run_id)]
    if len(found) != 1:
        listed = ", ".join(run.run_id for run in (found or known)[:10]) or "none yet"
        raise NotInCatalog(f"{'several runs start with' if found else 'no run'} {run_id!r}; runs: {listed}")
    return found[0]


def promote(catalog: Catalog, run_id: str) -> Run:
    """Make a run the one whose predictions count; what it predicted before comes back with it.

    Raises
    ------
    NotInCatalog
        Where there is no such run.
    ArtifactRefused
        Where its artifact cannot be used.
    """
    run = load_model(catalog, run_id).run
    with catalog.write() as con:
        con.execute("UPDATE genre_runs SET promoted = (run_id = ?)", [run.run_id])
        publish(con, run.run_id)
    return find_run(catalog, run.run_id)


def publish(con: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Make a run's stored predictions the predicted genres of all tracks that no tag and no person labelled.

    A label that came in while the run computed wins: it is looked for inside this transaction.
    """
    con.execute("DELETE FROM track_genres WHERE source = 'predicted'")
    con.execute(
        "INSERT INTO track_genres (track_id, genre, source, run_id, probability)"
        " SELECT track_id, arg_max(genre, probability), 'predicted', run_id, max(probability)"
        " FROM genre_predictions AS p WHERE run_id = ? AND NOT EXISTS ("
        "  SELECT 1 FROM track_genres AS g WHERE g.track_id = p.track_id AND g.source <> 'predicted')"
        " GROUP BY track_id, run_id",
        [run_id],
    )


def load_model(catalog: Catalog, run_id: str | None = None) -> Model:
    """Load a run's pipeline (None: the promoted run) after checking checksum, versions and types.

    Raises
    ------
    NotInCatalog
        Where there is no such run.
    ArtifactRefused
        Where the artifact is not what the row says, or does not fit this installation.
    """
    run = find_run(catalog, run_id)
    current = {space: extractor.version for space, extractor in EXTRACTORS.items()}
    features = tuple(run.parameters.get("features", ()))
    pipeline = artifact.load(
        _folder(catalog) / Path(run.artifact).name,
        sha256=run.sha256,
        library=str(run.parameters.get("scikit_learn")),
        versions=run.spaces,
        current=current,
        n_features=len(features),
    )
    if features != tuple(name for space in run.spaces for name in feature_names(space)):
        raise ArtifactRefused(f"run {run.run_id} names other features than this mir; train again")
    if sorted(map(str, pipeline.classes_)) != sorted(run.labels):
        raise ArtifactRefused(f"run {run.run_id} names other genres than its model; train again")
    return Model(run, pipeline)


def _store(catalog: Catalog, learned: Learned) -> Run:
    parameters, pipeline = learned.parameters, learned.fitted.pipeline
    now = datetime.now(UTC)
    known = {run.run_id for run in runs(catalog)}
    base = f"{now:%Y%m%d-%H%M%S}-{parameters['snapshot'][:6]}"
    run_id = next(name for n in range(len(known) + 1) if (name := f"{base}-{n}" if n else base) not in known)
    path = _folder(catalog) / f"{run_id}.skops"
    sha256 = artifact.save(pipeline, path)
    labels = [str(label) for label in pipeline.classes_]
    try:
        with catalog.write() as con:
            con.execute(
                f"INSERT INTO genre_runs ({_COLUMNS})"
                " SELECT ?, ?, ?, ?, ?, ?, ?, ?, NOT EXISTS (FROM genre_runs WHERE promoted)",
                [
                    run_id,
                    now,
                    json.dumps(labels),
                    json.dumps(learned.dataset.versions),
                    json.dumps(parameters),
                    json.dumps(learned.metrics),
                    path.name,
                    sha256,
                ],
            )
    except BaseException:
        path.unlink(missing_ok=True)  # no row, no run
        raise
    logger.info("genre run %s stored, %d tracks, %d labels", run_id, parameters["tracks"], len(labels))
    return find_run(catalog, run_id)


def _folder(catalog: Catalog) -> Path:
    """Return the folder of artifacts beside the catalog file."""
    return Path(catalog.path).with_suffix(".genre")


def _run(row: tuple[Any, ...]) -> Run:
    run_id, created_us, labels, spaces, parameters, metrics, name, sha256, promoted = row
    return Run(
        run_id=str(run_id),
        created_at=datetime.fromtimestamp(created_us / 1e6, UTC),
        labels=tuple(json.loads(labels)),
        spaces=json.loads(spaces),
        parameters=json.loads(parameters),
        metrics=json.loads(metrics),
        artifact=str(name or ""),
        sha256=str(sha256 or ""),
        promoted=bool(promoted),
    )
