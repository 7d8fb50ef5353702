"""The notebooks run, on the demo's catalog and on ones that lack much; they change nothing and are stored bare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from genre_library import add

from mir.catalog import Catalog, create_catalog, open_catalog
from mir.spaces import fit, list_spaces
from notebooks.run import NOTEBOOKS, Executed, execute, main

ASKING = [path for path in NOTEBOOKS if not path.name.startswith("06")]
"""All that ask a catalog something."""

READING = [path for path in ASKING if not path.name.startswith("05")]
"""Those that need no genres."""


def names(path: Path) -> str:
    return path.stem


@pytest.fixture(scope="module")
def demo_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The session's demo catalog: made here, or used again where the demo's own tests have made it."""
    from mir.demo.run import run_demo

    return open_catalog(run_demo(tmp_path_factory.getbasetemp() / "mir-demo").catalog)


@pytest.fixture(scope="module")
def bare_catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Somebody's catalog: no genres, years or albums, odd names, tracks by nobody, stems that are silent."""
    catalog = create_catalog(tmp_path_factory.mktemp("bare") / "mir.duckdb")
    for number in range(24):
        artist = number // 3
        add(
            catalog,
            f"$\\frac{{ {number} <b>",
            artist=f"_$A_{artist} 'n' <i>|*$" if artist else None,
            genres=(),
            means={"drum_rhythm": 1.0 + artist % 2},
            seed=number,
            mute=("vocal_timbre", "bass_line") if number % 6 == 0 else (),
        )
    for info in list_spaces(catalog):
        fit(catalog, info.space)
    return catalog


def outputs(done: Executed) -> list[Any]:
    return [output for cell in done.notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def said(done: Executed) -> str:
    return "".join(
        output.text for output in outputs(done) if output.output_type == "stream" and output.name == "stderr"
    )


def test_there_are_six_notebooks():
    assert [path.name[:3] for path in NOTEBOOKS] == ["01-", "02-", "03-", "04-", "05-", "06-"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_is_stored_without_outputs(path: Path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_reads_like_an_essay(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert "?" in texts[0]
    assert any("## What not to conclude" in text for text in texts)
    assert "## Your turn" in cells[-2].source
    assert cells[-1].cell_type == "code"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_runs_on_the_demo(path: Path, demo_catalog: Catalog, tmp_path: Path):
    before = demo_catalog.identity()
    done = execute(path, demo_catalog.path, tmp_path, timeout_s=600)
    assert done.error is None
    assert said(done) == ""
    answers = outputs(done)
    assert sum(output.output_type == "execute_result" for output in answers) >= 2
    assert sum("image/png" in output.get("data", {}) for output in answers) >= 2
    assert demo_catalog.identity() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", READING, ids=names)
def test_notebook_runs_on_a_catalog_without_genres(path: Path, bare_catalog: Catalog, tmp_path: Path):
    before = bare_catalog.identity()
    done = execute(path, bare_catalog.path, tmp_path, timeout_s=120)
    assert done.error is None
    assert said(done) == ""
    assert bare_catalog.identity() == before


@pytest.mark.slow
def test_runner_says_what_an_empty_catalog_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    empty = create_catalog(tmp_path / "mir.duckdb")
    folder = tmp_path / "out"
    code = main(["--catalog", str(empty.path), "-o", str(folder), *map(str, ASKING)])
    assert code == 1
    lines = capsys.readouterr().out.splitlines()
    for path, line in zip(ASKING, lines, strict=True):
        assert str(folder / path.name) in line
        assert "stopped: NothingToCompare: " in line or "stopped: TooFewLabels: " in line
        copy = nbformat.read(folder / path.name, as_version=4)
        assert any(output.output_type == "error" for cell in copy.cells for output in cell.get("outputs", []))


def test_runner_wants_a_catalog(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refused:
        main(["--catalog", str(tmp_path / "none.duckdb")])
    assert refused.value.code == 2
    assert "none.duckdb" in capsys.readouterr().err
