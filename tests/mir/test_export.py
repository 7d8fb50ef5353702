"""Exports: whole, checked, read back as the catalog is, by us and by others."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_records import Said, shell
from sql_library import GENRES, N_TRACKS, Made, library

import mir
from mir.catalog import Catalog, create_catalog, open_catalog
from mir.errors import ArtifactRefused, BadRequest, CatalogMissing, ExtraMissing, QueryFailed
from mir.export import Export, export_parquet, open_export
from mir.sql.examples import EXAMPLES
from mir.sql.source import relations


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return library(tmp_path_factory)


@pytest.fixture(scope="module")
def catalog(made: Made) -> Catalog:
    return open_catalog(made.path)


@pytest.fixture(scope="module")
def written(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "export"
    catalog.export_parquet(folder)
    return folder


@pytest.fixture(scope="module")
def export(written: Path) -> Export:
    return open_export(written)


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "export"))


@pytest.fixture
def run(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIR_CATALOG", str(made.path))
    monkeypatch.setattr("catalog_records.MODULES", ("sql", "export"))
    return shell(monkeypatch, capsys)


def test_every_table_comes_back_as_it_was(catalog: Catalog, export: Export) -> None:
    names = [each.name for each in relations(catalog) if each.name in export.manifest.tables]
    assert {"library", "tracks", "embeddings", "vocal_timbre", "descriptors", "track_artists"} <= set(names)
    for name in names:
        query = f"SELECT * FROM {name} ORDER BY ALL"
        there, here = catalog.fetch(query), export.fetch(query)
        assert here.columns == there.columns, name
        assert here.rows == there.rows, name


def test_what_is_left_out_is_said_in_the_manifest(catalog: Catalog, export: Export) -> None:
    missing = {each.name for each in relations(catalog)} - {each.name for each in relations(export)}
    assert missing == {"space_vectors", "catalog_info", "schema_version"}
    identity = catalog.identity()
    assert (export.manifest.catalog_id, export.manifest.generation) == (identity.catalog_id, identity.generation)
    assert export.manifest.tables["tracks"].rows == N_TRACKS


def test_comments_come_along(catalog: Catalog, export: Export) -> None:
    ours = {each.name: each for each in relations(export)}
    for each in relations(catalog):
        if each.name in ours and not each.name.startswith("embeddings"):
            assert ours[each.name].comment == each.comment
            assert ours[each.name].columns == each.columns


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.title)
def test_worked_questions_have_the_same_answers(catalog: Catalog, export: Export, example) -> None:
    pd.testing.assert_frame_equal(export.sql(example.sql), catalog.sql(example.sql), check_dtype=False, rtol=1e-6)


def test_macros_and_parameters(catalog: Catalog, export: Export) -> None:
    query = "FROM similar_artists(?, 'drums', 5)"
    assert export.fetch(query, ["Artist 1"]).columns == ("artist_id", "artist", "tracks", "similarity")
    there, here = catalog.sql(query, ["Artist 1"]), export.sql(query, ["Artist 1"])
    pd.testing.assert_frame_equal(here, there, check_dtype=False)


def test_others_read_the_folders(written: Path, made: Made) -> None:
    """pandas and DuckDB, told nothing but the folder: genres with odd names, and tracks without one."""
    expected = made.tracks.set_index("track_id").genre.sort_index()
    frame = pd.read_parquet(written / "library").set_index("track_id").sort_index()
    pd.testing.assert_series_equal(frame.genre, expected, check_dtype=False)
    assert set(frame.by_genre) == {"house", "drum & bass", "folk", "ac/dc.. = 100%", "none"}
    rows = duckdb.sql(
        f"SELECT genre, count(*) FROM read_parquet('{written}/library/**/*.parquet')"
        " WHERE by_genre = 'folk' GROUP BY ALL"
    ).fetchall()
    assert rows == [("Folk", int((expected == "Folk").sum()))]


def test_genres_that_differ_in_case_alone_share_a_folder(made: Made, tmp_path: Path) -> None:
    catalog = made.copy(tmp_path)
    with catalog.write() as con:
        con.execute("UPDATE tracks SET genre = 'HOUSE' WHERE genre = 'House' AND year > 1990")
    catalog.export_parquet(tmp_path / "export", tables=["library"])
    query = "SELECT genre, count(*) FROM library GROUP BY ALL ORDER BY ALL"
    export = open_export(tmp_path / "export")
    assert export.fetch(query).rows == catalog.fetch(query).rows
    folders = {each.path.split("/")[1] for each in export.manifest.tables["library"].files}
    assert len(folders) == len({name.casefold() for name in folders}) == len(GENRES)


def test_folders_by_year_or_none(catalog: Catalog, tmp_path: Path) -> None:
    by_year = export_parquet(catalog, tmp_path / "years", tables=["library"], library_by="year")
    assert len(by_year.tables["library"].files) > 5
    assert all("/by_year=" in each.path for each in by_year.tables["library"].files)
    whole = export_parquet(catalog, tmp_path / "whole", tables=["library"], library_by="none")
    assert [each.path for each in whole.tables["library"].files] == ["library/data_0.parquet"]
    query = "SELECT year, count(*) FROM library GROUP BY ALL ORDER BY ALL"
    answers = [open_export(tmp_path / name).fetch(query).rows for name in ("years", "whole")]
    assert answers == [catalog.fetch(query).rows] * 2


def test_the_same_catalog_gives_the_same_bytes(catalog: Catalog, written: Path, tmp_path: Path) -> None:
    again = catalog.export_parquet(tmp_path / "again")
    assert again.tables == open_export(written).manifest.tables


def test_an_empty_catalog_can_be_exported(tmp_path: Path) -> None:
    catalog = create_catalog(tmp_path / "mir.duckdb")
    catalog.export_parquet(tmp_path / "export")
    export = open_export(tmp_path / "export")
    assert export.fetch("SELECT count(*) FROM library").rows == [(0,)]
    assert export.fetch("SELECT * FROM library").columns == catalog.fetch("SELECT * FROM library").columns


def test_any_address_of_fsspec(catalog: Catalog, written: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(written), "/elsewhere/export", recursive=True)
    try:
        export = mir.open_export("memory://elsewhere/export")
        query = "SELECT genre, count(*) FROM library GROUP BY genre ORDER BY ALL"
        assert export.fetch(query).rows == catalog.fetch(query).rows
        with memory.open("/elsewhere/export/tracks/data_0.parquet", "ab") as file:
            file.write(b"x")
        with pytest.raises(ArtifactRefused, match=r"tracks/data_0\.parquet is not the file"):
            mir.open_export("memory://elsewhere/export")
    finally:
        memory.rm("/elsewhere", recursive=True)


@pytest.mark.parametrize(
    ("address", "error", "told"),
    [
        ("nowhere", CatalogMissing, "mir export parquet FOLDER"),
        ("memory://nowhere", CatalogMissing, "manifest.json is not there"),
        ("nosuch://bucket/x", CatalogMissing, "nosuch"),
        ("hdfs-of-nobody://x", CatalogMissing, "no export"),
    ],
)
def test_an_address_without_an_export(
    address: str, error: type[Exception], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match="no export at") as caught:
        open_export(address)
    assert told in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(address: str):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacking)
    with pytest.raises(ExtraMissing, match="pip install fsspec, and s3fs"):
        open_export("s3://bucket/export")


def change(folder: Path, edit: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def first_file(manifest: dict) -> dict:
    return next(each for each in manifest["tables"] if each["name"] == "tracks")["files"][0]


def replaced(path: Path, content: bytes) -> str:
    """Put something else into a file, and return its checksum."""
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


DAMAGE = {
    "no JSON": lambda folder: (folder / "manifest.json").write_text("{"),
    "something else's": lambda folder: (folder / "manifest.json").write_text('{"format": "other"}'),
    "a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "a later format": lambda folder: change(folder, lambda m: m.update(format_version=99)),
    "no tables": lambda folder: change(folder, lambda m: m.pop("tables")),
    "outside": lambda folder: change(folder, lambda m: first_file(m).update(path="../tracks/data_0.parquet")),
    "up and down": lambda folder: change(folder, lambda m: first_file(m).update(path="tracks/../../x.parquet")),
    "absolute": lambda folder: change(folder, lambda m: first_file(m).update(path="/etc/passwd")),
    "another table's": lambda folder: change(folder, lambda m: first_file(m).update(path="stems/data_0.parquet")),
    "SQL as a name": lambda folder: change(folder, lambda m: m["tables"][0].update(name='x" AS SELECT 1; --')),
    "SQL as a space": lambda folder: change(folder, lambda m: m["vector_sizes"].update({"x' OR 1": 3})),
    "SQL as a size": lambda folder: change(folder, lambda m: m["vector_sizes"].update(x="3] FROM y")),
    "a wrong checksum": lambda folder: change(folder, lambda m: first_file(m).update(sha256="0" * 64)),
    "no checksum": lambda folder: change(folder, lambda m: first_file(m).update(sha256="")),
    "a changed file": lambda folder: (folder / "tracks" / "data_0.parquet").write_bytes(b"PAR1PAR1"),
    "a missing file": lambda folder: (folder / "tracks" / "data_0.parquet").unlink(),
    "no files": lambda folder: change(folder, lambda m: m["tables"][0].update(files=[])),
    "a column that is not there": lambda folder: change(
        folder, lambda m: m["tables"][0]["columns"].append({"name": "x", "type": "BIGINT", "comment": ""})
    ),
    "no Parquet": lambda folder: change(
        folder, lambda m: first_file(m).update(size=4, sha256=replaced(folder / first_file(m)["path"], b"PAR1"))
    ),
    "a partition by no column": lambda folder: change(folder, lambda m: m["tables"][0].update(partitioned_by="x")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_the_manifest_does_not_vouch_for_is_refused(copy: Path, damage: Callable[[Path], object]) -> None:
    damage(copy)
    with pytest.raises(ArtifactRefused, match=r"again|upgrade"):
        open_export(copy)


def test_views_that_do_not_fit_the_files_are_refused(copy: Path) -> None:
    vectors = pa.table({"track_id": [1], "space": ["mixture"], "version": [1], "transform_id": ["t"], "vector": [7]})
    for path in (copy / "embeddings").rglob("*.parquet"):
        pq.write_table(vectors, path)

    def vouch(manifest: dict) -> None:
        for each in next(table for table in manifest["tables"] if table["name"] == "embeddings")["files"]:
            content = (copy / each["path"]).read_bytes()
            each.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    change(copy, vouch)
    with pytest.raises(ArtifactRefused, match=r"is not what its manifest\.json says"):
        open_export(copy).fetch("SELECT 1")


def test_files_that_the_manifest_does_not_name_are_not_read(copy: Path) -> None:
    shutil.copyfile(copy / "tracks" / "data_0.parquet", copy / "tracks" / "data_1.parquet")
    shutil.copytree(copy / "library" / "by_genre=house", copy / "library" / "by_genre=made up")
    export = open_export(copy)
    for table in ("tracks", "library"):
        assert export.fetch(f"SELECT count(*) FROM {table}").rows == [(N_TRACKS,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('{folder}/tracks/data_0.parquet')",
        "SELECT * FROM '{folder}/manifest.json'",
        "COPY tracks TO '{folder}/out.csv'",
        "COPY (SELECT 1) TO '{folder}/tracks/data_0.parquet'",
        "ATTACH '{folder}/new.duckdb'",
        "EXPORT DATABASE '{folder}/out'",
        "SET enable_external_access = true",
        "SELECT getenv('HOME')",
        "INSTALL httpfs",
        "SELECT * FROM glob('{folder}/*')",
    ],
)
def test_an_export_is_as_sealed_as_a_catalog(copy: Path, query: str) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(QueryFailed):
        open_export(copy).fetch(query.format(folder=copy))
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_nothing_but_an_export_is_replaced(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(BadRequest, match="something that is no export"):
            catalog.export_parquet(folder, overwrite=overwrite)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactRefused, match="not one of"):
        catalog.export_parquet(folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years of work"
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(BadRequest, match="no folder"):
        catalog.export_parquet(tmp_path / "link", overwrite=True)
    with pytest.raises(BadRequest, match="create it first"):
        catalog.export_parquet(tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "mine"]


def test_overwriting_replaces_all_of_it(catalog: Catalog, copy: Path) -> None:
    with pytest.raises(BadRequest, match="--overwrite"):
        catalog.export_parquet(copy)
    catalog.export_parquet(copy, tables=["tracks"], overwrite=True)
    assert sorted(path.name for path in copy.iterdir()) == ["manifest.json", "tracks"]
    assert [path.name for path in copy.parent.iterdir()] == ["export"]
    assert [each.name for each in relations(open_export(copy))] == ["tracks"]


def test_a_failed_export_leaves_the_old_one(catalog: Catalog, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        if name == "tracks":
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        export_parquet(catalog, copy, overwrite=True, done=broken)
    rename = Path.rename

    def stuck(self: Path, target: Path) -> Path:
        if target == copy and self.name == "export":
            raise OSError("no rename")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stuck)
    with pytest.raises(OSError, match="no rename"):
        catalog.export_parquet(copy, tables=["tracks"], overwrite=True)
    monkeypatch.undo()
    assert open_export(copy).fetch("SELECT count(*) FROM library").rows == [(N_TRACKS,)]
    assert [path.name for path in copy.parent.iterdir()] == ["export"]


def test_a_genre_too_long_for_a_folder(made: Made, tmp_path: Path) -> None:
    catalog = made.copy(tmp_path)
    with catalog.write() as con:
        con.execute("UPDATE track_genres SET genre = repeat('ß', 60) WHERE genre = 'Folk'")
        con.execute("UPDATE tracks SET genre = repeat('ß', 60) WHERE genre = 'Folk'")
    with pytest.raises(BadRequest, match="--library-by none"):
        catalog.export_parquet(tmp_path / "export")
    catalog.export_parquet(tmp_path / "export", library_by="none")
    assert open_export(tmp_path / "export").fetch("SELECT count(*) FROM library").rows == [(N_TRACKS,)]


def test_from_the_shell(run: Callable[..., Said], tmp_path: Path) -> None:
    said = run("export", "parquet", "out", "--tables", "library,tracks", "--tables", "spaces", "--json")
    assert said.code == 0
    assert json.loads(said.out)["tables"].keys() == {"library", "spaces", "tracks"}
    said = run("sql", "SELECT count(*) AS n FROM library", "--from", "out")
    assert (said.code, said.out) == (0, f"n\n{N_TRACKS}\n")
    assert "no track" not in run("sql", "FROM similar_tracks('Song 1', 'mix')", "--from", "out").out
    assert run("export", "parquet", "out").code == 2
    said = run("export", "parquet", "out", "--overwrite")
    assert said.out.splitlines()[0] == "table\trows\tfiles\tbytes"
    said = run("sql", "FROM similar_tracks('Song 1', 'mix', 3)", "--from", "out", "--json")
    assert len(said.out.splitlines()) == 3
    assert "there are" in run("export", "parquet", "other", "--tables", "nothing").err
    assert run("export", "parquet", "other", "--library-by", "mood").code == 2
    assert not (tmp_path / "other").exists()
    said = run("sql", "SELECT 1", "--from", "nowhere")
    assert (said.code, said.out) == (1, "")
