"""Style that a linter does not know: vague names, dead modules, files that grew a second idea, errors in silence.

Reads the tree as it lies on disk; a new package is covered as soon as tests/test_imports.py makes it declare itself.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PRODUCT = tuple(PROJECT["tool"]["importlinter"]["root_packages"])
EVERYTHING = (*PRODUCT, "benchmarks", "tests", "tools")

VAGUE_NAMES = frozenset({"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"})
LINES_MAX = 450
PRINTING_PACKAGES = frozenset({"hil_tests", "benchmarks", "tests", "tools"})
# Split so that this file does not find itself.
POSTPONED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|\bNotImplemented" + r"Error\b")


def modules(*folders: str) -> Iterator[Path]:
    """Python files below the given folders, relative to the root, in order."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT)


@cache
def source(path: Path) -> str:
    return (ROOT / path).read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path), str(path))


def placed(path: Path, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{path}:{node.lineno}"


def test_every_module_says_why_it_exists() -> None:
    silent = [str(path) for path in modules(*EVERYTHING) if not ast.get_docstring(tree(path))]
    assert silent == [], "modules without a docstring"


def test_no_name_is_vague() -> None:
    vague = [str(path) for path in modules(*EVERYTHING) if VAGUE_NAMES.intersection((*path.parent.parts, path.stem))]
    assert vague == [], "a name must say what is inside"


def test_no_module_has_outgrown_one_idea() -> None:
    long = {str(path): lines for path in modules(*EVERYTHING) if (lines := source(path).count("\n")) > LINES_MAX}
    assert long == {}, f"longer than {LINES_MAX} lines: look for the second idea"


def test_tests_are_no_packages() -> None:
    assert [str(path) for path in modules("tests") if path.name == "__init__.py"] == []


def test_only_what_talks_to_a_person_prints() -> None:
    printing = [
        placed(path, node)
        for path in modules(*PRODUCT)
        if path.parts[0] not in PRINTING_PACKAGES and path.stem != "cli"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == [], "log it, or give it to the command line to print"


def test_no_error_passes_in_silence() -> None:
    silent = [
        placed(path, node)
        for path in modules(*EVERYTHING)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and swallows(node)
    ]
    assert silent == [], "a handler for everything that does nothing"


def swallows(handler: ast.ExceptHandler) -> bool:
    """True for ``except:`` and ``except (Base)Exception:`` whose body only passes."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(kind is None or (isinstance(kind, ast.Name) and kind.id.endswith("Exception")) for kind in caught)
    return broad and all(isinstance(statement, (ast.Pass, ast.Continue)) for statement in handler.body)


@pytest.mark.parametrize(
    ("code", "silent"),
    [
        ("try: x()\nexcept Exception: pass", True),
        ("try: x()\nexcept: pass", True),
        ("try: x()\nexcept (OSError, BaseException): pass", True),
        ("try: x()\nexcept OSError: pass", False),
        ("try: x()\nexcept Exception as e: log(e)", False),
    ],
)
def test_swallowing_is_recognised(code: str, silent: bool) -> None:
    handlers = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ExceptHandler)]
    assert [swallows(handler) for handler in handlers] == [silent]


def test_nothing_is_postponed() -> None:
    postponed = [
        f"{path}:{number}"
        for path in modules(*EVERYTHING)
        for number, line in enumerate(source(path).splitlines(), 1)
        if POSTPONED.search(line)
    ]
    assert postponed == [], "do it, or leave it out"


def test_no_module_is_dead() -> None:
    present = [name for name in PRODUCT if (ROOT / name / "__init__.py").exists()]
    graph = grimp.build_graph(*present, cache_dir=None)
    named = names_in_strings() | entry_points() | used_by_scenarios()
    dead = [
        module
        for module in sorted(graph.modules)
        if not is_package(module) and not is_reached(module, graph, named) and not is_started_by_name(path_of(module))
    ]
    assert dead == [], "imported by nobody and no entry point"


def is_package(module: str) -> bool:
    return (ROOT / Path(*module.split(".")) / "__init__.py").exists()


def is_reached(module: str, graph: grimp.ImportGraph, named: set[str]) -> bool:
    return module in named or bool(graph.find_modules_that_directly_import(module))


def is_started_by_name(path: Path) -> bool:
    """Migrations are found by their folder, ``python -m`` modules by their guard."""
    return "migrations" in path.parts or path.stem == "__main__" or '__name__ == "__main__"' in source(path)


def path_of(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".py")


def entry_points() -> set[str]:
    return {target.partition(":")[0] for target in PROJECT["project"]["scripts"].values()}


def used_by_scenarios() -> set[str]:
    """What is made for tests of the whole system; nothing else of the product may live from its tests alone."""
    return {
        node.module
        for path in modules("tests/scenarios")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hil_tests.")
    }


def names_in_strings() -> set[str]:
    """Modules that a registry names as text, ``"drivers.modbus.link"`` or ``"drivers.modbus.link:open_link"``."""
    return {
        node.value.partition(":")[0]
        for path in modules(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
