"""The runner behind ``make bench``: runs each part, prints a table and writes the rows as JSON.

A missed goal is shown and is no failure: machines differ, and a figure nobody may print is a figure nobody knows. A
part that cannot run is a failure. Rows come from ``benchmarks.<part>.run()``; a part is imported only when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

PARTS: Final[Mapping[str, str]] = {
    "codec": "benchmarks.codec",
    "detection": "benchmarks.detection",
    "drivers": "benchmarks.drivers",
    "latency": "benchmarks.latency",
    "opcua": "benchmarks.opcua",
    "pages": "benchmarks.pages",
    "polling": "benchmarks.polling",
    "start": "benchmarks.start",
}
KEYS: Final = ("name", "value", "unit", "reference", "goal", "met")
"""Keys of a row, in order. ``value`` and ``goal`` are a number or None, ``met`` is a bool or None where no goal is set,
``reference`` says in words what the value is measured against."""

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None, parts: Mapping[str, str] = PARTS) -> int:
    """Exit status: 0 when every part ran, 1 when one failed, 2 for an unknown part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure what is promised.")
    parser.add_argument("--only", metavar="PART", help=f"run one part: {', '.join(parts)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the rows as a JSON list")
    chosen = parser.parse_args(arguments)
    if chosen.only is not None and chosen.only not in parts:
        print(f"no part {chosen.only!r}; there are: {', '.join(parts)}", file=sys.stderr)
        return 2
    rows, failed = measure({name: parts[name] for name in ([chosen.only] if chosen.only else parts)})
    print(table(rows))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if failed:
        print(f"failed to run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def measure(parts: Mapping[str, str]) -> tuple[list[Row], list[str]]:
    """The rows of all parts and the names of those that failed; one that fails does not stop the next."""
    rows: list[Row] = []
    failed: list[str] = []
    for part, module in parts.items():
        print(f"measuring {part} ...", file=sys.stderr, flush=True)
        try:
            rows += [checked(row) for row in importlib.import_module(module).run()]
        except Exception:  # noqa: BLE001 - whatever it was, it is shown, counted, and the other parts still run
            traceback.print_exc()
            failed.append(part)
    return rows, failed


def checked(row: Row) -> Row:
    """The row with its keys in order. Raises ValueError for missing or unknown keys."""
    if set(row) != set(KEYS):
        raise ValueError(f"row {row.get('name')!r} has the keys {sorted(row)}, not {sorted(KEYS)}")
    return {key: row[key] for key in KEYS}


def table(rows: Sequence[Row]) -> str:
    """Rows as aligned text, numbers to the right."""
    lines = [KEYS, *([shown(row[key]) for key in KEYS] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(KEYS))]
    return "\n".join(aligned(line, widths) for line in lines)


def aligned(cells: Iterable[str], widths: Sequence[int]) -> str:
    numeric = (key in {"value", "goal"} for key in KEYS)
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(padded).rstrip()


def shown(cell: object) -> str:
    match cell:
        case None:
            return "-"
        case bool():
            return "yes" if cell else "NO"
        case float():
            return f"{cell:.4g}"
        case _:
            return str(cell)


if __name__ == "__main__":
    sys.exit(main())
