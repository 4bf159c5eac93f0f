"""The console script ``hil-rig``."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from contract.errors import ConfigError
from hil_tests.rig.commands import USAGES, CommandError
from hil_tests.rig.rig import Rig, RigError
from hil_tests.rig.site import load_site

_ABOUT = """\
Plays the devices of a site on real sockets, makes them misbehave on command, and checks what must follow.
"""

_SERVE = """\
Start every device of a site as a Modbus TCP server, print where each listens, and obey what is typed.
A line is the device's name and a command:

  {commands}

and `help`, `ports`, `quit`. Each answer gives the moment on the monotonic clock at which the command took effect; the
same moment stands in the device's ledger, with every value that it served.

examples:
  hil-rig serve configs/demo                   a folder with a site.toml in it
  hil-rig serve my-site.toml --dir /tmp/rig    keep the ledgers and logs there

  chlorine step gas1 3.5          gas1 shows 3.5 from now on
  chlorine step gas1 3.5 20       ... and takes 20 s to get there
  chlorine release gas1           back to its signal
  chlorine stop_answering         connections stay, requests are left unanswered
  chlorine exception 12 2         requests over address 12 get exception 02
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Parse, run, and exit: 0 done, 1 something failed, 2 the command line or a configuration is wrong."""
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except ConfigError as error:
        print(f"{len(error.faults)} fault(s):\n{error}", file=sys.stderr)
        status = 2
    except RigError as error:
        print(error, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hil-rig", description=_ABOUT)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser(
        "serve", help="play a site and obey typed commands", formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_SERVE.format(commands="\n  ".join(USAGES)),
    )  # fmt: skip
    serve.add_argument("site", type=Path, metavar="SITE", help="a site.toml, or a folder that holds one")
    serve.add_argument("--dir", type=Path, help="where ledgers and logs go (default: a folder that goes at the end)")
    serve.set_defaults(run=_serve)
    return parser


def _serve(args: argparse.Namespace) -> int:
    # The default action would end this process without a word to the devices.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    site = load_site(args.site)
    with tempfile.TemporaryDirectory(prefix="hil-rig-") as own, Rig(site, args.dir or Path(own)) as rig:
        print("\n".join(_where(rig)), flush=True)
        obey_lines(rig, sys.stdin)
    return 0


def obey_lines(rig: Rig, lines: Iterable[str]) -> None:
    """Obey typed lines until ``quit``; where they end without it, wait for a signal and keep serving."""
    for line in lines:
        words = line.split()
        if words == ["quit"]:
            return
        for answer in _obey(rig, words):
            print(answer, flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()


def _obey(rig: Rig, words: list[str]) -> list[str]:
    match words:
        case []:
            return []
        case ["help"]:
            return [f"DEVICE {usage}" for usage in USAGES] + ["ports", "quit"]
        case ["ports"]:
            return _where(rig)
    return [_told(rig, *words)]


def _told(rig: Rig, device: str, verb: str = "", *args: str) -> str:
    if device not in rig.ports:
        return f"no device {device!r}; there are: {', '.join(rig.ports)}"
    if not verb:
        return f"what shall {device} do? `help` lists the commands"
    try:
        return f"ok at {rig.command(device, verb, *args)}"
    except (CommandError, RigError) as error:
        return str(error)


def _where(rig: Rig) -> list[str]:
    return [
        f"{device.name:<20} {device.host}:{rig.ports[device.name]} unit {device.unit}, "
        f"{len(device.registers)} registers, ledger {rig.ledger_path(device.name)}"
        for device in rig.site.devices
    ]


if __name__ == "__main__":
    main()
