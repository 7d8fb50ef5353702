"""`mir demo` from end to end, with the weights that are shipped: floors under what it has to find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mir.demo.run import DemoResult, Step, run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the session: the notebooks' tests find the same one and use what is there."""
    return tmp_path_factory.getbasetemp() / "mir-demo"


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    return []


@pytest.fixture(scope="module")
def result(folder: Path, steps: list[Step]) -> DemoResult:
    return run_demo(folder, on_step=steps.append)


def test_everything_is_taken_in(result: DemoResult):
    assert result.ingest.failed == []
    assert result.ingest.ingested + result.ingest.skipped == 24


def test_singers_are_found_where_the_mix_finds_the_band(result: DemoResult):
    summary = result.verdict.summary()
    assert summary["same_singer_first"]["vocals"] >= 7
    assert summary["same_band_first"]["mix"] >= 7
    assert summary["same_band_first"]["drums"] >= 7


def test_instrumentals_are_exactly_the_silent_ones(result: DemoResult):
    instrumentals = result.verdict.summary()["instrumentals"]
    assert len(instrumentals["truth"]) == 2
    assert instrumentals["found"] == instrumentals["truth"]


def test_tempo_and_genre_from_the_drums(result: DemoResult):
    summary = result.verdict.summary()
    assert summary["tempo_right"] >= 22
    assert summary["genre_right"] >= 21


def test_progress_is_told(result: DemoResult, steps: list[Step]):
    for stage in ("render", "ask", "report"):
        told = [step for step in steps if step.stage == stage]
        assert told[-1].done == told[-1].total


def test_again_in_the_same_folder_uses_what_is_there(result: DemoResult, folder: Path):
    code = (
        "import sys, mir.cli.demo as demo, typer\n"
        "app = typer.Typer(); demo.register(app)\n"
        "try: app(['-o', sys.argv[1], '--json'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'tensorflow' not in sys.modules and 'librosa' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert (answer["ingested"], answer["skipped"], answer["failed"]) == (0, 24, [])
    assert answer["same_singer_first"] == result.to_json()["same_singer_first"]
    assert (folder / "report.html").stat().st_size > 100_000
