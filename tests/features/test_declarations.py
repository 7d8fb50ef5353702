"""The generated page of features."""

import subprocess
import sys
from pathlib import Path

import features
from features.declarations import markdown


def test_every_column_has_its_row() -> None:
    page = markdown()
    for space, extractor in features.EXTRACTORS.items():
        assert f"## {space}" in page
        for column in extractor.columns:
            assert f"| `{column.name}` | {column.unit} |" in page


def test_every_row_has_unit_range_and_source() -> None:
    rows = [line.strip("| ").split(" | ") for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(extractor.columns) for extractor in features.EXTRACTORS.values())
    for name, unit, between, meaning, source in rows:
        low, high = (float(number) for number in between.split(" … "))
        assert low < high, name
        assert unit, name
        assert meaning.endswith("."), name
        assert source, name


def test_the_page_in_the_documents_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "features.md"
    assert page.read_text(encoding="utf-8") == markdown(), "python -m features.declarations > docs/features.md"


def test_the_module_writes_the_page() -> None:
    run = subprocess.run([sys.executable, "-m", "features.declarations"], capture_output=True, text=True, check=True)
    assert run.stdout == markdown()


def test_declarations_load_nothing_heavy() -> None:
    code = (
        "import sys, features.declarations as d; d.markdown(); print([m for m in sys.modules if m in "
        "('librosa', 'essentia', 'numba', 'scipy', 'soxr', 'pandas', 'sklearn')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
