"""``edge-agent watch``: the command. Exit status 0 done, 1 the agent cannot be asked, 2 wrong input."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

ASK_TIMEOUT_S: Final = 5.0

_ABOUT: Final = """\
What the agent sees, live: value, quality, age and state of every point, and above that devices, buffer, links and clock. A value
that nobody confirms has a question mark, and its age goes on counting. Works over ssh, at 80x24, and without colour.
"""
_EXAMPLES: Final = """\
keys: / filter, a only alarms, b only bad, s order, r reverse, p pause, ? help, q quit

examples:
  edge-agent watch /etc/parksentry/site-a               until q
  edge-agent watch /etc/parksentry/site-a --once        the table once, for a script or a note
  edge-agent watch /etc/parksentry/site-a --json        the same for programs: {"status": ..., "live": ...}
"""


def add(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch", help="the live table of a running agent, in the terminal", description=_ABOUT, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_watch)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the agent's folder")
    parser.add_argument("--once", action="store_true", help="print the table once")
    parser.add_argument("--json", action="store_true", help="print everything once, as JSON")


def _watch(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.settings.load import read_outbox_directory
    from edge_agent.station.control import ControlError, ask

    try:
        outbox = read_outbox_directory(arguments.directory)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 2

    def tell(what: str) -> dict[str, Any]:
        return ask(outbox, {"ask": what}, ASK_TIMEOUT_S, folder=arguments.directory)

    if not (arguments.once or arguments.json):
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            print("edge-agent: the live table needs a terminal; --once prints it once", file=sys.stderr)
            return 1
        from edge_agent.commissioning.watching.screen import Watch

        Watch(tell, time.monotonic).run()
        return 0
    try:
        status, live = tell("status"), tell("live")
    except ControlError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return 1
    for text in (
        [json.dumps({"status": status, "live": live}, ensure_ascii=False)] if arguments.json else _table(status, live)
    ):
        print(text)
    return 0


def _table(status: dict[str, Any], live: dict[str, Any]) -> list[str]:
    from edge_agent.commissioning.watching.head import head_lines
    from edge_agent.commissioning.watching.rows import plain, rows

    # A pipe has no width: whoever reads there gets every cell whole.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else None
    return [*head_lines(status, "", 0), *plain(rows(live, 0), width)]
