"""Made the catalogs beside it: one of each schema that was ever released. Run once, before a schema changes.

`python tests/data/catalogs/make_fixture.py` writes ``schema-<version>.gz`` for the schema of the code that runs it; a
file that is there is never written again. Schema 1 was made by mir 0.1.0 with DuckDB 2.0.1.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "mir"), str(HERE.parents[2])]


def main() -> None:
    """Fill a catalog with five made-up tracks, one of them silent in one space, a genre run and its predictions."""
    from catalog_records import record, result, two_spaces

    import features
    from mir.catalog import create_catalog
    from mir.catalog.commit import commit_failure, commit_track
    from mir.catalog.maintenance import compact
    from mir.catalog.records import FileStat
    from mir.catalog.schema import SCHEMA_VERSION

    target = HERE / f"schema-{SCHEMA_VERSION}.gz"
    if target.exists():
        sys.exit(f"{target.name} is there already")
    features.EXTRACTORS = two_spaces()
    with tempfile.TemporaryDirectory() as folder:
        catalog = create_catalog(Path(folder) / "mir.duckdb")
        for number in range(1, 5):
            commit_track(catalog, record(number))
        silent = (result("vocal_timbre", state="silent"), result("drum_rhythm", 5))
        commit_track(catalog, record(5, results=silent))
        commit_failure(catalog, FileStat("/music/broken.mp3", 1, 2), "no audio in it")
        with catalog.write() as con:
            con.execute(
                "INSERT INTO genre_runs (run_id, labels, spaces, parameters, metrics, promoted)"
                " VALUES ('run-1', '[\"Rock\"]', '{}', '{}', '{}', true)"
            )
            con.execute("INSERT INTO genre_predictions SELECT track_id, 'run-1', 'Rock', 0.75 FROM tracks")
        compact(catalog)
        target.write_bytes(gzip.compress(catalog.path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
