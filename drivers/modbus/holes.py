"""What a device refuses to give (exceptions 02 and 03), learned from its answers. Pure.

``unit`` brings refusals and answers in; ``planner`` is told what to leave out. A block that is refused is halved in the same
turn until the places that are refused alone are found, so that good points stay good. What is learned is one of three:

- a place that is refused alone: its points are BAD_CONFIG and are not asked for;
- a gap that must not be read across: two neighbours are given, but not what lies between them;
- a longest length: two neighbours without a gap are given, but not both at once.

Each is tried again, after a minute at first, the wait doubling up to a day, since devices are repaired and extended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from contract.clock import NS_PER_S
from drivers.modbus.address import ADDRESS_SPACE, ModbusAddress, Table
from drivers.modbus.planner import ReadRequest, Span, halves

RETRY_FIRST_NS: Final = 60 * NS_PER_S
"""Short, since a device that refuses everything while it starts must not be believed for hours."""
RETRY_MAX_NS: Final = 24 * 3600 * NS_PER_S
EXTRA_REQUESTS_MAX: Final = 24
"""Spent on halving in one turn; enough to find one hole in the longest block, 2000 bits, which takes 22."""
SPANS_MAX: Final = 4096
"""Remembered per device."""
_DOUBLINGS_MAX: Final = 16


@dataclass(slots=True)
class _Known:
    """``number`` is the exception's code, of a length the length. ``on_trial``: believed no more, unless seen again."""

    number: int
    tries: int
    retry_mono_ns: int
    on_trial: bool = False

    def seen_again(self, number: int, mono_ns: int) -> None:
        self.number = number
        self.tries = min(self.tries + 1, _DOUBLINGS_MAX)
        self.retry_mono_ns = mono_ns + min(RETRY_FIRST_NS * 2**self.tries, RETRY_MAX_NS)
        self.on_trial = False


class Holes:
    """What is known of one device. Times are monotonic."""

    def __init__(self) -> None:
        self._spans: dict[Span, _Known] = {}
        self._lengths: dict[Table, _Known] = {}

    @property
    def spans(self) -> AbstractSet[Span]:
        """Spans that no request may hold whole."""
        return self._spans.keys()

    @property
    def lengths(self) -> dict[Table, int]:
        """The longest request of a table, where that is less than the settings say."""
        return {table: known.number for table, known in self._lengths.items() if not known.on_trial}

    def code(self, span: Span) -> int | None:
        """The exception that a span got, None for one that is not known."""
        known = self._spans.get(span)
        return known.number if known else None

    def refuse(self, span: Span, code: int, mono_ns: int) -> bool:
        """The span was refused, and no part of it is known to be why. True where that is news.

        What is asked for in every turn, so that the device is heard, is none before its time: it would be written to disk in
        every turn.
        """
        known = self._spans.get(span)
        if known is None:
            if len(self._spans) >= SPANS_MAX:
                return False
            self._spans[span] = _Known(code, 0, mono_ns + RETRY_FIRST_NS)
        elif code != known.number or mono_ns >= known.retry_mono_ns:
            known.seen_again(code, mono_ns)
        else:
            return False
        return True

    def shorten(self, table: Table, length: int, mono_ns: int) -> None:
        """No request of the table may be longer."""
        known = self._lengths.get(table)
        if known is None:
            self._lengths[table] = _Known(length, 0, mono_ns + RETRY_FIRST_NS)
        else:
            known.seen_again(length if known.on_trial else min(length, known.number), mono_ns)

    def given(self, span: Span) -> bool:
        """The span was given. True where it was believed refused: the device has changed, and all is forgotten."""
        if span not in self._spans:
            return False
        self._spans.clear()
        self._lengths.clear()
        return True

    def due(self, mono_ns: int) -> Span | None:
        """A span whose time to be asked for again has come."""
        if not self._spans:
            return None
        return next((span for span, known in self._spans.items() if mono_ns >= known.retry_mono_ns), None)

    def put_on_trial(self, mono_ns: int) -> bool:
        """Lengths whose time has come are believed no more. True where there was one."""
        if not self._lengths:
            return False
        due = [known for known in self._lengths.values() if not known.on_trial and mono_ns >= known.retry_mono_ns]
        for known in due:
            known.on_trial = True
        return bool(due)

    def in_words(self, wanted: Collection[Span]) -> tuple[str, ...]:
        """``wanted`` are the spans of what is configured: a gap that is read around costs no point, so it is not told."""
        words = [
            f"{span}: refused with exception {known.number:02X}"
            for span, known in sorted(self._spans.items())
            if span in wanted
        ]
        return (*words, *(f"{table}: at most {length} at once" for table, length in sorted(self.lengths.items())))

    def to_json(self) -> dict[str, Any]:
        return {
            "refused": [[s.table, s.start, s.count, known.number, known.tries] for s, known in self._spans.items()],
            "lengths": [[table, known.number, known.tries] for table, known in self._lengths.items()],
        }

    @staticmethod
    def from_json(data: Any, mono_ns: int) -> Holes:
        """What ``to_json`` gave; each is tried again soon, since a restart may follow a repair. Raises ValueError."""
        holes = Holes()
        retry_mono_ns = mono_ns + RETRY_FIRST_NS
        try:
            for table, start, count, code, tries in data["refused"][:SPANS_MAX]:
                span = Span(Table(table), _whole(ADDRESS_SPACE, start), _whole(ADDRESS_SPACE, count))
                if not 0 < span.count <= ADDRESS_SPACE - span.start:
                    raise ValueError(f"{span} is no span")
                holes._spans[span] = _Known(_whole(255, code), _whole(_DOUBLINGS_MAX, tries), retry_mono_ns)
            for table, length, tries in data["lengths"]:
                known = _Known(max(_whole(ADDRESS_SPACE, length), 1), _whole(_DOUBLINGS_MAX, tries), retry_mono_ns)
                holes._lengths[Table(table)] = known
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no memory of holes: {error!r}") from error
        return holes


def _whole(most: int, number: object) -> int:
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError(f"{number!r} is no whole number from 0 to {most}")
    return number


class Search:
    """The halving of refused blocks within one turn."""

    def __init__(self, holes: Holes, addresses: Sequence[ModbusAddress]) -> None:
        self._holes = holes
        self._addresses = addresses
        self._whole_of: dict[Span, tuple[ReadRequest, ReadRequest, ReadRequest]] = {}
        self._given: set[Span] = set()
        self.extra_requests = 0
        self.learned = False

    def refused(self, request: ReadRequest, code: int, mono_ns: int) -> tuple[ReadRequest, ...]:
        """What to ask instead, at once and in this order; empty where the request cannot be halved, or the turn has spent
        what it may on this."""
        parts = halves(request, self._addresses)
        if parts is None:
            self.learned |= self._holes.refuse(request.span, code, mono_ns)
            return ()
        if self.extra_requests + 2 > EXTRA_REQUESTS_MAX:
            return ()
        self.extra_requests += 2
        for part in parts:
            self._whole_of[part.span] = (request, *parts)
        return parts

    def given(self, request: ReadRequest, mono_ns: int) -> None:
        """A request was answered with values. Where both halves of a refused one were, what joins them is to blame."""
        if not self._whole_of and not self._holes.spans:
            return
        self._given.add(request.span)
        self.learned |= self._holes.given(request.span)
        if request.span not in self._whole_of:
            return
        whole, left, right = self._whole_of[request.span]
        if left.span not in self._given or right.span not in self._given:
            return
        self.learned = True
        if left.span.end < right.start:
            joint = Span(whole.table, left.span.end - 1, right.start - left.span.end + 2)
            self._holes.refuse(joint, 2, mono_ns)
        else:
            self._holes.shorten(whole.table, max(left.count, right.count), mono_ns)
