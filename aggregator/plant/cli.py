"""``aggregator register``: the register of hazard sources, checked whole before it takes the place of the old one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aggregator.people.cli import Console


def add_commands(commands: Any, console: Console) -> None:
    register = commands.add_parser(
        "register", help="the hazard sources and the map: set", description="The hazard sources and the map."
    )
    actions = register.add_subparsers(required=True, metavar="ACTION")

    def run(arguments: argparse.Namespace) -> int:
        return _set(console, arguments)

    setting = console.add(
        actions, "set", run, "check a register and put it in place of the old one",
        "example:\n  aggregator register set register.toml --dir /var/lib/parksentry\n\n"
        "All faults are named at once and then nothing changes. Open pages show the new map within a second, without a\n"
        "restart. docs/reference/register-toml.md describes the file.",
    )  # fmt: skip
    setting.add_argument("file", type=Path, metavar="FILE", help="register.toml")


def _set(console: Console, arguments: argparse.Namespace) -> int:
    from aggregator.plant.register_file import FILE_NAME, replace

    folder = console.folder(arguments.dir)
    register = replace(folder.path / FILE_NAME, arguments.file)
    counts = f"{len(register.source)} sources, {len(register.detector)} detectors, {len(register.feature)} features"
    print(f"the register is set: {counts}")
    return 0
