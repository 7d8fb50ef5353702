"""Answers as files: whole or not there, and the same numbers in every form."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from catalog_records import Said, shell
from sql_library import Made, library

from mir.catalog import Catalog, open_catalog
from mir.errors import QueryFailed
from mir.sql.forms import Form, write


@pytest.fixture
def catalog(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    made: Made = library(tmp_path_factory)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIR_CATALOG", str(made.path))
    return open_catalog(made.path)


@pytest.fixture
def run(catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    return shell(monkeypatch, capsys)


QUERY = "SELECT title, year, tempo_bpm, genres FROM library ORDER BY title"


def test_every_form_has_the_same_numbers(run: Callable[..., Said], catalog: Catalog) -> None:
    for name in ("a.parquet", "a.csv", "a.json", "a.txt"):
        said = run("sql", QUERY, "-o", name)
        assert (said.code, said.out) == (0, "")
    expected = catalog.sql(QUERY)
    columns, rows = catalog.fetch(QUERY).columns, catalog.fetch(QUERY).rows
    assert pq.read_table("a.parquet").to_pylist() == [dict(zip(columns, row, strict=True)) for row in rows]
    named = ["title", "year", "tempo_bpm"]
    for got in (pd.read_parquet("a.parquet"), pd.read_csv("a.csv"), pd.read_json("a.json", lines=True)):
        pd.testing.assert_frame_equal(got[named], expected[named], check_dtype=False)
    assert pd.read_csv("a.txt", sep="\t", na_values="-").title.tolist() == expected.title.tolist()
    assert sorted(path.name for path in Path().iterdir()) == ["a.csv", "a.json", "a.parquet", "a.txt"]


def test_types_of_parquet(catalog: Catalog, tmp_path: Path) -> None:
    query = (
        "SELECT sum(n) AS whole, sum(n) * 1000000000000000000000000000000::HUGEINT AS huge, DATE '2020-01-02' AS day,"
        " [1.5, 2.5]::FLOAT[2] AS v, {'a': 1} AS s, now()::TIMESTAMP AS at, NULL::DOUBLE AS nothing"
        " FROM range(4) AS r(n)"
    )
    write(catalog, query, Form.PARQUET, tmp_path / "t.parquet")
    row = pq.read_table(tmp_path / "t.parquet")
    assert str(row.schema.field("whole").type) == "int64"
    assert row["whole"].to_pylist() == [6]
    assert int(row["huge"].to_pylist()[0]) == 6 * 10**30
    assert row["v"].to_pylist() == [[1.5, 2.5]]
    assert row["nothing"].null_count == 1


@pytest.mark.parametrize("form", ["parquet", "csv", "json", "table"])
def test_a_failing_query_leaves_what_was_there(run: Callable[..., Said], form: str) -> None:
    Path("kept").write_text("before")
    said = run("sql", "SELECT error('no') FROM tracks", "--format", form, "-o", "kept")
    assert said.code == 1
    assert Path("kept").read_text() == "before"
    assert [path.name for path in Path().iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("query", "told"),
    [("SELECT INTERVAL 1 DAY AS d", "cast the column"), ("SELECT 1 AS a, 2 AS a", "two columns are called a")],
)
def test_what_parquet_cannot_hold_is_said(catalog: Catalog, tmp_path: Path, query: str, told: str) -> None:
    with pytest.raises(QueryFailed, match=told):
        write(catalog, query, Form.PARQUET, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_parquet_goes_into_a_pipe_but_not_to_a_terminal(
    catalog: Catalog, run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "mir.cli", "sql", QUERY, "--format", "parquet"]
    piped = subprocess.run(command, capture_output=True, check=True).stdout
    assert pd.read_parquet(io.BytesIO(piped)).title.tolist() == catalog.sql(QUERY).title.tolist()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = run("sql", QUERY, "--format", "parquet")
    assert (said.code, said.out) == (2, "")
    assert "-o FILE" in said.err


def test_a_file_needs_a_folder_and_a_query(run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot write nowhere" in run("sql", QUERY, "-o", "nowhere/a.csv").err
    Path("folder").mkdir()
    assert run("sql", QUERY, "-o", "folder").code == 2
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    said = run("sql", "-o", "a.csv")
    assert (said.code, said.out) == (2, "")
    assert "of one query" in said.err


def test_a_terminal_gets_a_drawn_table_of_at_most_a_thousand_rows(
    run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    said = run("sql", "SELECT i AS number FROM range(3000) AS r(i)")
    assert said.out.splitlines()[:3] == ["number", "──────", "     0"]
    assert len(said.out.splitlines()) == 1002
    assert "the first 1000 rows" in said.err
    said = run("sql", "SELECT i FROM range(3000) AS r(i)", "--json")
    assert len(said.out.splitlines()) == 3000


def test_tags_cannot_steer_the_terminal_or_break_a_table(run: Callable[..., Said]) -> None:
    said = run("sql", "SELECT 'a' || chr(27) || '[2J' || chr(10) || chr(9) || 'b' AS t")
    assert said.out == "t\na\\x1b[2J\\n\\tb\n"
    said = run("sql", "SELECT chr(27) AS t", "--json")
    assert json.loads(said.out) == {"t": "\x1b"}
    assert "\x1b" not in said.out
