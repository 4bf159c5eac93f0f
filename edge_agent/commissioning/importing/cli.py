"""``edge-agent import``: the terminal side. Exit status 0 done, 1 the disk or a list that is there refuses, 2 wrong input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contract.errors import Fault
    from edge_agent.commissioning.importing.attempt import Attempt
    from edge_agent.commissioning.importing.grid import Grid
    from edge_agent.commissioning.importing.mapping import Mapping, Question

EXIT_FAILED: Final = 1
EXIT_INPUT: Final = 2
ROUNDS_MAX: Final = 20
"""An answer may raise another question, but not for ever."""

_ABOUT: Final = """\
Makes points.csv of an I/O list as the plant keeps it: .xlsx or .csv, headings in Chinese or English, in any order, merged cells,
titles above and remarks below. Every mistake is told at once by the row and column of the list; nothing is written then. What the
list does not say is asked, and kept in a mapping file, with which the same list is imported without a question.
"""
_EXAMPLES: Final = """\
examples:
  edge-agent import IO-list.xlsx --out /etc/parksentry/site-a --dry-run    what would become of it
  edge-agent import IO-list.xlsx --out /etc/parksentry/site-a              asks what is open, writes points.csv
  edge-agent import IO-list.xlsx --sheet DI --out /etc/parksentry/site-a --append
  edge-agent import IO-list-rev2.xlsx --mapping IO-list.mapping.toml --out /etc/parksentry/site-a --replace

Afterwards: edge-agent check /etc/parksentry/site-a. How lists may look and what the mapping holds:
docs/how-to/import-an-io-list.md.
"""


def add(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "import", help="make points.csv of an I/O list as the plant keeps it", description=_ABOUT, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(command=_import)
    parser.add_argument("list", type=Path, metavar="LIST", help="the .xlsx or .csv file")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the agent's folder, where points.csv goes"
    )
    parser.add_argument("--sheet", metavar="NAME", help="of the workbook; else the one that looks like an I/O list")
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE", help="what the list does not say (LIST.mapping.toml beside the list)"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell everything, write nothing")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--replace", action="store_true", help="replace a points.csv that is there; shows the difference"
    )
    existing.add_argument("--append", action="store_true", help="add the points to those that are there")


def _import(arguments: argparse.Namespace) -> int:
    from contract.errors import ConfigError
    from edge_agent.commissioning.importing.folder import read_answers, read_file

    mapping_file = arguments.mapping or arguments.list.with_suffix(".mapping.toml")
    try:
        mapping = read_answers(mapping_file)
        if arguments.sheet:
            mapping = replace(mapping, sheet=arguments.sheet)
        grids = read_file(arguments.list, arguments.sheet)
        done = _attempts(grids, mapping, mapping_file, arguments)
        return EXIT_INPUT if done is None else _write(done, arguments)
    except ConfigError as error:
        return _refuse(error.faults)
    except OSError as error:
        where = error.filename or arguments.out
        print(
            f"edge-agent: {where} cannot be written: {error.strerror or error}. {_remedy(arguments)}", file=sys.stderr
        )
        return EXIT_FAILED


def _remedy(arguments: argparse.Namespace) -> str:
    if arguments.out.exists() and not arguments.out.is_dir():
        return f"Give --out the folder: {arguments.out.parent}"
    return "Give --out a folder, and --mapping a file, that you may write to"


def _attempts(
    grids: Sequence[Grid], mapping: Mapping, mapping_file: Path, arguments: argparse.Namespace
) -> Attempt | None:
    """Attempts until nothing is open any more; None where the list is refused, which has been told then."""
    from edge_agent.commissioning.importing.attempt import attempt
    from edge_agent.commissioning.importing.folder import read_site, write_answers
    from edge_agent.commissioning.importing.summary import understood

    site, surroundings = read_site(arguments.out)
    for _ in range(ROUNDS_MAX):
        done = attempt(grids, mapping, site, surroundings)
        if not done.questions or not (sys.stdin.isatty() and sys.stdout.isatty()):
            break
        answers: list[tuple[Question, str]] = []
        try:
            _ask_all(done.questions, answers)
        finally:  # Ctrl-C takes back no answer that was given
            if answers and not arguments.dry_run:
                write_answers(mapping_file, answers)
                print(f"kept in {mapping_file}")
        for question, value in answers:
            mapping = mapping.with_answer(question, value)
        if len(answers) < len(done.questions):
            done = attempt(grids, mapping, site, surroundings)
            break
    for line in understood(done):
        print(line)
    if done.faults or done.questions:
        _refuse(done.faults, done.questions, mapping_file)
        return None
    return done


def _ask_all(questions: Sequence[Question], answers: list[tuple[Question, str]]) -> None:
    """Adds answers in the order of the questions; fewer where the person ended the input. Raises KeyboardInterrupt."""
    try:
        for question in questions:
            answers.append((question, _ask(question)))  # noqa: PERF401 - those before Ctrl-C count
    except EOFError:
        print()
    except KeyboardInterrupt:
        print("\nstopped: no points were written; the same command asks what is still open")
        raise


def _ask(question: Question) -> str:
    print(f"\n{question.text}")
    for number, (value, words) in enumerate(question.choices, 1):
        print(f"  {number}  {words}" + ("   (default)" if value == question.default else ""))
    what = "number" if question.choices else "answer"
    what += " or another answer" if question.choices and question.free else ""
    while True:
        given = input(f"{what}{f' [{question.default}]' if question.default else ''}: ").strip()
        if not given and question.default:
            return question.default
        values = [value for value, _ in question.choices]
        if given.isdecimal() and 1 <= int(given) <= len(values):
            return values[int(given) - 1]
        if given in values or (given and question.free):
            return given
        print(f"  give a number from 1 to {len(values)}" if values else "  give an answer")


def _write(done: Attempt, arguments: argparse.Namespace) -> int:
    from edge_agent.commissioning.importing.folder import present_rows
    from edge_agent.commissioning.importing.summary import difference, summary
    from edge_agent.settings.io_list import POINTS_FILE
    from edge_agent.settings.points_file import append_points, write_points

    assert done.reading is not None
    for line in summary(done):
        print(line)
    rows = list(done.reading.rows.values())
    path = arguments.out / POINTS_FILE
    present = present_rows(arguments.out)
    if present is not None and not arguments.append:
        print(f"{path} is there; against it:")
        for line in difference(present, {row["tag"]: row for row in rows}):
            print(f"  {line}")
    is_refused = present is not None and not (arguments.replace or arguments.append)
    if arguments.dry_run:
        print("dry run: nothing was written" + ("; to write it needs --replace or --append" if is_refused else ""))
        return 0
    if is_refused:
        print("nothing was written: --replace puts this list in its place, --append adds to it", file=sys.stderr)
        return EXIT_FAILED
    arguments.out.mkdir(parents=True, exist_ok=True)
    (append_points if arguments.append else write_points)(path, rows)
    print(f"wrote {len(rows)} points to {path}; now: edge-agent check {arguments.out}")
    return 0


def _refuse(faults: Sequence[Fault], questions: Sequence[Question] = (), mapping_file: Path | None = None) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    for question in questions:
        values = ", ".join(value for value, _ in question.choices) + (", or another" if question.free else "")
        print(
            f"open: {question.text}\n  put into {mapping_file}: {question.line}   # one of: {values}", file=sys.stderr
        )
    counts = [(len(faults), "fault"), (len(questions), "open question")]
    said = " and ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    print(f"{said}; nothing was written", file=sys.stderr)
    return EXIT_INPUT
