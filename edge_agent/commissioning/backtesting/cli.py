"""``edge-agent backtest``: reads recordings, lets the group model judge them, writes its alarms beside the times."""

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
Each CSV file below DIR (ts,NAME...; seconds; an empty field is a missing value) is taken as one group of points that belong together,
judged row by row as it would have been live, with the settings that run on a gateway. Files with one point have no group and get
no alarm. A recording that is known to be without trouble is learnt from first with --learn.

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
    parser.add_argument("--score", action="store_true", help="write scores instead of alarms")
    parser.set_defaults(command=_backtest)


def _backtest(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError

    try:
        lines = list(_lines(arguments))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _WRONG
    except OSError as error:
        print(f"edge-agent: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
        return _WRONG
    arguments.out.write_text("".join(lines), "utf-8")
    return 0


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    learnt = None if arguments.learn is None else _read(arguments.learn)
    yield f"file,ts,{'score' if arguments.score else 'alarm'}\n"
    for path, name in _files(arguments.directory, [arguments.learn, arguments.out]):
        recording = _read(path)
        values = _judge(recording, learnt, score=arguments.score)
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


def _judge(recording: Recording, learnt: Recording | None, *, score: bool) -> list[float] | list[int]:
    """One value per row; what was learnt counts where it is of the same points."""
    from edge_agent.detect.groups import MEMBERS_MAX, GroupModel

    members = len(recording.names)
    if not 1 < members <= MEMBERS_MAX:
        return [0] * len(recording.time_s)
    model = GroupModel(members, recording.scan_s())
    if learnt is not None and learnt.names == recording.names:
        model.judge(learnt.scans, learning=True)
    judged = model.judge(recording.scans)
    values: list[float] | list[int] = (judged.score if score else judged.standing.astype(int)).tolist()
    return values
