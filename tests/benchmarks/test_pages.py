"""What the benchmark of the pages believes to have seen: its observer in a real browser, its commits in a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from benchmarks import pages

LIST = "<button>press</button><div class='ag-center-cols-container'><div class='ag-row'>A-0001 high</div></div>"
ADD = """text => {
  const row = document.createElement("div");
  row.className = "ag-row";
  row.textContent = text;
  document.querySelector(".ag-center-cols-container").append(row);
  return Date.now();
}"""


@pytest.fixture
def page(require_system: Callable[[str], str]) -> Iterator[Page]:
    path = require_system("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(pages.OBSERVER)
        page.goto("about:blank")
        page.evaluate("html => { document.body.innerHTML = html; }", LIST)
        yield page
        browser.close()


def test_a_row_is_seen_once_when_it_is_drawn_and_not_if_it_stood_there_before(page: Page) -> None:
    page.evaluate("pattern => watch(new RegExp(pattern))", pages.RAISED)
    added_ms = page.evaluate(ADD, "A-0002 high")
    page.wait_for_function("seen['A-0002']")
    first = pages._seen(page)
    assert first["A-0001"] == 0
    assert first["A-0002"] >= added_ms
    page.evaluate(ADD, "A-0002 high high")
    page.evaluate(ADD, "A-0003 high")
    page.wait_for_function("seen['A-0003']")
    assert pages._seen(page)["A-0002"] == first["A-0002"]


def test_a_press_is_noted_with_its_moment(page: Page) -> None:
    before_ms = page.evaluate("Date.now()")
    page.get_by_role("button").click()
    assert page.evaluate("pressed.length") == 1
    assert page.evaluate("pressed.at(-1)") >= before_ms


def test_an_acknowledgement_is_not_seen_in_a_row_that_is_unacknowledged(page: Page) -> None:
    page.evaluate("pattern => watch(new RegExp(pattern))", pages.ACKNOWLEDGED)
    page.evaluate(ADD, "A-0004highunacknowledged")
    page.evaluate(ADD, "A-0005highacknowledged")
    page.wait_for_function("seen['A-0005']")
    assert "A-0004" not in pages._seen(page)


def test_a_missed_goal_is_told_of_the_percentile_that_missed_it() -> None:
    rows = pages._percentiles("pages.x", [10.0] * 98 + [2000.0] * 2, 1000.0, "alarms")
    assert [(row["name"], row["value"], row["met"]) for row in rows] == [
        ("pages.x_p50", 10.0, True), ("pages.x_p99", 2000.0, False),
    ]  # fmt: skip
    assert rows[0]["reference"] == "100 alarms"
