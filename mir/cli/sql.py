"""`mir sql`: ask the catalog in SQL, read-only and sealed off; without a query, a shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mir.cli.console import CatalogOption, JsonOption
from mir.sql.forms import Form

if TYPE_CHECKING:
    from mir.sql.source import Source


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sql")(sql_command)


def sql_command(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERY",
            help='As in "SELECT artist, tempo_bpm FROM library"; - reads stdin; nothing opens a shell.',
            show_default=False,
        ),
    ] = None,
    catalog: CatalogOption = None,
    exported: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DIR|URL", help="Ask an export (`mir export parquet`) instead.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="How to write the answer (default: as FILE is called, else table)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the answer into a file, whole or not at all."),
    ] = None,
    allow_files: Annotated[
        bool,
        typer.Option("--allow-files", help="Let the query read and write files, as you may."),
    ] = False,
) -> None:
    """Ask the catalog in SQL. Read-only; no other file is touched.

    Start from the view library: one row a track, everything joined. In the shell .tables and .columns say what there
    is, and .examples has worked questions. FROM similar_tracks('title', 'vocals', 10) asks who is alike.
    """
    from mir.catalog import open_catalog
    from mir.config import catalog_path
    from mir.errors import BadRequest
    from mir.export import open_export

    chosen = Form.JSON if as_json else form
    source: Source = open_export(exported) if exported is not None else open_catalog(catalog_path(catalog))
    if query is None and sys.stdin.isatty():
        from mir.sql.shell import Shell

        if output is not None or chosen is Form.PARQUET:
            raise BadRequest('a file is written of one query: mir sql "SELECT …" -o FILE')
        Shell(source, exported or catalog_path(catalog).name, form=chosen or Form.TABLE, allow_files=allow_files).run()
        return
    text = sys.stdin.read() if query in (None, "-") else str(query)
    if output is not None:
        _into_file(source, text, chosen, output, allow_files)
    elif chosen is Form.PARQUET:
        _binary(source, text, allow_files)
    else:
        _print(source, text, chosen or Form.TABLE, allow_files, script=query in (None, "-"))


def _into_file(source: Source, query: str, form: Form | None, path: Path, allow_files: bool) -> None:
    from mir.sql.forms import form_of, write

    write(source, query, form or form_of(path), path, allow_files=allow_files)


def _binary(source: Source, query: str, allow_files: bool) -> None:
    from mir.errors import BadRequest
    from mir.sql.forms import parquet

    if sys.stdout.isatty():
        raise BadRequest("Parquet is no text for a terminal: give -o FILE, or send it into a pipe")
    sys.stdout.buffer.write(parquet(source.arrow(query, allow_files=allow_files)))


def _print(source: Source, text: str, form: Form, allow_files: bool, *, script: bool) -> None:
    """Print the answer to a query; of a script, that to every statement."""
    from mir.sql.forms import lines
    from mir.sql.shell import MOST_ROWS, on_terminal
    from mir.sql.statements import blank, split

    statements = [text]
    if script:
        whole, rest = split(text)
        statements = [*whole, *([] if blank(rest) else [rest])] or [text]
    drawn = form is Form.TABLE and sys.stdout.isatty()
    for statement in statements:
        answer = source.fetch(statement, allow_files=allow_files, at_most=MOST_ROWS + 1 if drawn else None)
        if not drawn:
            sys.stdout.writelines(lines(form, answer) if answer.columns else ())
            continue
        more = len(answer.rows) > MOST_ROWS
        del answer.rows[MOST_ROWS:]
        sys.stdout.write(on_terminal(answer))
        if more:
            sys.stderr.write(f"the first {MOST_ROWS} rows; -o FILE, or a pipe, takes all\n")
