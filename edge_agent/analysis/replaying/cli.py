"""``edge-agent replay``. Exit status 0 done and no difference, 1 a difference or a failure, 2 wrong input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from edge_agent.analysis.replaying.comparison import Difference
    from edge_agent.analysis.replaying.replay import Covered, Deviation, Judged

_ABOUT: Final = """\
Judges a recording again with the same detectors: the same rows give the same events, bit for bit, in batches of any size. It
touches no device, and the agent may run meanwhile.
"""
_EXAMPLES: Final = """\
examples:
  edge-agent replay /etc/parksentry/site-a/recordings
  edge-agent replay recordings --against /etc/parksentry/site-a     is it what the agent put on record?
  edge-agent replay recordings --json > a.jsonl
  edge-agent replay recordings --batch 1 --against a.jsonl          is it the same, row by row?
"""


def add(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay", help="judge a recording again, and compare with what was reported then",
        description=_ABOUT, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_replay)
    parser.add_argument("recording", type=Path, metavar="RECORDING", help="its folder, or one file of it")
    parser.add_argument("--batch", type=_rows, metavar="N", help="judge N rows at a time; as recorded if left out")
    parser.add_argument("--json", action="store_true", help="each event as one line of JSON")
    parser.add_argument(
        "--against", type=Path, metavar="PLACE",
        help="say the first difference to the store of an agent's folder, or to a file of --json",
    )  # fmt: skip


def _rows(text: str) -> int:
    rows = int(text)
    if not 1 <= rows <= 1_000_000:
        raise argparse.ArgumentTypeError("must be 1 to 1000000")
    return rows


def _replay(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError, ParkSentryError

    try:
        return _run(arguments)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 2
    except (ParkSentryError, OSError, ValueError) as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    from edge_agent.analysis.replaying.comparison import line
    from edge_agent.analysis.replaying.replay import Covered, Deviation, replay
    from edge_agent.recording.reading import segments

    judged: list[Judged] = []
    covered: list[Covered] = []
    deviations: list[Deviation] = []
    pieces = segments(arguments.recording)
    for found in replay(pieces, arguments.batch):
        if isinstance(found, Covered):
            covered.append(found)
        elif isinstance(found, Deviation):
            deviations.append(found)
        else:
            judged.append(found)
            print(line(found) if arguments.json else told(found))
    for piece in pieces:
        if piece.cut_bytes:
            print(f"{piece.path.name}: cut; {piece.cut_bytes} bytes behind the last whole block", file=sys.stderr)
    for each in deviations:
        print(f"file {each.number}: begins with another state: {', '.join(each.arrays)}", file=sys.stderr)
    rows = sum(each.rows for each in covered)
    print(f"{len(judged)} events of {rows} rows, {_stretches(covered)}", file=sys.stderr)
    same = arguments.against is None or _is_same(arguments.against, judged, covered)
    return 0 if same and not deviations else 1


def _stretches(covered: Sequence[Covered]) -> str:
    minutes = sum(each.last_mono_ns - each.first_mono_ns for each in covered) / 60e9
    return f"{minutes:.1f} min in {len(covered)} {'stretch' if len(covered) == 1 else 'stretches'} without a hole"


def _is_same(place: Path, judged: list[Judged], covered: list[Covered]) -> bool:
    from contract.errors import StoreError
    from edge_agent.analysis.replaying.comparison import comparable, first_difference, read_line
    from edge_agent.analysis.replaying.replay import Judged
    from edge_agent.analysis.stored import condition_events, events_file

    if (store := events_file(place)) is not None:
        reported = [Judged.of(each.event) for each in condition_events(store)]
    elif place.is_file():
        reported = [read_line(each) for each in place.read_text("utf-8").splitlines()]
    else:
        raise StoreError(f"{place} is neither an agent's folder, nor its store, nor a file of --json")
    difference = first_difference(comparable(judged, covered), comparable(reported, covered))
    for text in difference_told(difference, len(comparable(reported, covered))):
        print(text, file=sys.stderr)
    return difference is None


def difference_told(difference: Difference | None, count: int) -> list[str]:
    if difference is None:
        return [f"the same as what was reported: {count} events"]
    replayed, reported = difference.replayed, difference.reported
    which = f": {', '.join(difference.fields)}" if difference.fields else ""
    return [
        f"first difference at event {difference.place}{which}",
        f"  replayed: {told(replayed) if replayed else 'no more'}",
        f"  reported: {told(reported) if reported else 'no more'}",
    ]


def told(judged: Judged) -> str:
    """One event for a person."""
    data = judged.data
    time = datetime.fromtimestamp(judged.time_ns / 1e9, UTC)
    value = f"{data['value']:.6g}" if isinstance(data["value"], int | float) else str(data["value"])
    return (
        f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d}Z  {data['tag']}  {data['kind']} "
        f"{data['previous_level']} -> {data['level']}  {value} {data['unit']}  {data['reason']}"
    )
