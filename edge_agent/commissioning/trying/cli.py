"""``edge-agent try``: reads one place of a Modbus device, shows every plausible meaning, and puts the right one into points.csv."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import sys
import termios
import tty
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from drivers.modbus.settings import ModbusSettings
    from edge_agent.commissioning.probing.folder import Folder
    from edge_agent.commissioning.probing.place import Place
    from edge_agent.commissioning.probing.ranking import Hints
    from edge_agent.commissioning.trying.looking import Looking
    from edge_agent.commissioning.trying.screen import View

_FAILED: Final = 1
_WRONG: Final = 2
_TOLERANCE: Final = 0.02
"""Of an expected number, where no tolerance is given: a display is read a moment later, and rounds."""
_CLEAR: Final = "\x1b[H\x1b[2J"
_HELP: Final = "read one place of a Modbus device, show it in every decoding, and write the right one into points.csv"
_EPILOG: Final = """\
examples:
  edge-agent try tcp://10.0.0.9:502/1 holding:40                what is there, in every decoding
  edge-agent try tcp://10.0.0.9/1/holding:40 --range 0..100     the instrument measures 0 to 100
  edge-agent try 10.0.0.9 40041 --expect 21.5                   its display shows 21.5; 40041 is the manual's number
  edge-agent try 10.0.0.9 30001 --range -40..85 --expect 22     a card's raw number (0..27648, 4000..20000, ...) is found by both
  edge-agent try rtu:///dev/ttyS1 input:0 --baudrate 9600 --parity none --unit 7
  edge-agent try /etc/parksentry/site-a plc-1 holding:40        a device of agent.toml
  edge-agent try /etc/parksentry/site-a LT-202                  a point of points.csv: is its decoding right?
  edge-agent try /etc/parksentry/site-a plc-1 holding:40 --expect 21.5 \\
      --accept float32/CDAB --tag LT-202 --source tank-1 --unit-of-measure m

At a terminal it reads again each second until a key is pressed, then asks which decoding is right if it may write it.
It only ever reads from the device. Exit status: 0 done, 1 the device gave nothing, 2 what was typed is wrong.
"""


def add(commands: Any) -> None:
    """Put ``try`` into the parser."""
    parser = commands.add_parser(
        "try", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("where", nargs="+", metavar="WHERE", help="URL [PLACE], or DIR DEVICE PLACE, or DIR TAG")
    line = parser.add_argument_group("connection (each wins over the URL and over agent.toml)")
    line.add_argument("--unit", type=int, metavar="N", help="unit id, 1 to 247; 0 and 255 over TCP")
    line.add_argument("--baudrate", type=int, metavar="N", help="of a serial line")
    line.add_argument("--parity", choices=("even", "odd", "none"), help="of a serial line")
    line.add_argument("--stop-bits", type=int, choices=(1, 2), help="of a serial line")
    line.add_argument("--timeout-s", type=float, metavar="S", help="wait so long for an answer")
    known = parser.add_argument_group("what is known of the value")
    known.add_argument(
        "--range", metavar="LOW..HIGH", help="of the instrument, in its unit; raw spans as 0..27648 are tried, too"
    )
    known.add_argument("--expect", type=float, metavar="X", help="what its own display says")
    known.add_argument("--tolerance", type=float, metavar="T", help="how far from that it may be (2 %% if left out)")
    known.add_argument(
        "--scale", type=float, action="append", default=[], metavar="S", help="one more scale to look at"
    )
    known.add_argument("--length", type=int, default=4, metavar="N", help="registers of a text (4)")
    shown = parser.add_argument_group("how it is shown")
    shown.add_argument(
        "--watch", action=argparse.BooleanOptionalAction, help="read again until a key (at a terminal: yes)"
    )
    shown.add_argument("--reads", type=int, default=1, metavar="N", help="without watching: how often (1)")
    shown.add_argument("--every-s", type=float, default=1.0, metavar="S", help="between two reads (1)")
    shown.add_argument("--all", action="store_true", help="every decoding, also those that do not fit")
    shown.add_argument("--json", action="store_true", help="for programs")
    row = parser.add_argument_group("what is written")
    row.add_argument("--accept", metavar="N|NAME", help="write this decoding into points.csv")
    row.add_argument("--folder", type=Path, metavar="DIR", help="of the agent, where WHERE is a URL")
    row.add_argument("--device", metavar="NAME", help="in agent.toml; found by its address if left out")
    row.add_argument("--tag", help="of the row to change or to add; asked for if left out")
    row.add_argument("--source", metavar="SOURCE[/UNIT]", help="hazard source; a new row needs it")
    row.add_argument("--unit-of-measure", metavar="UNIT", help="as degC, MPa, %%LEL; a new row needs it")
    row.add_argument("--description", metavar="TEXT", help="what the point is, in words")
    row.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.set_defaults(command=_try)


def _try(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.commissioning.probing.place import PlaceError

    try:
        return _tried(arguments)
    except PlaceError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
    except OSError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return _FAILED
    return _WRONG


def _tried(arguments: argparse.Namespace) -> int:
    from edge_agent.commissioning.probing import agents
    from edge_agent.commissioning.trying.looking import Looking, NoAnswerError, ways_of
    from edge_agent.station.machine import RealClock

    target = _Target(arguments)
    for note in target.notes:
        print(note, file=sys.stderr)
    if (warning := agents.warning(target.settings)) is not None:
        print(f"WARNING: {warning}", file=sys.stderr)
    hints = _hints(arguments, target.cells)
    scalings = [(scale, 0.0) for scale in arguments.scale] + target.scalings()
    ways = ways_of(target.place, scalings, arguments.length, hints)
    watches = arguments.watch if arguments.watch is not None else sys.stdin.isatty() and sys.stdout.isatty()
    watches = watches and not arguments.json and not arguments.accept

    async def looked() -> View:
        async with Looking(target.settings, target.place, ways, hints, RealClock()) as looking:
            return await (_watched if watches else _read)(looking, arguments)

    try:
        view = asyncio.run(looked())
    except NoAnswerError as error:
        print(f"edge-agent: {target.settings.endpoint} unit {target.settings.unit}: {error}", file=sys.stderr)
        for each in error.advice:
            print(f"  - {each}", file=sys.stderr)
        return _FAILED
    wanted = arguments.accept
    if watches and target.folder is not None:
        wanted = input("which one? (No. or decoding, nothing to leave): ").strip()
    return _accepted(arguments, target, view, wanted) if wanted else 0


class _Target:
    """What the words on the command line mean. Raises PlaceError and ConfigError."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from edge_agent.commissioning.probing.folder import is_folder, open_folder
        from edge_agent.commissioning.probing.place import EXAMPLE, PlaceError, is_place, read_device, read_place

        words: list[str] = arguments.where
        self.notes: list[str] = []
        self.cells: Mapping[str, str] = {}
        self.folder: Folder | None = open_folder(arguments.folder) if arguments.folder else None
        self.device: str | None = arguments.device
        place_text: str | None
        if is_folder(Path(words[0])):
            self.folder = open_folder(Path(words[0]))
            place_text = self._of_folder(words[1:])
            self.settings = _with_options(self.folder.device(self.device or ""), arguments)
        else:
            self.settings, place_text = read_device(words[0], _options(arguments))
            place_text = " ".join(words[1:]) or place_text
            if place_text is None:
                remedy = (
                    f"Say it behind the device: edge-agent try {words[0]} holding:40; a device is written as {EXAMPLE}"
                )
                raise PlaceError("no place is given", remedy)
            if not is_place(place_text) and len(words) > 2:
                raise PlaceError(f"there is no folder {words[0]}", "Give the agent's folder, or the device as a URL")
        self.place: Place
        self.place, note = read_place(place_text)
        self.notes += [note] if note else []

    def _of_folder(self, words: list[str]) -> str:
        from edge_agent.commissioning.probing.place import PlaceError
        from edge_agent.settings.suggest import did_you_mean, shown

        assert self.folder is not None
        if len(words) == 2:
            self.device = words[0]
            return words[1]
        if len(words) != 1:
            raise PlaceError("after the folder comes a point or a place", "Write DIR TAG, or DIR DEVICE PLACE")
        record = self.folder.record(words[0])
        if record is None:
            tags = [each.cells.get("tag", "") for each in self.folder.records]
            raise PlaceError(f"there is no point {shown(words[0])} in points.csv", did_you_mean(words[0], tags))
        self.cells = record.cells
        self.device = record.cells.get("device", "")
        bit = record.cells.get("bit", "")
        now = [record.cells.get(column, "") for column in ("type", "word_order", "scale", "offset")]
        self.notes.append(f"row {record.row} says now: {' '.join(each for each in now if each)}")
        return f"{record.cells.get('register', '')}:{record.cells.get('address', '')}" + (f".{bit}" if bit else "")

    def scalings(self) -> list[tuple[float, float]]:
        """What the row says now is one of the ways to look at it."""
        try:
            return [(float(self.cells.get("scale") or 1), float(self.cells.get("offset") or 0))] if self.cells else []
        except ValueError:
            return []

    def device_name(self) -> str:
        """In agent.toml. Raises PlaceError."""
        from edge_agent.commissioning.probing.place import PlaceError

        if self.device:
            return self.device
        assert self.folder is not None
        here = (self.settings.endpoint, self.settings.unit)
        names = [name for name, each in self.folder.devices.items() if (each.endpoint, each.unit) == here]
        if len(names) != 1:
            message = f"{len(names)} devices of agent.toml are unit {here[1]} at {here[0]}"
            raise PlaceError(message, "Add it to agent.toml, or say which one with --device")
        return names[0]


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("unit", "baudrate", "parity", "stop_bits", "timeout_s")
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}


def _with_options(settings: ModbusSettings, arguments: argparse.Namespace) -> ModbusSettings:
    from edge_agent.commissioning.probing.place import settings_of

    options = _options(arguments)
    return settings_of({**settings.model_dump(exclude_unset=True), **options}) if options else settings


def _hints(arguments: argparse.Namespace, cells: Mapping[str, str]) -> Hints:
    from edge_agent.commissioning.probing.place import PlaceError
    from edge_agent.commissioning.probing.ranking import Hints

    text = arguments.range
    if text is None and cells.get("range_low") and cells.get("range_high"):
        text = f"{cells['range_low']}..{cells['range_high']}"
    low, high = None, None
    if text is not None:
        try:
            low, high = (float(each) for each in text.split(".."))
        except ValueError:
            raise PlaceError(f"'{text}' is no range", "Write it as 0..100 or -40..85") from None
        if not low < high:
            raise PlaceError(f"'{text}' is no range", "Give the lower end first")
    expected = arguments.expect
    tolerance = arguments.tolerance
    if tolerance is None:
        tolerance = _TOLERANCE * abs(expected or 0.0) or 0.001
    return Hints(low, high, expected, tolerance)


async def _read(looking: Looking, arguments: argparse.Namespace) -> View:
    from edge_agent.commissioning.trying.screen import as_json, lines

    view = await looking.look()
    for _ in range(arguments.reads - 1):
        await asyncio.sleep(arguments.every_s)
        view = await looking.look()
    if arguments.json:
        print(json.dumps(as_json(view), ensure_ascii=False))
    else:
        print("\n".join(lines(view, everything=arguments.all)))
    return view


async def _watched(looking: Looking, arguments: argparse.Namespace) -> View:
    from edge_agent.commissioning.trying.screen import lines

    with _keys() as file:
        while True:
            view = await looking.look()
            text = "\n".join([*lines(view, everything=arguments.all), "", "any key ends"])
            print(_CLEAR + text, flush=True)
            ready, _, _ = await asyncio.to_thread(select.select, [file], [], [], arguments.every_s)
            if ready:
                os.read(file, 64)
                return view


@contextmanager
def _keys() -> Iterator[int]:
    """The terminal gives each key at once; afterwards it is as it was."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield file
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _accepted(arguments: argparse.Namespace, target: _Target, view: View, wanted: str) -> int:
    from edge_agent.commissioning.probing.place import PlaceError
    from edge_agent.commissioning.trying import choice, writing

    if target.folder is None:
        raise PlaceError("which agent's points.csv is meant is not said", "Give its folder: --folder DIR")
    chosen = choice.find(view.judged, wanted)
    if chosen is None:
        raise PlaceError(
            f"there is no decoding '{wanted}' here", "Give a number or a decoding of those that --all shows"
        )
    given = {"tag": arguments.tag, "source": arguments.source, "unit": arguments.unit_of_measure,
             "description": arguments.description, "device": target.device_name()}  # fmt: skip
    if arguments.range:
        given |= dict(zip(("range_low", "range_high"), arguments.range.split(".."), strict=True))
    given["tag"] = given["tag"] or target.cells.get("tag")
    record = target.folder.record(given["tag"] or "")
    for column, option in (("tag", "--tag"), ("source", "--source"), ("unit", "--unit-of-measure")):
        if not given[column] and (record is None or column == "tag"):
            if not sys.stdin.isatty():
                raise PlaceError(f"the new row needs a {column}", f"Give it with {option}")
            given[column] = input(f"{column}: ").strip()
            record = target.folder.record(given["tag"] or "")
    cells = choice.row_of(target.place, chosen.decoding, {key: text for key, text in given.items() if text})
    differences = writing.write(target.folder, cells, dry=arguments.dry_run)
    print("\n".join(differences))
    print(
        "nothing was written (--dry-run)"
        if arguments.dry_run
        else f"written; next: edge-agent check {target.folder.directory}"
    )
    return 0
