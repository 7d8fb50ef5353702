"""`mir render`: from a MIDI file to a folder that training reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

pytest.importorskip("mido", reason="needs mido, from the extra [train]")

from command import invoke
from rendering import beeping_fluidsynth, write_tune  # noqa: F401 - a fixture

from mir.cli.render import register


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    app.callback()(lambda: None)
    return app


def test_stems_of_a_tune(app: typer.Typer, beeping_fluidsynth: Path, tmp_path: Path) -> None:  # noqa: F811
    from separation.training.config import Source, find_config, load_config
    from separation.training.sources import load_songs

    tune = write_tune(tmp_path / "a.mid", 16.0)
    words = ["render", tune, "-o", tmp_path / "out", "--soundfont", beeping_fluidsynth, "--minutes", 0.1]
    code, answer, _ = invoke(app, *words, "--json")
    assert code == 0
    told = json.loads(answer)
    assert (told["songs"], told["failed"]) == (1, [])
    assert told["audio_s"] > 14.0
    (song,) = load_songs(Source("stems", "out"), 0, tmp_path, load_config(find_config("mir-4s")))
    assert set(song.stems) == {"drums", "bass", "other"}
    assert song.n_samples == pytest.approx(told["audio_s"] * 44100, abs=1)


def test_what_is_not_there_is_told(app: typer.Typer, beeping_fluidsynth: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ["render", write_tune(tmp_path / "a.mid", 16.0), "-o", tmp_path / "out"]
    code, _, error = invoke(app, *words, "--drumkits", tmp_path / "nowhere")
    assert (code, "nowhere" in error) == (2, True)
    code, _, error = invoke(app, "render", tmp_path / "no.mid", "-o", tmp_path / "out")
    assert (code, "no.mid" in error) == (1, True)


def test_without_fluidsynth_the_answer_is_how_to_get_it(app: typer.Typer, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, error = invoke(app, "render", write_tune(tmp_path / "a.mid", 16.0), "-o", tmp_path / "out")
    assert (code, "apt install fluidsynth" in error) == (1, True)
