"""The sheet that is handed over, and what is kept between two sessions."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ConfigError
from contract.keys import generate
from contract.points import Limits, PointSpec, PointType
from edge_agent.commissioning.loopcheck.folder import append_record, read_records, write_sheets
from edge_agent.commissioning.loopcheck.page import html_text
from edge_agent.commissioning.loopcheck.record import Record, Result, Shot, fingerprint
from edge_agent.commissioning.loopcheck.sheet import COLUMNS, Head, SheetError, csv_text, table, verify

KEYS = generate("gate")
POINT = PointSpec(
    1, "AT-1", "plant/store", "plc", type=PointType.UINT16, unit="ppm", range_low=0, range_high=100, limits=Limits(h=25),
    description="<b>pump & bay</b>",
)  # fmt: skip
OTHER = PointSpec(2, "AT-2", "plant/store", "plc", unit="ppm")
SHOT = Shot(50.0, 50.5, 0.5, "GOOD", "high 1", "high 1", passed=True, time_ns=1_790_000_000 * 10**9)
HEAD = Head("gate", "ab" * 32, "0.1.0", 1_790_000_000 * 10**9, 2, 1, 0, 0, 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def record(tag="AT-1", remarks=""):
    return Record(tag, Result.PASSED, "", remarks, "Li", "", 1.0, 5, fingerprint(POINT), (SHOT, SHOT))


def made(remarks="", keys=KEYS):
    rows = table([POINT, OTHER], {"AT-1": record(remarks=remarks)})
    return csv_text(HEAD, rows, keys), rows


def test_a_row_for_each_reference_and_one_for_what_is_open():
    _, rows = made()
    cells = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    assert [(each["tag"], each["expected"], each["result"]) for each in cells] == [
        ("AT-1", "50", "passed"), ("AT-1", "50", "passed"), ("AT-2", "", "open"),
    ]  # fmt: skip
    assert cells[0]["time"] == "2026-09-21T14:13:20Z"


@given(TEXTS)
def test_a_sheet_that_nobody_touched_is_good(remarks):
    text, _ = made(remarks)
    verdict = verify(text, KEYS.public)
    assert verdict.good, verdict.words
    assert "signed by gate" in verdict.words


@given(st.data())
def test_any_change_of_a_cell_is_found(data):
    text, _ = made("fine")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[row]) - 1))
    rows[row][column] += data.draw(st.sampled_from(["0", "x", " "]))
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    with suppress(SheetError):
        assert not verify(out.getvalue(), KEYS.public).good


def test_rows_that_are_left_out_or_in_another_order_are_found():
    lines = made()[0].splitlines(keepends=True)
    assert not verify("".join(lines[:-1]), KEYS.public).good
    assert "CHANGED" in verify("".join([*lines[:-2], lines[-1], lines[-2]]), KEYS.public).words


def test_a_forger_with_a_key_of_his_own_is_found():
    text, _ = made(keys=generate("gate"))
    assert "another key" in verify(text, KEYS.public).words


def test_without_key_or_signature_it_is_whole_and_no_more():
    assert not verify(made(keys=None)[0], KEYS.public).good
    unsigned = verify(made()[0], None)
    assert not unsigned.good
    assert "give the agent's folder" in unsigned.words


@pytest.mark.parametrize("text", ["", "tag,expected\n1,2\n", '"open', "#a\n", "#a,b\n"])
def test_what_is_no_sheet_is_said(text):
    with pytest.raises(SheetError):
        verify(text, KEYS.public)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_no_text_becomes_a_formula(text):
    _, rows = made(text)
    assert rows[0][COLUMNS.index("remarks")] == "'" + text


@given(TEXTS)
def test_html_shows_text_and_never_obeys_it(remarks):
    rows = table([POINT], {"AT-1": record(remarks=f"<script>{remarks}")})
    page = html_text(HEAD, rows, KEYS)
    assert "<script" not in page
    assert "&lt;b&gt;pump &amp; bay&lt;/b&gt;" in page
    assert "http" not in page


def test_records_are_kept_and_the_latest_holds(tmp_path):
    assert read_records(tmp_path) == {}
    append_record(tmp_path, record(remarks="first"))
    append_record(tmp_path, record("AT-2"))
    append_record(tmp_path, record(remarks="中"))
    assert {tag: each.remarks for tag, each in read_records(tmp_path).items()} == {"AT-1": "中", "AT-2": ""}


@given(st.integers(1, 60))
def test_a_line_that_broke_off_is_forgotten_and_the_rest_is_kept(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("kept")
    append_record(folder, record())
    append_record(folder, record("AT-2"))
    path = folder / "loopcheck" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert list(read_records(folder)) == ["AT-1"]
    append_record(folder, record("AT-3"))
    assert list(read_records(folder)) == ["AT-1", "AT-3"]


def test_what_was_proved_of_a_point_is_not_said_of_one_that_was_changed():
    assert fingerprint(POINT) == fingerprint(replace(POINT, id=9))
    changed = [replace(POINT, range_high=50), replace(POINT, address="holding:1"), replace(POINT, scale=2)]
    assert len({fingerprint(each) for each in [POINT, *changed]}) == 4


def test_a_damaged_line_is_told_by_its_number(tmp_path):
    append_record(tmp_path, record())
    path = tmp_path / "loopcheck" / "records.jsonl"
    path.write_text(path.read_text() + json.dumps({"tag": "x"}) + "\n")
    with pytest.raises(ConfigError, match="row 2"):
        read_records(tmp_path)


def test_a_sheet_is_never_overwritten_and_one_of_the_same_second_is_kept_beside_it(tmp_path):
    made = [write_sheets(tmp_path, "a", text, text) for text in ("1", "2", "3")]
    assert [[path.name for path in pair] for pair in made] == [
        [f"{name}.csv", f"{name}.html"] for name in ("a", "a-2", "a-3")
    ]
    assert [[path.read_text() for path in pair] for pair in made] == [["1", "1"], ["2", "2"], ["3", "3"]]
