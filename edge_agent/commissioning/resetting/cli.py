"""``edge-agent reset``: asks the agent that runs here to end the over-range condition of a point."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

_REFUSED: Final = 1
_WRONG: Final = 2
_HELP: Final = "end the over-range condition of a combustible head that was looked at"
_EPILOG: Final = """\
example:
  edge-agent reset /etc/parksentry/site-a AT-701

A catalytic head above 100 %LEL can fall back to low readings while the gas is as dense as ever (IEC 60079-29-1), so the
condition stays, whatever the head reads, until somebody has measured on the spot by other means. It is refused while the
head still reads at or above its range, or gives no good value. The control room cannot do this. Exit status: 0 done and
on record, 1 refused or no agent runs here, 2 what was typed is wrong.
"""


def add(commands: Any) -> None:
    """Put ``reset`` into the parser."""
    parser = commands.add_parser(
        "reset", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="the agent's folder")
    parser.add_argument("tag", metavar="TAG", help="the point whose head was over its range")
    parser.set_defaults(command=_reset)


def _reset(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.settings.load import read_outbox_directory
    from edge_agent.station.control import ControlError, ask

    directory: Path = arguments.directory
    try:
        ask(read_outbox_directory(directory), {"ask": "reset", "tag": arguments.tag}, folder=directory)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return _WRONG
    except ControlError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return _REFUSED
    print(f"{arguments.tag}: over range is reset, and that is on record")
    return 0
