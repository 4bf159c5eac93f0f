"""What import-linter cannot hold: that no folder escapes its contracts, and that a package imports what it installs.

``make imports`` runs the contracts themselves.
"""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
EXTRAS = PROJECT["project"]["optional-dependencies"]

NOT_SHIPPED = {"benchmarks", "tests", "tools", "docs", "configs", "build", "dist"}
EXTRAS_OF = {
    "contract": (),
    "drivers": ("edge", "edge-opcua"),
    "edge_agent": ("edge", "edge-jit", "edge-opcua", "commissioning"),
    "aggregator": ("aggregator",),
    "hil_tests": ("rig",),
}


def test_every_top_level_folder_has_its_place_in_the_layers() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    [layers] = [contract["layers"] for contract in LINTER["contracts"] if contract["id"] == "layers"]
    declared = {name.strip() for layer in layers for name in layer.split("|")}
    assert folders - NOT_SHIPPED - {path for path in folders if path.endswith(".egg-info")} == declared
    assert declared == set(LINTER["root_packages"]) == set(EXTRAS_OF)


def test_the_wheel_ships_every_package() -> None:
    shipped = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    assert shipped == set(LINTER["root_packages"]) | {"configs"}


@pytest.mark.parametrize("package", EXTRAS_OF)
def test_a_package_imports_only_what_its_extra_installs(package: str) -> None:
    """In the developer's environment everything is there; on a gateway an undeclared import would be missing."""
    installed = requirements(EXTRAS_OF[package])
    undeclared = {
        f"{importer} imports {name}"
        for importer, name in third_party_imports()
        if importer.split(".")[0] == package and not distributions(name) & installed
    }
    assert undeclared == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(module: str) -> set[str]:
    return {normal(name) for name in packages_distributions().get(module, [module])}


def requirements(extras: tuple[str, ...]) -> set[str]:
    """Names of what base and ``extras`` ask for directly, extras that name extras followed."""
    wanted = list(PROJECT["project"]["dependencies"])
    pending = list(extras)
    while pending:
        for requirement in EXTRAS[pending.pop()]:
            own = re.match(r"parksentry\[([^]]+)]", requirement)
            pending.extend(own.group(1).split(",") if own else [])
            wanted.append(requirement)
    return {normal(re.split(r"[\[<>=~!; ]", requirement, maxsplit=1)[0]) for requirement in wanted}


@cache
def third_party_imports() -> frozenset[tuple[str, str]]:
    """(module of ours, top-level name of what it imports) for imports outside this tree and the standard library."""
    graph = grimp.build_graph(*LINTER["root_packages"], include_external_packages=True, cache_dir=None)
    return frozenset(
        (importer, external)
        for external in graph.modules
        if graph.is_module_squashed(external) and external not in sys.stdlib_module_names
        for importer in graph.find_modules_that_directly_import(external)
    )
