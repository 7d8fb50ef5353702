"""`mir serve`: what it says, what it refuses, and that it is there and gone again."""

from __future__ import annotations

import builtins
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
import typer
from command import invoke
from web_site import make_library, wait_for

from mir.catalog import create_catalog
from mir.cli import serve
from mir.web import looks
from mir.web.details import distribution


@pytest.fixture
def app():
    made = typer.Typer()
    made.command("other")(lambda: None)
    serve.register(made)
    return made


def test_what_is_not_installed_is_named_with_the_line_that_installs_it(app, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "fastapi":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr("mir.web.import_module", lambda name: without(name))
    code, _, said = invoke(app, "serve")
    assert code == 1
    assert 'pip install "mir-stems[web]"' in said


def test_no_catalog_and_a_token_that_keeps_nobody_out(app, tmp_path, monkeypatch):
    code, _, said = invoke(app, "serve", "--catalog", tmp_path / "none.duckdb")
    assert code == 1
    assert "no catalog" in said
    create_catalog(tmp_path / "mir.duckdb")
    monkeypatch.setenv("MIR_TOKEN", "short")
    code, _, said = invoke(app, "serve", "--catalog", tmp_path / "mir.duckdb", "--host", "0.0.0.0")  # noqa: S104
    assert code == 2
    assert "MIR_TOKEN" in said


def test_a_port_that_is_taken(app, tmp_path):
    create_catalog(tmp_path / "mir.duckdb")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, said = invoke(app, "serve", "--catalog", tmp_path / "mir.duckdb", "--port", taken.getsockname()[1])
    assert code == 2
    assert "--port" in said


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path, signalled):
    create_catalog(tmp_path / "mir.duckdb")
    port = 20_000 + os.getpid() % 20_000
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "mir.cli", "serve", "--catalog", tmp_path / "mir.duckdb", "--port", port]
    with subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:

            def there():
                assert process.poll() is None, process.stderr.read()
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/", timeout=30)
                except httpx.TransportError:
                    return None

            page = wait_for(there)
            assert page.status_code == 200
            assert "mir ingest" in page.text
        finally:
            process.send_signal(signalled)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signalled
    assert out == ""
    assert not list(scratch.iterdir())
    assert f"http://127.0.0.1:{port}/" in err
    assert "Traceback" not in err


def test_the_library_is_not_written_to(tmp_path):
    from similar_library import small_extractors

    with small_extractors():
        catalog, _ = make_library(tmp_path, tracks=4)
        assert catalog.identity().generation == 5  # four tracks and the years, by `make_library` alone


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(0.0, 4, "0"), (1234.56, 4, "1,235"), (-0.00123456, 3, "−0.00123"), (float("nan"), 4, "–"), (99.999, 3, "100")],
)
def test_numbers_are_written_to_so_many_digits(value, digits, written):
    assert looks.number(value, digits) == written


def test_places_in_a_distribution():
    import numpy as np

    spread = distribution(np.concatenate([np.arange(101.0), [np.nan]]))
    assert spread.n == 101
    assert spread.percentile(50.0) == pytest.approx(50, abs=1)
    assert spread.percentile(-5) == 0
    assert spread.percentile(500) == 100
    assert sum(spread.counts) == 101
    assert (spread.bin(-5), spread.bin(500)) == (0, len(spread.counts) - 1)
    flat = distribution(np.full(9, 3.0))
    assert flat.percentile(3.0) == 50
    assert flat.bin(3.0) == len(flat.counts) // 2
    assert distribution(np.array([np.nan])) is None
    assert looks.histogram(spread).startswith("M0 26V")
