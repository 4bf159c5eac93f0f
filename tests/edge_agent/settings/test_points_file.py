"""What is written as a list is read back as the same rows, and what people keep in theirs stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigError, Fault
from contract.wire.frames import POINTS_PER_AGENT_MAX
from edge_agent.settings import points_file
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE, REQUIRED
from edge_agent.settings.points_file import append_points, appended_text, points_text, write_points
from edge_agent.settings.table import Layout, read_table

GOOD = {
    "tag": "GT-1", "source": "tank-1", "device": "plc", "register": "holding", "address": "10", "type": "uint16",
    "unit": "degC",
}  # fmt: skip
KEPT = '# 罐区 A\ntag;source;device;register;address;type;unit;description\n\nGT-9;t;plc;holding;1;uint16;ppm;"a;b"\n'

cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=12)
rows = st.lists(
    st.fixed_dictionaries(
        {"tag": st.from_regex(r"[A-Za-z0-9罐_-]{1,8}", fullmatch=True)},
        optional={name: cell for name in COLUMNS if name != "tag"},
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row["tag"],
)


def read(data: bytes) -> list[dict[str, str]]:
    faults: list[Fault] = []
    records = read_table(data, Layout(POINTS_FILE, COLUMNS, REQUIRED, POINTS_PER_AGENT_MAX), faults)
    assert faults == []
    return [{name: text for name, text in record.cells.items() if text} for record in records]


def as_read(wanted: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: text.strip() for name, text in row.items() if text.strip()} for row in wanted]


@given(rows)
def test_what_is_written_is_read_back(wanted: list[dict[str, str]]) -> None:
    assert read(points_text(wanted).encode()) == as_read(wanted)


@given(rows, rows)
def test_added_rows_come_after_those_that_are_there(first: list[dict[str, str]], second: list[dict[str, str]]) -> None:
    second = [{**row, "tag": "+" + row["tag"]} for row in second]
    text = appended_text(points_text(first).encode(), second)
    assert read(text.encode()) == as_read([*first, *second])


def test_what_people_wrote_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / POINTS_FILE
    path.write_text(KEPT.rstrip("\n"), "utf-8")
    append_points(path, [{**GOOD, "description": "B; 罐"}])
    assert path.read_text("utf-8") == KEPT + 'GT-1;tank-1;plc;holding;10;uint16;degC;"B; 罐"\n'


def test_columns_that_are_new_go_into_the_header(tmp_path: Path) -> None:
    path = tmp_path / POINTS_FILE
    path.write_text(KEPT, "utf-8")
    append_points(path, [{**GOOD, "hh": "50"}])
    text = path.read_text("utf-8")
    assert text.splitlines()[:2] == ["# 罐区 A", "tag;source;device;register;address;type;unit;description;hh"]
    assert read(text.encode())[1] == {**GOOD, "hh": "50"}
    assert read(text.encode())[0]["description"] == "a;b"


def test_a_missing_file_is_made_so_that_spreadsheets_show_its_signs(tmp_path: Path) -> None:
    append_points(tmp_path / POINTS_FILE, [{**GOOD, "description": "罐"}])
    data = (tmp_path / POINTS_FILE).read_bytes()
    assert data.startswith("\ufefftag,source".encode())
    assert [each.name for each in tmp_path.iterdir()] == [POINTS_FILE]


@pytest.mark.parametrize("tag", ["#1", "GT-9", ""])
def test_a_row_that_would_be_lost_or_double_is_refused_and_nothing_written(tmp_path: Path, tag: str) -> None:
    path = tmp_path / POINTS_FILE
    path.write_text(KEPT, "utf-8")
    with pytest.raises(ConfigError) as refused:
        append_points(path, [{"tag": tag}])
    assert path.read_text("utf-8") == KEPT
    assert "points.csv" in str(refused.value)


def test_nothing_is_added_to_a_file_that_is_not_right(tmp_path: Path) -> None:
    path = tmp_path / POINTS_FILE
    path.write_text("tag,sauce\nGT-1,x\n")
    with pytest.raises(ConfigError, match="unknown column 'sauce'"):
        append_points(path, [GOOD])


def test_a_list_that_no_agent_would_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points_file, "POINTS_FILE_BYTES_MAX", 50)
    with pytest.raises(ConfigError, match="more than 50"):
        write_points(tmp_path / POINTS_FILE, [GOOD])
    assert list(tmp_path.iterdir()) == []


def test_a_list_keeps_its_rights_and_its_place(tmp_path: Path) -> None:
    real = tmp_path / "kept.csv"
    real.write_text(KEPT, "utf-8")
    real.chmod(0o640)
    (tmp_path / POINTS_FILE).symlink_to(real)
    write_points(tmp_path / POINTS_FILE, [GOOD])
    assert (tmp_path / POINTS_FILE).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert read(real.read_bytes()) == [GOOD]
