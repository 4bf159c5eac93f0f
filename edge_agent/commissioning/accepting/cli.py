"""``edge-agent accept``: writes what was found out at a device into ``accepted.toml``, in one step."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contract.errors import Fault

_FAILED: Final = 1
_WRONG: Final = 2
_HELP: Final = "accept, by name, one reading of what a device's manual leaves open"
_EPILOG: Final = """\
examples:
  edge-agent check  /etc/parksentry/site-a                                     lists each OPEN item with its choices
  edge-agent accept /etc/parksentry/site-a ultima-7 notation wire --by "Li Wei"
  edge-agent accept /etc/parksentry/site-a msa_ultima_x notation wire --by "Li Wei"    all devices of the model

Until then values of such points are UNCERTAIN: they may raise an alarm and never clear one. Compare the value with the
instrument's display before. Of two entries the last holds, so a mistake is mended by accepting anew. A running agent takes it
on with edge-agent reload. Exit status: 0 done, 1 the file could not be written, 2 what was typed is wrong.
"""


def add(commands: Any) -> None:
    """Put ``accept`` into the parser."""
    parser = commands.add_parser(
        "accept", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="the agent's folder")
    parser.add_argument("who", metavar="DEVICE", help="a device, or a model for all devices of it")
    parser.add_argument("item", metavar="ITEM", help="what is open, as edge-agent check names it")
    parser.add_argument("choice", metavar="CHOICE", help="the reading that the device was seen to have")
    parser.add_argument("--by", required=True, metavar="NAME", help="who has found it out")
    parser.set_defaults(command=_accept)


def _accept(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.commissioning.accepting.decision import RefusedError, decide
    from edge_agent.settings.load import models_in_use
    from edge_agent.settings.models.accepted import ACCEPTED_FILE, check_accepted, entry_text, read_accepted

    directory: Path = arguments.directory
    path = directory / ACCEPTED_FILE
    try:
        devices, models = models_in_use(directory)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = decide(devices, models, arguments.who, arguments.item, arguments.choice, by=arguments.by, at=now)
        text = (path.read_text("utf-8") if path.exists() else "").rstrip("\n") + "\n" + entry_text(entry)
        faults: list[Fault] = []
        check_accepted(read_accepted(text.encode(), faults), devices, models, faults)
        if not faults:
            _replace(path, text.lstrip("\n"))
    except ConfigError as error:
        return _refuse(error.faults)
    except (RefusedError, UnicodeDecodeError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return _WRONG
    except OSError as error:
        print(f"edge-agent: {path} cannot be written ({error})", file=sys.stderr)
        return _FAILED
    if faults:
        return _refuse(faults)
    whose = entry.device or f"every device of {entry.model}"
    print(f"accepted by {entry.by}: {entry.item} of {whose} is {entry.choice}")
    print(f"a running agent takes it on with: edge-agent reload {directory}")
    return 0


def _refuse(faults: Sequence[Fault]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    return _WRONG


def _replace(path: Path, text: str) -> None:
    """In one step: an agent that starts meanwhile reads the former file or the new one."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
