"""Two people at two browsers: what one is told the other is told, and what one does the other sees."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

POINTED = """window.pointed = 0;
["pointerdown", "pointermove", "touchstart", "wheel"].forEach((kind) => addEventListener(kind, () => { window.pointed += 1; }, true));"""
FOCUS = "document.activeElement.closest('.cr-side') ? document.activeElement.textContent : ''"


def row(page: Page, tag: str):
    return page.locator(f".ag-center-cols-container .ag-row[row-id='acme/{tag}/high']")


def test_an_alarm_is_on_both_screens_and_acknowledged_by_mouse_in_one_is_so_in_the_other(visit, control_room):
    zhang, li = visit("zhang").open("/alarms"), visit("li").open("/alarms")
    control_room.raise_alarms(2, "AT-101")
    for page in (zhang, li):
        expect(row(page, "AT-101")).to_contain_text("unacknowledged")
        expect(page.locator(".cr-newest")).to_contain_text("AT-101")
    row(zhang, "AT-101").click()
    zhang.locator(".cr-side").get_by_role("button", name="Acknowledge").click()
    for page in (zhang, li):
        expect(row(page, "AT-101")).not_to_contain_text("unacknowledged")
        expect(row(page, "AT-101")).to_contain_text("acknowledged")
        expect(page.locator(".cr-newest")).not_to_contain_text("AT-101")
    row(li, "AT-101").click()
    expect(li.locator(".cr-side")).to_contain_text("Acknowledged byzhang")


def test_from_the_login_page_to_acknowledged_without_a_mouse(visit, control_room):
    control_room.raise_alarms(2, "AT-111")
    li = visit("li").open("/journal")
    expect(li.locator(".cr-newest")).to_contain_text("AT-111")
    visitor = visit("")
    visitor.context.add_init_script(POINTED)
    page = visitor.open("/login?next=/alarms")
    for words in ("zhang", "Tab", "correct horse battery", "Enter"):
        page.keyboard.press(words) if words in {"Tab", "Enter"} else page.keyboard.type(words)
    page.wait_for_url("**/alarms")
    row(page, "AT-111").wait_for()
    for _ in range(60):  # other alarms may stand above it
        page.keyboard.press("ArrowDown")
        page.wait_for_function("alarmList.selected() !== null")
        if page.evaluate("alarmList.selected().tag") == "AT-111":
            break
    expect(page.locator(".cr-side h2")).to_contain_text("AT-111")
    page.keyboard.press("k")
    expect(row(page, "AT-111")).not_to_contain_text("unacknowledged")
    expect(page.locator(".cr-side")).to_contain_text("Acknowledged byzhang")
    expect(li.locator(".cr-newest")).not_to_contain_text("AT-111")
    assert page.evaluate("pointed") == 0


def test_the_button_is_reached_by_tab_and_pressed_by_enter(visit, control_room):
    control_room.raise_alarms(1, "AT-121")
    visitor = visit("zhang")
    visitor.context.add_init_script(POINTED)
    page = visitor.open("/alarms?select=acme/AT-121/high")
    expect(page.locator(".cr-side h2")).to_contain_text("AT-121")
    for _ in range(60):
        if page.evaluate(FOCUS).startswith("Acknowledge"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row(page, "AT-121")).not_to_contain_text("unacknowledged")
    assert page.evaluate("pointed") == 0


@pytest.mark.parametrize("way", ["key", "button"])
def test_a_comment_given_by_one_is_read_by_the_other(visit, control_room, way):
    tag = f"AT-13-{way}"
    control_room.raise_alarms(1, tag)
    zhang = visit("zhang").open(f"/alarms?select=acme/{tag}/high")
    expect(zhang.locator(".cr-side h2")).to_contain_text(tag)
    if way == "key":
        zhang.keyboard.press("m")
    else:
        zhang.locator(".cr-side").get_by_role("button", name="Comment").click()
    expect(zhang.get_by_role("textbox", name="Comment", exact=True)).to_be_focused()
    zhang.keyboard.type("seen from the gate")
    zhang.keyboard.press("Enter")
    li = visit("li").open(f"/alarms?select=acme/{tag}/high")
    expect(li.locator(".cr-side")).to_contain_text("seen from the gate")
    assert control_room.alarm(tag)["comment"] == "seen from the gate"
