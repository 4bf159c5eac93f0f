"""A list with thirty mistakes: each is told once by its row and column with what to do, and nothing is written."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

HEADINGS = (
    "位号",
    "名称",
    "区域",
    "设备",
    "单位",
    "量程",
    "低低报",
    "低报",
    "高报",
    "高高报",
    "地址",
    "类型",
    "字节序",
    "系数",
    "周期(s)",
)
GOOD: dict[str, Any] = {
    "位号": "PT-{row}", "名称": "压力", "区域": "罐区", "设备": "PLC-1", "单位": "MPa", "量程": "0~2.5", "高报": 1.6,
    "高高报": 1.8, "地址": "4{row:04}", "类型": "INT", "系数": 0.001,
}  # fmt: skip
MISTAKES: list[tuple[str, object, str]] = [
    ("位号", None, "the row has data and no tag"),
    ("位号", "PT 1", "'PT 1' is not a tag"),
    ("位号", "PT-2", "'PT-2' is also in row 2"),
    ("位号", dt.date(2026, 3, 1), "the spreadsheet made a date of it"),
    ("位号", "#12", "begins with #"),
    ("位号", "GDS", "is the name of a device"),
    ("位号", "T" * 65, "is not a tag"),
    ("单位", "MPaa2", "Did you mean MPa?"),
    ("单位", "斤", "unknown unit '斤'"),
    ("单位", "℃℃", "unknown unit '℃℃'"),
    ("单位", None, "the point has no unit"),
    ("量程", "0到很高", "'0到很高' is no range"),
    ("量程", "2.5~0", "range_high 0 is not above range_low 2.5"),
    ("量程", "0-1600kPa", "the cell is in kPa, the point in MPa"),
    ("量程", dt.date(2026, 1, 6), "the spreadsheet made a date of it"),
    ("高报", "TBD", "is yet to be decided"),
    ("高报", "高", "'高' is not a number"),
    ("高报", 16, "h 16 lies outside 0 to 2.5"),
    ("高高报", 1.5, "hh 1.5 is not above h 1.6"),
    ("高高报", "=I20*1.1", "the formula has no value"),
    ("高高报", "1.8kPa", "the cell is in kPa, the point in MPa"),
    ("低报", 1.7, "h 1.6 is not above l 1.7"),
    ("地址", None, "the point has no address"),
    ("地址", "DB10.DBD4", "is an address of the controller's own memory"),
    ("地址", "40000", "counts from 0, where the first is 1"),
    ("地址", "499999", "is beyond 65535"),
    ("地址", 40001.1, "bit 1 and bit 10 cannot be told apart"),
    ("类型", "FLOTA", "float32? Or in the mapping: [types]"),
    ("类型", "模拟量", "unknown type '模拟量'"),
    ("字节序", "ABDC", "unknown order of bytes"),
    ("系数", 0, "scale 0 makes every value the same"),
    ("周期(s)", 7200, "is above 3600"),
    ("区域", "a/b/c", "is not the path of a hazard source"),
    ("名称", "长" * 600, "the text has 600 characters"),
]


def wrong_list(path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.append(list(HEADINGS))
    for row, (column, value, _) in enumerate([("名称", "好", ""), *MISTAKES], 2):
        cells = {name: each.format(row=row) if isinstance(each, str) else each for name, each in GOOD.items()}
        if column == "量程" or value == 16:  # so that no other rule is broken, too
            cells.update({"高报": None, "高高报": None})
        sheet.append([{**cells, column: value}.get(name) for name in HEADINGS])
    book.save(path)


def test_each_mistake_is_told_by_row_and_column(
    tmp_path: Path, agent_folder: Path, agent: Callable[..., CompletedProcess[str]]
) -> None:
    wrong_list(tmp_path / "wrong.xlsx")
    done = agent("import", tmp_path / "wrong.xlsx", "--out", agent_folder)
    told = done.stderr.splitlines()
    assert done.returncode == 2
    assert told[-1] == f"{len(told) - 1} faults; nothing was written"
    for row, (column, _, message) in enumerate(MISTAKES, 3):
        named = "高报" if message.startswith("h 1.6 is not") else column  # the checks name the upper one of two
        place = f"wrong.xlsx, row {row}, column {'ABCDEFGHIJKLMNO'[HEADINGS.index(named)]} '{named}': "
        own = [line for line in told if line.startswith(f"wrong.xlsx, row {row},")]
        assert [line for line in own if line.startswith(place) and message in line] == own, (row, column, own)
        assert len(own) == 1, (row, column, own)
        assert re.search(r"\. [^.]", own[0]), "a remedy follows"
    assert not (agent_folder / "points.csv").exists()
