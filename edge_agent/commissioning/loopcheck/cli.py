"""``edge-agent loopcheck``: plain questions and lines, so that it works in every terminal. Exit status 0 done, 1 failed, 2 wrong input."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contract.keys import PublicKeys, SecretKeys
    from contract.points import PointSpec
    from edge_agent.commissioning.loopcheck.check import People, PointCheck, Rules
    from edge_agent.commissioning.loopcheck.record import Record, Shot
    from edge_agent.commissioning.loopcheck.settling import Seen
    from edge_agent.settings.model import AgentConfig

LOOK_S: Final = 0.5
ASK_TIMEOUT_S: Final = 10.0

_ABOUT: Final = """\
Steps through the points of a running agent with the engineer: a reference is applied at the instrument, the command waits until
the reading stands still, and writes down expected, seen, deviation, quality and alarm. At the end, or at q, it writes a sheet
(CSV and HTML) into the folder's loopcheck/, signed with the agent's key. What was done is kept: the next call goes on from there.
It changes neither points nor configuration.
"""
_EXAMPLES: Final = """\
at each point:
  Enter          the reference in brackets, which is applied now (0 %, 50 %, 100 % of the range, one after the other)
  25 %   or  3.2      another one, in % of the range or in the point's unit
  d              done: passed if all references passed
  f REASON       failed        s REASON    skipped        u    take the last reference back
  l              look: the value now                      q    quit; goes on there next time

examples:
  edge-agent loopcheck /etc/parksentry/site-a --by 'Li Wei' --witness 'Chen Hao'
  edge-agent loopcheck /etc/parksentry/site-a --device plc-1 --match 'AT-*' --tolerance 2
  edge-agent loopcheck /etc/parksentry/site-a --again AT-103          a point that was done already
  edge-agent loopcheck /etc/parksentry/site-a --verify sheet.csv      is it whole, and signed by this agent?
"""


def add(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "loopcheck", help="prove each point against a reference at its instrument, and sign the sheet",
        description=_ABOUT, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_loopcheck)
    parser.add_argument("directory", type=Path, nargs="?", metavar="DIR", help="the agent's folder; the agent must run")
    parser.add_argument("--device", metavar="NAME", help="only points of this device")
    parser.add_argument(
        "--match", action="append", default=[], metavar="GLOB", help="only tags like this; may be repeated"
    )
    parser.add_argument("--again", action="append", default=[], metavar="TAG", help="check this point again")
    parser.add_argument("--by", metavar="NAME", help="who checks; asked for if left out")
    parser.add_argument("--witness", metavar="NAME", help="who looks on; asked for if left out")
    parser.add_argument("--tolerance", type=_positive, default=1.0, metavar="PCT", help="of span (1)")
    parser.add_argument(
        "--settle", type=_positive, default=5.0, metavar="S", help="a reading must stand still for this long (5)"
    )
    parser.add_argument("--wait", type=_positive, default=60.0, metavar="S", help="for a reading that does not (60)")
    parser.add_argument(
        "--verify",
        type=Path,
        metavar="SHEET",
        help="say whether a sheet (.csv) is as it was signed; sought in DIR/loopcheck/, too",
    )


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError("must be above 0, and at most 3600")
    return number


def _loopcheck(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.station.control import ControlError

    try:
        if arguments.verify is not None:
            return _verify(arguments.verify, arguments.directory)
        if arguments.directory is None:
            print("edge-agent: give the agent's folder", file=sys.stderr)
            return 2
        return _Session(arguments).run()
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 2
    except (ControlError, OSError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return 1


def _verify(path: Path, directory: Path | None) -> int:
    from edge_agent.commissioning.loopcheck.folder import FOLDER
    from edge_agent.commissioning.loopcheck.sheet import SheetError, verify

    if directory is not None and not path.exists() and (kept := directory / FOLDER / path).exists():
        path = kept
    try:
        verdict = verify(path.read_bytes().decode("utf-8"), None if directory is None else _public_keys(directory))
    except (SheetError, UnicodeDecodeError) as error:
        print(f"edge-agent: {path}: {error}", file=sys.stderr)
        return 2
    print(verdict.words)
    return 0 if verdict.good else 1


def _public_keys(directory: Path) -> PublicKeys:
    from contract.keys import parse_public
    from edge_agent.settings.load import read_identity

    file = read_identity(directory).key_file.with_suffix(".pub")
    return parse_public(file.read_text("utf-8"), str(file))


class _Session:
    """From the first question to the sheet."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Raises ConfigError, ControlError and OSError."""
        from edge_agent.commissioning.loopcheck.check import Rules
        from edge_agent.commissioning.loopcheck.folder import read_records
        from edge_agent.commissioning.loopcheck.record import fingerprint

        self._directory: Path = arguments.directory
        self._config, self._keys = _load(self._directory)
        self._status = self._ask("status")
        self._rules: Rules = Rules(arguments.tolerance, arguments.settle, arguments.wait)
        self._points = chosen(self._config, arguments.device, arguments.match)
        present = {point.tag: fingerprint(point) for point in self._config.points}
        known = read_records(self._directory)
        self._records: dict[str, Record] = {tag: each for tag, each in known.items() if each.point == present.get(tag)}
        self._changed = [tag for tag, each in known.items() if tag in present and each.point != present[tag]]
        self._again: list[str] = arguments.again
        self._asked = arguments.by, arguments.witness

    def run(self) -> int:
        if self._keys is not None and self._status["config_hash"] != self._config.config_hash:
            print("edge-agent: the folder is not what the agent runs on; reload or restart it first", file=sys.stderr)
            return 1
        tags = {point.tag for point in self._points}
        if unknown := [tag for tag in self._again if tag not in tags]:
            print(f"edge-agent: there is no point {', '.join(unknown)} among those chosen", file=sys.stderr)
            return 2
        pending = [point for point in self._points if point.tag not in self._records or point.tag in self._again]
        if not self._points:
            print("edge-agent: no point fits; see --device and --match", file=sys.stderr)
            return 2
        print(f"{self._config.name}: {len(self._points)} points, {len(pending)} to check; ? for help")
        if self._changed:
            print(f"changed since they were checked, so open again: {', '.join(self._changed)}")
        try:
            people = self._people() if pending else None
            for place, point in enumerate(pending, 1):
                assert people is not None
                if not self._check(point, people, f"{place}/{len(pending)}"):
                    break
        except (EOFError, KeyboardInterrupt):
            print("\ninterrupted; what was done is kept")
        return self._write_sheet()

    def _people(self) -> People:
        from edge_agent.commissioning.loopcheck.check import People, line

        by, witness = self._asked
        while not (by := line(by or "")):
            by = input("checked by: ")
        return People(by, line(input("witness (Enter: none): ") if witness is None else witness))

    def _check(self, point: PointSpec, people: People, place: str) -> bool:
        """False where the engineer wants to end."""
        from edge_agent.commissioning.loopcheck.check import PointCheck, Stage
        from edge_agent.commissioning.loopcheck.folder import append_record

        unaccepted = [each for each in self._config.open_items if point.tag in each.points]
        check = PointCheck(point, self._rules, people, unaccepted)
        self._introduce(point, place)
        for each in unaccepted:
            print(f"  OPEN {each.item}: {each.question} {each.choice} is taken of {' | '.join(each.choices)}")
        while check.stage is not Stage.DONE:
            if check.stage is Stage.SETTLING:
                self._settle(check)
                continue
            text = input(_prompt(check)).strip()
            if text == "q":
                print("not finished: this point stays open")
                return False
            if not self._is_served(text, point) and (said := check.answer(text, time.monotonic())):
                print(f"  {said}")
        record = check.record(time.time_ns())
        append_record(self._directory, record)
        self._records[point.tag] = record
        print(f"  {point.tag}: {record.result.value.upper()}{': ' + record.reason if record.reason else ''}")
        return True

    def _introduce(self, point: PointSpec, place: str) -> None:
        from edge_agent.commissioning.loopcheck.check import bounds, span
        from edge_agent.commissioning.loopcheck.sheet import set_points

        low, high = bounds(point)
        print(f"\n[{place}] {point.tag}  {point.description}")
        print(f"  device {point.device}, {point.address}")
        print(
            f"  range {f'{low:g} to {high:g}' if span(point) else 'none'} {point.unit}; set-points {set_points(point)}"
        )
        self._is_served("l", point)

    def _is_served(self, text: str, point: PointSpec) -> bool:
        if text == "?":
            print(_EXAMPLES.partition("\nexamples:")[0])
        elif text == "l":
            print(f"  now {_shown(self._look(point), point)}")
        return text in {"?", "l"}

    def _settle(self, check: PointCheck) -> None:
        print(
            f"  {check.expected:g} {check.point.unit} is applied; waiting until the reading stands still (Ctrl-C: give up)"
        )
        last = ""
        try:
            while True:
                seen, now_s = self._look(check.point), time.monotonic()
                if (text := _shown(seen, check.point)) != last:
                    print(f"    {text}")
                    last = text
                if shot := check.see(seen, now_s, time.time_ns()):
                    print(f"  {_judged(shot, check.point)}")
                    return
                if check.is_too_late(now_s):
                    print("  it does not stand still, or is BAD; nothing was written down. f REASON fails the point")
                    break
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            print("\n  given up; nothing was written down")
        check.give_up()

    def _ask(self, what: str) -> dict[str, Any]:
        from edge_agent.station.control import ask

        return ask(self._config.outbox.directory, {"ask": what}, ASK_TIMEOUT_S, folder=self._directory)

    def _look(self, point: PointSpec) -> Seen:
        from edge_agent.commissioning.loopcheck.settling import Seen

        for each in self._ask("live")["points"]:
            if each["tag"] == point.tag and each["org"] == point.org:
                age_s = each["age_s"]
                return Seen(
                    each["value"], each["quality"], None if age_s is None else time.monotonic() - age_s,
                    tuple((one["kind"], one["level"]) for one in each["conditions"]),
                )  # fmt: skip
        return Seen(None, "BAD_CONFIG", None)

    def _write_sheet(self) -> int:
        from edge_agent.commissioning.loopcheck.folder import write_sheets
        from edge_agent.commissioning.loopcheck.page import html_text
        from edge_agent.commissioning.loopcheck.sheet import Head, csv_text, table

        results = [self._records[each.tag].result.value for each in self._points if each.tag in self._records]
        now_ns = time.time_ns()
        passed, failed, skipped = (results.count(each) for each in ("passed", "failed", "skipped"))
        head = Head(
            self._config.name, self._status["config_hash"], self._status["software"], now_ns, len(self._points), passed, failed, skipped, len(self._points) - len(results),
        )  # fmt: skip
        rows = table(self._points, self._records)
        stem = f"{self._config.name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now_ns / 1e9))}"
        paths = write_sheets(
            self._directory, stem, csv_text(head, rows, self._keys), html_text(head, rows, self._keys)
        )  # fmt: skip
        print(f"\n{head.passed} passed, {head.failed} failed, {head.skipped} skipped, {head.open} open")
        print(
            f"wrote {paths[0]} and {paths[1].name}, {'signed' if self._keys else 'NOT SIGNED: the key cannot be read'}"
        )
        return 0 if head.open == 0 and head.failed == 0 else 1


def _load(directory: Path) -> tuple[AgentConfig, SecretKeys | None]:
    """Without the agent's key the check can be done, and the sheet is not signed."""
    from contract.errors import ConfigError
    from edge_agent.settings.load import load

    try:
        config = load(directory)
    except ConfigError:
        return load(directory, keys_here=False), None
    return config, config.keys


def chosen(config: AgentConfig, device: str | None, patterns: Sequence[str]) -> list[PointSpec]:
    """Measured points that can be given a reference, in the order of the configuration; texts cannot."""
    from contract.points import PointRole, PointType

    return [
        point
        for point in config.points
        if point.role is not PointRole.DEVICE
        and point.type is not PointType.STRING
        and device in {None, point.device}
        and (not patterns or any(fnmatchcase(point.tag, each) for each in patterns))
    ]


def _prompt(check: PointCheck) -> str:
    from edge_agent.commissioning.loopcheck.check import Stage

    if check.stage is Stage.REMARKS:
        return "  remarks (Enter: none): "
    return f"  reference [{check.default}]: " if check.default else "  reference: "


def _shown(seen: Seen, point: PointSpec) -> str:
    value = "no value" if seen.value is None else f"{seen.value:.6g} {point.unit}"
    alarms = "".join(f", {kind} {level}" for kind, level in seen.conditions)
    return f"{value} {seen.quality}{alarms}"


def _judged(shot: Shot, point: PointSpec) -> str:
    alarm = f", alarm {shot.alarm_seen or 'none'}" if shot.alarm_seen or shot.alarm_expected else ""
    missing = (
        f" (expected {shot.alarm_expected})" if shot.alarm_expected and shot.alarm_expected != shot.alarm_seen else ""
    )
    verdict, undo = ("ok", "") if shot.passed else ("FAILED", " (u takes this back)")
    seen = f"seen {shot.seen:.6g} {point.unit}, deviation {shot.deviation_pct:+.2f} %"
    return f"{verdict}: {seen}, {shot.quality}{alarm}{missing}{undo}"
