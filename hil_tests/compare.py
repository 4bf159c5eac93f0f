"""What was lost, doubled or put out of order on the way from the agents to the aggregator. Pure.

Both ends keep an independent ledger: one synced JSON line right after each commit, which no sender's counter takes part
in. Their texts come in here, three counts and the messages behind them come out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from contract.ids import Lane


class MessageKey(NamedTuple):
    """Identity of a durable message, and what it said."""

    agent: str
    epoch: str
    lane: Lane
    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Committed:
    """One line of a ledger. ``mono_ns`` was read right after the commit; ``samples`` is 0 for events."""

    key: MessageKey
    mono_ns: int
    samples: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers ``first`` to ``last`` that the agent declared on record as evicted or lost."""

    agent: str
    epoch: str
    lane: Lane
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """``lost``: committed by an agent, neither by the aggregator nor declared. ``duplicated``: once for each further copy.
    ``out_of_order``: committed by the aggregator after a later one of its stream."""

    lost: tuple[MessageKey, ...]
    duplicated: tuple[MessageKey, ...]
    out_of_order: tuple[MessageKey, ...]
    declared: int
    """Messages that are gone and were declared."""

    @property
    def whole(self) -> bool:
        return not (self.lost or self.duplicated or self.out_of_order)


def parse_ledger(text: str, agent: str | None = None) -> list[Committed]:
    """Every whole line of a ledger that may still be growing; ``agent`` for the agent's own, whose lines lack the name.

    Raises ValueError and KeyError for a foreign line.
    """
    *lines, _unfinished = text.split("\n")
    return [_parse_line(json.loads(line), agent) for line in lines]


def _parse_line(line: Mapping[str, Any], agent: str | None) -> Committed:
    name = line["agent"] if agent is None else agent
    key = MessageKey(name, line["epoch"], Lane(line["lane"]), int(line["seq"]), line["digest"])
    return Committed(key, int(line["mono_ns"]), int(line.get("samples") or 0))


def compare(sent: Iterable[Committed], received: Sequence[Committed], gaps: Sequence[Gap] = ()) -> Comparison:
    """``received`` stands in the order of the aggregator's commits. A message with another digest is another message."""
    arrived = {each.key for each in received}
    missing = sorted({each.key for each in sent} - arrived)
    lost = tuple(key for key in missing if not any(_covers(gap, key) for gap in gaps))
    return Comparison(lost, _duplicated(received), _out_of_order(received), len(missing) - len(lost))


def _covers(gap: Gap, key: MessageKey) -> bool:
    return (gap.agent, gap.epoch, gap.lane) == key[:3] and gap.first <= key.seq <= gap.last


def _duplicated(received: Sequence[Committed]) -> tuple[MessageKey, ...]:
    """A number committed twice is one too many, whatever its second copy says."""
    copies = Counter(each.key[:4] for each in received)
    last = {each.key[:4]: each.key for each in received}
    return tuple(last[number] for number, count in copies.items() for _ in range(count - 1))


def _out_of_order(received: Sequence[Committed]) -> tuple[MessageKey, ...]:
    latest: dict[tuple[str, str, Lane], int] = {}
    late = []
    for each in received:
        stream = each.key[:3]
        if each.key.seq < latest.get(stream, 0):
            late.append(each.key)
        latest[stream] = max(each.key.seq, latest.get(stream, 0))
    return tuple(late)
