"""The generated page of features."""

import subprocess
import sys

import features
from features.declarations import markdown


def test_every_column_has_its_row() -> None:
    page = markdown()
    for space, extractor in features.EXTRACTORS.items():
        assert f"## {space}" in page
        for column in extractor.columns:
            assert f"| `{column.name}` | {column.unit} |" in page


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
