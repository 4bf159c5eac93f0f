"""Recordings are played row by row, and their faults are told with their rows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from contract.errors import ConfigError
from hil_tests.rig.recording import RecordedColumn, read_column

S = 1_000_000_000


def write(folder: Path, text: str) -> Path:
    path = folder / "gas.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_ts_column_times_the_rows_from_the_first_on(tmp_path: Path) -> None:
    column = read_column(write(tmp_path, "ts,a,b\n1700000000.25,1,5\n1700000000.5,2,6\n1700000002,3,7\n"), "b", None)
    assert column == RecordedColumn((0, 250_000_000, 1_750_000_000), (5.0, 6.0, 7.0))


def test_step_s_spaces_the_rows_evenly_whatever_ts_says(tmp_path: Path) -> None:
    assert read_column(write(tmp_path, "ts,a\n9,1\n3,2\n"), "a", 2 * S).times_ns == (0, 2 * S)


def test_each_row_holds_until_the_next_and_the_last_for_ever() -> None:
    at = RecordedColumn((0, S, 3 * S), (1.0, 2.0, 3.0)).curve(loop=False)
    assert [at(t) for t in (0, S - 1, S, 3 * S - 1, 3 * S, 99 * S)] == [1, 1, 2, 2, 3, 3]


def test_a_loop_shows_the_last_row_as_long_as_the_one_before_it_and_starts_again() -> None:
    at = RecordedColumn((0, S, 3 * S), (1.0, 2.0, 3.0)).curve(loop=True)
    assert [at(t) for t in (5 * S - 1, 5 * S, 6 * S, 10 * S)] == [3, 1, 2, 1]


def test_an_empty_cell_is_a_missing_value(tmp_path: Path) -> None:
    values = read_column(write(tmp_path, "ts,a\n0,1\n1,\n"), "a", None).values
    assert values[0] == 1.0
    assert math.isnan(values[1])


def test_every_fault_is_told_with_its_row_and_column(tmp_path: Path) -> None:
    path = write(tmp_path, "ts,a\n0,1\n0,x\nsoon,3\n2,4\n")
    with pytest.raises(ConfigError) as caught:
        read_column(path, "a", None)
    assert [(fault.file, fault.row, fault.column) for fault in caught.value.faults] == [
        ("gas.csv", 3, "a"),
        ("gas.csv", 3, "ts"),
        ("gas.csv", 4, "ts"),
    ]


@pytest.mark.parametrize("text", ["", "ts\n0\n", "ts,a\n"])
def test_a_file_without_the_column_or_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read_column(write(tmp_path, text), "a", None)


def test_a_missing_file_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_column(tmp_path / "none.csv", "a", None)
