"""Lists whose grid is late, or is scrolled while it is busy, show what the server sent all the same."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

HOLD = """
let list;
Object.defineProperty(window, "NAME", { get: () => list, set: (made) => {
  const ready = made.ready;
  made.ready = (...args) => { window.letGridBegin = () => ready(...args); };
  list = made;
} });
"""
"""The grid is ready, and the list is told of it only when the test says so."""
TO_END = "(() => { const list = document.querySelector('.ag-body-viewport'); list.scrollTop = list.scrollHeight; })()"
SCROLL_BOTH = """async () => {
  const list = document.querySelector(".ag-body-viewport"), bar = document.querySelector(".ag-body-vertical-scroll-viewport");
  const scrolled = (element) => new Promise((done) => element.addEventListener("scroll", done, { once: true }));
  await new Promise((done) => setTimeout(done, 500));  // nobody scrolls any more
  const moved = scrolled(bar);
  bar.scrollTop = 3000;
  await moved;
  list.scrollTop = list.scrollHeight;
}"""


def last_row(page: Page, rows: int):
    return page.locator(f".ag-center-cols-container .ag-row[row-index='{rows - 1}']")


def test_an_alarm_that_comes_before_the_grid_is_ready_is_listed(visit, control_room):
    visitor = visit("zhang")
    visitor.context.add_init_script(HOLD.replace("NAME", "alarmList"))
    page = visitor.open("/alarms")
    page.wait_for_function("!!window.letGridBegin")
    control_room.raise_alarms(1, "LATE-1")
    expect(page.locator(".cr-newest")).to_contain_text("LATE-1")  # so the list was told of it, too
    expect(page.locator(".cr-counts")).to_contain_text(re.compile("1/1"))
    page.evaluate("letGridBegin()")
    expect(page.locator(".ag-row[row-id='acme/LATE-1/high']").first).to_be_visible()
    control_room.settle()


def test_points_that_come_before_the_grid_is_ready_are_listed(visit, station):
    visitor = visit("zhang")
    visitor.context.add_init_script(HOLD.replace("NAME", "pointList"))
    with station.talking():
        page = visitor.open("/points")
        page.wait_for_function("!!window.letGridBegin")
        expect(page.get_by_text(f"{station.points} of {station.points}")).to_be_visible()
        page.evaluate("letGridBegin()")
        page.wait_for_function("document.querySelector('.ag-body-viewport').scrollHeight > 32 * 2000")
        page.evaluate(TO_END)
        expect(last_row(page, station.points)).to_be_visible()


def test_what_is_scrolled_to_is_drawn_though_the_scroll_bar_moved_just_before(visit, station):
    """The grid gives the list to whichever of the two moved first, and drops what the other one says for a while."""
    with station.talking():  # no value changes, so nothing makes the grid draw anew
        page = visit("zhang").open("/points")
        page.wait_for_function("document.querySelector('.ag-body-viewport')?.scrollHeight > 32 * 2000")
        page.evaluate(SCROLL_BOTH)
        expect(last_row(page, station.points)).to_be_visible()
