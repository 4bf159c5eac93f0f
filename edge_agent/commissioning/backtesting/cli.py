"""``edge-agent backtest``: reads recordings, lets the detectors judge them, writes what they raised beside the times."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from edge_agent.commissioning.backtesting.recording import Recording
    from edge_agent.commissioning.backtesting.run import Outcome
    from edge_agent.commissioning.backtesting.scoring import Stretch

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

Exit status: 0 done, 2 a file has a mistake or cannot be written; then nothing was written.
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
        type=_rows,
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
        lines, table = _judged(arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _WRONG
    except OSError as error:
        print(f"edge-agent: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
        return _WRONG
    try:
        arguments.out.write_text("".join(lines), "utf-8")
    except OSError as error:
        print(f"edge-agent: {error.filename} cannot be written: {error.strerror}", file=sys.stderr)
        return _WRONG
    if table:
        print(table)
    return 0


def _judged(arguments: argparse.Namespace) -> tuple[list[str], str]:
    """The lines to write, and a table of what each detector found of the labels; empty without any."""
    from edge_agent.commissioning.backtesting.run import DETECTORS, run
    from edge_agent.commissioning.backtesting.scoring import Counts, count, table

    learnt = None if arguments.learn is None else _read(arguments.learn)
    files = _files(arguments.directory, [arguments.learn, arguments.out, arguments.labels])
    labels = None if arguments.labels is None else _labels(arguments.labels, {name for _, name in files})
    lines = [f"file,ts,{'score' if arguments.score else 'alarm'}\n"]
    counts = dict.fromkeys(DETECTORS, Counts())
    for path, name in files:
        recording = _read(path)
        outcomes = run(recording, learnt)
        values = _asked(outcomes["all"], arguments)
        for row, (time_s, value) in enumerate(zip(recording.time_s.tolist(), values, strict=True)):
            lines.append(f"{name},{time_s},{value if row >= arguments.skip_rows else 0}\n")
        if labels is not None:
            for detector, outcome in outcomes.items():
                counts[detector] += count(
                    recording, outcome.raised, labels.get(name, ()), first_row=arguments.skip_rows
                )  # fmt: skip
    return lines, "" if labels is None else table(counts)


def _labels(path: Path, names: set[str]) -> dict[str, list[Stretch]]:
    from contract.errors import ConfigError, Fault
    from edge_agent.commissioning.backtesting.scoring import read_labels

    with path.open(encoding="utf-8", newline="") as lines:
        labels = read_labels(str(path), lines)
    if unknown := sorted(labels.keys() - names):
        raise ConfigError([Fault(str(path), None, "file", f"no recording {unknown[0]!r}", "Name it as --out does")])
    return labels


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


def _asked(outcome: Outcome, asked: argparse.Namespace) -> list[float] | list[int]:
    """One value per row."""
    if asked.score:
        scores: list[float] = outcome.score.tolist()
        return scores
    told: list[int] = (outcome.standing if asked.standing else outcome.raised).astype(int).tolist()
    return told


def _rows(text: str) -> int:
    rows = int(text)
    if rows < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return rows
