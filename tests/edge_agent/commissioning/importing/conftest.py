"""Lists as plants keep them, made anew for each test, and a folder to import them into."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from contract.keys import format_public, format_secret, generate

AGENT_TOML = """
[agent]
name = "tank-farm-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]
[[device]]
name = "GDS"
driver = "modbus"
host = "127.0.0.1"
unit = 1
[[device]]
name = "PLC-1"
driver = "modbus"
host = "127.0.0.2"
unit = 2
"""
CHINESE_ROWS = [
    ("一、氯气罐区",),
    (1, "GT-101", "A罐阀组氯气", "氯气罐区", "mg/m³", "0~10", None, None, 1, 2, "GDS", 40001, "FLOAT", "4-20mA", "红色"),
    (2, "GT-102 ", "B罐阀组氯气", None, "mg/m³", "0～10", "—", "—", "１", "２", None, 40003, "FLOAT", "4-20mA", None),
    (3, "GT-103", "可燃气体", None, "%LEL", "0-100%LEL", "/", "/", "25%LEL", "50%LEL", None, 40005, "浮点", "4-20mA", None),
    ("小计", None, None, None, None, None, None, None, None, None, None, None, None, None, 3),
    (),
    ("二、液氨罐区",),
    (4, "PT-201", "1号罐压力", "液氨罐区", "Mpa", "0-2.5MPa", None, 0.1, 1.6, 1.8, "PLC-1", 40101, "REAL", "4-20mA", None),
    (5, "TT-201", "1号罐温度", None, "℃", "-40~80", "无", "无", 40, 45, None, 40103, "REAL", "Pt100", None),
    (6, "LT-201", "1号罐液位", None, "%", "0~100", 5, 10, 85, 95, None, 40105, "REAL", "4-20mA", None),
    (7, "XV-201", "紧急切断阀开到位", None, None, None, None, None, None, None, None, 10001, "BOOL", "DI", None),
    (8, None, "备用", None, None, None, None, None, None, None, None, None, None, None, None),
    ("注:1. 所有仪表均为隔爆型。",),
    ("编制:张工    审核:李工",),
]  # fmt: skip
CHINESE_MAPPING = '[defaults]\nword_order = "CDAB"\n'


def chinese_sheet(sheet: Worksheet) -> None:
    """A title, a header of two rows with merged cells, areas and devices merged over their points, remarks below."""
    sheet.title = "仪表清单"
    sheet.append(["XX化工有限公司 重大危险源监测点清单"])
    sheet.merge_cells("A1:O1")
    sheet.append([])
    sheet.append(["序号", "位号", "名称", "区域", "单位", "量程", "报警值", None, None, None, "控制器", "寄存器地址",
                  "数据类型", "信号类型", "备注"])  # fmt: skip
    sheet.append([None] * 6 + ["低低", "低", "高", "高高"])
    sheet.merge_cells("G3:J3")
    for column in "ABCDEFKLMNO":
        sheet.merge_cells(f"{column}3:{column}4")
    for row in CHINESE_ROWS:
        sheet.append(list(row))
    for cells in ("A5:O5", "A11:O11", "D6:D8", "K6:K8", "D12:D15", "K12:K15", "A17:O17"):
        sheet.merge_cells(cells)


@pytest.fixture
def chinese_list(tmp_path: Path) -> Path:
    book = Workbook()
    cover = book.active
    assert isinstance(cover, Worksheet)
    cover.title = "封面"
    cover.append(["监测点清单", "版本", "A"])
    chinese_sheet(book.create_sheet())
    book.create_sheet("旧版").sheet_state = "hidden"
    path = tmp_path / "清单.xlsx"
    book.save(path)
    path.with_suffix(".mapping.toml").write_text(CHINESE_MAPPING, "utf-8")
    return path


@pytest.fixture
def agent_folder(tmp_path: Path) -> Path:
    """Everything but points.csv."""
    folder = tmp_path / "site"
    (folder / "keys").mkdir(parents=True)
    (folder / "agent.toml").write_text(AGENT_TOML)
    own, park = generate("tank-farm-1"), generate("park")
    (folder / "keys" / "agent.key").write_text(format_secret(own))
    (folder / "keys" / "aggregator.pub").write_text(format_public(park.public))
    return folder


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def agent() -> Run:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edge_agent.cli", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, encoding="utf-8"
        )

    return run
