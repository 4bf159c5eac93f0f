"""The rig's Modbus device read by mbpoll: what our own drivers are tested against is Modbus to others, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hil_tests.rig.ledger import RowKind
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import parse_site

REGISTERS: tuple[tuple[str, str, int, str, str, float], ...] = (
    ("count", "holding", 0, "uint16", "ABCD", 48_879),
    ("below", "holding", 1, "int16", "ABCD", -12_345),
    ("whole", "holding", 2, "int32", "ABCD", -1_234_567_890),
    ("words", "holding", 4, "int32", "CDAB", -1_234_567_890),
    ("gas", "holding", 6, "float32", "ABCD", 20.5),
    ("swapped", "holding", 8, "float32", "CDAB", 20.5),
    ("level", "input", 3, "uint16", "ABCD", 777),
    ("open", "coil", 5, "bit", "ABCD", 1),
    ("alarm", "discrete", 6, "bit", "ABCD", 1),
)

Read = Callable[..., dict[int, str]]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    registers = [
        {"name": name, "table": table, "address": address, "type": type_, "signal": {"kind": "constant", "value": value}}
        | ({} if type_ == "bit" else {"order": order})
        for name, table, address, type_, order, value in REGISTERS
    ]  # fmt: skip
    device: dict[str, Any] = {"name": "plc", "kind": "modbus", "port": 0, "unit": 3, "register": registers}
    with Rig(parse_site({"device": [device]}, tmp_path / "site.toml"), tmp_path) as started:
        yield started


def test_numbers_bits_and_words_are_what_the_site_says(rig: Rig, mbpoll: Read) -> None:
    port = rig.ports["plc"]
    assert mbpoll(port, "4:int", 2, 1, "-B", unit=3) == {2: "-1234567890"}
    assert mbpoll(port, "4:int", 4, 1, unit=3) == {4: "-1234567890"}
    assert mbpoll(port, "4:float", 6, 1, "-B", unit=3) == {6: "20.5"}
    assert mbpoll(port, "4:float", 8, 1, unit=3) == {8: "20.5"}
    words = [0xBEEF, 0xCFC7, 0xB669, 0xFD2E, 0xFD2E, 0xB669, 0x41A4, 0x0000, 0x0000, 0x41A4]
    assert mbpoll(port, "4:hex", 0, 10, unit=3) == {place: f"0x{word:04X}" for place, word in enumerate(words)}
    assert mbpoll(port, "3", 3, 1, unit=3) == {3: "777"}
    assert mbpoll(port, "0", 5, 1, unit=3) == {5: "1"}
    assert mbpoll(port, "1", 6, 1, unit=3) == {6: "1"}


def test_what_is_not_there_is_refused_and_put_down(rig: Rig, mbpoll: Read) -> None:
    with pytest.raises(AssertionError, match="Illegal data address"):
        mbpoll(rig.ports["plc"], "4:hex", 100, 1, unit=3)
    assert [row.code for row in rig.ledger("plc") if row.kind is RowKind.REFUSED] == [2]
