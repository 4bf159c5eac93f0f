"""The sheet that is handed over as CSV, which a program can check; ``page`` makes the one for paper. Pure.

The CSV begins with ``#`` lines that say what was checked, by which agent and configuration; the hash is of its rows, and the
signature is the agent's over the head with that hash. A hash alone shows a slip, only the signature shows a change that was meant.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import rfc8785

from contract.keys import PublicKeys, SecretKeys
from contract.points import PointSpec
from edge_agent.commissioning.loopcheck.check import alarm_at, bounds
from edge_agent.commissioning.loopcheck.record import Record, Shot

COLUMNS: Final = (
    "tag", "description", "device", "unit", "range_low", "range_high", "ll", "l", "h", "hh", "expected", "seen",
    "deviation_pct", "tolerance_pct", "quality", "alarm_expected", "alarm_seen", "reference", "result", "reason", "by", "witness",
    "remarks", "time",
)  # fmt: skip
OPEN: Final = "open"
SIGNED_FOR: Final = b"parksentry loop check 1\n"
"""Before what is signed, so that no signature for another purpose is one of a sheet."""
_TEXTS: Final = frozenset({"tag", "description", "device", "reason", "by", "witness", "remarks"})
_FORMULA: Final = ("=", "+", "-", "@", "\t")
_SIGNATURE: Final = re.compile("[0-9a-f]{128}\\Z")
_KEY: Final = re.compile("[0-9a-f]{64}\\Z")
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Head:
    """What the rows are of. ``time_ns``: when the sheet was made."""

    agent: str
    config_hash: str
    software: str
    time_ns: int
    points: int
    passed: int
    failed: int
    skipped: int
    open: int

    def lines(self, rows: Sequence[Row]) -> dict[str, str]:
        """The head by key, all text, with the hash of the rows."""
        return {
            "sheet": "parksentry loop check 1",
            "agent": self.agent,
            "config_hash": self.config_hash,
            "software": self.software,
            "made": moment(self.time_ns),
            "points": f"{self.points} ({self.passed} passed, {self.failed} failed, {self.skipped} skipped, {self.open} open)",
            "rows_sha256": rows_hash(rows),
        }


class SheetError(ValueError):
    """A file that is no sheet; the text says why."""


def table(points: Sequence[PointSpec], records: Mapping[str, Record]) -> list[Row]:
    """A row for each reference, or one for a point without any."""
    return [row for point in points for row in _rows(point, records.get(point.tag))]


def _rows(point: PointSpec, record: Record | None) -> list[Row]:
    if record is None:
        return [_row(point, {"result": OPEN})]
    said = {
        "result": record.result.value, "reason": record.reason, "by": record.by, "witness": record.witness,
        "remarks": record.remarks, "tolerance_pct": number(record.tolerance_pct), "time": moment(record.time_ns),
    }  # fmt: skip
    return [_row(point, said | _shot(each)) for each in record.shots] or [_row(point, said)]


def _shot(shot: Shot) -> dict[str, str]:
    return {
        "expected": number(shot.expected), "seen": number(shot.seen), "deviation_pct": f"{shot.deviation_pct:.3f}",
        "quality": shot.quality, "alarm_expected": shot.alarm_expected, "alarm_seen": shot.alarm_seen,
        "reference": "passed" if shot.passed else "failed", "time": moment(shot.time_ns),
    }  # fmt: skip


def _row(point: PointSpec, said: Mapping[str, str]) -> Row:
    limits, (low, high) = point.limits, bounds(point)
    cells = {
        "tag": point.tag, "description": point.description, "device": point.device, "unit": point.unit,
        "range_low": number(low), "range_high": number(high), "ll": number(limits.ll), "l": number(limits.l),
        "h": number(limits.h), "hh": number(limits.hh), **said,
    }  # fmt: skip
    return [_cell(column, cells.get(column, "")) for column in COLUMNS]


def _cell(column: str, text: str) -> str:
    """No text that a person typed is a formula to the spreadsheet of another."""
    return "'" + text if column in _TEXTS and text.startswith(_FORMULA) else text


def rows_hash(rows: Sequence[Row]) -> str:
    return hashlib.sha256(rfc8785.dumps([list(row) for row in rows])).hexdigest()


def csv_text(head: Head, rows: Sequence[Row], keys: SecretKeys | None) -> str:
    """With a signature where there are keys."""
    lines = head.lines(rows)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows((f"#{key}", value) for key, value in (lines | signature_lines(lines, keys)).items())
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


def signature_lines(lines: Mapping[str, str], keys: SecretKeys | None) -> dict[str, str]:
    if keys is None:
        return {}
    return {"public_key": keys.public.ed25519_public.hex(), "signature": keys.sign(signed_bytes(lines)).hex()}


def signed_bytes(lines: Mapping[str, str]) -> bytes:
    return SIGNED_FOR + rfc8785.dumps(dict(lines))


@dataclass(frozen=True, slots=True)
class Verdict:
    """``good`` needs whole rows and a signature that holds; ``words`` for the person."""

    good: bool
    words: str


def verify(text: str, trusted: PublicKeys | None) -> Verdict:
    """Whether a sheet is as it was signed. Without a ``trusted`` key only that it is whole can be said.

    Raises SheetError for what is no sheet.
    """
    lines, rows = _parse(text)
    signature, shown_key = lines.pop("signature", ""), lines.pop("public_key", "")
    if lines.get("rows_sha256") != rows_hash(rows):
        return Verdict(good=False, words="CHANGED: the rows are not those that the sheet was made of")
    if not signature:
        return Verdict(good=False, words="the rows are whole, but the sheet is not signed")
    if not (_SIGNATURE.match(signature) and _KEY.match(shown_key)):
        raise SheetError("signature or key is damaged")
    given, key = bytes.fromhex(signature), bytes.fromhex(shown_key)
    if not PublicKeys("sheet", b"", key).verify(given, signed_bytes(lines)):
        return Verdict(good=False, words="CHANGED: the signature does not fit the sheet")
    if trusted is None:
        words = f"whole and signed by the key {shown_key}; give the agent's folder to know that it is the agent's"
        return Verdict(good=False, words=words)
    if trusted.ed25519_public != key:
        return Verdict(good=False, words=f"signed by another key than that of {trusted.name}")
    return Verdict(good=True, words=f"good: whole, and signed by {trusted.name}; {lines.get('points', '')}")


def _parse(text: str) -> tuple[dict[str, str], list[Row]]:
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise SheetError(f"the file is no CSV ({error})") from error
    count = next((i for i, row in enumerate(found) if not (row and row[0].startswith("#"))), len(found))
    head, rest = found[:count], found[count:]
    if not rest or tuple(rest[0]) != COLUMNS or any(len(row) != 2 for row in head):
        raise SheetError("the file is no sheet of a loop check; give the .csv")
    lines = {row[0][1:]: row[1] for row in head}
    if len(lines) != len(head):
        raise SheetError("a line of the head is there twice")
    return lines, list(rest[1:])


def number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.7g}"


def moment(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def set_points(point: PointSpec) -> str:
    """In words, with the alarm at each."""
    limits = point.limits
    given = [("LL", limits.ll), ("L", limits.l), ("H", limits.h), ("HH", limits.hh)]
    texts = [f"{name} {value:g} ({alarm_at(point, value)})" for name, value in given if not math.isnan(value)]
    return ", ".join(texts) or "none"
