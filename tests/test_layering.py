"""The house rules that a program can check: layers, sizes, forbidden imports, docstrings."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("separation", "features", "indexes", "mir")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

MAX_LINES = 400

UNSAFE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules that run what a file tells them to."""

VAGUE = {"utils", "util", "helpers", "misc", "common"}
RATES = {"sr", "sample_rate", "sample_rate_hz", "rate"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def where(path: Path, node: ast.AST | None = None) -> str:
    return str(path.relative_to(ROOT)) + (f":{node.lineno}" if node is not None else "")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def test_there_is_something_to_check():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)
    assert len(MODULES) > 30


def test_layers():
    """What pyproject.toml says of who may import whom, checked by import-linter."""
    code = (
        "import sys; from importlinter.cli import lint_imports;"
        " sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout


@pytest.mark.parametrize("package", PACKAGES[:3])
def test_the_lower_packages_see_nobody_even_inside_functions(package):
    others = set(PACKAGES) - {package}
    seen = [
        f"{where(path)} imports {module}"
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == package
        for module in imports(path)
        if module.split(".")[0] in others
    ]
    assert seen == []


def test_modules_are_of_readable_size():
    sizes = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_LINES} == {}


def test_modules_are_named_for_what_they_are():
    assert [where(path) for path in MODULES if path.stem in VAGUE] == []


def test_nothing_executes_data():
    found = [
        f"{where(path)} imports {module}"
        for path in MODULES
        for module in imports(path)
        if module.split(".")[0] in UNSAFE
    ]
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}:
                found.append(f"{where(path, node)} calls {node.func.id}")
            for keyword in node.keywords:
                refused = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg == "allow_pickle" and not refused:
                    found.append(f"{where(path, node)} may unpickle")
    assert found == []


def test_whatever_is_public_says_what_it_is():
    bare = [where(path) for path in MODULES if not ast.get_docstring(tree(path))]
    for path in MODULES:
        bare += [f"{where(path, node)} {node.name}" for node in undocumented(tree(path))]
    assert bare == []


def undocumented(owner: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Public classes, functions and methods without a docstring; overloads are described once."""
    for node in owner.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        overload = any("overload" in ast.dump(each) for each in node.decorator_list)
        if not ast.get_docstring(node) and not overload:
            yield node
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node)


def test_a_missing_docstring_is_seen():
    source = 'class A:\n    """A."""\n    def b(self): ...\n    def _c(self): ...\n'
    assert [node.name for node in undocumented(ast.parse(source))] == ["b"]


def test_no_default_sample_rate():
    """A rate travels with its samples."""
    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if not isinstance(node, Function):
                continue
            named = [*node.args.posonlyargs, *node.args.args]
            pairs = [
                *zip(reversed(named), reversed(node.args.defaults), strict=False),
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
            ]
            for argument, default in pairs:
                nothing = default is None or (isinstance(default, ast.Constant) and default.value is None)
                if argument.arg in RATES and not nothing:
                    found.append(f"{where(path, node)} {node.name}({argument.arg}=…)")
    assert found == []
