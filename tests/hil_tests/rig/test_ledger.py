"""A ledger is read as it was written, and never a line that was not finished."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_tests.rig.ledger import LedgerRow, LedgerWriter, RowKind, functions_asked, parse_row, read_ledger
from hil_tests.rig.registers import Table

REGISTERS = st.lists(st.integers(0, 65535), min_size=1, max_size=125)


@given(served=st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 65535), REGISTERS), max_size=5))
def test_served_values_come_back(
    tmp_path_factory: pytest.TempPathFactory, served: list[tuple[int, int, list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "plant.ledger"
    writer = LedgerWriter(path)
    for mono_ns, address, words in served:
        writer.served(mono_ns, Table.INPUT, address, words)
    writer.close()
    assert read_ledger(path) == [
        LedgerRow(mono_ns, RowKind.SERVED, Table.INPUT, address, len(words), tuple(words))
        for mono_ns, address, words in served
    ]


def test_every_other_kind_of_row_comes_back(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "plant.ledger")
    writer.served(1, Table.COIL, 3, [1, 0, 1])
    writer.refused(2, Table.HOLDING, 4, 10, 0x0B)
    writer.silent(3, Table.DISCRETE, 5, 2)
    writer.marker(4, "beat", 77)
    writer.command(5, "step gas1 1,5\nquit")
    writer.function(6, 16, b"\x10\x00\x09")
    writer.mischief(7, ["drop", "delay"])
    writer.sessions(8, 2)
    assert read_ledger(tmp_path / "plant.ledger") == [
        LedgerRow(1, RowKind.SERVED, Table.COIL, 3, 3, (1, 0, 1)),
        LedgerRow(2, RowKind.REFUSED, Table.HOLDING, 4, 10, code=0x0B),
        LedgerRow(3, RowKind.SILENT, Table.DISCRETE, 5, 2),
        LedgerRow(4, RowKind.MARKER, name="beat", number=77),
        LedgerRow(5, RowKind.COMMAND, text="step gas1 1,5 quit"),
        LedgerRow(6, RowKind.FUNCTION, number=16, text="100009"),
        LedgerRow(7, RowKind.MISCHIEF, text="drop delay"),
        LedgerRow(8, RowKind.SESSIONS, number=2),
    ]
    writer.close()


def test_functions_are_counted_by_their_numbers_reading_ones_too(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "plant.ledger")
    for table in Table:
        writer.served(1, table, 0, [1])
    writer.refused(2, Table.HOLDING, 4, 10, 2)
    writer.silent(3, Table.HOLDING, 4, 10)
    writer.mischief(3, ["drop"])
    writer.function(4, 6, b"\x06")
    writer.command(5, "answer")
    assert functions_asked(read_ledger(tmp_path / "plant.ledger")) == {1: 1, 2: 1, 3: 3, 4: 1, 6: 1}
    writer.close()


def test_a_line_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "plant.ledger"
    path.write_text("1,holding,0,2,00010002\n2,holding,0,2,0001")
    assert [row.mono_ns for row in read_ledger(path)] == [1]


@pytest.mark.parametrize("line", ["", "1,holding,0,2,0001", "x,marker,a,1", "1,lamp,0,1,0001", "1,holding,0"])
def test_a_foreign_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_row(line)


def test_a_row_tells_the_value_of_an_address_it_served() -> None:
    row = LedgerRow(1, RowKind.SERVED, Table.HOLDING, 10, 2, (7, 8))
    assert [row.word(Table.HOLDING, address) for address in (9, 10, 11, 12)] == [None, 7, 8, None]
    assert row.word(Table.INPUT, 10) is None
