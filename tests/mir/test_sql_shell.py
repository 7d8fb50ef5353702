"""The shell of `mir sql`: what is typed, what is completed, what Ctrl-C does, and that nothing is held."""

from __future__ import annotations

import io
import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalog_records import record, shell, two_spaces
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import features
from mir.catalog import Catalog, create_catalog, open_catalog
from mir.catalog.commit import commit_track
from mir.catalog.records import Tags
from mir.sql.completion import SqlCompleter, vocabulary
from mir.sql.examples import EXAMPLES
from mir.sql.forms import Form
from mir.sql.shell import MOST_ROWS, Shell, history_file, on_terminal, unfinished
from mir.sql.statements import inside_text, split


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "EXTRACTORS", two_spaces())
        catalog = create_catalog(tmp_path_factory.mktemp("shell") / "mir.duckdb")
        for number in (1, 2):
            commit_track(catalog, record(number, tags=Tags(f"Song {number}", (f"A{number}",))))
        yield catalog.path


@pytest.fixture
def catalog(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return open_catalog(path)


@contextmanager
def typed(text: str) -> Iterator[None]:
    """Let a text come from the keyboard; after it Ctrl-D."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(text + "\x04")
        yield


def converse(source, text: str, capsys: pytest.CaptureFixture[str], **options) -> tuple[str, str]:
    capsys.readouterr()
    with typed(text):
        Shell(source, "mir.duckdb", **options).run()
    said = capsys.readouterr()
    return said.out, said.err


def test_a_statement_over_several_lines(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, "SELECT title\rFROM tracks\rORDER BY 1;\r", capsys)
    assert out.splitlines() == ["title", "──────", "Song 1", "Song 2"]
    assert "2 rows" in err


def test_errors_are_said_and_the_shell_goes_on(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, "SELEC 1;\rSELECT * FROM 'x.csv';\r.nothing\r\rSELECT 42 AS answer;\r", capsys)
    assert out.split() == ["answer", "──────", "42"]
    assert "syntax error" in err
    assert "--allow-files" in err
    assert "no command .nothing; there are .tables" in err


def test_after_an_error_the_rest_of_the_line_is_left(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = converse(catalog, "SELECT 1 AS a; SELECT x; SELECT 2 AS b;\r", capsys)
    assert out.split() == ["a", "─", "1"]


def test_commands(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, ".help\r.tables\r.columns drum_rhythm\r.columns nowhere\r", capsys)
    assert "library" in out.splitlines()[0]
    assert "One row a track, everything joined" in out
    assert "similar_artists(artist, space, k)  macro  Artists by cosine" in out
    assert "tempo_bpm  DOUBLE  Larger is more. [Hz; 0 to 100] made up" in out
    assert "no table nowhere" in err
    assert all(name in err for name in (".tables", ".columns", ".examples", ".mode", ".quit"))


def test_modes(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    ask = "SELECT 1 AS a, 'x,y' AS b;\r"
    out, err = converse(catalog, f".mode csv\r{ask}.mode json\r{ask}.mode xml\r.mode table\r{ask}", capsys)
    assert out.splitlines()[:3] == ["a,b", '1,"x,y"', '{"a": 1, "b": "x,y"}']
    assert out.splitlines()[3].split() == ["a", "b"]
    assert "give one of table, csv, json" in err


def test_quit_leaves(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = converse(catalog, ".quit\rSELECT 1;\r", capsys)
    assert out == ""


def test_examples_are_listed_and_asked(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, ".examples\r.examples 99\r", capsys)
    assert [line.strip().partition("  ")[2] for line in out.splitlines()] == [each.title for each in EXAMPLES]
    assert "no example 99" in err
    out, err = converse(catalog, ".examples 1\r", capsys)
    assert EXAMPLES[0].sql in err
    assert "fastest_bpm" in out


def test_a_long_answer_is_cut(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, "SELECT * FROM range(100000000);\r", capsys, form=Form.CSV)
    assert len(out.splitlines()) == 1 + MOST_ROWS
    assert f"the first {MOST_ROWS} rows" in err


class Interrupting:
    """Asks a catalog, and sends the process a Ctrl-C half a second into every endless question."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def fetch(self, query, parameters=(), **options):
        if "endless" in query:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        return self._catalog.fetch(query, parameters, **options)


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """Python's own answer to Ctrl-C, also where the tests were started in the background of a script, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_stops_a_query_and_not_the_shell(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    asked = "SELECT count(*) AS endless FROM range(1000000000000);\rSELECT 7 AS seven;\r"
    out, err = converse(Interrupting(catalog), asked, capsys)
    assert "interrupted" in err
    assert out.split() == ["seven", "─────", "7"]


def test_ctrl_c_at_the_prompt_empties_the_line(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = converse(catalog, "SELECT 1 AS gone\x03SELECT 2 AS here;\r", capsys)
    assert out.split() == ["here", "────", "2"]
    assert "error" not in err


class Writing:
    """Asks a catalog, and writes to it after every answer: a connection still open would make it wait, and fail."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._writer = catalog, Catalog(catalog.path, wait_s=0.0)

    def fetch(self, query, parameters=(), **options):
        found = self._catalog.fetch(query, parameters, **options)
        with self._writer.write() as con:
            con.execute("UPDATE tracks SET year = coalesce(year, 0) + 1")
        return found


def test_no_connection_outlives_a_statement(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "mir.duckdb"
    copy.write_bytes(catalog.path.read_bytes())
    source = Writing(open_catalog(copy))
    ask = "SELECT max(year) AS year FROM tracks;\r"
    out, _ = converse(source, ask + ask, capsys, form=Form.CSV)
    first, second = (int(line) for line in out.splitlines()[1::2])
    assert second == first + 1


def test_history_is_kept_for_the_user_alone(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    converse(catalog, "SELECT 'once' AS a;\r", capsys)
    kept = history_file()
    assert "+SELECT 'once' AS a;" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    out, _ = converse(catalog, "\x1b[A\r", capsys)  # the arrow up
    assert out.split() == ["a", "────", "once"]


def test_without_a_place_for_it_there_is_no_history(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    out, _ = converse(catalog, "SELECT 1 AS a;\r", capsys)
    assert out.split() == ["a", "─", "1"]


@pytest.fixture(scope="module")
def completer(path: Path) -> SqlCompleter:
    return SqlCompleter(vocabulary(open_catalog(path)), {".columns": ("its columns", ["library", "tracks"])})


def offered(completer: SqlCompleter, before: str, after: str = "", *, asked: bool = False) -> dict[str, str]:
    event = CompleteEvent(completion_requested=asked, text_inserted=not asked)
    found = completer.get_completions(Document(before + after, len(before)), event)
    return {each.text: each.display_meta_text for each in found}


def test_completion_shows_what_columns_mean(completer: SqlCompleter) -> None:
    found = offered(completer, "SELECT tem", " FROM library")
    assert next(iter(found)) == "tempo_bpm"
    assert found["tempo_bpm"] == "Larger is more. [Hz; 0 to 100]"
    assert "f0_median_hz" in offered(completer, "SELECT median", " FROM vocal_timbre")
    assert "tempo_bpm" not in offered(completer, "SELECT tem", " FROM vocal_timbre")


def test_completion_of_tables_and_aliases(completer: SqlCompleter) -> None:
    assert next(iter(offered(completer, "SELECT 1 FROM "))) == "library"
    assert set(offered(completer, "FROM similar_t")) == {"similar_tracks("}
    assert list(offered(completer, "SELECT d.te", " FROM drum_rhythm AS d")) == ["tempo_bpm"]
    assert set(offered(completer, "SELECT drum_rhythm.", " FROM drum_rhythm")) == {"track_id", "tempo_bpm", "level_db"}
    assert offered(completer, "SELECT nobody.te", " FROM drum_rhythm") == {}
    assert offered(completer, "SELECT x FROM embeddings WHERE transf")["transform_id"].startswith("the transform")


def test_completion_of_functions_and_keywords(completer: SqlCompleter) -> None:
    assert "quantile_cont(" in offered(completer, "SELECT quantile_c")
    assert "QUALIFY" in offered(completer, "select 1 qua")
    assert set(offered(completer, ".col")) == {".columns"}
    assert set(offered(completer, ".columns tr")) == {"tracks"}


def test_no_completion_where_it_disturbs(completer: SqlCompleter) -> None:
    assert offered(completer, "SELECT 'tem") == {}
    assert offered(completer, "SELECT 1 -- tem") == {}
    assert offered(completer, "SELECT 1 ") == {}
    assert "library" in offered(completer, "SELECT 1 ", asked=True)


@pytest.mark.parametrize(
    ("text", "whole", "rest"),
    [
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT ';''', \";\" -- ;\n; x", ["SELECT ';''', \";\" -- ;"], " x"),
        ("/* ; */ SELECT $$;$$, $a$ ;$$; $a$;;", ["/* ; */ SELECT $$;$$, $a$ ;$$; $a$"], ""),
        ("SELECT 'open ;", [], "SELECT 'open ;"),
        ("-- it's\nSELECT 1;", ["-- it's\nSELECT 1"], ""),
    ],
)
def test_where_statements_end(text: str, whole: list[str], rest: str) -> None:
    assert split(text) == (whole, rest)


@pytest.mark.parametrize(
    ("text", "within"),
    [
        *[(text, True) for text in ("a 'b", "a 'b''", '"b', "-- x", "/* x", "$$ '")],
        *[(text, False) for text in ("", "a;", "a 'b'", "-- x\n", "/* x */", "$$ '$$")],
    ],
)
def test_inside_a_text(text: str, within: bool) -> None:
    assert inside_text(text) is within


@pytest.mark.parametrize(
    ("text", "more"),
    [("", False), ("SELECT 1", True), ("SELECT 1;", False), ("SELECT ';", True), (".help", False), ("-- x", False)],
)
def test_when_enter_means_a_new_line(text: str, more: bool) -> None:
    assert unfinished(text) is more


def test_statements_from_a_pipe(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIR_CATALOG", str(catalog.path))
    run = shell(monkeypatch, capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS a; -- ;\nSELECT title FROM tracks\nORDER BY 1"))
    said = run("sql")
    assert (said.code, said.out) == (0, "a\n1\ntitle\nSong 1\nSong 2\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS a; SELECT b; SELECT 3 AS c"))
    said = run("sql", "--format", "csv")
    assert (said.code, said.out) == (1, "a\n1\n")
    assert '"b"' in said.err
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "the query is empty" in run("sql").err


def test_wide_answers_fit_the_terminal(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    long = catalog.fetch("SELECT repeat('x', 200) AS a, 1.23456 AS b, 'é\x1b[31m' AS c FROM range(10)")
    text = on_terminal(long)
    assert max(map(len, text.splitlines())) <= 60
    assert "…" in text
    assert "1.235" in text
    assert "é\\x1b[31m" in text
    many = catalog.fetch("SELECT * FROM library, range(10)")
    text = on_terminal(many)
    assert max(map(len, text.splitlines()[:-1])) <= 60
    shown = len(text.splitlines()[0].split())
    assert text.splitlines()[-1].startswith(f"({len(many.columns) - shown} more columns")
    few = on_terminal(catalog.fetch("SELECT * FROM library LIMIT 2"))
    assert few.count("\n") == 2 * (1 + len(many.columns) - 1)
    assert "── row 2 ──" in few


def test_the_command_opens_the_shell(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIR_CATALOG", str(catalog.path))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    run = shell(monkeypatch, capsys)
    with typed("SELECT 5 AS five;\r"):
        said = run("sql")
    assert (said.code, said.out.split()) == (0, ["five", "────", "5"])
    assert said.err.startswith("mir.duckdb: ")
