"""``edge-agent scan``: finds politely what a Modbus device gives. Reading functions only, one request at a time, with a rest between."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drivers.modbus.settings import ModbusSettings
    from edge_agent.commissioning.probing.folder import Folder
    from edge_agent.commissioning.scanning.record import Record
    from edge_agent.commissioning.scanning.search import Outcome, Plan, Search

_FAILED: Final = 1
_WRONG: Final = 2
_UNREACHABLE_MAX: Final = 3
_TOLD_EVERY_S: Final = 1.0
_LINE: Final = "\r\x1b[K"
"""The line of a terminal, written over."""
_HELP: Final = "find which units of a Modbus connection answer, and which registers and bits they give"
_EPILOG: Final = """\
examples:
  edge-agent scan tcp://10.0.0.9:502/1                       holding, input, coils and discrete inputs 0 to 9999
  edge-agent scan tcp://10.0.0.9 --units 1-20                which units are behind this gateway?
  edge-agent scan rtu:///dev/ttyS1?baudrate=9600 --units 1-32 --tables holding --addresses 0-99
  edge-agent scan /etc/parksentry/site-a plc-1 --stride 1 --propose draft.csv

It asks functions 1 to 4 only, one request at a time, with --pause-ms between. Ctrl-C stops it; the same command goes on where it
was (the state file says what was found). Units that no-scan.toml names are refused without --permit.
Exit status: 0 done, 1 stopped before its end or nothing answered, 2 what was typed is wrong.
"""


def add(commands: Any) -> None:
    """Put ``scan`` into the parser."""
    parser = commands.add_parser(
        "scan", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="WHERE", help="URL, or DIR DEVICE")
    parser.add_argument("--units", metavar="1-20,33", help="units to ask, of 0 to 255; the device's own if left out")
    parser.add_argument(
        "--tables",
        default="holding,input,coil,discrete",
        metavar="LIST",
        help="of holding, input, coil, discrete, with commas between; all four if left out",
    )
    parser.add_argument("--addresses", default="0-9999", metavar="FIRST-LAST", help="as they go over the wire (0-9999)")
    parser.add_argument(
        "--stride", type=int, metavar="N",
        help="find every run of N readable addresses (16); 1: every single one, which takes a request for each that is not there "
        "(usual for up to 500 addresses)",
    )  # fmt: skip
    parser.add_argument("--pause-ms", type=float, default=50.0, metavar="MS", help="rest between two requests (50)")
    parser.add_argument("--timeout-s", type=float, metavar="S", help="wait so long for an answer")
    parser.add_argument("--baudrate", type=int, metavar="N", help="of a serial line; wins over the URL and agent.toml")
    parser.add_argument("--parity", choices=("even", "odd", "none"), help="of a serial line, likewise")
    parser.add_argument("--requests-max", type=int, default=20_000, metavar="N", help="stop after so many (20000)")
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="what was found so far; scan-DEVICE.jsonl if left out"
    )
    parser.add_argument("--again", action="store_true", help="begin anew")
    parser.add_argument(
        "--permit", type=int, action="append", default=[], metavar="UNIT", help="scan it though it is listed"
    )
    parser.add_argument(
        "--no-scan", type=Path, metavar="FILE", help="one more list of units that are not to be scanned"
    )
    parser.add_argument("--json", action="store_true", help="the result for programs")
    parser.add_argument(
        "--propose", type=Path, metavar="FILE", help="write a draft of points as CSV; never over one that was edited"
    )
    parser.add_argument("--replace", action="store_true", help="write the draft over whatever is in its place")
    parser.set_defaults(command=_scan)


def _scan(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.commissioning.probing.place import PlaceError
    from edge_agent.commissioning.scanning.record import RecordError

    try:
        return _scanned(arguments)
    except (PlaceError, RecordError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
    except OSError as error:
        print(f"edge-agent: {error.filename or 'the state file'}: {error.strerror}", file=sys.stderr)
        return _FAILED
    return _WRONG


def _scanned(arguments: argparse.Namespace) -> int:
    from edge_agent.commissioning.probing import agents
    from edge_agent.commissioning.scanning.record import Record
    from edge_agent.commissioning.scanning.search import Search

    settings, folder = _device(arguments)
    plan = _plan(arguments, settings)
    _refuse_forbidden(arguments, settings, folder, plan)
    if (warning := agents.warning(settings)) is not None:
        print(f"WARNING: {warning}", file=sys.stderr)
    path = arguments.state or Path(f"scan-{re.sub(r'[^A-Za-z0-9.]+', '_', settings.endpoint).strip('_')}.jsonl")
    search = Search(plan)
    if arguments.again or not path.exists():
        _keep_what_was_edited(arguments, settings, folder, search)  # before a state file is made, or emptied
    trouble: str | None = None
    try:
        with Record(path, settings.endpoint, plan) as record:
            if arguments.again:
                record.forget()
            for note in record.recall(search):
                print(note, file=sys.stderr)
            _keep_what_was_edited(arguments, settings, folder, search)
            trouble = asyncio.run(_asked(settings, search, record))
    except KeyboardInterrupt:
        trouble = "stopped"
    finally:
        if sys.stderr.isatty():
            print(_LINE, end="", file=sys.stderr, flush=True)  # where it was is of no interest any more
    _show(arguments, settings, search)
    if arguments.propose:
        _propose(arguments.propose, settings, folder, search)
    if search.exhausted:
        trouble = f"--requests-max {plan.requests_max} is reached"
    if trouble is not None:
        print(f"{trouble}; {path} has what was found, the same command goes on there", file=sys.stderr)
        return _FAILED
    return 0 if any(found.tables for found in search.found.values()) else _FAILED


def _device(arguments: argparse.Namespace) -> tuple[ModbusSettings, Folder | None]:
    """Raises PlaceError and ConfigError."""
    from edge_agent.commissioning.probing.folder import is_folder, open_folder
    from edge_agent.commissioning.probing.place import PlaceError, is_place, read_device, settings_of

    names = ("baudrate", "parity", "timeout_s")
    options = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    first, *rest = arguments.where
    if is_folder(Path(first)):
        folder = open_folder(Path(first))
        if len(rest) != 1:
            raise PlaceError("after the folder comes a device", f"Known are: {', '.join(folder.devices)}")
        keys = folder.device(rest[0]).model_dump(exclude_unset=True)
        pause_ms = max(folder.device(rest[0]).pause_ms, arguments.pause_ms)
        return settings_of({**keys, **options, "pause_ms": pause_ms}), folder
    settings, place = read_device(first, {**options, "pause_ms": arguments.pause_ms})
    place = place or (rest[0] if "://" in first and rest and is_place(rest[0]) else None)
    if place is not None:
        remedy = "Say which with --tables and --addresses, or read this one with `edge-agent try`"
        raise PlaceError(f"{place} is one place, and a scan looks at ranges", remedy)
    if rest:
        raise PlaceError(f"there is no folder {first}", "Give a device as a URL, or a folder and a device")
    return settings, None


def _plan(arguments: argparse.Namespace, settings: ModbusSettings) -> Plan:
    """Raises PlaceError."""
    from drivers.modbus.address import ADDRESS_SPACE, Table
    from edge_agent.commissioning.probing.place import PlaceError
    from edge_agent.commissioning.scanning.search import Plan, usual_stride
    from edge_agent.settings.suggest import did_you_mean

    units = _numbers(arguments.units or str(settings.unit), 0, 255, "--units")
    shape = re.fullmatch(r"(\d{1,5})-(\d{1,5})", arguments.addresses)
    first, last = (int(shape[1]), int(shape[2])) if shape else (1, 0)
    if not first <= last < ADDRESS_SPACE:
        raise PlaceError(f"'{arguments.addresses}' is no range of addresses", "Write it as 0-9999, at most 0-65535")
    tables = arguments.tables.split(",")
    for table in tables:
        if table not in tuple(Table):
            raise PlaceError(f"'{table}' is no table", did_you_mean(table, tuple(Table)))
    stride = usual_stride(last - first + 1) if arguments.stride is None else arguments.stride
    for option, number in (("--stride", stride), ("--requests-max", arguments.requests_max)):
        if number < 1:
            raise PlaceError(f"{option} {number} is too small", "Give 1 or more, or leave it out")
    return Plan(units, tuple(dict.fromkeys(map(Table, tables))), first, last, stride, arguments.requests_max)


def _numbers(text: str, lowest: int, highest: int, option: str) -> tuple[int, ...]:
    from edge_agent.commissioning.probing.place import PlaceError

    found: list[int] = []
    for part in text.split(","):
        shape = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part)
        first, last = (int(shape[1]), int(shape[2] or shape[1])) if shape else (1, 0)
        if not lowest <= first <= last <= highest:
            raise PlaceError(
                f"{option} {text} is not understood", f"Write numbers of {lowest} to {highest} and ranges, as 1-20,33"
            )
        found += range(first, last + 1)
    return tuple(dict.fromkeys(found))


def _refuse_forbidden(
    arguments: argparse.Namespace, settings: ModbusSettings, folder: Folder | None, plan: Plan
) -> None:
    """Raises PlaceError."""
    from edge_agent.commissioning.probing.place import PlaceError
    from edge_agent.commissioning.scanning.forbidden import FILE, MACHINE_FILE, forbidden

    paths = [MACHINE_FILE, *([folder.directory / FILE] if folder else [])]
    if arguments.no_scan:
        if not arguments.no_scan.exists():
            raise PlaceError(
                f"there is no file {arguments.no_scan}", "Give the list of units that are not to be scanned"
            )
        paths.append(arguments.no_scan)
    listed = forbidden(paths, settings.endpoint)
    for unit in plan.units:
        why = listed.get(unit, listed.get(None))
        if why is not None and unit not in arguments.permit:
            remedy = f"If it must be, with the permit of who answers for it: --permit {unit}"
            raise PlaceError(f"unit {unit} at {settings.endpoint} is not to be scanned: {why}", remedy)


async def _asked(settings: ModbusSettings, search: Search, record: Record) -> str | None:
    """Ask until there is nothing left to ask; why it ended before, if it did."""
    from drivers.modbus.outcome import Failure, FailureReason
    from edge_agent.commissioning.probing import failures
    from edge_agent.commissioning.probing.asking import Asking, why_unreachable
    from edge_agent.commissioning.scanning import report
    from edge_agent.station.machine import RealClock

    began = told = time.monotonic()
    unreachable, before = 0, search.requests
    async with Asking(settings, RealClock()) as asking:
        while (ask := search.wants()) is not None:
            came = await asking.ask(ask.table, ask.start, ask.count, ask.unit)
            if isinstance(came, Failure) and came.reason is FailureReason.UNREACHABLE:
                unreachable += 1
                if unreachable == _UNREACHABLE_MAX:
                    for each in failures.after_failure(came, why_unreachable(settings), settings):
                        print(f"  - {each}", file=sys.stderr)
                    return came.text
                continue
            unreachable = 0
            outcome = _outcome(came, bits=ask.table.holds_bits, count=ask.count)
            record.save(ask, outcome)
            search.take(outcome)
            if sys.stderr.isatty() and time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                print(
                    _LINE + report.progress(search, told - began, search.requests - before),
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
    return None


def _outcome(came: Any, *, bits: bool, count: int) -> Outcome:
    from drivers.modbus.outcome import Failure
    from edge_agent.commissioning.scanning.search import Refused, Silent, Values

    if isinstance(came, Failure):
        return Silent()
    if came.exception is not None:
        return Refused(came.exception)
    data: bytes = came.payload
    if bits:
        return Values(tuple(data[i // 8] >> i % 8 & 1 for i in range(count)))
    return Values(tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)))


def _show(arguments: argparse.Namespace, settings: ModbusSettings, search: Search) -> None:
    from edge_agent.commissioning.scanning import report

    if arguments.json:
        print(json.dumps(report.as_json(settings.endpoint, search)))
    else:
        unfinished = "" if search.next is None else ", NOT FINISHED: what follows is what is known so far"
        print("\n".join([f"{settings.endpoint}, {search.requests} requests{unfinished}", *report.lines(search)]))


def _keep_what_was_edited(
    arguments: argparse.Namespace, settings: ModbusSettings, folder: Folder | None, search: Search
) -> None:
    """Refuse to write a draft over a file that is not the one which this scan wrote when it was where ``search`` is. Raises
    PlaceError and OSError."""
    from edge_agent.commissioning.probing.place import PlaceError

    path: Path | None = arguments.propose
    if path is None:
        return
    if not path.parent.is_dir():
        raise PlaceError(f"there is no folder {path.parent} for the draft", "Make it, or give --propose another file")
    if not path.exists() or arguments.replace:
        return
    if path.is_dir() or path.read_bytes() != _draft(settings, folder, search)[0].encode():
        raise PlaceError(f"{path} exists", "Give another name, or --replace to lose what is in it")


def _draft(settings: ModbusSettings, folder: Folder | None, search: Search) -> tuple[str, int]:
    """The text of the file, and how many points it has."""
    from edge_agent.commissioning.scanning import report
    from edge_agent.settings.points_file import points_text

    known = folder.devices.items() if folder else ()
    rows = report.proposals(search, {each.unit: name for name, each in known if each.endpoint == settings.endpoint})
    return report.PROPOSAL_HEAD + points_text(rows).removeprefix("\ufeff"), len(rows)


def _propose(path: Path, settings: ModbusSettings, folder: Folder | None, search: Search) -> None:
    from edge_agent.commissioning.probing.place import PlaceError

    text, count = _draft(settings, folder, search)
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        remedy = "What was found is kept: the same command with another file for --propose asks nothing again"
        raise PlaceError(f"{path} cannot be written ({error.strerror})", remedy) from None
    print(f"{count} proposals in {path}", file=sys.stderr)
