"""``edge-agent backtest``: reads recordings, lets the detectors judge them, writes what they raised beside the times."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.commissioning.backtesting.recording import Recording

_WRONG: Final = 2
_HELP: Final = "what detection would have said to recorded values: writes file,ts,alarm"
_EPILOG: Final = """\
Each CSV file below DIR (ts,NAME...; seconds; an empty field is a missing value) is taken as points that belong together, judged row by
row as it would have been live: each by itself, and all of them as a group. alarm is 1 in a row in which something was raised, as
people are told it; --standing writes 1 as long as it stands. A recording that is known to be without trouble is learnt from first with --learn.

examples:
  edge-agent backtest recordings --out alarms.csv
  edge-agent backtest recordings --out alarms.csv --learn normal-week.csv
  edge-agent backtest recordings --out scores.csv --score        how far from an alarm each row was: 1 is one

Exit status: 0 done, 2 a recording has a mistake; then nothing was written.
"""


def add(commands: Any) -> None:
    """Put ``backtest`` into the parser."""
    parser = commands.add_parser(
        "backtest", help=_HELP, description=_HELP, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="folder with recordings, or one file")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="CSV to write")
    parser.add_argument("--learn", type=Path, metavar="FILE", help="a recording without trouble, to learn from first")
    parser.add_argument(
        "--skip-rows",
        type=int,
        default=0,
        metavar="N",
        help="learn from the first N rows of a file, but tell nothing of them",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--score", action="store_true", help="write scores instead of alarms")
    what.add_argument("--standing", action="store_true", help="write 1 as long as something stands")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE",
        help="CSV file,begin,end of known events: prints found, false, F1 and delay of each detector",
    )  # fmt: skip
    parser.set_defaults(command=_backtest)


def _backtest(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError

    try:
        lines = list(_lines(arguments))
        told = _told_by_labels(arguments) if arguments.labels is not None else None
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _WRONG
    except OSError as error:
        print(f"edge-agent: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
        return _WRONG
    arguments.out.write_text("".join(lines), "utf-8")
    if told is not None:
        print(told)
    return 0


def _told_by_labels(arguments: argparse.Namespace) -> str:
    """The table of what each detector found. Rows that are only learnt from count neither way."""
    from contract.errors import ConfigError, Fault
    from edge_agent.commissioning.backtesting.run import run, run_group, run_points
    from edge_agent.commissioning.backtesting.scoring import Counts, count, read_labels, table

    with arguments.labels.open(encoding="utf-8", newline="") as lines:
        labels = read_labels(str(arguments.labels), lines)
    learnt = None if arguments.learn is None else _read(arguments.learn)
    files = _files(arguments.directory, [arguments.learn, arguments.out, arguments.labels])
    if unknown := sorted(labels.keys() - {name for _, name in files}):
        raise ConfigError(
            [Fault(str(arguments.labels), None, "file", f"no recording {unknown[0]!r}", "Name it as --out does")]
        )
    counts = {"points": Counts(), "group": Counts(), "all": Counts()}
    for path, name in files:
        recording = _read(path)
        before = learnt if learnt is not None and learnt.names == recording.names else None
        kept = slice(arguments.skip_rows, None)
        for detector, judge in (("points", run_points), ("group", run_group), ("all", run)):
            counts[detector] += count(
                recording.time_s[kept], judge(recording, before).raised[kept], labels.get(name, ()),
                len(recording.names), recording.scan_s(),
            )  # fmt: skip
    return table(counts)


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    learnt = None if arguments.learn is None else _read(arguments.learn)
    yield f"file,ts,{'score' if arguments.score else 'alarm'}\n"
    for path, name in _files(arguments.directory, [arguments.learn, arguments.out, arguments.labels]):
        recording = _read(path)
        values = _judge(recording, learnt, arguments)
        for row, (time_s, value) in enumerate(zip(recording.time_s.tolist(), values, strict=True)):
            yield f"{name},{time_s},{value if row >= arguments.skip_rows else 0}\n"


def _files(place: Path, other: list[Path | None]) -> list[tuple[Path, str]]:
    if not place.is_dir():
        return [(place, place.name)]
    left_out = {path.resolve() for path in other if path is not None}
    found = sorted(path for path in place.rglob("*.csv") if path.resolve() not in left_out)
    return [(path, path.relative_to(place).as_posix()) for path in found]


def _read(path: Path) -> Recording:
    from edge_agent.commissioning.backtesting.recording import read

    with path.open(encoding="utf-8", newline="") as lines:
        return read(str(path), lines)


def _judge(recording: Recording, learnt: Recording | None, asked: argparse.Namespace) -> list[float] | list[int]:
    """One value per row; what was learnt counts where it is of the same points."""
    from edge_agent.commissioning.backtesting.run import run

    of_same_points = learnt is not None and learnt.names == recording.names
    outcome = run(recording, learnt if of_same_points else None)
    if asked.score:
        scores: list[float] = outcome.score.tolist()
        return scores
    told: list[int] = (outcome.standing if asked.standing else outcome.raised).astype(int).tolist()
    return told
