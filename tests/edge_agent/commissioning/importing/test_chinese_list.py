"""A list with Chinese headings in two rows, merged cells, titles, totals and remarks becomes points that an agent takes."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

import pexpect
import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from edge_agent.commissioning.importing.grid import Cell, Grid
from edge_agent.commissioning.importing.header import find
from edge_agent.commissioning.importing.mapping import Mapping
from edge_agent.commissioning.importing.words import words


class Run(Protocol):
    def __call__(self, *arguments: str | Path) -> CompletedProcess[str]: ...


def points(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "points.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["tag"]: row for row in csv.DictReader(file)}


def test_the_imported_folder_passes_the_check(chinese_list: Path, agent_folder: Path, agent: Run) -> None:
    done = agent("import", chinese_list, "--out", agent_folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 points: 3 of GDS, 4 of PLC-1" in done.stdout
    checked = agent("check", agent_folder)
    assert checked.returncode == 0, checked.stderr


def test_merged_cells_hold_for_their_rows_and_signs_of_full_width_are_mended(
    chinese_list: Path, agent_folder: Path, agent: Run
) -> None:
    assert agent("import", chinese_list, "--out", agent_folder).returncode == 0
    got = points(agent_folder)
    assert list(got) == ["GT-101", "GT-102", "GT-103", "PT-201", "TT-201", "LT-201", "XV-201"]
    second = got["GT-102"]
    assert (second["source"], second["device"], second["h"], second["hh"]) == ("氯气罐区", "GDS", "1", "2")
    assert (second["register"], second["address"], second["type"], second["word_order"]) == (
        "holding", "2", "float32", "CDAB",
    )  # fmt: skip
    assert (got["GT-103"]["h"], got["GT-103"]["unit"], got["GT-103"]["range_high"]) == ("25", "%LEL", "100")
    assert (got["TT-201"]["range_low"], got["TT-201"]["unit"]) == ("-40", "degC")
    valve = got["XV-201"]
    assert (valve["register"], valve["address"], valve["type"], valve["unit"]) == ("discrete", "0", "bit", "state")


def test_what_was_passed_over_and_assumed_is_said(chinese_list: Path, agent_folder: Path, agent: Run) -> None:
    said = agent("import", chinese_list, "--out", agent_folder, "--dry-run").stdout
    assert "columns ignored: 序号; 备注" in said
    assert "passed over row 9 (total): 小计 3" in said
    assert "40001 is holding, 0 on the wire" in said
    assert "passed over row 16 (" in said
    assert "dry run: nothing was written" in said
    assert not (agent_folder / "points.csv").exists()


def test_without_a_terminal_each_open_question_is_named_with_its_line(
    chinese_list: Path, agent_folder: Path, agent: Run
) -> None:
    chinese_list.with_suffix(".mapping.toml").unlink()
    done = agent("import", chinese_list, "--out", agent_folder)
    assert done.returncode == 2
    assert '[defaults] word_order = "ABCD"' in done.stderr
    assert "1 open question; nothing was written" in done.stderr
    assert not (agent_folder / "points.csv").exists()


def test_at_a_terminal_it_asks_and_never_asks_again(chinese_list: Path, agent_folder: Path, agent: Run) -> None:
    chinese_list.with_suffix(".mapping.toml").unlink()
    command = ["-m", "edge_agent.cli", "import", str(chinese_list), "--out", str(agent_folder)]
    terminal = pexpect.spawn(sys.executable, command, timeout=60, encoding="utf-8", dimensions=(40, 200))
    terminal.expect("In which order come the words")
    terminal.expect(r"number \[ABCD\]: ")
    terminal.sendline("9")
    terminal.expect("give a number from 1 to 4")
    terminal.sendline("2")
    terminal.expect("wrote 7 points")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert 'word_order = "CDAB"' in chinese_list.with_suffix(".mapping.toml").read_text("utf-8")
    again = agent("import", chinese_list, "--out", agent_folder, "--replace")
    assert again.returncode == 0
    assert "no difference" in again.stdout


def test_a_list_that_is_there_is_replaced_only_when_asked_and_the_difference_is_shown(
    chinese_list: Path, agent_folder: Path, agent: Run
) -> None:
    assert agent("import", chinese_list, "--out", agent_folder).returncode == 0
    before = (agent_folder / "points.csv").read_bytes()
    book = load_workbook(chinese_list)
    book["仪表清单"]["J12"] = 1.9
    book["仪表清单"]["B14"] = "LT-202"
    book.save(chinese_list)
    assert "--replace or --append" in agent("import", chinese_list, "--out", agent_folder, "--dry-run").stdout
    refused = agent("import", chinese_list, "--out", agent_folder)
    assert refused.returncode == 1
    assert (agent_folder / "points.csv").read_bytes() == before
    replaced = agent("import", chinese_list, "--out", agent_folder, "--replace")
    assert replaced.returncode == 0
    assert "~ PT-201: hh 1.8 -> 1.9" in replaced.stdout
    assert "- LT-201" in replaced.stdout
    assert "+ LT-202" in replaced.stdout
    assert points(agent_folder)["PT-201"]["hh"] == "1.9"


def test_a_second_sheet_is_added_to_the_first(chinese_list: Path, agent_folder: Path, agent: Run) -> None:
    assert agent("import", chinese_list, "--out", agent_folder).returncode == 0
    book = load_workbook(chinese_list)
    sheet = book.create_sheet("DI")
    rows: list[list[Any]] = [
        ["Tag", "Area", "Controller", "Modbus address", "Data type"], ["XS-1", "泵房", "GDS", 10001, "BOOL"],
    ]  # fmt: skip
    for row in rows:
        sheet.append(row)
    book.save(chinese_list)
    open_ = agent("import", chinese_list, "--out", agent_folder, "--append")
    assert 'sheet = "仪表清单"   # one of: 仪表清单, DI' in open_.stderr
    done = agent("import", chinese_list, "--out", agent_folder, "--sheet", "DI", "--append")
    assert done.returncode == 0, done.stderr
    assert list(points(agent_folder))[-2:] == ["XV-201", "XS-1"]


def test_a_limit_below_a_heading_of_alarms_is_no_end_of_the_range(tmp_path: Path, agent: Run) -> None:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    rows: list[list[Any]] = [
        ["位号", "单位", "量程", None, "报警值", None, "地址", "数据类型", "区域", "设备"],
        [None, None, "下限", "上限", "下限", "上限", None, None, None, None],
        ["PT-1", "MPa", 0, 2.5, 0.1, 1.6, 40001, "REAL", "罐区", "plc"],
    ]
    for row in rows:
        sheet.append(row)
    sheet.merge_cells("C1:D1")
    sheet.merge_cells("E1:F1")
    book.save(tmp_path / "l.xlsx")
    (tmp_path / "l.mapping.toml").write_text('[defaults]\nword_order = "ABCD"\n')
    done = agent("import", tmp_path / "l.xlsx", "--out", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    point = points(tmp_path / "site")["PT-1"]
    assert [point[name] for name in ("range_low", "range_high", "l", "h")] == ["0", "2.5", "0.1", "1.6"]
    assert re.search(r"header in rows 1 to 2", done.stdout)


def test_a_device_of_a_model_is_a_device_like_any_other(chinese_list: Path, agent_folder: Path, agent: Run) -> None:
    file = agent_folder / "agent.toml"
    kept, _, _ = file.read_text().partition('[[device]]\nname = "PLC-1"')
    file.write_text(kept)
    refused = agent("import", chinese_list, "--out", agent_folder)
    assert refused.returncode == 2
    (agent_folder / "devices.csv").write_text("name,model,host,source\nPLC-1,wago_750_4fai,127.0.0.2,tank-1\n")
    done = agent("import", chinese_list, "--out", agent_folder)
    assert "4 of PLC-1" in done.stdout, done.stderr


def test_a_title_alone_above_the_header_lends_no_word_to_it(tmp_path: Path, agent: Run) -> None:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    rows: list[list[Any]] = [
        ["罐区一 I/O 清单"],
        ["组别", "位号", "单位", "量程", "地址", "数据类型", "区域", "设备"],
        [1, "PT-1", "MPa", "0~2.5", 40001, "INT", "罐区", "plc"],
    ]
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / "l.xlsx")
    (tmp_path / "l.mapping.toml").write_text('[defaults]\nscale = "0.001"\n')
    done = agent("import", tmp_path / "l.xlsx", "--out", tmp_path / "site", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "header in row 2" in done.stdout
    assert "columns ignored: 组别" in done.stdout


@pytest.mark.parametrize("above", ["I/O 清单", "Signal"])
def test_a_running_number_is_one_below_whatever_heading(above: str) -> None:
    grid = Grid("l.csv", None, tuple(tuple(map(Cell, row)) for row in [
        [above, "仪表"], ["序号", "位号", "单位", "量程", "地址"], ["1", "PT-1", "MPa", "0~1", "40001"],
    ]))  # fmt: skip
    found = find(grid, words(), Mapping())
    assert found is not None
    assert found.of("signal") is None


def test_ctrl_c_at_a_question_keeps_what_was_answered(tmp_path: Path, agent_folder: Path) -> None:
    file, mapping = tmp_path / "l.csv", tmp_path / "l.mapping.toml"
    file.write_text("位号,单位,量程,地址,数据类型\nPT-1,MPa,0~2.5,40001,FLOAT\n", "utf-8")
    command = ["-m", "edge_agent.cli", "import", str(file), "--out", str(agent_folder)]
    terminal = pexpect.spawn(sys.executable, command, timeout=60, encoding="utf-8", dimensions=(40, 200))
    terminal.expect(r"(number|answer)[^\n]*: ")
    terminal.sendline("1")
    terminal.expect(r"(number|answer)[^\n]*: ")
    terminal.sendintr()
    terminal.expect("stopped: no points were written")
    terminal.expect("kept in")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 1
    assert "[defaults]" in mapping.read_text("utf-8")
    assert not (agent_folder / "points.csv").exists()


def test_a_folder_that_takes_nothing_is_told_in_words(chinese_list: Path, tmp_path: Path, agent: Run) -> None:
    (tmp_path / "file").write_text("")
    done = agent("import", chinese_list, "--out", tmp_path / "file")
    assert done.returncode == 1
    assert f"{tmp_path / 'file' / 'points.csv'} cannot be written" in done.stderr
    assert f"Give --out the folder: {tmp_path}" in done.stderr
    done = agent("import", chinese_list, "--out", "/proc/1/x")
    assert done.returncode == 1
    assert "/proc/1/x cannot be written" in done.stderr
    assert "that you may write to" in done.stderr
