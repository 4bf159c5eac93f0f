"""``edge-agent models``: lists the device models, or shows one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

_WRONG: Final = 2
_HELP: Final = "list the device models, or show one in full: points, parameters, what its manual leaves open"
_EPILOG: Final = """\
examples:
  edge-agent models                                          all models that come with the program
  edge-agent models msa_ultima_x                             one in full, with a [[device]] to copy
  edge-agent models --dir /etc/parksentry/site-a             those in the folder's models/, too

Exit status: 0 done, 2 there is no such model or folder, or a model has a mistake.
"""


def add(commands: Any) -> None:
    """Put ``models`` into the parser."""
    parser = commands.add_parser(
        "models", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this one in full")
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", dest="directory", help="an agent's folder with models of its own"
    )
    parser.set_defaults(command=_models)


def _models(arguments: argparse.Namespace) -> int:
    from contract.errors import Fault
    from edge_agent.commissioning.models.sheet import in_full, overview
    from edge_agent.settings.models.library import find, model_files
    from edge_agent.settings.suggest import did_you_mean, shown

    if arguments.directory is not None and not arguments.directory.is_dir():
        print(f"edge-agent: there is no folder {arguments.directory}. Give the folder of an agent", file=sys.stderr)
        return _WRONG
    names = model_files(arguments.directory)
    if arguments.name is not None and arguments.name not in names:
        print(
            f"edge-agent: there is no model {shown(arguments.name)}. {did_you_mean(arguments.name, names)}",
            file=sys.stderr,
        )
        return _WRONG
    faults: list[Fault] = []
    found = find(arguments.directory, None if arguments.name is None else {arguments.name}, faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    sound = [model for model in found.values() if model is not None]
    for line in overview(sound) if arguments.name is None else (line for model in sound for line in in_full(model)):
        print(line)
    return _WRONG if faults else 0
