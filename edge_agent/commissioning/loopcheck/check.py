"""One point's way through a loop check: answers and readings in, what to say and at last a record out. Pure.

::

    REFERENCE --a reference--> SETTLING --stands still, or time is up--> REFERENCE ... --d, f, s--> REMARKS --text--> DONE

A point passes when every shot passed: within tolerance, not BAD, and with the alarm that its set-points ask for; and when nothing
that its device's manual leaves open is left unaccepted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from contract.points import PointSpec, PointType
from edge_agent.commissioning.loopcheck.record import Record, Result, Shot, fingerprint
from edge_agent.commissioning.loopcheck.settling import Seen, Settling
from edge_agent.settings.model import OpenItem

USUAL_PCT: Final = (0.0, 50.0, 100.0)
TEXT_LENGTH_MAX: Final = 500
_REFERENCE: Final = re.compile(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)\s*(%?)\Z")
BEYOND: Final = 0.1
"""Of the range: a reference farther outside than transmitters go is more likely mistyped than applied."""
ALARM_SLACK_S: Final = 2.0
"""Beyond a set-point's delay, for the poll and the detector's next tick."""


class Stage(Enum):
    REFERENCE = "reference"
    SETTLING = "settling"
    REMARKS = "remarks"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Rules:
    """``tolerance_pct`` of span, ``settle_s`` for which a reading must stand still, ``wait_s`` until we ask what to do."""

    tolerance_pct: float = 1.0
    settle_s: float = 5.0
    wait_s: float = 60.0


@dataclass(frozen=True, slots=True)
class People:
    by: str
    witness: str = ""


class PointCheck:
    """``answer`` what a person types, ``see`` what the agent shows while SETTLING; ``stage`` says which is wanted."""

    def __init__(self, point: PointSpec, rules: Rules, people: People, unaccepted: Sequence[OpenItem] = ()) -> None:
        """``unaccepted``: what the manual leaves open of how the point is read; it cannot pass before somebody accepts it."""
        self.point = point
        self.stage = Stage.REFERENCE
        self.shots: list[Shot] = []
        self._rules = rules
        self._people = people
        self._unaccepted = unaccepted
        self._expected = math.nan
        self._doubted: float | None = None
        self._settling = Settling(0, 0, 0)
        self._applied_s = 0.0
        self._result = Result.SKIPPED
        self._reason = ""
        self._remarks = ""

    # -- what the person says ------------------------------------------------------------------------------------------

    @property
    def default(self) -> str:
        """What Enter stands for: the next of the usual references, then d; nothing where the point has no range yet to go by."""
        usual = [f"{each:g} %" for each in USUAL_PCT] if span(self.point) else []
        if self.point.type is PointType.BIT:
            usual = usual[::2]
        if len(self.shots) < len(usual):
            return usual[len(self.shots)]
        return "d" if self.shots else ""

    def answer(self, text: str, now_s: float) -> str:
        """Returns what to say; an answer that cannot be used changes nothing."""
        if self.stage is Stage.REMARKS:
            self._remarks = line(text)
            self.stage = Stage.DONE
            return ""
        assert self.stage is Stage.REFERENCE
        text = text.strip() or self.default
        doubted, self._doubted = self._doubted, None
        word, _, rest = text.partition(" ")
        if word in {"f", "s"}:
            return self._end_with(Result.FAILED if word == "f" else Result.SKIPPED, line(rest))
        if word == "d":
            return self._end()
        if word == "u":
            return self._undo()
        return self._apply(text, now_s, doubted)

    def _end_with(self, result: Result, reason: str) -> str:
        if not reason:
            return f"say why: {'f' if result is Result.FAILED else 's'} REASON"
        self._result, self._reason, self.stage = result, reason, Stage.REMARKS
        return ""

    def _end(self) -> str:
        if not self.shots:
            return "nothing was applied yet; s REASON skips the point"
        failed = [each for each in self.shots if not each.passed]
        if self._unaccepted and not failed:
            device, item = self._unaccepted[0].device, self._unaccepted[0].item
            return f"cannot pass while {item} is open: edge-agent accept DIR {device} {item} CHOICE; s REASON skips it till then"
        why = f"{len(failed)} of {len(self.shots)} references failed" if failed else ""
        self._result, self._reason = (Result.FAILED if failed else Result.PASSED), why
        self.stage = Stage.REMARKS
        return why

    def _undo(self) -> str:
        if not self.shots:
            return "there is nothing to take back"
        gone = self.shots.pop()
        return f"took back the reference {gone.expected:g}"

    def _apply(self, text: str, now_s: float, doubted: float | None) -> str:
        if not text:
            return "give a reference in the point's unit"
        shape = _REFERENCE.match(text)
        if shape is None:
            return f"'{text[:40]}' is no reference: a number in {self.point.unit}, or with % of the range"
        number, width = float(shape[1]), span(self.point)
        if shape[2]:
            if not width:
                return f"{self.point.tag} has no range in points.csv: give a value in {self.point.unit}"
            number = bounds(self.point)[0] + width * number / 100
        elif not width and number == 0:
            return "without a range the deviation is a share of the reference, so this cannot be 0"
        low, high = bounds(self.point)
        if width and number != doubted and not low - BEYOND * width <= number <= high + BEYOND * width:
            self._doubted = number
            return f"{number:g} {self.point.unit} is far outside the range {low:g} to {high:g}; type it again if it is applied"
        self._expected, self._applied_s, self.stage = number, now_s, Stage.SETTLING
        tolerance = self._basis() * self._rules.tolerance_pct / 100
        window_s = max(self._rules.settle_s, 2 * self.point.poll_s)
        self._settling = Settling(now_s, window_s, tolerance / 2 if self.point.type is not PointType.BIT else 0)
        return ""

    def _basis(self) -> float:
        """What 100 % of deviation is."""
        return span(self.point) or abs(self._expected)

    # -- what the agent shows ------------------------------------------------------------------------------------------

    @property
    def expected(self) -> float:
        return self._expected

    def see(self, seen: Seen, now_s: float, time_ns: int) -> Shot | None:
        """A shot once the reading stands still and the alarm that must come has come, or had its time."""
        self._settling.take(seen)
        mean = self._settling.mean
        if mean is None:
            return None
        wanted = alarm_at(self.point, self._expected)
        shown = _alarm_text(seen.conditions)
        if wanted and wanted not in shown.split(", ") and now_s - self._applied_s < self._alarm_wait_s(wanted):
            return None
        deviation_pct = (mean - self._expected) / self._basis() * 100
        close = abs(deviation_pct) <= self._rules.tolerance_pct + 1e-9
        alarmed = not wanted or wanted in shown.split(", ")
        shot = Shot(
            self._expected,
            mean,
            deviation_pct,
            seen.quality,
            wanted,
            shown,
            close and alarmed and not seen.is_bad,
            time_ns,
        )
        self.shots.append(shot)
        self.stage = Stage.REFERENCE
        return shot

    def _alarm_wait_s(self, wanted: str) -> float:
        limits = self.point.limits
        delay_s = limits.on_delay_2_s if wanted.endswith("2") else limits.on_delay_s
        return delay_s + self._rules.settle_s + ALARM_SLACK_S + 2 * self.point.poll_s

    def is_too_late(self, now_s: float) -> bool:
        """True when it has moved, or been away, for longer than it is worth waiting for."""
        wanted = alarm_at(self.point, self._expected)
        patience_s = max(self._rules.wait_s, self._alarm_wait_s(wanted) + self._rules.settle_s if wanted else 0)
        return self.stage is Stage.SETTLING and now_s - self._applied_s > patience_s

    def give_up(self) -> None:
        """Nothing is recorded of this reference; ask again."""
        self.stage = Stage.REFERENCE

    def record(self, time_ns: int) -> Record:
        assert self.stage is Stage.DONE
        return Record(
            self.point.tag, self._result, self._reason, self._remarks, self._people.by, self._people.witness,
            self._rules.tolerance_pct, time_ns, fingerprint(self.point), tuple(self.shots),
        )  # fmt: skip


def bounds(point: PointSpec) -> tuple[float, float]:
    """Both ends of the range; of a bit its two values."""
    if point.type is PointType.BIT:
        low, high = sorted((point.offset, point.offset + point.scale))
        return low, high
    return point.range_low, point.range_high


def span(point: PointSpec) -> float:
    """0 where the point has no range."""
    low, high = bounds(point)
    width = high - low
    return width if math.isfinite(width) else 0.0


def alarm_at(point: PointSpec, value: float) -> str:
    """The alarm that the set-points ask for at a value, as "high 2"; empty for none."""
    limits = point.limits
    for name, reached in (
        ("high 2", value >= limits.hh), ("low 2", value <= limits.ll), ("high 1", value >= limits.h),
        ("low 1", value <= limits.l),
    ):  # fmt: skip
        if reached:
            return name
    return ""


def _alarm_text(conditions: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{kind} {level}" for kind, level in sorted(conditions))


def line(text: str) -> str:
    """What a person typed, as one line that a sheet can hold."""
    flat = " ".join(text.split())
    return "".join(sign for sign in flat if sign.isprintable())[:TEXT_LENGTH_MAX]
