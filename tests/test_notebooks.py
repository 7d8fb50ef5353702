"""The notebooks run, on a demo catalog made by the real chain, and are stored without outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def demo_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's demo catalog: made here, or used again where the demo's own tests have made it."""
    from mir.demo.run import run_demo

    return run_demo(tmp_path_factory.getbasetemp() / "mir-demo").catalog


def test_there_are_notebooks():
    assert "01-quickstart.ipynb" in {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(path: Path):
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, demo_catalog: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("MIR_CATALOG", os.fspath(demo_catalog))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": os.fspath(tmp_path)}}).execute()
    answers = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum(output.output_type == "execute_result" for output in answers) >= 5
    assert sum("image/png" in output.get("data", {}) for output in answers) >= 2
