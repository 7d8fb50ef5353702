"""The shell of `mir sql`: statements over several lines, history, completion.

A query never holds the catalog longer than it runs, so that an ingest beside an idle shell is not kept waiting.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mir.errors import MirError
from mir.sql.examples import EXAMPLES
from mir.sql.forms import Form, lines, plain
from mir.sql.macros import MACROS
from mir.sql.source import relations
from mir.sql.statements import blank, split

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History

    from mir.catalog.answers import Rows
    from mir.sql.source import Source

logger = logging.getLogger(__name__)

MOST_ROWS = 1000
"""Rows that are shown on a terminal; `-o FILE` writes all."""

FORMS = (Form.TABLE, Form.CSV, Form.JSON)


class Shell:
    """Asks a catalog or an export, statement by statement.

    Parameters
    ----------
    source
        What is asked.
    name
        What it is called in the greeting.
    form
        How answers are shown, until `.mode` changes it.
    allow_files
        Let statements read and write files.
    """

    def __init__(self, source: Source, name: str, *, form: Form = Form.TABLE, allow_files: bool = False) -> None:
        self.source = source
        self.form = form
        self._name = name
        self._allow_files = allow_files
        self.commands: dict[str, tuple[str, Callable[[str], None]]] = {
            ".tables": ("tables, views and macros, and what they are", self._tables),
            ".columns": (".columns TABLE: its columns, and what they mean", self._columns),
            ".examples": ("worked questions; .examples 3 asks the third", self._examples),
            ".mode": (".mode table, csv or json: how answers are shown", self._mode),
            ".help": ("this list", self._help),
            ".quit": ("leave (as Ctrl-D)", self._quit),
        }
        self._open = True

    def run(self) -> None:
        """Read and answer until the end of input or `.quit`; Ctrl-C stops a query or empties the line."""
        session = self._session()
        self._tell(f"{self._name}: SQL ended by ; and .help. Each statement sees the catalog as it is then.")
        while self._open:
            try:
                text = session.prompt("mir> ")
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            self.handle(text)

    def handle(self, text: str) -> None:
        """Answer one input: a command with a dot, or statements."""
        if text.lstrip().startswith("."):
            self._command(text.strip())
            return
        statements, rest = split(text)
        for statement in [*statements, *([] if blank(rest) else [rest.strip()])]:
            if not self._guarded(lambda asked=statement: self._answer(asked)):  # type: ignore[misc]
                return

    def _command(self, text: str) -> None:
        word, _, argument = text.partition(" ")
        command = self.commands.get(word)
        if command is None:
            self._tell(f"no command {word}; there are {', '.join(self.commands)}")
        else:
            self._guarded(lambda: command[1](argument.strip().rstrip(";")))

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do something; say what went wrong and go on. Return whether all went well."""
        try:
            work()
        except MirError as error:
            self._tell(f"error: {error}")
        except KeyboardInterrupt:
            self._tell("interrupted")
        except RuntimeError as error:
            if "Query interrupted" not in str(error):  # which is how DuckDB hands on a Ctrl-C
                raise
            self._tell("interrupted")
        else:
            return True
        return False

    def _answer(self, statement: str) -> None:
        began = time.monotonic()
        found = self.source.fetch(statement, allow_files=self._allow_files, at_most=MOST_ROWS + 1)
        took = time.monotonic() - began
        more = len(found.rows) > MOST_ROWS
        del found.rows[MOST_ROWS:]
        self._show(found)
        rows = f"the first {MOST_ROWS} rows (`mir sql … -o FILE` writes all)" if more else _count(len(found.rows))
        self._tell(f"{rows}, {took:.2f} s")

    def _show(self, found: Rows) -> None:
        page(on_terminal(found) if self.form is Form.TABLE else "".join(lines(self.form, found)))

    def _tables(self, _: str) -> None:
        found = [(each.name, each.kind, each.comment) for each in relations(self.source)]
        found += [(macro.call, "macro", macro.comment) for macro in MACROS]
        width = max(len(name) for name, _, _ in found)
        page("".join(f"{name:<{width}}  {kind:<5}  {comment}\n" for name, kind, comment in found))

    def _columns(self, name: str) -> None:
        wanted = name or "library"
        for each in relations(self.source):
            if each.name.casefold() == wanted.casefold():
                width = max(len(column.name) for column in each.columns)
                kind = max(len(column.kind) for column in each.columns)
                page("".join(f"{c.name:<{width}}  {c.kind:<{kind}}  {c.comment}\n" for c in each.columns))
                return
        self._tell(f"no table {wanted}; .tables lists them")

    def _examples(self, number: str) -> None:
        if not number:
            page("".join(f"{place:>3}  {each.title}\n" for place, each in enumerate(EXAMPLES, 1)))
            self._tell(".examples N shows and asks one")
        elif number.isdecimal() and 1 <= int(number) <= len(EXAMPLES):
            example = EXAMPLES[int(number) - 1]
            self._tell(f"-- {example.title}. {example.remark}{example.sql};")
            self._answer(example.sql)
        else:
            self._tell(f"no example {number}; there are 1 to {len(EXAMPLES)}")

    def _mode(self, word: str) -> None:
        if word in FORMS:
            self.form = Form(word)
        else:
            self._tell(f"the mode is {self.form}; give one of {', '.join(FORMS)}")

    def _help(self, _: str) -> None:
        width = max(map(len, self.commands))
        self._tell("\n".join(f"{name:<{width}}  {said}" for name, (said, _) in self.commands.items()))
        self._tell("Tab completes; Ctrl-C stops a query; the arrow keys bring back what was typed before.")

    def _quit(self, _: str) -> None:
        self._open = False

    def _session(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.application import get_app
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.lexers import PygmentsLexer
        from pygments.lexers.sql import SqlLexer  # type: ignore[import-untyped]

        from mir.sql.completion import SqlCompleter, vocabulary

        words = vocabulary(self.source)
        following: dict[str, Sequence[str]] = {
            ".columns": [each.name for each in words.relations],
            ".mode": list(FORMS),
            ".examples": [str(place) for place in range(1, len(EXAMPLES) + 1)],
        }
        commands = {name: (said, following.get(name, ())) for name, (said, _) in self.commands.items()}
        return PromptSession(
            history=_history(history_file()),
            completer=SqlCompleter(words, commands),
            lexer=PygmentsLexer(SqlLexer),
            multiline=Condition(lambda: unfinished(get_app().current_buffer.text)),
            prompt_continuation="...> ",
            reserve_space_for_menu=6,
        )

    @staticmethod
    def _tell(text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def unfinished(text: str) -> bool:
    """Whether Enter means a new line: something was typed, no command, and no semicolon ends it yet."""
    return not text.lstrip().startswith(".") and not blank(split(text)[1])


def on_terminal(found: Rows) -> str:
    """Return an answer as a table of the terminal's width; a last line says what did not fit."""
    from mir.sql.table import ruled

    if not found.columns:
        return ""
    rows = [[plain(value) for value in row] for row in found.rows]
    drawn = ruled(found.columns, rows, shutil.get_terminal_size().columns)
    said = f"({drawn.left_out} more columns: name those you want, or take csv or json)" if drawn.left_out else ""
    return "\n".join([*drawn.lines, *([said] if said else [])]) + "\n"


def page(text: str) -> None:
    """Print a text; through ``$PAGER`` (or less) where it is longer than the terminal is high."""
    if not sys.stdout.isatty() or text.count("\n") < shutil.get_terminal_size().lines - 1:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    words = shlex.split(os.environ.get("PAGER") or "less")
    try:
        subprocess.run(words, input=text.encode(), env={"LESS": "-FRSX", **os.environ}, check=False)
    except OSError:  # no such pager here
        sys.stdout.write(text)
        sys.stdout.flush()


def history_file() -> Path:
    """Return where the shell keeps what was typed: under ``$XDG_STATE_HOME``, else ``~/.local/state``."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "mir" / "sql_history"


def _history(path: Path) -> History:
    """Open the history, for the user's eyes only; where that cannot be, it lasts as long as the shell."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        path.chmod(0o600)
    except OSError as error:
        logger.warning("no history is kept: %s", error)
        return InMemoryHistory()
    return FileHistory(path)


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
