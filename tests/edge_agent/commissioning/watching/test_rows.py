"""What a line of the table says of a point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.watching.head import head_lines
from edge_agent.commissioning.watching.rows import age_text, columns, fitted, line, plain, rows, title
from edge_agent.commissioning.watching.view import ORDERS, View


def point(tag="AT-1", **more):
    usual = {
        "org": "p/s", "device": "plc", "unit": "ppm", "description": "", "value": 1.5, "quality": "GOOD",
        "age_s": 0.2, "time_ns": 0, "poll_s": 1.0, "conditions": [],
    }  # fmt: skip
    return {"tag": tag, **usual, **more}


def only(told_ago_s=0.0, **more):
    (row,) = rows({"points": [point(**more)]}, told_ago_s)
    return row


def test_a_good_value_is_shown_as_it_is():
    assert only().cells() == ("AT-1", "1.5", "ppm", "GOOD", "0.2s", "-", "plc")


def test_a_value_grows_old_while_the_agent_is_silent_and_is_marked():
    row = only(told_ago_s=65)
    assert row.cells()[1:5] == ("? 1.5", "ppm", "NOT CONFIRMED", "1m05s")


@given(
    st.sampled_from(["GOOD", "UNCERTAIN_CALIBRATION", "BAD_STALE", "BAD_COMM_FAILURE", "BAD"]),
    st.none() | st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.05, 3600), st.none() | st.floats(-1e9, 1e9),
)  # fmt: skip
def test_no_value_stands_without_a_mark_unless_it_is_good_and_confirmed_in_time(quality, age_s, ago_s, poll_s, value):
    row = only(ago_s, quality=quality, age_s=age_s, poll_s=poll_s, value=value)
    trusted = quality == "GOOD" and age_s is not None and age_s + ago_s <= 2.5 * poll_s + 2
    assert row.cells()[1].startswith("?") == (not trusted and value is not None)
    assert (row.cells()[3] == "GOOD") == trusted


@pytest.mark.parametrize(
    ("age_s", "text"),
    [(None, "never"), (0.04, "0.0s"), (9.9, "9.9s"), (12.4, "12s"), (59.9, "60s"), (61, "1m01s"), (7260, "2h01m")],
)
def test_ages_are_short(age_s, text):
    assert age_text(age_s) == text


def test_the_worst_condition_comes_first():
    row = only(conditions=[{"kind": "fault", "level": 1}, {"kind": "high", "level": 2}])
    assert row.state == "HIGH 2 FAULT 1"
    assert row.level == 2


@given(st.text(max_size=40), st.integers(0, 30), st.booleans())
def test_a_cell_has_its_width_and_nothing_that_a_terminal_obeys(text, width, right):
    cell = fitted(text, width, right=right)
    assert columns(cell) == width
    assert cell.isprintable()


@given(st.lists(st.text(max_size=30), min_size=7, max_size=7), st.integers(80, 200))
def test_every_line_is_as_wide_as_the_terminal(cells, width):
    assert columns(line(cells, width)) == width


def test_chinese_signs_take_two_columns():
    assert fitted("储罐一", 5) == "储罐~"
    assert columns(title()) == 80


def many():
    return rows(
        {
            "points": [
                point("B-2", value=3.0, device="a", description="Tank"),
                point("A-1", value=None, quality="BAD_COMM_FAILURE", age_s=99.0, device="b"),
                point("C-3", value=2.0, conditions=[{"kind": "high", "level": 2}], device="a", age_s=0.1),
            ]
        },
        0.0,
    )


def tags(view):
    return [row.tag for row in view.chosen(many())]


def test_views_choose_and_order():
    assert tags(View()) == ["B-2", "A-1", "C-3"]
    assert tags(View(only_alarms=True)) == ["C-3"]
    assert tags(View(only_bad=True)) == ["A-1"]
    assert tags(View(text="tank")) == ["B-2"]
    assert tags(View(order="tag", is_reversed=True)) == ["C-3", "B-2", "A-1"]
    assert tags(View(order="state")) == ["C-3", "A-1", "B-2"]
    assert tags(View(order="quality")) == ["A-1", "B-2", "C-3"]
    assert tags(View(order="age")) == ["A-1", "B-2", "C-3"]
    assert tags(View(order="value")) == ["C-3", "B-2", "A-1"]
    assert tags(View(order="device")) == ["B-2", "C-3", "A-1"]


def test_what_is_left_out_is_said_and_orders_come_round():
    view = View(only_bad=True, text="x")
    assert view.words(1, 9) == "1 of 9, by list, ONLY BAD, ONLY 'x'"
    for _ in ORDERS:
        view = view.next_order()
    assert view.order == "list"


def status(**more):
    device: dict[str, object] = {
        "device": "plc",
        "state": "answering",
        "last_failure": None,
        "slowed": None,
        "refused": [],
    }
    usual = {
        "agent": "gate", "software": "parksentry 0", "points": 3, "clock": {"synchronised": True}, "events_seq": 9,
        "storage_bytes": 2**20, "storage": {"events": {"failing": None, "dropped": 0}},
        "destinations": [{"name": "park", "endpoint": "tcp://h:1", "phase": "streaming", "acked_events": 4, "refusal": None}],
        "devices": [device],
    }  # fmt: skip
    return usual | more


def test_the_head_says_how_everything_is():
    assert head_lines(status(), "", 0) == [
        "gate  parksentry 0, 3 points, clock synchronised",
        "buffer 5 events owed, 1.0 MiB",
        "link park STREAMING, 5 owed: tcp://h:1",
        "device plc ANSWERING",
    ]


def test_the_head_puts_devices_in_trouble_first_and_counts_the_rest():
    fine: dict[str, object] = {
        "device": "ok",
        "state": "answering",
        "last_failure": "old",
        "slowed": None,
        "refused": [],
    }
    silent = fine | {"device": "dead", "state": "silent", "last_failure": "no answer"}
    slow = fine | {"device": "slow", "slowed": "by half", "refused": ["holding 5"]}
    lines = head_lines(status(devices=[fine] * 6 + [silent, slow]), "", 0)
    assert lines[3:5] == [
        "device dead SILENT: no answer",
        "device slow ANSWERING, SLOWED: by half, 1 REFUSED: holding 5",
    ]
    assert lines[-1] == "and 2 devices more, 0 of them in trouble"


def test_the_head_says_that_there_is_no_agent_and_since_when():
    assert head_lines(None, "it is down", 3) == ["NO AGENT: it is down; trying again"]
    lines = head_lines(status(clock={"synchronised": False}), "it is down", 30)
    assert lines[1].endswith("CLOCK NOT SYNCHRONISED, last heard 30 s ago")


def test_a_store_that_fails_is_said():
    lines = head_lines(status(storage={"events": {"failing": "disk full", "dropped": 2}}), "", 0)
    assert "STORAGE OF EVENTS FAILS: disk full 2 lost" in lines[1]


def test_the_plain_table_has_a_title_and_a_line_for_each_row():
    assert [each.split()[0] for each in plain(many(), None)] == ["TAG", "B-2", "A-1", "C-3"]


def test_the_plain_table_cuts_nothing_unless_the_terminal_is_narrower():
    shown = rows({"points": [point(tag="T" * 40, quality="UNCERTAIN_OUT_OF_RANGE", device="d" * 40)]}, 0)
    title_, row = plain(shown, None)
    assert row.split() == ["T" * 40, "?", "1.5", "ppm", "UNCERTAIN", "OUT", "OF", "RANGE", "0.2s", "-", "d" * 40]
    assert title_.index("DEVICE") == row.index("d" * 40)
    assert [columns(each) for each in plain(shown, 60)] == [60, 60]
