"""What a person is told of an import: points and set-points, columns, what was passed over, mended and assumed, what changes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from edge_agent.commissioning.importing.alarms import missing
from edge_agent.commissioning.importing.attempt import Attempt
from edge_agent.commissioning.importing.mapping import IGNORE
from edge_agent.commissioning.importing.reading import LIMITS, Reading

_PLACES_SHOWN = 5
_CHANGES_SHOWN = 40


def understood(done: Attempt) -> Iterator[str]:
    """Where the list was found and which columns were taken. Told before faults, too."""
    if done.grid is None or done.reading is None:
        return
    header = done.reading.header
    sheet = f" sheet {done.grid.sheet}," if done.grid.sheet else ""
    rows = f"row {header.first}" if header.first == header.last else f"rows {header.first} to {header.last}"
    yield f"{done.grid.file}:{sheet} header in {rows}"
    yield from (f"  {remark}" for remark in done.grid.remarks)
    taken = [f"{each.heading} -> {each.field}" for each in header.columns if each.field and each.field != IGNORE]
    ignored = [each.heading for each in header.columns if not each.field or each.field == IGNORE]
    yield f"columns taken: {'; '.join(taken)}"
    if ignored:
        yield f"columns ignored: {'; '.join(ignored)}"


def summary(done: Attempt) -> Iterator[str]:
    """The result of a good import."""
    assert done.reading is not None
    rows = done.reading.rows
    by_device = Counter(row.get("device", "?") for row in rows.values())
    yield f"{len(rows)} points: " + ", ".join(f"{count} of {device}" for device, count in sorted(by_device.items()))
    counts = {name: sum(name in row for row in rows.values()) for name in LIMITS}
    silent = sum(not any(name in row for name in LIMITS) for row in rows.values())
    limits = ", ".join(f"{count} {name}" for name, count in counts.items())
    yield f"set-points: {limits}; {silent} points have none"
    yield from _missing(rows)
    yield from done.doubts
    yield from notes(done.reading)


def notes(reading: Reading) -> Iterator[str]:
    """What was passed over, mended and assumed, with the first places of each."""
    for each in reading.passed_over:
        yield f"passed over row {each.row} ({each.why}): {each.text}"
    for text, places in reading.notes.items():
        yield f"assumed: {text}" + (f" ({_shown(places)})" if places else "")
    if not any("poll_s" in row for row in reading.rows.values()):
        yield "assumed: every point is read once a second (no column for that; [defaults] poll_s in the mapping)"


def _missing(rows: Mapping[int, Mapping[str, str]]) -> Iterator[str]:
    lacking: dict[str, list[str]] = {}
    for number, row in rows.items():
        if why := missing(row):
            lacking.setdefault(why, []).append(f"{row['tag']} in row {number}")
    for why, places in lacking.items():
        yield f"LOOK: {why}: {_shown(places)}"


def _shown(places: Sequence[str]) -> str:
    more = len(places) - _PLACES_SHOWN
    return ", ".join(places[:_PLACES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def difference(old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Rows by tag against rows by tag: what comes, goes and changes."""
    lines = [f"- {tag}" for tag in old if tag not in new] + [f"+ {tag}" for tag in new if tag not in old]
    for tag in (tag for tag in new if tag in old):
        columns = sorted({*old[tag], *new[tag]})
        pairs = [(column, old[tag].get(column) or "empty", new[tag].get(column) or "empty") for column in columns]
        if changes := [f"{column} {before} -> {after}" for column, before, after in pairs if before != after]:
            lines.append(f"~ {tag}: {', '.join(changes)}")
    if len(lines) > _CHANGES_SHOWN:
        return [*lines[:_CHANGES_SHOWN], f"... and {len(lines) - _CHANGES_SHOWN} more"]
    return lines or ["no difference"]
