"""``edge-agent browse``: the terminal side. Exit status 0 done, 1 the server could not be asked, 2 wrong input."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from edge_agent.commissioning.browsing.nodes import Variable
    from edge_agent.commissioning.browsing.server import OpcUaServer
    from edge_agent.commissioning.browsing.target import Target
    from edge_agent.commissioning.browsing.tree import Bounds, Tree

TIMEOUT_S: Final = 10.0
PROGRESS_S: Final = 2.0
NO_PATH_FITS: Final = (
    "edge-agent: no path fits; a pattern is for the whole path: --match '*TT*' finds TT anywhere in it"
)

_ABOUT: Final = """\
Shows the variables of an OPC UA server: path, value with unit and range, type, and the address as points.csv wants it.
With --out it writes an I/O list: a row for each, the tag proposed from its path. Nothing is written to the server.
"""
_EXAMPLES: Final = """\
examples:
  edge-agent browse opc.tcp://10.0.0.8:4840                       everything below Objects
  edge-agent browse opc.tcp://10.0.0.8:4840 --match '*/Tank*/Level'    only these; * also stands for slashes
  edge-agent browse /etc/parksentry/site-a reactor-opc            with the security that agent.toml gives the device
  edge-agent browse /etc/parksentry/site-a reactor-opc --match '*TT-*' --source reactor --out points.csv
  edge-agent browse opc.tcp://10.0.0.8:4840 --policy Basic256Sha256 --certificate keys/opcua.der \\
      --key keys/opcua.key --server-certificate keys/server.der --user reader

The password of --user is asked for, or read from --password-file. What a bound cut off is said at the end.
"""


def add(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "browse", help="what an OPC UA server has, also as rows of points.csv", description=_ABOUT, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_browse)
    parser.add_argument(
        "target", metavar="ENDPOINT|DIR", help="opc.tcp://host:port or host:port, or the agent's folder"
    )
    parser.add_argument("named", nargs="?", metavar="DEVICE", help="with DIR: a device of agent.toml")
    parser.add_argument(
        "--match", action="append", default=[], metavar="GLOB", help="only paths like this; may be repeated"
    )
    parser.add_argument("--depth", type=_positive, default=20, metavar="N", help="levels below Objects (20)")
    parser.add_argument(
        "--nodes-max", type=_positive, default=20_000, metavar="N", help="end after so many nodes (20000)"
    )
    parser.add_argument("--standard", action="store_true", help="the server's own nodes, too (Server, Aliases, ...)")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help="for each answer (10 s)")
    rows = parser.add_argument_group("an I/O list")
    rows.add_argument("--out", "--csv", type=Path, metavar="FILE", help="write rows of points.csv; must not exist yet")
    rows.add_argument("--device", metavar="NAME", help="for the column device; with DIR it is DEVICE")
    rows.add_argument("--source", metavar="SOURCE", help="for the column source: hazard source, or source/unit")
    security = parser.add_argument_group("security, with ENDPOINT")
    security.add_argument("--policy", metavar="P", help="Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss")
    security.add_argument("--mode", metavar="M", help="SignAndEncrypt, which is usual, or Sign")
    security.add_argument("--certificate", metavar="FILE", help="ours, as opcua-certificate makes it")
    security.add_argument("--key", metavar="FILE", help="the key of our certificate")
    security.add_argument("--server-certificate", metavar="FILE", help="what the server must show")
    security.add_argument("--user", metavar="NAME")
    security.add_argument(
        "--password-file", metavar="FILE", help="its first line; without it the password is asked for"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _browse(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError, DeviceError
    from edge_agent.commissioning.browsing.tree import Bounds

    if arguments.out is not None and (trouble := _not_writable(arguments.out)):
        print(f"edge-agent: {arguments.out} {trouble}", file=sys.stderr)
        return 2
    bounds = Bounds(arguments.depth, arguments.nodes_max, standard=arguments.standard)
    try:
        target = _target(arguments)
        variables, tree, server = asyncio.run(_look(target, bounds, arguments.match))
        _tell(variables, tree, server, bounds)
        if arguments.match and not variables and any(node.is_variable for node in tree.nodes):
            print(NO_PATH_FITS, file=sys.stderr)
            return 2
        if arguments.out is not None:
            _write(arguments, target, variables, server)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 2
    except BrokenPipeError:  # nobody reads our output any more; main knows
        raise
    except (DeviceError, OSError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return 1
    return 0


def _not_writable(out: Path) -> str:
    """Why the list cannot be made there, before the server is asked for it; empty where it can."""
    if out.exists():
        return "exists; give another name, or move it away"
    try:
        with tempfile.TemporaryFile(dir=out.absolute().parent):
            return ""
    except OSError as error:
        return f"cannot be written ({error.strerror}); give another place"


def _target(arguments: argparse.Namespace) -> Target:
    from edge_agent.commissioning.browsing.target import endpoint_of, of_endpoint, of_folder

    endpoint = endpoint_of(arguments.target)
    if endpoint is None:
        return of_folder(Path(arguments.target), arguments.named, arguments.timeout)
    password = None
    if arguments.user and not arguments.password_file:
        import getpass

        password = getpass.getpass(f"password of {arguments.user}: ")
    given = {
        "endpoint": endpoint, "security": arguments.policy, "security_mode": arguments.mode,
        "certificate_file": arguments.certificate, "private_key_file": arguments.key,
        "server_certificate_file": arguments.server_certificate, "username": arguments.user,
        "password_file": arguments.password_file, "timeout_s": arguments.timeout,
    }  # fmt: skip
    return of_endpoint(given, password)


async def _look(target: Target, bounds: Bounds, patterns: list[str]) -> tuple[list[Variable], Tree, OpcUaServer]:
    from edge_agent.commissioning.browsing.crawl import crawl
    from edge_agent.commissioning.browsing.listing import matching
    from edge_agent.commissioning.browsing.server import OpcUaServer
    from edge_agent.commissioning.browsing.tree import Tree

    server = OpcUaServer(target.device or target.settings.endpoint, target.settings, target.credentials)
    tree = Tree(bounds)
    try:
        await server.open()
        await crawl(server, tree, _Progress())
        nodes = matching(tree.nodes, patterns)
        return await _read(server, nodes), tree, server
    finally:
        await server.close()


class _Progress:
    """A line on standard error every few seconds, for a server that takes long."""

    def __init__(self) -> None:
        self._said_s = time.monotonic()

    def __call__(self, tree: Tree) -> None:
        if time.monotonic() - self._said_s >= PROGRESS_S:
            self._said_s = time.monotonic()
            print(f"... {tree.size} nodes found, {tree.waiting} still to be browsed", file=sys.stderr)


async def _read(server: OpcUaServer, nodes: list[Any]) -> list[Variable]:
    """Values, data types, units and ranges of variables, as few calls as may be."""
    from edge_agent.commissioning.browsing.crawl import data_types, values
    from edge_agent.commissioning.browsing.nodes import Variable, range_of
    from edge_agent.commissioning.browsing.server import range_parts, unit_parts
    from edge_agent.commissioning.browsing.units import meant

    readings = await values(server, [node.key for node in nodes])
    types = await data_types(server, [node.key for node in nodes])
    properties = [key for node in nodes for key in node.properties.values()]
    found = dict(zip(properties, (each.value for each in await values(server, properties)), strict=True))
    variables = []
    for node, reading, data_type in zip(nodes, readings, types, strict=True):
        unit = unit_parts(found.get(node.properties.get("EngineeringUnits")))
        ends = range_parts(found.get(node.properties.get("EURange")))
        variables.append(
            Variable(node, reading, data_type, meant(*unit) if unit else None, range_of(*ends) if ends else None)
        )
    return variables


def _tell(variables: list[Variable], tree: Tree, server: OpcUaServer, bounds: Bounds) -> None:
    from edge_agent.commissioning.browsing.listing import left_lines, variable_lines

    for line in variable_lines(variables, server.namespaces):
        print(line)
    sys.stdout.flush()
    known = sum(node.is_variable for node in tree.nodes)
    print(f"{len(variables)} of {known} variables, among {tree.size} nodes", file=sys.stderr)
    for line in left_lines(tree.left, bounds):
        print(line, file=sys.stderr)


def _write(arguments: argparse.Namespace, target: Target, variables: list[Variable], server: OpcUaServer) -> None:
    from edge_agent.commissioning.browsing.listing import sheet_lines
    from edge_agent.commissioning.browsing.sheet import make
    from edge_agent.settings.points_file import write_points

    device, source = arguments.device or target.device, arguments.source or ""
    sheet = make(variables, server.namespaces, device, source, {*target.names, device})
    for line in sheet_lines(sheet, device=device, source=source):
        print(line, file=sys.stderr)
    if not sheet.rows:
        print("no row to write; no file was made", file=sys.stderr)
        return
    write_points(arguments.out, sheet.rows)
    print(f"wrote {len(sheet.rows)} rows to {arguments.out}", file=sys.stderr)
