"""What a device served, and when: the truth that every comparison of the rig starts from.

One line of text per request, change of a node, marker change and command, in order of time; ``mono_ns`` is this host's monotonic clock,
the same for every process on it. A line is written whole, and before the reply leaves: a killed device may have written
down a reply that nobody got, never the reverse.

::

    mono_ns,TABLE,address,count,HEX         served: four hex digits per register, one per bit
    mono_ns,TABLE,address,count,!02         refused with this Modbus exception
    mono_ns,TABLE,address,count,silent      read and not answered
    mono_ns,value,NAME,VALUE,STATUS         a node of an OPC UA device shows this from now on; status in eight hex digits
    mono_ns,marker,NAME,NUMBER              a counter changed; mono_ns is the exact moment it was due
    mono_ns,command,TEXT                    a command took effect
    mono_ns,function,NUMBER,HEX             asked for something else than a reading function, and refused; the PDU in hex
    mono_ns,mischief,KIND KIND ...          done to the reply of the line before
    mono_ns,sessions,NUMBER                 so many sessions are open at an OPC UA device from now on
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from hil_tests.rig.registers import Table


class RowKind(StrEnum):
    SERVED = "served"
    REFUSED = "refused"
    SILENT = "silent"
    VALUE = "value"
    MARKER = "marker"
    COMMAND = "command"
    FUNCTION = "function"
    MISCHIEF = "mischief"
    SESSIONS = "sessions"


FUNCTIONS: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
"""The reading functions, and what they read."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line. ``table``, ``address``, ``count`` belong to requests; ``words`` to SERVED; ``code`` to REFUSED;
    ``name`` to VALUE and MARKER, ``value`` and ``status`` to VALUE, ``number`` to MARKER, FUNCTION and SESSIONS; ``text``
    to COMMAND, MISCHIEF and FUNCTION."""

    mono_ns: int
    kind: RowKind
    table: Table | None = None
    address: int = 0
    count: int = 0
    words: tuple[int, ...] = ()
    code: int = 0
    name: str = ""
    number: int = 0
    value: float = 0.0
    status: int = 0
    text: str = ""

    def word(self, table: Table, address: int) -> int | None:
        """The register or bit served at an address, None where this row did not serve it."""
        if self.kind is not RowKind.SERVED or self.table is not table:
            return None
        index = address - self.address
        return self.words[index] if 0 <= index < self.count else None


def functions_asked(rows: Iterable[LedgerRow]) -> Counter[int]:
    """How often each Modbus function was asked for."""
    numbers = {table: number for number, table in FUNCTIONS.items()}
    asked: Counter[int] = Counter()
    for row in rows:
        if row.kind is RowKind.FUNCTION:
            asked[row.number] += 1
        elif row.table is not None:
            asked[numbers[row.table]] += 1
    return asked


class LedgerWriter:
    """Writes a ledger anew, each row with one write to the operating system. Raises OSError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def served(self, mono_ns: int, table: Table, address: int, words: Sequence[int]) -> None:
        form = "01x" if table.holds_bits else "04x"
        self._write(f"{mono_ns},{table},{address},{len(words)},{''.join(format(word, form) for word in words)}")

    def refused(self, mono_ns: int, table: Table, address: int, count: int, code: int) -> None:
        self._write(f"{mono_ns},{table},{address},{count},!{code:02x}")

    def silent(self, mono_ns: int, table: Table, address: int, count: int) -> None:
        self._write(f"{mono_ns},{table},{address},{count},silent")

    def value(self, mono_ns: int, name: str, value: float, status: int) -> None:
        self._write(f"{mono_ns},value,{name},{value!r},{status:08x}")

    def marker(self, mono_ns: int, name: str, number: int) -> None:
        self._write(f"{mono_ns},marker,{name},{number}")

    def command(self, mono_ns: int, text: str) -> None:
        self._write(f"{mono_ns},command,{' '.join(text.split())}")

    def function(self, mono_ns: int, function: int, pdu: bytes) -> None:
        self._write(f"{mono_ns},function,{function},{pdu.hex()}")

    def mischief(self, mono_ns: int, kinds: Sequence[str]) -> None:
        self._write(f"{mono_ns},mischief,{' '.join(kinds)}")

    def sessions(self, mono_ns: int, number: int) -> None:
        self._write(f"{mono_ns},sessions,{number}")

    def close(self) -> None:
        self._file.close()

    def _write(self, line: str) -> None:
        data = line.encode() + b"\n"
        if self._file.write(data) != len(data):
            raise OSError(f"ledger {self._file.name}: a line was written in part")


def read_ledger(path: Path) -> list[LedgerRow]:
    """Every whole line of a ledger that may still be growing. Raises OSError, and ValueError for a foreign line."""
    *lines, _unfinished = path.read_text(encoding="utf-8").split("\n")
    return [parse_row(line) for line in lines]


def parse_row(line: str) -> LedgerRow:
    """Raises ValueError for a line that no LedgerWriter wrote."""
    stamp, word, rest = line.split(",", 2)
    mono_ns = int(stamp)
    match word:
        case "command" | "mischief":
            return LedgerRow(mono_ns, RowKind(word), text=rest)
        case "function":
            function, pdu = rest.split(",")
            return LedgerRow(mono_ns, RowKind.FUNCTION, number=int(function), text=pdu)
        case "sessions":
            return LedgerRow(mono_ns, RowKind.SESSIONS, number=int(rest))
        case "value":
            name, value, status = rest.split(",")
            return LedgerRow(mono_ns, RowKind.VALUE, name=name, value=float(value), status=int(status, 16))
        case "marker":
            name, number = rest.split(",")
            return LedgerRow(mono_ns, RowKind.MARKER, name=name, number=int(number))
    return _parse_request(mono_ns, Table(word), rest)


def _parse_request(mono_ns: int, table: Table, rest: str) -> LedgerRow:
    address, count, answer = rest.split(",")
    place = (table, int(address), int(count))
    if answer == RowKind.SILENT:
        return LedgerRow(mono_ns, RowKind.SILENT, *place)
    if answer.startswith("!"):
        return LedgerRow(mono_ns, RowKind.REFUSED, *place, code=int(answer[1:], 16))
    digits = 1 if table.holds_bits else 4
    words = tuple(int(answer[i : i + digits], 16) for i in range(0, len(answer), digits))
    if len(words) != int(count):
        raise ValueError(f"{count} values announced, {len(words)} given")
    return LedgerRow(mono_ns, RowKind.SERVED, *place, words)
