"""What a command loads is what it needs: each check runs in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HEAVY = (
    "tensorflow",
    "keras",
    "librosa",
    "essentia",
    "faiss",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy.signal",
    "umap",
)
SOUND = ("tensorflow", "keras", "librosa", "essentia")
NAMES = ("Ada", "Ben", "Cleo", "Dora")

REPORT = """
import atexit, json, os, sys
def report(path={path!r}, names={names!r}):
    with open(path, "w") as file:
        json.dump([name for name in names if name in sys.modules], file)
atexit.register(report)
"""


def loaded(code: str, names: tuple[str, ...], folder: Path) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Run code in a fresh interpreter; return which of `names` it had loaded by its end, and how it ended."""
    path = folder / "loaded.json"
    path.unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MIR_")}
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(path=str(path), names=names) + code],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
        timeout=120,
    )
    return json.loads(path.read_text()), done


def shell(*arguments: str) -> str:
    """Code that runs the command line as the `mir` program does."""
    return f"sys.argv = ['mir', *{list(arguments)!r}]\nfrom mir.cli.app import main\nmain()\n"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    """Four artists with a track each and made-up descriptions in every space."""
    from features import EXTRACTORS
    from mir.catalog import create_catalog
    from mir.catalog.commit import commit_track
    from mir.catalog.records import FileStat, SpaceResult, Tags, TrackRecord
    from mir.spaces import current_transform

    rng = np.random.default_rng(0)
    catalog = create_catalog(tmp_path_factory.mktemp("cost") / "mir.duckdb")
    for artist in NAMES:
        results = []
        for space, extractor in EXTRACTORS.items():
            descriptor = rng.normal(size=extractor.embedding_size).astype(np.float32)
            transform = current_transform(catalog, space)
            results.append(
                SpaceResult(
                    space,
                    extractor.version,
                    "test:0",
                    "ok",
                    values={column.name: 0.0 for column in extractor.columns},
                    descriptor=descriptor,
                    vector=transform.apply(descriptor[None])[0],
                    transform_id=transform.transform_id,
                )
            )
        commit_track(
            catalog,
            TrackRecord(
                audio_hash=artist.encode().hex() * 8,
                file=FileStat(f"/music/{artist}.flac", 1000, 1),
                tags=Tags(title=f"Song of {artist}", artists=(artist,), genres=("House",)),
                duration_s=10.0,
                sample_rate_hz=44100,
                n_channels=2,
                codec="flac",
                results=tuple(results),
            ),
        )
    return catalog.path


def test_the_check_sees_what_is_loaded(tmp_path):
    assert loaded("import pandas", HEAVY, tmp_path)[0] == ["pandas"]


def test_import_mir_costs_nothing(tmp_path):
    found, done = loaded("import mir; mir.open_catalog", (*HEAVY, "numpy", "duckdb", "typer", "rich"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert found == []


@pytest.mark.parametrize("package", ["separation", "features", "indexes"])
def test_declarations_are_light(package, tmp_path):
    found, done = loaded(f"import {package}", HEAVY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert found == []


def test_help_is_light(tmp_path):
    found, done = loaded(shell("--help"), HEAVY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "similar" in done.stdout
    assert found == []


@pytest.mark.parametrize("command", [("genre", "--help"), ("similar", "--help"), ("ingest", "--help")])
def test_help_of_a_command_is_light(command, tmp_path):
    found, done = loaded(shell(*command), HEAVY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert found == []


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("status", "--json"), "4"),
        (("sql", "SELECT count(*) AS n FROM tracks", "--json"), "4"),
        (("similar", "Ada", "--by", "vocals", "--json"), "Ben"),
        (("similar", "Ada", "--by", "vocals=0.6,drums=0.4", "--tracks", "--json"), "Song of Ben"),
        (("tracks", "--json"), "Song of Ada"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_catalog_commands_hear_nothing(command, answer, catalog, tmp_path):
    found, done = loaded(shell(*command, "--catalog", str(catalog)), SOUND, tmp_path)
    assert done.returncode == 0, done.stderr
    assert answer in done.stdout
    assert found == []


def test_the_usual_answers_are_quick(catalog, tmp_path):
    """Processor time, which other work on the machine disturbs less than the clock; the best of three."""
    import resource

    def seconds(*command: str) -> float:
        best = float("inf")
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            _, done = loaded(shell(*command), (), tmp_path)
            assert done.returncode == 0, done.stderr
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return best

    assert seconds("--help") <= 1.0  # 0.5 on a quiet machine
    assert seconds("similar", "Ada", "--by", "vocals", "--json", "--catalog", str(catalog)) <= 2.0  # 1.5 there
