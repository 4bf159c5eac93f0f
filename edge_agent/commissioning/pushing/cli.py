"""``edge-agent push``: from the engineer's machine to many gateways at once."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contract.errors import Fault
    from edge_agent.commissioning.pushing.journey import Journey, Order

EXIT_FAILED: Final = 1
EXIT_INPUT: Final = 2
AT_ONCE: Final = 8
CONFIRM_S: Final = 60.0
DIRECTORY: Final = "/etc/parksentry/site-a"
AGENT_COMMAND: Final = "/opt/parksentry/bin/edge-agent"

DESCRIPTION: Final = """\
Puts a checked configuration (agent.toml, points.csv, devices.csv, accepted.toml, models/) onto gateways over ssh, many at
once: shows what would change, asks once, lets each gateway's own software check it, switches in one step, reloads, and
confirms that every device is polled. What cannot be confirmed is rolled back. What DIR does not have of these files, the
gateway does not have afterwards: devices and points that are polled no longer are named, and what somebody accepted on the
gateway (edge-agent accept) is not dropped unless --drop-accepted is given. Keys are never copied: they stay on their gateway.
"""
EPILOG: Final = """\
DIR is one agent's folder for one host, or has a folder for each host, named as the host is written (without user and port).

examples:
  edge-agent push engineer@gw1 ./site-a --dry-run       show the difference, change nothing
  edge-agent push gw1 gw2 gw3:2222 ./gateways           gateways/gw1, gateways/gw2, gateways/gw3
  edge-agent push --hosts forty.txt ./gateways --yes    a host per line, # begins a comment
  edge-agent push gw1 ./site-a --to /etc/parksentry/{host} --start 'systemctl start parksentry'

Log in as the user that the agent runs as, or as root. ~/.ssh/config, keys, ssh-agent and known_hosts are OpenSSH's.
Exit status: 0 all is well, 1 some gateway did not get it or was not confirmed, 2 wrong input (nothing was connected to).
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "push", help="put a configuration onto gateways over ssh, confirm it, or roll back", description=DESCRIPTION,
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="[user@]host[:port]")
    parser.add_argument("directory", type=Path, metavar="DIR", help="an agent's folder, or one with a folder per host")
    parser.add_argument("--hosts", dest="hosts_file", type=Path, metavar="FILE", help="more hosts, one per line")
    parser.add_argument(
        "--to", default=DIRECTORY, metavar="PATH",
        help="the agent's folder on the gateway, {host} stands for its name (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="stop after the difference")
    parser.add_argument(
        "--accept-new", action="store_true", help="trust a host whose key is not known, and remember it"
    )
    parser.add_argument(
        "--drop-accepted", action="store_true", help="let go what was accepted on a gateway and DIR does not have"
    )
    parser.add_argument("--start", metavar="CMD", help="run this on a gateway whose agent does not run")
    parser.add_argument(
        "--confirm-s",
        type=float,
        default=CONFIRM_S,
        metavar="S",
        help="how long devices may take to answer (%(default)g)",
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help="gateways at a time (%(default)d)")
    parser.add_argument("--agent-command", default=AGENT_COMMAND, metavar="CMD", help="on the gateway (%(default)s)")
    parser.add_argument("--ssh-config", type=Path, metavar="FILE", help="instead of ~/.ssh/config, as ssh -F")
    parser.set_defaults(command=_push)


def _push(arguments: argparse.Namespace) -> int:
    from edge_agent.commissioning.pushing.connection import Access
    from edge_agent.commissioning.pushing.journey import Order

    access = Access(arguments.accept_new, arguments.ssh_config)
    order = Order(
        access, arguments.agent_command, arguments.start, arguments.confirm_s, arguments.dry_run,
        arguments.drop_accepted,
    )  # fmt: skip
    faults: list[Fault] = []
    journeys = _journeys(arguments, order, faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("nothing was connected to", file=sys.stderr)
        return EXIT_INPUT
    if not (arguments.yes or arguments.dry_run or sys.stdin.isatty()):
        print("edge-agent: push asks before it changes anything, and nobody is there; give --yes", file=sys.stderr)
        return EXIT_INPUT
    asyncio.run(_all(journeys, arguments))
    return 0 if all(getattr(each.at, "is_good", False) for each in journeys) else EXIT_FAILED


def _journeys(arguments: argparse.Namespace, order: Order, faults: list[Fault]) -> list[Journey]:
    """One for each host, its folder read and checked; what is wrong is added to ``faults``."""
    from contract.errors import Fault
    from edge_agent.commissioning.pushing.folder import read_folder
    from edge_agent.commissioning.pushing.hosts import read_targets
    from edge_agent.commissioning.pushing.journey import Journey
    from edge_agent.settings.agent_file import AGENT_FILE

    text = ""
    if arguments.hosts_file is not None:
        try:
            text = arguments.hosts_file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            faults.append(Fault(str(arguments.hosts_file), None, None, f"cannot be read ({error})", "Give a text file"))
    if arguments.confirm_s <= 0 or arguments.at_once < 1 or not arguments.to.startswith("/"):
        remedy = "Give --confirm-s and --at-once above 0 and an absolute --to"
        faults.append(Fault("options", None, None, "a limit or a path makes no sense", remedy))
    targets = read_targets(arguments.hosts, str(arguments.hosts_file), text, faults)
    alone = (arguments.directory / AGENT_FILE).exists()
    if alone and len(targets) > 1:
        message = f"{arguments.directory} is one agent's folder, and there are {len(targets)} hosts"
        faults.append(Fault("DIR", None, None, message, "Give a folder that has one for each host, named as the host"))
    if faults:
        return []
    journeys = []
    for target in targets:
        folder = arguments.directory if alone else arguments.directory / target.host
        if (read := read_folder(folder, faults)) is not None:
            to = arguments.to.replace("{host}", target.host)
            journeys.append(Journey(target, to, read.files, read.polled, order))
    return journeys


async def _all(journeys: list[Journey], arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from edge_agent.commissioning.pushing.plan import Step
    from edge_agent.commissioning.pushing.screen import Screen

    console = Console()
    room = asyncio.Semaphore(arguments.at_once)
    try:
        with Screen(console, journeys) as screen:
            await _each([each.run(screen.told) for each in journeys], room)
        for lines, names in _grouped(journeys):
            print(f"\n{', '.join(names)}:")
            print("\n".join(lines))
        waiting = [each for each in journeys if each.at is Step.ASK]
        if waiting:
            wanted = arguments.yes or await asyncio.to_thread(_ask, len(waiting))
            with Screen(console, journeys) as screen:
                await _each([each.answer(screen.told, wanted=wanted) for each in waiting], room)
    finally:
        await asyncio.gather(*(each.close() for each in journeys))


async def _each(works: list[Any], room: asyncio.Semaphore) -> None:
    async def one(work: Any) -> None:
        async with room:
            await work

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(one(work))


def _grouped(journeys: list[Journey]) -> list[tuple[list[str], list[str]]]:
    """Differences with the gateways that have them: forty equal ones are read once."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for each in journeys:
        if each.difference:
            groups.setdefault(tuple(each.difference), []).append(str(each.target))
    return [([*lines], names) for lines, names in groups.items()]


def _ask(count: int) -> bool:
    return input(f"\npush to {count} {'gateway' if count == 1 else 'gateways'}? [y/N] ").strip().lower() in {"y", "yes"}
