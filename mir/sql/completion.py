"""Completion of SQL from the catalog's own comments: tables, columns, functions, keywords, the shell's commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from mir.sql.macros import MACROS
from mir.sql.source import Relation, Source, relations
from mir.sql.statements import inside_text

_TYPED = (
    "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET QUALIFY WITH AS JOIN LEFT USING ON AND OR NOT IN IS NULL LIKE"
    " ILIKE BETWEEN CASE WHEN THEN ELSE END DISTINCT ALL UNION EXCEPT INTERSECT FILTER OVER PARTITION ROWS ASC DESC"
    " NULLS FIRST LAST EXISTS LATERAL EXPLAIN ANALYZE DESCRIBE SUMMARIZE SHOW TABLES PIVOT UNPIVOT SAMPLE TRUE FALSE"
)
KEYWORDS = tuple(_TYPED.split())
"""What an analyst types; DuckDB has five hundred more."""

_WORD = re.compile(r"(?:(\w+)\.)?(\w*)\Z")
_AFTER_TABLE = re.compile(r"\b(?:FROM|JOIN|DESCRIBE|SUMMARIZE)\s+\w*\Z", re.IGNORECASE)
_MENTIONED = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE)
_LEAST_WITHIN = 3
"""From so many letters on, names that hold them anywhere are offered too."""

_FUNCTIONS = """
SELECT function_name, coalesce(any_value(description), '') FROM duckdb_functions()
WHERE function_type IN ('scalar', 'aggregate', 'macro') AND regexp_full_match(function_name, '[a-z][a-z0-9_]*')
GROUP BY function_name ORDER BY function_name
"""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What there is to complete: tables with their columns, functions with what they do."""

    relations: tuple[Relation, ...]
    functions: tuple[tuple[str, str], ...]


def vocabulary(source: Source) -> Vocabulary:
    """Read what can be completed."""
    own = tuple((macro.name, macro.comment) for macro in MACROS)
    named = {name for name, _ in own}
    functions = tuple((name, said) for name, said in source.fetch(_FUNCTIONS).rows if name not in named)
    return Vocabulary(relations(source), own + functions)


class SqlCompleter(Completer):
    """Offers what may stand at the cursor, with the comment beside it.

    Parameters
    ----------
    words
        What there is.
    commands
        The shell's commands with what they do, and what may follow each.
    """

    def __init__(self, words: Vocabulary, commands: dict[str, tuple[str, Sequence[str]]]) -> None:
        self._words = words
        self._commands = commands

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield the completions at the cursor."""
        before = document.text_before_cursor
        if document.text.startswith("."):
            yield from self._of_commands(before)
        elif not inside_text(before):
            yield from self._of_sql(before, document.text, asked=complete_event.completion_requested)

    def _of_commands(self, before: str) -> Iterator[Completion]:
        command, space, argument = before.partition(" ")
        if space:
            _, following = self._commands.get(command, ("", ()))
            yield from _offered(argument.strip(), ((word, "") for word in following))
        else:
            yield from _offered(before, ((name, said) for name, (said, _) in self._commands.items()))

    def _of_sql(self, before: str, text: str, *, asked: bool) -> Iterator[Completion]:
        match = _WORD.search(before)
        qualifier, word = match.groups() if match else (None, "")
        mentioned = self._mentioned(text)
        if qualifier is not None:
            relation = mentioned.get(qualifier.casefold())
            if relation is not None:
                yield from _offered(word, _columns([relation]))
            return
        tables = [(each.name, each.comment) for each in self._words.relations]
        if _AFTER_TABLE.search(before):
            calls = [(f"{macro.name}(", macro.comment) for macro in MACROS]
            yield from _offered(word, tables + calls)
        elif word or asked:
            near = _columns(mentioned.values()) or _columns(self._words.relations)
            named = [(f"{name}(", said) for name, said in self._words.functions] if word else []
            yield from _offered(word, near + tables + named + [(each, "") for each in KEYWORDS])

    def _mentioned(self, text: str) -> dict[str, Relation]:
        """Return the tables that a statement names, by name and by alias."""
        known = {each.name.casefold(): each for each in self._words.relations}
        found: dict[str, Relation] = {}
        for name, alias in _MENTIONED.findall(text):
            relation = known.get(name.casefold())
            if relation is not None:
                found[name.casefold()] = relation
                if alias and alias.upper() not in KEYWORDS:
                    found[alias.casefold()] = relation
        return found


def _columns(relations: Iterable[Relation]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for relation in relations:
        for column in relation.columns:
            found.setdefault(column.name, _briefly(column.comment) or relation.name)
    return list(found.items())


def _briefly(comment: str) -> str:
    """Return a comment without the source of a measure, which follows its unit and range."""
    said, bracket, _ = comment.partition("] ")
    return said + bracket.rstrip()


def _offered(word: str, names: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    """Yield what begins with a word, then what holds it."""
    wanted, within = word.casefold(), []
    for name, said in names:
        if name.casefold().startswith(wanted):
            yield Completion(name, start_position=-len(word), display_meta=said)
        elif len(wanted) >= _LEAST_WITHIN and wanted in name.casefold():
            within.append(Completion(name, start_position=-len(word), display_meta=said))
    yield from within
